//! An end to panics.

use std::{any::Any, panic::AssertUnwindSafe};

use futures::{FutureExt, TryFutureExt};

/// What answers a request has panicked.
#[derive(Debug, thiserror::Error)]
#[error("panicked: {0}")]
pub struct PanicError(String);

/// Runs what answers a request, and ends its panic.
///
/// The future that panics is dropped here. The store is not inside it, so nothing is left half changed.
pub fn catch_panic<T>(answer: impl Future<Output = T>) -> impl Future<Output = Result<T, PanicError>> {
    AssertUnwindSafe(answer).catch_unwind().map_err(|panic| PanicError(message(&*panic).to_owned()))
}

fn message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}
