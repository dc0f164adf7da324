//! Random secrets, of which the database holds the SHA-256.
//!
//! A secret has 256 random bits, so a plain hash is enough: there is nothing to guess.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use crate::error::ReadError;

/// A random text of `BYTES` random bytes, in characters that never need quoting.
pub(super) fn random_text<const BYTES: usize>() -> Result<String, ReadError> {
    let mut bytes = [0; BYTES];
    // The error is the operating system's, which has no randomness to give.
    getrandom::fill(&mut bytes).map_err(|error| ReadError::Failed(format!("no randomness: {error}")))?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

/// What the database holds of a secret.
pub(super) fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}
