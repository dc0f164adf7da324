//! Limits on the head of a request.

use axum::{
    extract::Request,
    http::{Version, header},
};

use crate::problem::{Problem, ProblemType};

/// How long the target of a request may be, in bytes: as many as 200 skus of 100 plain characters need, and
/// fewer than hyper takes, which would answer without a body.
pub const MAX_TARGET_BYTES: usize = 32 * 1024;
/// How long the names and values of a request's headers may be together, in bytes.
const MAX_HEADER_BYTES: usize = 32 * 1024;
/// How many header fields a request may have.
const MAX_HEADER_FIELDS: usize = 100;

/// Refuses a request whose head is too long, or does not say once what host it is meant for (RFC 9112 §3.2).
pub(super) fn check(request: &Request) -> Result<(), Problem> {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if target > MAX_TARGET_BYTES {
        let detail =
            format!("the URL has {target} bytes after the host; at most {MAX_TARGET_BYTES} are allowed");
        return Err(Problem::new(ProblemType::TargetTooLong, detail));
    }
    let headers = request.headers();
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if bytes > MAX_HEADER_BYTES || headers.len() > MAX_HEADER_FIELDS {
        let detail = format!(
            "the request has {} header fields of {bytes} bytes; at most {MAX_HEADER_FIELDS} of \
             {MAX_HEADER_BYTES} bytes are taken",
            headers.len()
        );
        return Err(Problem::new(ProblemType::HeadersTooLarge, detail));
    }
    let hosts = headers.get_all(header::HOST).iter().count();
    if hosts > 1 || hosts == 0 && request.version() == Version::HTTP_11 {
        let detail = format!("the request has {hosts} Host header fields, but must have one");
        return Err(Problem::new(ProblemType::BadRequest, detail));
    }
    Ok(())
}
