//! The web admin at `/admin/`: pages for the people who keep the stock room.
//!
//! Pages are rendered here, from templates that are compiled into the binary, and work by links and forms alone.
//! Where there is JavaScript, a link or form that names a part of the page (`data-swap`) is followed without
//! leaving it: the script asks for the same page and takes that part of the answer. So there is one answer to
//! each address.
//!
//! A handler reads the request, makes one call to the store, and answers a page or a redirect. Whatever goes
//! wrong is a `failure::Failure`, which becomes a page in `middleware`.
//!
//! What belongs here: everything that people see. What does not: SQL, and what a component may be.

mod account;
mod active_sessions;
mod actor_label;
mod address;
mod asset;
mod auth;
mod chart;
mod components;
mod failure;
mod form_data;
mod format;
mod home;
mod import;
mod layout;
mod live;
mod middleware;
mod palette;
mod password;
mod render;
mod routes;
mod shortcuts;
mod sign_in_limiter;
mod tokens;
mod user_agent;
mod users;

use axum::{
    extract::{DefaultBodyLimit, FromRef},
    http::Uri,
    middleware::from_fn_with_state,
    response::{IntoResponse, Redirect, Response},
    routing::{any, get},
};
use inventory_http::label_routes;
use inventory_store::Store;
use tower_http::csrf::CsrfLayer;

pub use live::LivePages;

use crate::{
    failure::Failure, form_data::MAX_FORM_BYTES, import::Imports, live::Live, routes::Router,
    sign_in_limiter::SignInLimiter,
};

/// The web admin over a store. Clones are the same admin.
#[derive(Debug, Clone, FromRef)]
pub struct Admin {
    store: Store,
    live: Live,
    throttle: SignInLimiter,
    imports: Imports,
}

impl Admin {
    /// The admin of this store.
    pub fn new(store: Store) -> Self {
        Self { store, live: Live::default(), throttle: SignInLimiter::default(), imports: Imports::default() }
    }

    /// What tells open pages about changes. It must be registered with the bus of the store.
    pub fn live_pages(&self) -> LivePages {
        self.live.pages()
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
            .layer(from_fn_with_state(self.clone(), middleware::frame))
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
        .merge(auth::router())
        .merge(home::router())
        .merge(components::router())
        .merge(import::router())
        .merge(live::router())
        .merge(users::router())
        .merge(tokens::router())
        .merge(account::router())
        .merge(palette::router())
        .merge(shortcuts::router())
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
