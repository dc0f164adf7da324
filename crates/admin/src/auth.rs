//! Who is looking at a page: signing in and out, and what each role may do.

use std::sync::Arc;

use askama::Template;
use axum::{
    Extension,
    extract::{FromRequestParts, State},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{Html, IntoResponse, Redirect, Response},
    routing::{get, post},
};
use inventory_core::{Actor, Event, Preferences, Role, SessionId, Theme, User, UserChange};
use inventory_http::Client;
use inventory_store::{ReadError, Session, SessionSelector, SignIn, SignInError, Store, VersionPrecondition};

use crate::{
    Admin, address,
    failure::Failure,
    form_data::{FormData, Parameters},
    layout::{Flash, Layout, Section},
    routes::Router,
    sign_in_limiter::SignInLimiter,
};

/// The cookie that holds the secret of a session.
const SESSION_COOKIE: &str = "inventory_session";
/// The same where the client came by TLS. A browser takes a cookie of this prefix from nobody but the host itself, over
/// TLS and for all its paths (RFC 6265bis §4.1.3.2), so no neighbour in its domain can plant one.
const SECURE_SESSION_COOKIE: &str = "__Host-inventory_session";
/// The cookie by which a browser shows that it was signed in before: the id of a session, which is worth nothing
/// but a separate limit on sign-in attempts.
const BROWSER_COOKIE: &str = "inventory_browser";
/// Where one signs in.
pub(crate) const SIGN_IN_PATH: &str = "/admin/sign-in";
/// How much is kept of what a browser calls itself, in characters.
const MAX_AGENT_CHARS: usize = 200;

/// Who sends a request: a signed-in user, nobody known, or unknown because the database does not answer.
#[derive(Debug, Clone)]
pub(crate) struct Visitor(Result<Option<Arc<Session>>, ReadError>);

impl Visitor {
    /// Who sends these headers.
    pub(crate) async fn of(admin: &Admin, client: Client, headers: &HeaderMap) -> Self {
        let (name, _) = session_cookie_of(client.secure);
        let Some(secret) = cookie(headers, name) else { return Self(Ok(None)) };
        Self(admin.store.sessions().find(secret).await.map(|session| session.map(Arc::new)))
    }

    /// The user who is signed in.
    pub(crate) fn user(&self) -> Option<Arc<User>> {
        self.0.as_ref().ok()?.as_ref().map(|session| Arc::clone(&session.user))
    }
}

/// The value of a cookie.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    cookies
        .flat_map(|cookies| cookies.split(';'))
        .filter_map(|cookie| cookie.trim().split_once('='))
        .find_map(|(key, value)| (key == name).then_some(value))
}

/// Someone who is signed in and may look at everything.
#[derive(Debug, Clone)]
pub(crate) struct SignedIn {
    pub(crate) user: Arc<User>,
    pub(crate) session: Arc<Session>,
    notice: Option<Flash>,
}

impl SignedIn {
    /// What their pages have around them.
    pub(crate) fn layout(&self, section: Section) -> Layout {
        Layout {
            user: Some(Arc::clone(&self.user)),
            section,
            notice: self.notice.clone(),
            ..Layout::default()
        }
    }

    /// How events name them.
    pub(crate) fn actor(&self) -> Actor {
        Actor::user(&self.user.name)
    }

    /// The same, where the role is this one or a higher one.
    fn at_least(self, role: Role) -> Result<Self, Failure> {
        if self.user.role >= role { Ok(self) } else { Err(Failure::Forbidden(role)) }
    }

    /// Whether an event may end what they were let into: it is to be asked again.
    pub(crate) fn may_end_with(&self, event: &Event) -> bool {
        match event {
            Event::UserSignedOut(out) => out.session == self.session.id,
            Event::UserUpdated(updated) => updated.after.id == self.user.id && !updated.after.is_active(),
            Event::UserDeleted(deleted) => deleted.user.id == self.user.id,
            _ => false,
        }
    }

    /// Remembers other choices of the user.
    pub(crate) async fn prefer(&self, store: &Store, preferences: Preferences) -> Result<(), Failure> {
        let change = UserChange { preferences: Some(preferences), ..UserChange::default() };
        // Of two choices the later one holds: there is nothing in them that could be lost.
        store.users().change(self.user.id, VersionPrecondition::Any, change, None, self.actor()).await?;
        Ok(())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for SignedIn {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let Some(Visitor(visitor)) = parts.extensions.get::<Visitor>().cloned() else {
            return Err(Failure::Unexpected("a page is outside the middleware".to_owned()));
        };
        let notice = parts.extensions.get::<Option<Flash>>().cloned().flatten();
        let Some(session) = visitor? else {
            let next = parts.uri.path_and_query().map_or("/admin/", |next| next.as_str());
            return Err(Failure::SignedOut(next.to_owned()));
        };
        Ok(Self { user: Arc::clone(&session.user), session, notice })
    }
}

/// Someone who may change components.
#[derive(Debug, Clone)]
pub(crate) struct Editor(pub(crate) SignedIn);

impl<S: Send + Sync> FromRequestParts<S> for Editor {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let signed_in = SignedIn::from_request_parts(parts, state).await?;
        signed_in.at_least(Role::Editor).map(Self)
    }
}

/// Someone who may manage users and everybody's tokens.
#[derive(Debug, Clone)]
pub(crate) struct Administrator(pub(crate) SignedIn);

impl<S: Send + Sync> FromRequestParts<S> for Administrator {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        SignedIn::from_request_parts(parts, state).await?.at_least(Role::Admin).map(Self)
    }
}

/// The pages of this module.
pub(crate) fn router() -> Router<Admin> {
    Router::new()
        .route(SIGN_IN_PATH, get(sign_in_page).post(sign_in))
        .route("/admin/sign-out", post(sign_out))
        .route("/admin/theme", post(theme))
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    layout: Layout,
    /// Where to go on afterwards.
    next: String,
    name: String,
    refused: bool,
}

async fn sign_in_page(
    Extension(visitor): Extension<Visitor>,
    Extension(notice): Extension<Option<Flash>>,
    Parameters(fields): Parameters,
) -> Result<Response, Failure> {
    let next = address::local(fields.text("next")).to_owned();
    if visitor.user().is_some() {
        return Ok(Redirect::to(&next).into_response());
    }
    let layout = Layout { notice, ..Layout::default() };
    let page = SignInPage { layout, next, name: String::new(), refused: false };
    Ok(Html(page.render()?).into_response())
}

/// Begins a new session for each sign-in, so that an earlier cookie is no longer valid.
async fn sign_in(
    client: Client,
    State(store): State<Store>,
    State(throttle): State<SignInLimiter>,
    headers: HeaderMap,
    fields: FormData,
) -> Result<Response, Failure> {
    let (name, next) = (fields.text("name").trim(), address::local(fields.text("next")));
    let browser = cookie(&headers, BROWSER_COOKIE).and_then(|id| id.parse().ok()).map(SessionId);
    let admitted = throttle.admit(&store, client, name, browser).await?;
    let known_browser = admitted.map_err(Failure::TooManySignIns)?;
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    let agent: String = agent.chars().take(MAX_AGENT_CHARS).collect();
    let password = fields.text("password");
    let attempt = SignIn { name, password, address: client.address, agent: &agent, known_browser };
    match store.sessions().sign_in(attempt).await {
        Ok(signed_in) => {
            let mut response = Redirect::to(next).into_response();
            let cookie = session_cookie(&signed_in.secret, client.secure, None);
            response.headers_mut().append(header::SET_COOKIE, cookie);
            let browser = browser_cookie(signed_in.session.id, client.secure);
            response.headers_mut().append(header::SET_COOKIE, browser);
            Ok(response)
        }
        Err(SignInError::Refused) => {
            let page = SignInPage {
                layout: Layout::default(),
                next: next.to_owned(),
                name: name.to_owned(),
                refused: true,
            };
            Ok((StatusCode::UNPROCESSABLE_ENTITY, Html(page.render()?)).into_response())
        }
        Err(SignInError::Busy) => Err(Failure::SignInsBusy),
        Err(SignInError::Unavailable(error)) => Err(error.into()),
        Err(SignInError::Write(error)) => Err(error.into()),
    }
}

async fn sign_out(
    client: Client,
    signed_in: SignedIn,
    State(store): State<Store>,
) -> Result<Response, Failure> {
    store
        .sessions()
        .sign_out(signed_in.user.id, SessionSelector::One(signed_in.session.id), signed_in.actor())
        .await?;
    let mut response = Redirect::to(SIGN_IN_PATH).into_response();
    response.headers_mut().append(header::SET_COOKIE, session_cookie("", client.secure, Some(0)));
    response.headers_mut().append(header::SET_COOKIE, Flash::SignedOut.cookie());
    Ok(response)
}

/// Changes how the admin looks, and goes back to the page where that was asked for.
async fn theme(
    signed_in: SignedIn,
    State(store): State<Store>,
    fields: FormData,
) -> Result<Response, Failure> {
    let theme: Theme =
        fields.text("theme").parse().map_err(|error| Failure::BadRequest(format!("The theme {error}.")))?;
    signed_in.prefer(&store, Preferences { theme, ..signed_in.user.preferences.clone() }).await?;
    Ok(Redirect::to(address::local(fields.text("next"))).into_response())
}

/// The cookie that outlives a session, for as long as the store remembers it.
fn browser_cookie(session: SessionId, secure: bool) -> HeaderValue {
    let secure = if secure { "; Secure" } else { "" };
    let age = Session::KEPT_FOR.as_secs();
    let text = format!(
        "{BROWSER_COOKIE}={session}; Path={SIGN_IN_PATH}; HttpOnly; SameSite=Strict; Max-Age={age}{secure}"
    );
    // Cannot fail: an id is digits, letters and hyphens.
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}

/// The name of the cookie of a session, and its attributes that go with the name.
fn session_cookie_of(secure: bool) -> (&'static str, &'static str) {
    if secure { (SECURE_SESSION_COOKIE, "Path=/; Secure") } else { (SESSION_COOKIE, "Path=/admin") }
}

/// The cookie of a session, kept until the browser is closed or, at once, until it is to be forgotten.
fn session_cookie(secret: &str, secure: bool, max_age: Option<u32>) -> HeaderValue {
    let age = max_age.map(|seconds| format!("; Max-Age={seconds}")).unwrap_or_default();
    let (name, attributes) = session_cookie_of(secure);
    let text = format!("{name}={secret}; {attributes}; HttpOnly; SameSite=Lax{age}");
    // Cannot fail: a secret is letters, digits, hyphens and underscores.
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}
