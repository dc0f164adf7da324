//! Every kind of failure that leaves the service, once: its name, its status, and what to do about it.

use axum::http::StatusCode;

/// Declares the kinds: a variant, its slug, its status, its title, and what it means for the reader of
/// `/problems/{slug}`.
macro_rules! kinds {
    ($($kind:ident = $slug:literal, $status:ident, $title:literal, $about:literal;)*) => {
        /// A kind of failure. Its slug is a promise to clients: it never changes its meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Kind { $($kind),* }

        impl Kind {
            /// All of them.
            pub(crate) const ALL: &[Self] = &[$(Self::$kind),*];

            /// The last segment of the `type` of its problems.
            pub(crate) fn slug(self) -> &'static str {
                match self { $(Self::$kind => $slug),* }
            }

            /// The status of its responses.
            pub(crate) fn status(self) -> StatusCode {
                match self { $(Self::$kind => StatusCode::$status),* }
            }

            /// A short name that is the same each time.
            pub(crate) fn title(self) -> &'static str {
                match self { $(Self::$kind => $title),* }
            }

            /// What it means, and what a client can do.
            pub(crate) fn about(self) -> &'static str {
                match self { $(Self::$kind => $about),* }
            }
        }
    };
}

kinds! {
    MalformedBody = "malformed-body", BAD_REQUEST, "The body is not JSON",
        "The body of the request is not JSON in UTF-8, nests too deeply, or names a member twice. The detail \
         says where. Send a body that a JSON parser takes.";
    InvalidParameter = "invalid-parameter", BAD_REQUEST, "A parameter is not valid",
        "A parameter in the path or in the query is unknown, given twice, or has a value that it cannot have. \
         Each entry of `errors` names one in `parameter`. /openapi.json lists all parameters.";
    InvalidCursor = "invalid-cursor", BAD_REQUEST, "The cursor is not valid",
        "The `cursor` was not made by this service, or was made for another order or other filters. Take it \
         as it is from `next_cursor`, `previous_cursor` or the `Link` header, and keep the other parameters; \
         or leave it out to begin at the first page.";
    InvalidHeader = "invalid-header", BAD_REQUEST, "A header is not valid",
        "A header of the request has a value that it cannot have. Each entry of `errors` names one in \
         `header`.";
    BadRequest = "bad-request", BAD_REQUEST, "The request is not valid",
        "The request is not one that this service can read.";
    Unauthorized = "unauthorized", UNAUTHORIZED, "A valid token is needed",
        "The request carries no API token, or one that does not exist or is revoked. Send the header \
         `Authorization: Bearer TOKEN`. An operator makes a token with `inventory token create NAME`. A token \
         in the URL is not accepted, since URLs end up in logs.";
    Forbidden = "forbidden", FORBIDDEN, "This is not open to you",
        "The service does not answer this request here. The detail says what an operator can set to open it.";
    InsufficientScope = "insufficient-scope", FORBIDDEN, "The token does not open this",
        "The token is good, but not for this: it lacks the scope that the detail names, or its owner has a role that \
         may not do it. Scopes are `read` (read components and events), `write` (change components, and read \
         them), `metrics` (read /metrics/) and `admin` (everything). An operator makes a token with \
         `inventory token create NAME --scope SCOPE`.";
    NoComponent = "component-not-found", NOT_FOUND, "There is no such component",
        "No component has this id. It may have been deleted; the event stream tells when and by whom.";
    NotFound = "not-found", NOT_FOUND, "There is nothing here",
        "No resource has this path. /openapi.json lists all paths.";
    MethodNotAllowed = "method-not-allowed", METHOD_NOT_ALLOWED, "The method is not allowed here",
        "The resource does not have this method. The `Allow` header lists those that it has.";
    NotAcceptable = "not-acceptable", NOT_ACCEPTABLE, "No acceptable encoding",
        "The `Accept-Encoding` header refuses every encoding of the response, also `identity`.";
    SlowBody = "body-too-slow", REQUEST_TIMEOUT, "The body came too slowly",
        "The body of the request was not complete within 20 seconds. Nothing was changed. Send it over a \
         faster connection, or send several smaller requests.";
    SkuTaken = "sku-taken", CONFLICT, "Another component has this sku",
        "A sku belongs to one component only. Find the component that has it with \
         GET /api/v1/components?sku=SKU, or choose another sku.";
    BatchRefused = "batch-refused", CONFLICT, "Operations of the batch cannot be carried out",
        "At least one operation of the batch does not fit the components as they are, so none was carried \
         out. Each entry of `errors` points to one, with the `type` that it would have alone, and with the \
         component as it is in `current` where its version is not the expected one.";
    CursorExpired = "cursor-expired", GONE, "The walk has lasted too long",
        "More than 50,000 events were committed since the first page of this walk was read, or the database \
         was replaced by another. In an order in which components can move, a walk is exact only so long. \
         Begin again at the first page, or walk in the order of `id` or `created_at`, which never ends so.";
    Stale = "stale-version", PRECONDITION_FAILED, "The component was changed in the meantime",
        "The component is not at a version that `If-Match` names. `current` and the `ETag` header hold it as \
         it is. Apply the change to that, and send it again with the new tag.";
    TooLarge = "body-too-large", PAYLOAD_TOO_LARGE, "The body is too large",
        "The body of the request is longer than this path takes: 1 MiB, and 32 MiB for a batch. Send several \
         smaller requests.";
    TargetTooLong = "uri-too-long", URI_TOO_LONG, "The URL is too long",
        "The path and the query of the request are longer than 32 KiB. Ask for fewer values at once.";
    HeadersTooLarge = "headers-too-large", REQUEST_HEADER_FIELDS_TOO_LARGE, "The headers are too large",
        "The headers of the request are more than 100, or longer than 32 KiB together.";
    UnsupportedMediaType = "unsupported-media-type", UNSUPPORTED_MEDIA_TYPE, "The media type is not supported",
        "The `Content-Type` is missing or is not one that the path takes: `application/json`, and for PATCH \
         also `application/merge-patch+json`.";
    Invalid = "invalid-body", UNPROCESSABLE_ENTITY, "Members of the body are not valid",
        "The body is JSON, but not what the path takes. Each entry of `errors` points to one member in \
         `pointer` (RFC 6901) and says what it must be.";
    KeyReused = "idempotency-key-reused", UNPROCESSABLE_ENTITY, "The idempotency key was used before",
        "Another request was made with this `Idempotency-Key` in the last 24 hours. A key names one request: \
         repeat it with the same path and body, or choose a new key for a new request.";
    IfMatchRequired = "if-match-required", PRECONDITION_REQUIRED, "If-Match is required",
        "A change of an existing component states the version that it is made from, so that nobody's change \
         is overwritten unseen: send `If-Match` with the `ETag` of the component, or `If-Match: *` to change \
         whatever is there now.";
    TooManyRequests = "too-many-requests", TOO_MANY_REQUESTS, "Too many requests",
        "More requests came with this token, or without a good token from this address, than the service \
         answers: `RateLimit-Policy` says how many in how many seconds, and `RateLimit` how many are left. Or \
         too many wrong tokens came from this address: then no token from there is looked at for a while, unless \
         it was accepted in the last hour. Nothing was changed. Try again after the seconds in `Retry-After`.";
    Internal = "internal-error", INTERNAL_SERVER_ERROR, "Something went wrong in the service",
        "The service failed in a way that was not foreseen. The operator finds the cause in the service's log \
         under the `instance` of the problem.";
    Busy = "busy", SERVICE_UNAVAILABLE, "The service is busy",
        "More requests are waiting, or their bodies take more memory, than there is room for, or the service is \
         stopping. Nothing was changed. Try again after the seconds in `Retry-After`.";
    Unavailable = "database-unavailable", SERVICE_UNAVAILABLE, "The database does not answer",
        "The service cannot reach its database. Nothing was changed. Try again after the seconds in \
         `Retry-After`.";
    OutcomeUnknown = "outcome-unknown", SERVICE_UNAVAILABLE, "The outcome of the write is not known",
        "The connection to the database was lost during the commit, so the write may have been carried out \
         or not. Repeat a request that has an `Idempotency-Key` as it is; otherwise read before you repeat.";
    Timeout = "timeout", SERVICE_UNAVAILABLE, "The request took too long",
        "The request was not answered within 30 seconds. A write may still be carried out. Try again after \
         the seconds in `Retry-After`, with the same `Idempotency-Key` if it had one.";
    TooManyStreams = "too-many-streams", SERVICE_UNAVAILABLE, "Too many event streams are open",
        "As many event streams are open as the service allows, or as one token may have, which is a quarter of \
         them. Close one, try again after the seconds in `Retry-After`, or ask an operator for a higher limit \
         (`INVENTORY_MAX_EVENT_STREAMS`).";
    NotAlive = "not-alive", SERVICE_UNAVAILABLE, "A core task has ended",
        "A task without which the service does not work has ended. The process stops by itself; restart it if it \
         does not.";
    NotReady = "not-ready", SERVICE_UNAVAILABLE, "The service is not ready",
        "The service is starting or stopping, its database does not answer, or its event log is broken. The \
         detail says which.";
}

impl Kind {
    /// The `type` of its problems: a reference to its explanation.
    pub(crate) fn reference(self) -> String {
        format!("/problems/{}", self.slug())
    }

    /// The kind that stands for a status, where nothing more is known.
    pub(crate) fn of_status(status: StatusCode) -> Self {
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
