//! Secrets that must not be logged: passwords, tokens, and URLs that hold them.

use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use secrecy::{ExposeSecret as _, SecretString};

/// Minimum length of a secret, in characters.
const MIN_SECRET_CHARS: usize = 16;

/// The text in a file such as a container's secret, without the line end that editors add.
pub(crate) fn read(variable: &str, path: &Path) -> anyhow::Result<SecretString> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read {}, which {variable} names", path.display()))?;
    Ok(text.trim_end_matches(['\r', '\n']).into())
}

/// The secret from a variable, or from the file that the variable with the suffix `_FILE` names. Checks that
/// it is valid in an `Authorization` header and long enough.
pub(crate) fn resolve(
    variable: &str,
    given: Option<&SecretString>,
    file: Option<&Path>,
) -> anyhow::Result<Option<SecretString>> {
    let secret = match (given, file) {
        (Some(text), _) => text.clone(),
        (None, Some(path)) => read(&format!("{variable}_FILE"), path)?,
        (None, None) => return Ok(None),
    };
    let chars = secret.expose_secret().chars().count();
    ensure!(
        chars >= MIN_SECRET_CHARS,
        "{variable} must be at least {MIN_SECRET_CHARS} characters long, but has {chars}"
    );
    if !secret.expose_secret().bytes().all(|byte| byte.is_ascii_graphic()) {
        bail!("{variable} must consist of printable ASCII characters without spaces");
    }
    Ok(Some(secret))
}
