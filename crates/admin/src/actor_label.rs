//! Who made a change, and by which way, in words.

use inventory_core::Actor;

/// An actor as pages name it.
pub(crate) fn who(actor: &Actor) -> String {
    let text = actor.as_str();
    match text.split_once(':') {
        Some(("user", name)) => name.to_owned(),
        Some(("token", name)) => format!("token {name}"),
        Some(("import", name)) => format!("{name} (import)"),
        _ if text == "cli" => "the command line".to_owned(),
        _ if text == "import" => "an import".to_owned(),
        _ if text == "system" => "the service".to_owned(),
        _ => text.to_owned(),
    }
}

/// The same at the end of a sentence that says what was done.
pub(crate) fn by(actor: &Actor) -> String {
    match actor.as_str() {
        "cli" => "from the command line".to_owned(),
        "system" => "automatically".to_owned(),
        _ => format!("by {}", who(actor)),
    }
}

/// The user whose uploaded file made a change.
pub(crate) fn importer(actor: &Actor) -> Option<&str> {
    actor.as_str().strip_prefix("import:")
}

/// The way by which an actor came.
pub(crate) fn way(actor: &Actor) -> &'static str {
    match actor.as_str().split(':').next() {
        Some("user") => "web admin",
        Some("token") => "API",
        Some("import") => "import",
        Some("cli") => "command line",
        _ => "service",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_has_its_words() {
        let words = |text| (who(&Actor::stored(text)), way(&Actor::stored(text)));
        assert_eq!(words("user:anna"), ("anna".to_owned(), "web admin"));
        assert_eq!(words("token:ci"), ("token ci".to_owned(), "API"));
        assert_eq!(words("import"), ("an import".to_owned(), "import"));
        assert_eq!(by(&Actor::stored("user:anna")), "by anna");
        assert_eq!(by(&Actor::stored("system")), "automatically");
        assert_eq!(importer(&Actor::stored("import:anna")), Some("anna"));
        assert_eq!(importer(&Actor::stored("import")), None);
        assert_eq!(words("import:anna"), ("anna (import)".to_owned(), "import"));
    }
}
