//! Which request is being answered, for the lines of the log that are about it.

use std::{
    pin::Pin,
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    task::Context,
};

use axum::{
    body::{Body, HttpBody},
    http::{HeaderMap, HeaderName, HeaderValue},
    response::Response,
};
use futures::stream::{self, Stream};
use tokio::task::futures::TaskLocalFuture;
use uuid::{Uuid, fmt::Hyphenated};

use crate::traceparent;

/// The header that names the request in its answer.
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// How long the id of a trace is, in characters.
const TRACE_ID_CHARS: usize = 32;
/// Where it begins in a `traceparent`.
const TRACE_ID_START: usize = 3;

tokio::task_local! {
    static CURRENT: RequestContext;
}

/// The identity of a request. The code that answers it finds it without being told, and so does the log.
#[derive(Debug, Clone, Copy)]
pub struct RequestContext {
    number: u64,
    trace_id: Option<[u8; TRACE_ID_CHARS]>,
}

impl RequestContext {
    /// The request that the running task answers, if it answers one.
    pub fn current() -> Option<Self> {
        CURRENT.try_with(|context| *context).ok()
    }

    /// A new request with these headers.
    pub(crate) fn new(headers: &HeaderMap) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let trace_id = traceparent::read(headers).and_then(|text| text.as_bytes().get(TRACE_ID_START..));
        Self {
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            trace_id: trace_id.and_then(|rest| rest.first_chunk().copied()),
        }
    }

    /// The id of the request, unique among all requests to all processes.
    pub fn request_id(self) -> Hyphenated {
        /// Distinguishes this process from others.
        static PROCESS: LazyLock<u64> = LazyLock::new(|| Uuid::new_v4().as_u64_pair().0);
        Uuid::from_u64_pair(*PROCESS, self.number).hyphenated()
    }

    /// The id of the trace that the client says the request belongs to.
    pub fn trace_id(&self) -> Option<&str> {
        self.trace_id.as_ref().and_then(|id| str::from_utf8(id).ok())
    }

    /// Runs what answers the request.
    pub(crate) fn scope<F: Future>(self, answer: F) -> TaskLocalFuture<Self, F> {
        CURRENT.scope(self, answer)
    }

    /// Adds the header `X-Request-Id`. A body that is still being produced is polled within this context.
    pub(crate) fn name(self, mut response: Response) -> Response {
        let mut buffer = [0; Hyphenated::LENGTH];
        // Cannot fail: it is digits, letters and hyphens.
        if let Ok(id) = HeaderValue::from_str(self.request_id().encode_lower(&mut buffer)) {
            response.headers_mut().insert(X_REQUEST_ID, id);
        }
        // A body of known size is complete.
        if response.body().size_hint().exact().is_some() {
            return response;
        }
        response.map(|body| {
            let mut body = body.into_data_stream();
            let next = move |context: &mut Context<'_>| {
                CURRENT.sync_scope(self, || Pin::new(&mut body).poll_next(context))
            };
            Body::from_stream(stream::poll_fn(next))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_an_id_of_its_own_and_the_trace_of_its_client() {
        let mut headers = HeaderMap::new();
        let without = RequestContext::new(&headers);
        let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        headers.insert("traceparent", HeaderValue::from_static(trace));
        let with = RequestContext::new(&headers);
        assert_ne!(without.request_id().to_string(), with.request_id().to_string());
        assert_eq!(without.trace_id(), None);
        assert_eq!(with.trace_id(), Some("0af7651916cd43dd8448eb211c80319c"));
    }
}
