//! The fields of a form, or of a query, in the order in which they were sent.

use axum::{
    Form,
    extract::{FromRequest, FromRequestParts, Query, Request},
    http::{StatusCode, request::Parts},
};

use crate::failure::Failure;

/// How much a form may have, in bytes. A component whose every field is as long as it may be fits, unless most of
/// it is in a script of which each character takes nine bytes in a form. What is refused is sent back, so this also
/// bounds the page that does.
pub(crate) const MAX_FORM_BYTES: usize = 1024 * 1024;

/// Names and values. Several fields may have one name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct FormData(pub(crate) Vec<(String, String)>);

impl FormData {
    /// The first value of this name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// The first value of this name, or nothing.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }

    /// Whether there is a field of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Every value of this name.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// The number in a field that the form itself wrote.
    pub(crate) fn number(&self, name: &str) -> Result<u64, Failure> {
        self.text(name).parse().map_err(|_| Failure::BadRequest(format!("The field {name} is not a number.")))
    }
}

/// The fields of a form that was posted.
impl<S: Send + Sync> FromRequest<S> for FormData {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        match Form::<Vec<(String, String)>>::from_request(request, state).await {
            Ok(Form(fields)) => Ok(Self(fields)),
            Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(Failure::TooLong),
            Err(rejection) => Err(Failure::BadRequest(rejection.body_text())),
        }
    }
}

/// The parameters in the address.
pub(crate) struct Parameters(pub(crate) FormData);

impl<S: Send + Sync> FromRequestParts<S> for Parameters {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        match Query::<Vec<(String, String)>>::from_request_parts(parts, state).await {
            Ok(Query(fields)) => Ok(Self(FormData(fields))),
            Err(rejection) => Err(Failure::BadRequest(rejection.body_text())),
        }
    }
}
