//! The account of the signed-in user: theme, password, sessions, tokens.

use askama::Template;
use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::Response,
    routing::{get, post},
};
use inventory_core::{SessionId, UserChange};
use inventory_http::Client;
use inventory_store::{NewPassword, SessionSelector, Store, VersionPrecondition, WriteError};

use crate::{
    Admin,
    active_sessions::{self, Browser},
    auth::SignedIn,
    failure::Failure,
    form_data::FormData,
    layout::{Flash, Layout, Section},
    password,
    render::{self, Answer as _},
    routes::Router,
    sign_in_limiter::SignInLimiter,
    tokens::{self, Row},
};

/// Where it is.
pub(crate) const PATH: &str = "/admin/account";

/// The pages of this module.
pub(crate) fn router() -> Router<Admin> {
    Router::new()
        .route(PATH, get(page))
        .route("/admin/account/password", post(set_password))
        .route("/admin/account/sessions/{id}/end", post(end_session))
        .route("/admin/account/sessions/end-others", post(end_others))
}

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage {
    layout: Layout,
    present_error: Option<String>,
    password_error: Option<String>,
    sessions: Vec<Browser>,
    tokens: Vec<Row>,
}

impl AccountPage {
    async fn new(signed_in: &SignedIn, store: &Store) -> Result<Self, Failure> {
        Ok(Self {
            layout: signed_in.layout(Section::Account),
            present_error: None,
            password_error: None,
            sessions: active_sessions::of(store, &signed_in.user, signed_in.session.id).await?,
            tokens: tokens::of(store, signed_in.user.id).await?,
        })
    }
}

async fn page(signed_in: SignedIn, State(store): State<Store>) -> Result<Response, Failure> {
    AccountPage::new(&signed_in, &store).await?.answer(StatusCode::OK)
}

/// Asks for the present password, so that a browser that was left open does not give the account away. It may be
/// guessed at as slowly as at the door.
async fn set_password(
    client: Client,
    signed_in: SignedIn,
    State(store): State<Store>,
    State(throttle): State<SignInLimiter>,
    fields: FormData,
) -> Result<Response, Failure> {
    let user = &signed_in.user;
    let password = match password::typed(&fields) {
        Ok(password) => password,
        Err(error) => {
            let page = AccountPage::new(&signed_in, &store).await?;
            return AccountPage { password_error: Some(error), ..page }
                .answer(StatusCode::UNPROCESSABLE_ENTITY);
        }
    };
    let browser = Some(signed_in.session.id);
    if let Err(wait) = throttle.admit(&store, client, user.name.as_str(), browser).await? {
        return Err(Failure::TooManySignIns(wait));
    }
    if !store.users().verify_password(user.id, fields.text("present_password")).await? {
        let page = AccountPage::new(&signed_in, &store).await?;
        let present_error = Some("That is not your current password.".to_owned());
        return AccountPage { present_error, ..page }.answer(StatusCode::UNPROCESSABLE_ENTITY);
    }
    // The version is the one from before the present password was looked at: where another was set meanwhile,
    // this one is not.
    let (expected, keep) = (VersionPrecondition::version(user.version), browser);
    let new = NewPassword { password, keep };
    match store.users().change(user.id, expected, UserChange::default(), Some(new), signed_in.actor()).await {
        Ok(_) => Ok(render::done(PATH, &Flash::PasswordSet)),
        // The user was changed or removed. `LastAdmin` is only about roles.
        Err(WriteError::Conflict(_)) => {
            let page = AccountPage::new(&signed_in, &store).await?;
            let error = "Your account was changed in the meantime. Try again.".to_owned();
            AccountPage { password_error: Some(error), ..page }.answer(StatusCode::CONFLICT)
        }
        Err(WriteError::Failure(failure)) => Err(failure.into()),
    }
}

/// Ends one of their own sessions; which is nothing where the id is someone else's.
async fn end_session(
    signed_in: SignedIn,
    State(store): State<Store>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let id = id.parse().map(SessionId).map_err(|_| {
        Failure::NotFound("This session does not exist. It may have ended already.".to_owned())
    })?;
    let count =
        store.sessions().sign_out(signed_in.user.id, SessionSelector::One(id), signed_in.actor()).await?;
    Ok(render::done(PATH, &Flash::SessionsEnded(count)))
}

async fn end_others(signed_in: SignedIn, State(store): State<Store>) -> Result<Response, Failure> {
    let but = SessionSelector::AllBut(Some(signed_in.session.id));
    let count = store.sessions().sign_out(signed_in.user.id, but, signed_in.actor()).await?;
    Ok(render::done(PATH, &Flash::SessionsEnded(count)))
}
