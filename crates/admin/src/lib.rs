//! The web admin at `/admin/`: pages for the people who keep the stock room.
//!
//! Pages are rendered here, from templates that are compiled into the binary, and work by links and forms alone.
//! Where there is JavaScript, a link or form that names a part of the page (`data-swap`) is followed without
//! leaving it: the script asks for the same page and takes that part of the answer. So there is one answer to
//! each address, whoever asks.
//!
//! A handler reads the request, makes one call to the store, and answers a page or a redirect. Whatever goes
//! wrong is a `failure::Failure`, which becomes a page in `frame`.
//!
//! What belongs here: everything that people see. What does not: SQL, and what a component may be.

mod account;
mod address;
mod agent;
mod answer;
mod asset;
mod chart;
mod components;
mod failure;
mod fields;
mod frame;
mod home;
mod import;
mod keys;
mod live;
mod moment;
mod palette;
mod password;
mod people;
mod routes;
mod session;
mod sessions;
mod shell;
mod throttle;
mod tokens;
mod who;

use axum::{
    extract::{DefaultBodyLimit, FromRef},
    http::Uri,
    middleware,
    response::{IntoResponse, Redirect, Response},
    routing::{any, get},
};
use inventory_api::label_routes;
use inventory_store::Store;
use tower_http::csrf::CsrfLayer;

use crate::{
    failure::Failure, fields::MAX_FORM_BYTES, import::Imports, live::Live, routes::Router, throttle::Throttle,
};

/// The web admin over a store. Clones are the same admin.
#[derive(Debug, Clone, FromRef)]
pub struct Admin {
    store: Store,
    live: Live,
    throttle: Throttle,
    imports: Imports,
}

impl Admin {
    /// The admin of this store.
    pub fn new(store: Store) -> Self {
        Self { store, live: Live::default(), throttle: Throttle::default(), imports: Imports::default() }
    }

    /// Ends the streams of open pages and breaks off exports, so that none delays the stop of the service.
    pub fn stop_streams(&self) {
        self.live.stop();
    }

    /// All of its pages.
    pub fn router(&self) -> axum::Router {
        let refuse = |_| Failure::CrossOrigin.into_response();
        label_routes(pages().into_axum())
            .route("/admin/{*rest}", any(not_found))
            .method_not_allowed_fallback(async || Failure::MethodNotAllowed)
            .layer(DefaultBodyLimit::max(MAX_FORM_BYTES))
            .layer(CsrfLayer::new().with_rejection_response(refuse))
            .layer(middleware::from_fn_with_state(self.clone(), frame::frame))
            .merge(label_routes(asset::router().into_axum()))
            .with_state(self.clone())
    }

    /// The path of every page and asset, as routers write it. Which methods a path takes is up to the page.
    pub fn paths() -> Vec<&'static str> {
        [pages().paths(), asset::router::<Self>().paths()].concat()
    }
}

fn pages() -> Router<Admin> {
    Router::new()
        .route("/admin", get(async || Redirect::permanent("/admin/")))
        .merge(session::router())
        .merge(home::router())
        .merge(components::router())
        .merge(import::router())
        .merge(live::router())
        .merge(people::router())
        .merge(tokens::router())
        .merge(account::router())
        .merge(palette::router())
        .merge(keys::router())
}

/// A path with a slash too many leads to the page without it.
async fn not_found(uri: Uri) -> Response {
    let path = uri.path();
    match path.strip_suffix('/') {
        Some(shorter) if !shorter.is_empty() && address::local(shorter) == shorter => {
            let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
            Redirect::permanent(&format!("{shorter}{query}")).into_response()
        }
        _ => Failure::NotFound(format!("There is no page at {path}.")).into_response(),
    }
}
