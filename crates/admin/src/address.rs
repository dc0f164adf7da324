//! Addresses within the admin: how they are written, and which are followed.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// What cannot stand in a query as it is.
const QUERY: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'&')
    .add(b'\'')
    .add(b'+')
    .add(b'<')
    .add(b'=')
    .add(b'>')
    .add(b'?');

/// A text as a value in a query.
pub(crate) fn escape(text: &str) -> String {
    utf8_percent_encode(text, QUERY).to_string()
}

/// A path with these parameters.
pub(crate) fn with_query<'a>(path: &str, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut address = path.to_owned();
    let mut mark = '?';
    for (name, value) in pairs {
        address.push(mark);
        address.push_str(&escape(name));
        address.push('=');
        address.push_str(&escape(value));
        mark = '&';
    }
    address
}

/// The address to go on to, where it is one of the admin's own; else its home. A browser takes `//host` and
/// `/\host` for another site and drops tabs and line ends, so nothing is followed that is not plainly a path here.
pub(crate) fn local(next: &str) -> &str {
    let plain = next.starts_with("/admin/")
        && !next.contains(['\\', '\0'])
        && !next.contains("//")
        && !next.split(['?', '#']).next().is_some_and(|path| path.contains("/../") || path.ends_with("/.."))
        && next.chars().all(|character| !character.is_control() && !character.is_whitespace());
    if plain { next } else { "/admin/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_the_admin_are_followed() {
        for good in ["/admin/", "/admin/components?q=a%20b&sort=-name", "/admin/components/new#name"] {
            assert_eq!(local(good), good);
        }
        for bad in [
            "",
            "/",
            "/admin",
            "//evil.example/admin/",
            "/\\evil.example",
            "https://evil.example/admin/",
            "javascript:alert(1)",
            "/admin/../api",
            "/admin//evil.example",
            "/admin/\\evil.example",
            "/admin/\r\nSet-Cookie: a=b",
            "/admin/\t/evil.example",
            " /admin/",
        ] {
            assert_eq!(local(bad), "/admin/", "{bad:?} was followed");
        }
    }

    #[test]
    fn a_query_survives_every_character() {
        assert_eq!(with_query("/a", [("q", "a&b=c #%+'\"<é")]), "/a?q=a%26b%3Dc%20%23%25%2B%27%22%3C%C3%A9");
    }
}
