//! Failures as they leave the service: `application/problem+json` (RFC 9457).

mod problem_type;
mod store_errors;

use std::sync::Arc;

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use inventory_core::{Component, ValidationErrors};
use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

pub use self::problem_type::ProblemType;

/// The media type of every failure.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// How many errors a problem lists. The rest is counted in `more_errors`.
pub const MAX_ERRORS: usize = 100;

/// Seconds after which a client may try again what the service could not do now.
const RETRY_AFTER_SECONDS: u64 = 2;

/// A failure on its way to a client.
#[derive(Debug)]
pub struct Problem(Box<Content>);

#[derive(Debug)]
struct Content {
    kind: ProblemType,
    status: StatusCode,
    detail: String,
    errors: Vec<ErrorItem>,
    current: Option<CurrentResource>,
    retry_after: Option<u64>,
    challenge: Option<&'static str>,
    cause: Option<String>,
}

/// A resource as it is, where its version is not the expected one.
#[derive(Debug, Clone)]
pub struct CurrentResource {
    /// The resource as the API writes it.
    pub json: Arc<RawValue>,
    /// Its entity tag.
    pub etag: HeaderValue,
}

/// A problem document (RFC 9457).
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub struct ProblemDocument<'a> {
    /// The problem type: a path of this service that explains it. It never changes its meaning.
    #[schema(format = "uri-reference", example = "/problems/invalid-body")]
    r#type: String,
    /// The title of the problem type.
    title: &'a str,
    /// The status of the response.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What went wrong this time.
    detail: &'a str,
    /// The identifier of this occurrence in the service's log; only for unexpected failures.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "uri", nullable = false)]
    instance: Option<&'a str>,
    /// The errors in the request.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(required = false, max_items = 100)]
    errors: &'a [ErrorItem],
    /// The number of further errors that `errors` does not list.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    more_errors: Option<u64>,
    /// The current component, if its version is not the expected one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<Component>)]
    current: Option<&'a RawValue>,
}

/// One error: in a member of the body, a parameter, or a header.
#[derive(Debug, Default, Serialize, utoipa::ToSchema)]
pub struct ErrorItem {
    /// A JSON pointer (RFC 6901) to a member of the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub pointer: Option<String>,
    /// The name of a parameter in the path or the query.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub parameter: Option<String>,
    /// The name of a header.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub header: Option<&'static str>,
    /// What is wrong with it.
    pub detail: String,
    /// In a batch: the `type` that the problem would have for a single request.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<String>)]
    pub problem_type: Option<ProblemType>,
    /// In a batch: the current component, if its version is not the expected one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<Component>)]
    pub current: Option<Arc<RawValue>>,
}

/// The cause of an unexpected failure, passed to the access log as a response extension.
#[derive(Debug, Clone)]
pub(crate) struct Cause {
    /// The `instance` of the problem.
    pub(crate) instance: String,
    /// What happened, not for clients.
    pub(crate) reason: String,
}

impl Problem {
    /// A failure of a kind, with what is special about this one.
    pub fn new(kind: ProblemType, detail: impl Into<String>) -> Self {
        let (status, detail) = (kind.status(), detail.into());
        let retry_after = (status == StatusCode::SERVICE_UNAVAILABLE).then_some(RETRY_AFTER_SECONDS);
        let (errors, current, challenge, cause) = (Vec::new(), None, None, None);
        Self(Box::new(Content { kind, status, detail, errors, current, retry_after, challenge, cause }))
    }

    /// A failure that the client cannot fix. The cause goes to the log, not to the client.
    pub fn unexpected(kind: ProblemType, detail: &str, cause: &dyn std::fmt::Display) -> Self {
        let mut problem = Self::new(kind, detail);
        problem.0.cause = Some(cause.to_string());
        problem
    }

    /// A parameter of the path or the query that is not as it must be.
    pub fn parameter(name: &str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        let item =
            ErrorItem { parameter: Some(name.to_owned()), detail: detail.clone(), ..ErrorItem::default() };
        Self::new(ProblemType::InvalidParameter, format!("the parameter {name:?} {detail}"))
            .with_errors(vec![item])
    }

    /// A header that is not as it must be.
    pub fn header(name: &'static str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        let item = ErrorItem { header: Some(name), detail: detail.clone(), ..ErrorItem::default() };
        Self::new(ProblemType::InvalidHeader, format!("the header {name} {detail}")).with_errors(vec![item])
    }

    /// The same with another status than the usual one of its kind.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.0.status = status;
        self
    }

    /// The same with what is wrong, one by one.
    #[must_use]
    pub fn with_errors(mut self, errors: Vec<ErrorItem>) -> Self {
        self.0.errors = errors;
        self
    }

    /// The same with the resource as it is.
    #[must_use]
    pub fn with_current(mut self, current: CurrentResource) -> Self {
        self.0.current = Some(current);
        self
    }

    /// The same with the seconds after which the client may try again.
    #[must_use]
    pub fn with_retry_after(mut self, seconds: u64) -> Self {
        self.0.retry_after = Some(seconds);
        self
    }

    /// The same with one more way to say who asks, beside the bearer token.
    #[must_use]
    pub fn with_challenge(mut self, challenge: &'static str) -> Self {
        self.0.challenge = Some(challenge);
        self
    }

    /// What went wrong this time.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }
}

impl ErrorItem {
    /// A member of the body that is not as it must be.
    pub fn member(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: Some(pointer.into()), detail: detail.into(), ..Self::default() }
    }
}

impl From<ValidationErrors> for Problem {
    fn from(ValidationErrors(errors): ValidationErrors) -> Self {
        let items = errors.into_iter().map(|error| ErrorItem::member(error.pointer, error.detail));
        Self::invalid(items.collect())
    }
}

impl Problem {
    /// A body whose members are not as they must be.
    pub fn invalid(errors: Vec<ErrorItem>) -> Self {
        let detail = match errors.as_slice() {
            [one] => format!("{} {}", one.pointer.as_deref().unwrap_or_default(), one.detail),
            many => format!("{} members of the body are not valid", many.len()),
        };
        Self::new(ProblemType::Invalid, detail.trim_start()).with_errors(errors)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Content { kind, status, detail, mut errors, current, retry_after, challenge, cause } = *self.0;
        let more_errors = errors.len().saturating_sub(MAX_ERRORS);
        errors.truncate(MAX_ERRORS);
        let cause = cause.map(|reason| Cause { instance: Uuid::now_v7().urn().to_string(), reason });
        let document = ProblemDocument {
            r#type: kind.reference(),
            title: kind.title(),
            status: status.as_u16(),
            detail: &detail,
            instance: cause.as_ref().map(|cause| cause.instance.as_str()),
            errors: &errors,
            more_errors: (more_errors > 0).then_some(more_errors as u64),
            current: current.as_ref().map(|current| &*current.json),
        };
        // Cannot fail: every member is a text, a number or JSON already.
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(current) = current {
            headers.insert(header::ETAG, current.etag);
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"inventory\""));
        }
        if let Some(challenge) = challenge {
            headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if kind == ProblemType::InsufficientScope {
            // RFC 6750 §3.1.
            let challenge = "Bearer realm=\"inventory\", error=\"insufficient_scope\"";
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if status == StatusCode::REQUEST_TIMEOUT {
            // Whatever else comes over this connection is still the body (RFC 9110 §15.5.9).
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if let Some(cause) = cause {
            response.extensions_mut().insert(cause);
        }
        response
    }
}
