//! The `INVENTORY_*` variables as a whole: none may be unknown, and what is wrong with one names it.

use std::collections::BTreeSet;

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// What all variables of this service begin with.
const PREFIX: &str = "INVENTORY_";
/// What the variables of the tests begin with; the service does not read them.
const TEST_PREFIX: &str = "INVENTORY_TEST_";
/// What stands for a text that may hold a password.
const NOT_SHOWN: &str = "(not shown)";
/// Names that are less alike than this are not what was meant.
const ALIKE: f64 = 0.8;

/// The first `INVENTORY_*` variable that no option reads, as a sentence. A misspelt variable is silently not
/// in force otherwise, and nobody looks for it.
pub(crate) fn unknown(command: &clap::Command, variables: impl Iterator<Item = String>) -> Option<String> {
    let variables: BTreeSet<_> = variables.collect();
    // Kubernetes sets variables for each service of the namespace, also for one that is named inventory.
    let kubernetes = variables.contains("KUBERNETES_SERVICE_HOST");
    let known = known(command);
    let unknown = variables.iter().find(|name| {
        let ours = name.starts_with(PREFIX) && !name.starts_with(TEST_PREFIX);
        let linked = kubernetes && is_service_link(name);
        ours && !linked && !known.contains(name.as_str())
    })?;
    let nearest = known
        .iter()
        .map(|name| (name, strsim::jaro_winkler(suffix(unknown), suffix(name))))
        .filter(|(_, alike)| *alike >= ALIKE)
        .max_by(|(_, one), (_, other)| one.total_cmp(other));
    Some(match nearest {
        Some((name, _)) => format!("unknown variable {unknown}; did you mean {name}?"),
        None => format!("unknown variable {unknown}; see `inventory --help`"),
    })
}

/// The prefix is common to all, so it must not count as likeness.
fn suffix(name: &str) -> &str {
    name.strip_prefix(PREFIX).unwrap_or(name)
}

/// Every variable that an option of this command or of one below it reads.
pub(crate) fn known(command: &clap::Command) -> BTreeSet<String> {
    let own = command.get_arguments().filter_map(|arg| arg.get_env());
    let mut names: BTreeSet<_> = own.map(|name| name.to_string_lossy().into_owned()).collect();
    names.extend(command.get_subcommands().flat_map(known));
    names
}

/// Whether a variable is one that Kubernetes sets for a service, such as `INVENTORY_SERVICE_HOST` and
/// `INVENTORY_PORT_8000_TCP_ADDR`.
fn is_service_link(name: &str) -> bool {
    name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || name.ends_with("_PORT")
        || name.split_once("_PORT_").is_some_and(|(_, rest)| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// The text of a usage error, without passwords. Where the bad value came from a variable, it names the variable instead
/// of a flag that nobody gave.
pub(crate) fn explain(error: &clap::Error, command: &clap::Command, given: &[String]) -> String {
    let variables = std::env::vars_os().filter_map(|(name, value)| {
        name.to_str()?.starts_with(PREFIX).then(|| value.to_string_lossy().into_owned())
    });
    let text = explain_openly(error, command, given);
    variables.chain(given.iter().cloned()).fold(text, |text, given| redact(&text, &given))
}

/// A text without a word of the command line, or the value in it, where that may hold a password.
fn redact(text: &str, word: &str) -> String {
    if !word.contains('@') && !word.contains("password") {
        return text.to_owned();
    }
    let value =
        word.strip_prefix("--").and_then(|flag| flag.split_once('=')).map_or(word, |(_, value)| value);
    if value.is_empty() { text.to_owned() } else { text.replace(value, NOT_SHOWN) }
}

fn explain_openly(error: &clap::Error, command: &clap::Command, given: &[String]) -> String {
    let text = error.render().to_string();
    let Some(ContextValue::String(shown)) = error.get(ContextKind::InvalidArg) else {
        return text;
    };
    if !matches!(error.kind(), ErrorKind::ValueValidation | ErrorKind::InvalidValue) {
        return text;
    }
    let Some((flag, variable)) = variable_behind(shown, command) else { return text };
    let on_command_line = given.iter().any(|word| *word == flag || word.starts_with(&format!("{flag}=")));
    if on_command_line { text } else { text.replace(&format!("'{shown}'"), &format!("{variable} ({flag})")) }
}

fn variable_behind(shown: &str, command: &clap::Command) -> Option<(String, String)> {
    let own = command.get_arguments().find(|arg| arg.to_string() == shown);
    let own = own.and_then(|arg| {
        Some((format!("--{}", arg.get_long()?), arg.get_env()?.to_string_lossy().into_owned()))
    });
    own.or_else(|| command.get_subcommands().find_map(|command| variable_behind(shown, command)))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::config::Cli;

    fn unknown_of(names: &[&str]) -> Option<String> {
        unknown(&Cli::command(), names.iter().map(|name| (*name).to_owned()))
    }

    #[test]
    fn a_misspelt_variable_is_named_with_what_it_may_mean() {
        assert_eq!(
            unknown_of(&["PATH", "INVENTORY_LISTEN", "INVENTORY_DATABSE_URL"]).unwrap(),
            "unknown variable INVENTORY_DATABSE_URL; did you mean INVENTORY_DATABASE_URL?"
        );
        assert!(unknown_of(&["INVENTORY_XYZZY"]).unwrap().contains("inventory --help"));
        assert_eq!(unknown_of(&["INVENTORY_TEST_POSTGRES_URL", "INVENTORY_TOKEN_FILE", "HOME"]), None);
    }

    #[test]
    fn what_kubernetes_sets_for_a_service_of_this_name_is_let_pass_there_only() {
        let links = [
            "INVENTORY_SERVICE_HOST",
            "INVENTORY_SERVICE_PORT_HTTP",
            "INVENTORY_PORT",
            "INVENTORY_PORT_8000_TCP",
            "INVENTORY_SERVICE_PORT_8000_TCP_ADDR",
        ];
        for link in links {
            assert_eq!(unknown_of(&["KUBERNETES_SERVICE_HOST", link]), None);
            assert!(unknown_of(&[link]).is_some(), "{link}");
        }
        assert!(unknown_of(&["KUBERNETES_SERVICE_HOST", "INVENTORY_LISTN"]).is_some());
    }
}
