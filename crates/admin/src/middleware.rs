//! What happens around every page: who asks, an end to panics, and failures as pages.

use std::{sync::Arc, time::Duration};

use axum::{
    body::{Body, to_bytes},
    extract::{FromRequest, Request, State},
    http::{HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use inventory_http::{Client, catch_panic};

use crate::{
    Admin,
    auth::{SIGN_IN_PATH, Visitor, cookie},
    failure::{Again, Failure},
    form_data::{FormData, MAX_FORM_BYTES},
    layout::{FLASH_COOKIE, Flash, Layout},
};

/// How long a page may take: less than the time after which the service itself gives up without a page.
const PAGE_TIMEOUT: Duration = Duration::from_secs(25);

/// A browser may show a page again when someone goes back, so that what was typed is still there, but asks before
/// it loads it again, and shared caches do not keep it.
const CACHE_CONTROL: HeaderValue = HeaderValue::from_static("private, no-cache");

/// The layer around the pages.
pub(crate) async fn frame(State(admin): State<Admin>, mut request: Request, next: Next) -> Response {
    let client = Client::of(request.extensions());
    let visitor = Visitor::of(&admin, client, request.headers()).await;
    let notice = cookie(request.headers(), FLASH_COOKIE).and_then(Flash::parse);
    let layout = Layout { user: visitor.user(), notice: notice.clone(), ..Layout::default() };
    let again = match visitor.user() {
        None => again(&mut request).await,
        Some(_) => None,
    };
    request.extensions_mut().insert(visitor);
    request.extensions_mut().insert(notice.clone());
    let answered = catch_panic(next.run(request));
    let mut response = match tokio::time::timeout(PAGE_TIMEOUT, answered).await {
        Ok(Ok(response)) => response,
        Ok(Err(panicked)) => Failure::Unexpected(panicked.to_string()).into_response(),
        Err(_elapsed) => Failure::Timeout.into_response(),
    };
    if let Some(failure) = response.extensions_mut().remove::<Arc<Failure>>() {
        let kept = match &*failure {
            Failure::SignedOut(_) | Failure::Unavailable(_) => again.as_ref(),
            _ => None,
        };
        response = failure.page(&layout, kept);
    }
    response.headers_mut().entry(header::CACHE_CONTROL).or_insert(CACHE_CONTROL);
    if notice.is_some() && response.status() == StatusCode::OK {
        response.headers_mut().append(header::SET_COOKIE, Flash::told());
    }
    response
}

/// The form that was posted, put back so that the handler can read it too. It is wanted only where the handler
/// will not: when nobody is signed in, or the database does not say who.
async fn again(request: &mut Request) -> Option<Again> {
    let path = request.uri().path().to_owned();
    if request.method() != Method::POST || path == SIGN_IN_PATH {
        return None;
    }
    let body = to_bytes(std::mem::take(request.body_mut()), MAX_FORM_BYTES).await.ok()?;
    let mut copy = Request::new(Body::from(body.clone()));
    *request.body_mut() = Body::from(body);
    *copy.method_mut() = Method::POST;
    copy.headers_mut().clone_from(request.headers());
    let FormData(mut fields) = FormData::from_request(copy, &()).await.ok()?;
    // A password is typed again.
    fields.retain(|(name, _)| !name.contains("password"));
    Some(Again { path, fields })
}
