//! What goes wrong, as pages for people.
//!
//! A handler answers a [`Failure`]; it becomes a page in [`crate::middleware`], which knows who is looking at it.

use std::{fmt::Display, sync::Arc, time::Duration};

use askama::Template;
use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use inventory_core::Role;
use inventory_store::{ReadError, WriteError, WriteFailure};
use uuid::Uuid;

use crate::{address, layout::Layout};

/// Seconds after which someone may try to sign in again for whom there was no room.
const SIGN_IN_RETRY_SECONDS: u64 = 3;

/// Why a request is not answered with what it asked for.
#[derive(Debug, Clone)]
pub(crate) enum Failure {
    /// Nobody is signed in. The path to go on to afterwards.
    SignedOut(String),
    /// It takes this role, and the user has a lesser one.
    Forbidden(Role),
    /// A form of another site sent the request.
    CrossOrigin,
    /// There is nothing of this description.
    NotFound(String),
    /// The path does not take this method.
    MethodNotAllowed,
    /// The request is not one that a page of the admin makes.
    BadRequest(String),
    /// A form has more than [`crate::form_data::MAX_FORM_BYTES`].
    TooLong,
    /// Signing in was tried too often; this long until it may be tried again.
    TooManySignIns(Duration),
    /// As many others are signing in as may wait.
    SignInsBusy,
    /// A list was walked through for too long.
    Expired,
    /// The database does not answer.
    Unavailable(String),
    /// A request took too long.
    Timeout,
    /// Nobody foresaw this. The cause is for the log only.
    Unexpected(String),
}

/// The page of a failure.
#[derive(Template)]
#[template(path = "failure.html")]
struct FailurePage<'a> {
    layout: &'a Layout,
    status: StatusCode,
    title: &'a str,
    detail: &'a str,
    /// The name of the failure in the log, where it is there.
    instance: Option<Uuid>,
    /// A form that can be sent again as it was: where to, and its fields.
    again: Option<&'a Again>,
}

/// A form that could not be taken through no fault of who filled it in.
#[derive(Debug, Clone)]
pub(crate) struct Again {
    pub(crate) path: String,
    pub(crate) fields: Vec<(String, String)>,
}

impl Failure {
    fn status(&self) -> StatusCode {
        match self {
            Self::SignedOut(_) => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) | Self::CrossOrigin => StatusCode::FORBIDDEN,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooManySignIns(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Expired => StatusCode::GONE,
            Self::SignInsBusy | Self::Unavailable(_) | Self::Timeout => StatusCode::SERVICE_UNAVAILABLE,
            Self::Unexpected(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn title(&self) -> &'static str {
        match self {
            Self::SignedOut(_) => "You are signed out",
            Self::Forbidden(_) => "Not allowed",
            Self::CrossOrigin => "Refused: the form came from another site",
            Self::NotFound(_) => "Not found",
            Self::MethodNotAllowed => "This page cannot be used this way",
            Self::BadRequest(_) => "Invalid request",
            Self::TooLong => "The form is too long",
            Self::TooManySignIns(_) => "Too many sign-in attempts",
            Self::SignInsBusy => "Too many people are signing in",
            Self::Expired => "This list is out of date",
            Self::Unavailable(_) => "The database is not responding",
            Self::Timeout => "This took too long",
            Self::Unexpected(_) => "Something went wrong",
        }
    }

    fn detail(&self) -> &str {
        match self {
            Self::SignedOut(_) => {
                "Nothing was saved. Sign in in a new tab, then send the form again from here."
            }
            Self::Forbidden(Role::Admin) => "Only administrators can do this. Nothing was changed.",
            Self::Forbidden(_) => {
                "You can view components but not change them. Ask an administrator for the editor role."
            }
            Self::CrossOrigin => "Nothing was changed. Open the page here and try again.",
            Self::NotFound(detail) | Self::BadRequest(detail) => detail,
            Self::MethodNotAllowed => "Nothing was changed. Go back and use the form on the page.",
            Self::TooLong => {
                "Nothing was changed. Forms are limited to 1 MB: go back and shorten the longest text."
            }
            Self::TooManySignIns(_) => {
                "Wait a minute and try again. If you forgot your password, ask an administrator to reset it."
            }
            Self::SignInsBusy => "Wait a few seconds and try again.",
            Self::Expired => {
                "Too much has changed since you opened the first page. Start again from the first page."
            }
            Self::Unavailable(_) => "Nothing was changed. Try again in a moment.",
            Self::Timeout => "Check whether your change was made before you try again.",
            Self::Unexpected(_) => {
                "The error was logged. If it happens again, give your administrator the error ID below."
            }
        }
    }

    /// The page. An unexpected failure is logged here, once.
    pub(crate) fn page(&self, layout: &Layout, again: Option<&Again>) -> Response {
        if let Self::SignedOut(next) = self
            && again.is_none()
        {
            return Redirect::to(&format!("/admin/sign-in?next={}", address::escape(next))).into_response();
        }
        let instance = match self {
            Self::Unavailable(cause) | Self::Unexpected(cause) => {
                let instance = Uuid::now_v7();
                tracing::error!(%instance, reason = %cause, "admin page failed");
                Some(instance)
            }
            _ => None,
        };
        let status = self.status();
        let page =
            FailurePage { layout, status, title: self.title(), detail: self.detail(), instance, again };
        let mut response = match page.render() {
            Ok(html) => (status, axum::response::Html(html)).into_response(),
            Err(error) => {
                tracing::error!(%error, "failed to render an error page");
                status.into_response()
            }
        };
        let retry_after = match self {
            Self::TooManySignIns(wait) => Some(wait.as_secs() + 1),
            Self::SignInsBusy => Some(SIGN_IN_RETRY_SECONDS),
            _ => None,
        };
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Expired => Self::Expired,
            ReadError::Unavailable(_) => Self::Unavailable(error.to_string()),
            _ => Self::Unexpected(error.to_string()),
        }
    }
}

impl From<WriteFailure> for Failure {
    fn from(failure: WriteFailure) -> Self {
        match failure {
            WriteFailure::Busy | WriteFailure::Unavailable(_) => Self::Unavailable(failure.to_string()),
            WriteFailure::OutcomeUnknown => Self::Timeout,
            _ => Self::Unexpected(failure.to_string()),
        }
    }
}

impl<C: Display> From<WriteError<C>> for Failure {
    /// For writes whose conflicts have no page of their own.
    fn from(error: WriteError<C>) -> Self {
        match error {
            WriteError::Conflict(conflict) => Self::Unexpected(conflict.to_string()),
            WriteError::Failure(failure) => failure.into(),
        }
    }
}

impl From<askama::Error> for Failure {
    fn from(error: askama::Error) -> Self {
        Self::Unexpected(error.to_string())
    }
}
