//! Texts that are not for logs: passwords, tokens, and URLs that hold them.

use std::{convert::Infallible, fmt, path::Path, str::FromStr};

use anyhow::{Context as _, bail, ensure};

/// A text from a flag or a variable that may be secret: no log and no error message shows it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Text(String);

impl Text {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Text {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(not shown)")
    }
}

/// The shortest secret that is taken, in characters.
const MIN_SECRET_CHARS: usize = 16;

/// The text in a file such as a container's secret, without the line end that editors add.
pub(crate) fn read(variable: &str, path: &Path) -> anyhow::Result<Text> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read {}, which {variable} names", path.display()))?;
    Ok(Text(text.trim_end_matches(['\r', '\n']).to_owned()))
}

/// The secret that a variable, or the file that the variable with `_FILE` names, gives; checked to be fit for
/// an `Authorization` header and not too short to be one.
pub(crate) fn resolve(
    variable: &str,
    given: Option<&Text>,
    file: Option<&Path>,
) -> anyhow::Result<Option<Text>> {
    let secret = match (given, file) {
        (Some(text), _) => text.clone(),
        (None, Some(path)) => read(&format!("{variable}_FILE"), path)?,
        (None, None) => return Ok(None),
    };
    let chars = secret.0.chars().count();
    ensure!(
        chars >= MIN_SECRET_CHARS,
        "{variable} must be at least {MIN_SECRET_CHARS} characters long, and this has {chars}"
    );
    if !secret.0.bytes().all(|byte| byte.is_ascii_graphic()) {
        bail!("{variable} must consist of printable ASCII characters without spaces");
    }
    Ok(Some(secret))
}
