//! The problem types of the service: for each its slug, its status, and what a client can do about it.

use axum::http::StatusCode;
use serde::{Serialize, Serializer};

/// Declares the problem types: variant, slug, status, title, and the explanation that is served at
/// `/problems/{slug}`.
macro_rules! kinds {
    ($($kind:ident = $slug:literal, $status:ident, $title:literal, $about:literal;)*) => {
        /// A problem type. Its slug is stable: it never changes its meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum ProblemType { $(#[doc = $title] $kind),* }

        impl ProblemType {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$kind),*];

            /// The last segment of the `type` of its problems.
            pub fn slug(self) -> &'static str {
                match self { $(Self::$kind => $slug),* }
            }

            /// The status of its responses.
            pub fn status(self) -> StatusCode {
                match self { $(Self::$kind => StatusCode::$status),* }
            }

            /// A short name that is the same each time.
            pub fn title(self) -> &'static str {
                match self { $(Self::$kind => $title),* }
            }

            /// What it means, and what a client can do.
            pub fn about(self) -> &'static str {
                match self { $(Self::$kind => $about),* }
            }
        }
    };
}

kinds! {
    MalformedBody = "malformed-body", BAD_REQUEST, "The body is not JSON",
        "The body of the request is not JSON in UTF-8, nests too deeply, or names a member twice. The detail \
         says where. Send valid JSON.";
    InvalidParameter = "invalid-parameter", BAD_REQUEST, "A parameter is not valid",
        "A parameter in the path or in the query is unknown, repeated, or has an invalid value. Each entry \
         of `errors` names one in `parameter`. /openapi.json lists all parameters.";
    InvalidCursor = "invalid-cursor", BAD_REQUEST, "The cursor is not valid",
        "The `cursor` was not created by this service, or belongs to a list with another order or other \
         filters. Copy it unchanged from `next_cursor`, `previous_cursor` or the `Link` header, and keep the \
         other parameters; or omit it to start at the first page.";
    InvalidHeader = "invalid-header", BAD_REQUEST, "A header is not valid",
        "A header of the request has an invalid value. Each entry of `errors` names one in `header`.";
    BadRequest = "bad-request", BAD_REQUEST, "The request is not valid",
        "The service cannot parse the request: for example, it has no `Host` header or two of them. Correct the \
         request before you send it again.";
    Unauthorized = "unauthorized", UNAUTHORIZED, "A valid token is required",
        "The request has no API token, or one that does not exist or is revoked. Send the header \
         `Authorization: Bearer TOKEN`. An operator creates a token with `inventory token create NAME`. A \
         token in the URL is not accepted, because URLs are logged.";
    Forbidden = "forbidden", FORBIDDEN, "Access is not allowed here",
        "The service does not serve this resource on this listener. The detail says how an operator can \
         allow access.";
    InsufficientScope = "insufficient-scope", FORBIDDEN, "The token does not permit this",
        "The token is valid, but it lacks the scope that the detail names, or the role of its owner does not \
         permit the request. Scopes are `read` (read components and events), `write` (change components, and \
         read them), `metrics` (read /metrics/) and `admin` (everything). An operator creates a token with \
         `inventory token create NAME --scope SCOPE`.";
    NoComponent = "component-not-found", NOT_FOUND, "There is no such component",
        "No component has this id. It may have been deleted; the event stream shows when and by whom.";
    NotFound = "not-found", NOT_FOUND, "There is nothing here",
        "No resource has this path. /openapi.json lists all paths.";
    MethodNotAllowed = "method-not-allowed", METHOD_NOT_ALLOWED, "The method is not allowed here",
        "The resource does not support this method. The `Allow` header lists the methods that it supports.";
    NotAcceptable = "not-acceptable", NOT_ACCEPTABLE, "No acceptable encoding",
        "The `Accept-Encoding` header refuses every encoding of the response, including `identity`.";
    SlowBody = "body-too-slow", REQUEST_TIMEOUT, "The body arrived too slowly",
        "The body of the request was not complete within 20 seconds. Nothing was changed. Send it over a \
         faster connection, or send several smaller requests.";
    SkuTaken = "sku-taken", CONFLICT, "Another component has this sku",
        "A sku must be unique. Find the component that has it with \
         GET /api/v1/components?sku=SKU, or choose another sku.";
    BatchRefused = "batch-refused", CONFLICT, "Operations of the batch cannot be carried out",
        "At least one operation of the batch conflicts with the current components, so none was carried out. \
         Each entry of `errors` points to one operation, with the `type` that the problem would have for a \
         single request. If the version of a component is not the expected one, `current` has the current \
         component.";
    CursorExpired = "cursor-expired", GONE, "The cursor has expired",
        "More than 50,000 events were committed since the first page was read, or the database was replaced. \
         If the list is sorted by a field that can change, its pages are exact only up to this number of \
         events. Start again at the first page, or sort by `id` or `created_at`, whose cursors do not \
         expire.";
    Stale = "stale-version", PRECONDITION_FAILED, "The component was changed in the meantime",
        "The version of the component is not one that `If-Match` names. `current` has the current component, \
         and the `ETag` header its tag. Apply the change to it, and send the request again with the new tag.";
    TooLarge = "body-too-large", PAYLOAD_TOO_LARGE, "The body is too large",
        "The body of the request exceeds the limit of this path: 1 MiB, and 32 MiB for a batch. Send several \
         smaller requests.";
    TargetTooLong = "uri-too-long", URI_TOO_LONG, "The URL is too long",
        "The path and the query of the request are longer than 32 KiB. Ask for fewer values at once.";
    HeadersTooLarge = "headers-too-large", REQUEST_HEADER_FIELDS_TOO_LARGE, "The headers are too large",
        "The request has more than 100 header fields, or they are longer than 32 KiB in total.";
    UnsupportedMediaType = "unsupported-media-type", UNSUPPORTED_MEDIA_TYPE, "The media type is not supported",
        "The `Content-Type` is missing or not supported by the path: `application/json`, and for PATCH \
         also `application/merge-patch+json`.";
    Invalid = "invalid-body", UNPROCESSABLE_ENTITY, "Members of the body are not valid",
        "The body is JSON, but does not match the schema of this path. Each entry of `errors` points to one \
         member in `pointer` (RFC 6901) and says what it must be.";
    KeyReused = "idempotency-key-reused", UNPROCESSABLE_ENTITY, "The idempotency key was used before",
        "Another request was made with this `Idempotency-Key` in the last 24 hours. A key identifies one \
         request: repeat it with the same path and body, or choose a new key for a new request.";
    IfMatchRequired = "if-match-required", PRECONDITION_REQUIRED, "If-Match is required",
        "A change of an existing component must state the version that it is based on, so that it does not \
         overwrite the changes of others. Send `If-Match` with the `ETag` of the component, or `If-Match: *` \
         to change any version.";
    TooManyRequests = "too-many-requests", TOO_MANY_REQUESTS, "Too many requests",
        "Requests with this token, or without a valid token from this address, exceed the rate limit. \
         `RateLimit-Policy` has the limit and its window in seconds, and `RateLimit` the remaining requests. \
         Or too many invalid tokens were sent from this address: then tokens from it are refused for a \
         while, unless they were accepted in the last hour. Nothing was changed. Try again after the seconds \
         in `Retry-After`.";
    Internal = "internal-error", INTERNAL_SERVER_ERROR, "Something went wrong in the service",
        "The service failed unexpectedly. The operator finds the cause in the service's log, by the \
         `instance` of the problem.";
    Busy = "busy", SERVICE_UNAVAILABLE, "The service is busy",
        "Too many requests are waiting, their bodies use all the memory for bodies, or the service is \
         stopping. Nothing was changed. Try again after the seconds in `Retry-After`.";
    Unavailable = "database-unavailable", SERVICE_UNAVAILABLE, "The database does not answer",
        "The service cannot reach its database. Nothing was changed. Try again after the seconds in \
         `Retry-After`.";
    OutcomeUnknown = "outcome-unknown", SERVICE_UNAVAILABLE, "The outcome of the write is not known",
        "The connection to the database was lost during the commit, so the write may or may not have been \
         carried out. If the request has an `Idempotency-Key`, repeat it unchanged; otherwise read the \
         components before you repeat it.";
    Timeout = "timeout", SERVICE_UNAVAILABLE, "The request took too long",
        "The request was not answered within 30 seconds. A write may still be carried out. Try again after \
         the seconds in `Retry-After`, with the same `Idempotency-Key` if it had one.";
    TooManyStreams = "too-many-streams", SERVICE_UNAVAILABLE, "Too many event streams are open",
        "The limit of open event streams is reached: that of the service, or that of one token, which is a \
         quarter of it. Close one, try again after the seconds in `Retry-After`, or ask an operator for a \
         higher limit (`INVENTORY_MAX_EVENT_STREAMS`).";
    NotAlive = "not-alive", SERVICE_UNAVAILABLE, "A core task has ended",
        "A task that the service needs has ended. The process exits; restart it if it does not.";
    NotReady = "not-ready", SERVICE_UNAVAILABLE, "The service is not ready",
        "The service is starting or stopping, its database does not answer, or its event log is broken. The \
         detail says which.";
}

impl ProblemType {
    /// The `type` of its problems: a reference to its explanation.
    pub fn reference(self) -> String {
        format!("/problems/{}", self.slug())
    }

    /// The problem type for a status, if nothing more specific is known.
    pub fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::UNAUTHORIZED => Self::Unauthorized,
            StatusCode::FORBIDDEN => Self::Forbidden,
            StatusCode::NOT_FOUND => Self::NotFound,
            StatusCode::METHOD_NOT_ALLOWED => Self::MethodNotAllowed,
            StatusCode::NOT_ACCEPTABLE => Self::NotAcceptable,
            StatusCode::REQUEST_TIMEOUT => Self::SlowBody,
            StatusCode::PAYLOAD_TOO_LARGE => Self::TooLarge,
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::UnsupportedMediaType,
            StatusCode::TOO_MANY_REQUESTS => Self::TooManyRequests,
            StatusCode::SERVICE_UNAVAILABLE => Self::Busy,
            status if status.is_client_error() => Self::BadRequest,
            _ => Self::Internal,
        }
    }
}

impl Serialize for ProblemType {
    /// As its reference.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.reference())
    }
}
