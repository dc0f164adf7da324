//! Making a token. Its secret is shown on the page that answers, and nowhere else.

use askama::Template;
use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header, uri::Authority},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use inventory_core::{Role, Scope, Scopes, Token};
use inventory_http::Client;
use inventory_store::{NewToken, Store, TokenConflict, Tokens, WriteError};
use time::Duration;

use crate::{
    Admin,
    auth::SignedIn,
    failure::Failure,
    form_data::FormData,
    format::Moment,
    layout::{Layout, Section},
    render::{self, Answer as _},
    routes::Router,
};

/// How many days a token is good for unless someone chooses otherwise.
const DEFAULT_DAYS: u16 = 90;
/// How many it may be good for at most.
const MAX_DAYS: u16 = 3650;
/// The page with the secret is kept by no browser, not even to go back to it.
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// The pages of this module.
pub(super) fn router() -> Router<Admin> {
    Router::new().route("/admin/tokens/new", get(blank).post(create))
}

/// The form as it is typed.
struct Typed {
    name: String,
    scopes: Scopes,
    days: String,
}

#[derive(Template)]
#[template(path = "token_new.html")]
struct NewTokenPage {
    layout: Layout,
    role: Role,
    typed: Typed,
    name_error: Option<String>,
    scopes_error: Option<String>,
    days_error: Option<String>,
}

impl NewTokenPage {
    fn new(signed_in: &SignedIn, typed: Typed) -> Self {
        let (layout, role) = (signed_in.layout(Section::Tokens), signed_in.user.role);
        Self { layout, role, typed, name_error: None, scopes_error: None, days_error: None }
    }

    /// The scopes to choose from.
    fn choices(&self) -> impl Iterator<Item = Scope> + use<> {
        let role = self.role;
        Scope::ALL.into_iter().filter(move |scope| role.allows(*scope))
    }

    fn is_chosen(&self, scope: Scope) -> bool {
        self.typed.scopes.iter().any(|chosen| chosen == scope)
    }
}

/// What a scope opens, as it is told where one is chosen.
fn about(scope: Scope) -> &'static str {
    match scope {
        Scope::Read => "view components and events",
        Scope::Write => "view and change components",
        Scope::Metrics => "view metrics only",
        Scope::Admin => "full access",
    }
}

async fn blank(signed_in: SignedIn) -> Result<Response, Failure> {
    let typed =
        Typed { name: String::new(), scopes: Scopes::of([Scope::Read]), days: DEFAULT_DAYS.to_string() };
    NewTokenPage::new(&signed_in, typed).answer(StatusCode::OK)
}

async fn create(
    client: Client,
    signed_in: SignedIn,
    State(store): State<Store>,
    uri: Uri,
    headers: HeaderMap,
    fields: FormData,
) -> Result<Response, Failure> {
    let scopes = fields.all("scope").map(str::parse).collect::<Result<Vec<Scope>, _>>();
    let scopes = scopes.map_err(|error| Failure::BadRequest(format!("The scope {error}.")))?;
    let typed = Typed {
        name: fields.text("name").trim().to_owned(),
        scopes: Scopes::of(scopes),
        days: fields.text("days").trim().to_owned(),
    };
    let days = days(&typed.days);
    let (name, scopes) = (typed.name.clone(), typed.scopes.clone());
    let mut page = NewTokenPage::new(&signed_in, typed);
    page.name_error = wrong_name(&name);
    page.scopes_error = wrong_scopes(&scopes, page.role);
    let expires_in = match days {
        Ok(days) if page.name_error.is_none() && page.scopes_error.is_none() => days,
        days => {
            page.days_error = days.err();
            return page.answer(StatusCode::UNPROCESSABLE_ENTITY);
        }
    };
    let expires_at = expires_in.map(|days| store.clock().now() + Duration::days(days.into()));
    let new = NewToken { name, owner: Some(signed_in.user.id), scopes, expires_at };
    match store.tokens().create(new, signed_in.actor()).await {
        Ok((token, secret)) => {
            let page = MadePage {
                layout: signed_in.layout(Section::Tokens),
                example: example(&token, &secret, &base(client, &uri, &headers)),
                token: token.as_ref().clone(),
                secret,
            };
            Ok(([(header::CACHE_CONTROL, NO_STORE)], Html(page.render()?)).into_response())
        }
        Err(WriteError::Conflict(conflict @ TokenConflict::NameTaken(_))) => {
            page.name_error = Some(render::sentence(conflict));
            page.answer(StatusCode::CONFLICT)
        }
        // Without an owner: the user was removed since the request began.
        Err(error) => Err(error.into()),
    }
}

fn wrong_name(name: &str) -> Option<String> {
    let max = Tokens::MAX_NAME_BYTES;
    let wrong = name.is_empty() || name.len() > max || name.chars().any(char::is_control);
    wrong.then(|| format!("The name must be 1 to {max} bytes without control characters."))
}

fn wrong_scopes(scopes: &Scopes, role: Role) -> Option<String> {
    if scopes.is_empty() {
        return Some("Choose at least one permission.".to_owned());
    }
    let beyond = scopes.iter().find(|scope| !role.allows(*scope))?;
    Some(format!("Your role, {role}, does not allow the scope {beyond}."))
}

/// After how many days a token expires, if it does.
fn days(text: &str) -> Result<Option<u16>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let days = text.parse().ok().filter(|days| (1..=MAX_DAYS).contains(days));
    days.map(Some).ok_or_else(|| format!("Enter a number of days from 1 to {MAX_DAYS}, or leave it blank."))
}

#[derive(Template)]
#[template(path = "token_made.html")]
struct MadePage {
    layout: Layout,
    token: Token,
    secret: String,
    /// A line for a shell that uses it.
    example: String,
}

/// Where the service is, as the browser sees it. The host is the sender's own word; it is shown to nobody else,
/// and what a shell could take for more than a host is not shown at all.
fn base(client: Client, uri: &Uri, headers: &HeaderMap) -> String {
    let named = headers.get(header::HOST).and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
    let plain = |host: &Authority| {
        host.as_str().chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']'))
    };
    let host = uri.authority().cloned().or(named).filter(plain);
    let host = host.as_ref().map_or("localhost", Authority::as_str);
    format!("{}://{host}", if client.secure { "https" } else { "http" })
}

fn example(token: &Token, secret: &str, base: &str) -> String {
    let path = if token.scopes.cover(Scope::Read) { "/api/v1/components?limit=1" } else { "/metrics/" };
    format!("curl -H 'Authorization: Bearer {secret}' '{base}{path}'")
}

#[cfg(test)]
mod tests {
    use inventory_http::Client;

    use super::*;

    #[test]
    fn a_host_that_is_more_than_a_host_is_not_shown() {
        let client = Client { address: [192, 0, 2, 1].into(), secure: true };
        let told = |host: &'static str| {
            let headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static(host))]);
            base(client, &Uri::from_static("/admin/tokens/new"), &headers)
        };
        assert_eq!(told("inventory.example:8443"), "https://inventory.example:8443");
        assert_eq!(told("[::1]:8000"), "https://[::1]:8000");
        for bad in ["a'$(reboot)'", "user@evil.example", "a b", ""] {
            assert_eq!(told(bad), "https://localhost", "{bad:?}");
        }
    }
}
