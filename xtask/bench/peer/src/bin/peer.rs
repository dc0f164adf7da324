//! `peer DATABASE_URL ADDRESS`: components over HTTP, by hand.

use std::{str::FromStr, time::Duration};

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::{HeaderName, StatusCode, header},
    routing::{get, post},
};
use inventory_bench_peer::{
    Batch, BatchOperation, BatchResult, BatchResults, Component, INSERT, Listing, NewComponent,
    SCHEMA_POSTGRES, SCHEMA_SQLITE, SELECT_FIRST, SELECT_NEXT, SELECT_ONE,
};
use serde::Deserialize;
use sqlx::{
    Pool, Postgres, QueryBuilder, Sqlite,
    postgres::PgPoolOptions,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use uuid::Uuid;

/// Connections that read from SQLite.
const SQLITE_READERS: u32 = 4;
/// Connections to PostgreSQL: enough for its group commit, fewer than its hundred.
const POSTGRES_CONNECTIONS: u32 = 32;
/// How long a statement waits for another process's write lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Components of one insert of a batch. The 21 columns of a thousand are fewer values than either database
/// allows (32,766 and 65,535), and one statement is the fastest.
const ROWS_PER_INSERT: usize = 1000;
/// A page, unless asked otherwise.
const DEFAULT_LIMIT: i64 = 50;

type Failure = (StatusCode, String);

fn failure(error: sqlx::Error) -> Failure {
    match &error {
        sqlx::Error::RowNotFound => (StatusCode::NOT_FOUND, "there is no such component".to_owned()),
        sqlx::Error::Database(database) if database.is_unique_violation() => {
            (StatusCode::CONFLICT, "the sku is taken".to_owned())
        }
        _ => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

fn invalid() -> Failure {
    (StatusCode::UNPROCESSABLE_ENTITY, "the name must have 1 to 200 bytes".to_owned())
}

#[derive(Deserialize)]
struct Page {
    limit: Option<i64>,
    after: Option<Uuid>,
}

/// The same handlers for each database: sqlx knows which at compile time only.
macro_rules! service {
    ($module:ident, $database:ty) => {
        mod $module {
            use super::*;

            #[derive(Clone)]
            pub(crate) struct Pools {
                pub(crate) read: Pool<$database>,
                pub(crate) write: Pool<$database>,
            }

            pub(crate) fn router(pools: Pools) -> Router {
                Router::new()
                    .route("/api/v1/components", get(list).post(create))
                    .route("/api/v1/components/batch", post(batch))
                    .route("/api/v1/components/{id}", get(one))
                    .route("/metrics/", get(metrics))
                    .with_state(pools)
            }

            async fn one(
                State(pools): State<Pools>,
                Path(id): Path<Uuid>,
            ) -> Result<Json<Component>, Failure> {
                let component = sqlx::query_as(SELECT_ONE).bind(id).fetch_one(&pools.read).await;
                component.map(Json).map_err(failure)
            }

            async fn list(
                State(pools): State<Pools>,
                Query(page): Query<Page>,
            ) -> Result<Json<Listing>, Failure> {
                let limit = page.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, 1000);
                let query = match page.after {
                    Some(after) => sqlx::query_as(SELECT_NEXT).bind(after).bind(limit),
                    None => sqlx::query_as(SELECT_FIRST).bind(limit),
                };
                let items: Vec<Component> = query.fetch_all(&pools.read).await.map_err(failure)?;
                let next_cursor = items.last().map(|last| last.id);
                Ok(Json(Listing { items, next_cursor }))
            }

            type Created = (StatusCode, [(HeaderName, String); 1], Json<Component>);

            async fn create(
                State(pools): State<Pools>,
                Json(new): Json<NewComponent>,
            ) -> Result<Created, Failure> {
                if !new.is_valid() {
                    return Err(invalid());
                }
                let component = [Component::new(new)];
                insert(&component).build().execute(&pools.write).await.map_err(failure)?;
                let [component] = component;
                let location = format!("/api/v1/components/{}", component.id);
                Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(component)))
            }

            async fn batch(
                State(pools): State<Pools>,
                Json(batch): Json<Batch>,
            ) -> Result<Json<BatchResults>, Failure> {
                let new = batch.operations.into_iter().map(|BatchOperation::Create { component }| component);
                let components = new
                    .map(|new| if new.is_valid() { Ok(Component::new(new)) } else { Err(invalid()) })
                    .collect::<Result<Vec<_>, _>>()?;
                let mut transaction = pools.write.begin().await.map_err(failure)?;
                for components in components.chunks(ROWS_PER_INSERT) {
                    insert(components).build().execute(&mut *transaction).await.map_err(failure)?;
                }
                transaction.commit().await.map_err(failure)?;
                let result = |component| BatchResult { op: "create", status: "created", component };
                Ok(Json(BatchResults { results: components.into_iter().map(result).collect() }))
            }

            /// The statement is the same text for the same number of rows, so sqlx prepares it once.
            fn insert(components: &[Component]) -> QueryBuilder<$database> {
                let mut query = QueryBuilder::<$database>::new(INSERT);
                query.push_values(components, |mut row, component| {
                    row.push_bind(component.id)
                        .push_bind(component.sku.as_deref())
                        .push_bind(component.name.as_str())
                        .push_bind(component.description.as_str())
                        .push_bind(component.notes.as_str())
                        .push_bind(component.manufacturer.as_deref())
                        .push_bind(component.mpn.as_deref())
                        .push_bind(component.barcode.as_deref())
                        .push_bind(component.unit.as_str())
                        .push_bind(component.min_quantity)
                        .push_bind(component.unit_cost)
                        .push_bind(component.currency.as_deref())
                        .push_bind(component.datasheet_url.as_deref())
                        .push_bind(component.tags.as_str())
                        .push_bind(component.custom_fields.as_str())
                        .push_bind(component.status.as_str())
                        .push_bind(component.created_at)
                        .push_bind(component.created_by.as_str())
                        .push_bind(component.updated_at)
                        .push_bind(component.updated_by.as_str())
                        .push_bind(component.version);
                });
                query
            }

            async fn metrics(
                State(pools): State<Pools>,
            ) -> Result<([(HeaderName, &'static str); 1], String), Failure> {
                let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM component")
                    .fetch_one(&pools.read)
                    .await
                    .map_err(failure)?;
                let text = format!(
                    "# HELP inventory_components_total Current total number of components in inventory\n\
                     # TYPE inventory_components_total gauge\ninventory_components_total {count}\n"
                );
                Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text))
            }
        }
    };
}
service!(on_sqlite, Sqlite);
service!(on_postgres, Postgres);

async fn sqlite(url: &str) -> sqlx::Result<Router> {
    let options = SqliteConnectOptions::from_str(url)?
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT);
    // SQLite has one writer at a time: more connections that write would only wait for each other's lock.
    let pool = |connections| {
        SqlitePoolOptions::new().max_connections(connections).test_before_acquire(false).idle_timeout(None)
    };
    let write = pool(1).connect_with(options.clone()).await?;
    sqlx::raw_sql(SCHEMA_SQLITE).execute(&write).await?;
    let read = pool(SQLITE_READERS).connect_with(options).await?;
    Ok(on_sqlite::router(on_sqlite::Pools { read, write }))
}

async fn postgres(url: &str) -> sqlx::Result<Router> {
    let options = PgPoolOptions::new().max_connections(POSTGRES_CONNECTIONS).test_before_acquire(false);
    let pool = options.connect(url).await?;
    sqlx::raw_sql(SCHEMA_POSTGRES).execute(&pool).await?;
    Ok(on_postgres::router(on_postgres::Pools { read: pool.clone(), write: pool }))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(url), Some(address)) = (arguments.next(), arguments.next()) else {
        return Err("usage: peer DATABASE_URL ADDRESS".into());
    };
    let router = if url.starts_with("sqlite:") { sqlite(&url).await? } else { postgres(&url).await? };
    let listener = tokio::net::TcpListener::bind(address).await?;
    axum::serve(listener, router).await?;
    Ok(())
}
