//! `cargo xtask new-subscriber NAME`: a subscriber of the product, registered, with its test.

use std::{fs, path::Path};

use anyhow::{Context, bail, ensure};

use crate::repository;

/// The file that lists the subscribers.
const LIST: &str = "crates/server/src/subscribers.rs";

/// The function of that file that registers the subscribers of the product.
const START: &str = "pub(crate) fn start(";

/// What the new file holds, with `{name}`, `{module}` and `{Type}` to be replaced.
const TEMPLATE: &str = r#"//! What is done when a component is created.

use inventory_core::{ComponentCreated, EventEnvelope, HandlerResult, Subscriber};

/// Logs each component that is created. Replace this with what the subscriber is for.
#[derive(Debug)]
pub(crate) struct {Type};

impl Subscriber for {Type} {
    // `Event` is all of them.
    type Event = ComponentCreated;

    const NAME: &'static str = "{name}";

    async fn handle(&self, event: EventEnvelope<ComponentCreated>) -> HandlerResult {
        tracing::info!(component = %event.data.component.id, seq = %event.seq, "component created");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use inventory_core::{Actor, Clock, ComponentId, MemoryLog, NewComponent};

    use super::*;

    #[tokio::test]
    async fn each_component_that_is_created_is_handled() {
        let (recorder, bus) = MemoryLog::with_bus(16);
        bus.register({Type});
        let component = NewComponent::named("74HC00".parse().unwrap());
        let component = component.create(ComponentId::generate(), Clock::system().now(), Actor::cli());
        recorder.record(ComponentCreated { component: Arc::new(component.unwrap()) });
        recorder.close();
        bus.join().await;
        let stats = bus.stats();
        let {module} = stats.subscribers.iter().find(|stats| stats.name == {Type}::NAME).unwrap();
        assert_eq!(({module}.handled(), {module}.failed()), (1, 0));
    }
}
"#;

/// Writes the subscriber and registers it.
pub(crate) fn run(name: &str) -> anyhow::Result<()> {
    write(repository::root(), name)?;
    let module = name.replace('-', "_");
    eprintln!("wrote crates/server/src/subscribers/{module}.rs and registered it in {LIST}");
    eprintln!("test it with `cargo test -p inventory --lib {module}`");
    Ok(())
}

fn write(root: &Path, name: &str) -> anyhow::Result<()> {
    let is_word = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_lowercase())
            && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
    };
    ensure!(
        name.split('-').all(is_word),
        "the name of a subscriber is lower case words with hyphens, such as low-stock-mail, and this is {name:?}"
    );
    let module = name.replace('-', "_");
    let path = root.join("crates/server/src/subscribers").join(format!("{module}.rs"));
    ensure!(!path.exists(), "there is {} already", path.display());
    let list = root.join(LIST);
    let text = fs::read_to_string(&list).with_context(|| format!("cannot read {}", list.display()))?;
    let text = registered(&text, &module, &type_name(name))?;
    fs::create_dir_all(path.parent().context("a file in a folder")?)?;
    let file =
        TEMPLATE.replace("{name}", name).replace("{module}", &module).replace("{Type}", &type_name(name));
    fs::write(&path, file).with_context(|| format!("cannot write {}", path.display()))?;
    fs::write(&list, text).with_context(|| format!("cannot write {}", list.display()))
}

/// `low-stock-mail` as `LowStockMail`.
fn type_name(name: &str) -> String {
    name.split('-').map(|word| word[..1].to_uppercase() + &word[1..]).collect()
}

/// The list with one more module, and one more line at the end of the registrations.
fn registered(text: &str, module: &str, type_name: &str) -> anyhow::Result<String> {
    let start = text.find(START);
    let end = start.and_then(|start| Some(start + text[start..].find("\n}\n")? + 1));
    let (Some(uses), Some(line_end)) = (text.find("\nuse "), end) else {
        bail!("{LIST} has no `{START}…)` to add a registration to");
    };
    let modules_end = text[..uses].rfind("\nmod ").map_or(uses, |at| {
        let line = text[at + 1..].find('\n').unwrap_or_default();
        at + 1 + line
    });
    let (head, rest) = text.split_at(modules_end);
    let (middle, tail) = rest.split_at(line_end - modules_end);
    let gap = if modules_end == uses { "\n" } else { "" };
    let module_line = format!("\nmod {module};\n{gap}");
    let middle = middle.strip_prefix('\n').unwrap_or(middle);
    Ok(format!("{head}{module_line}{middle}    bus.register({module}::{type_name});\n{tail}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscriber_is_a_file_and_two_lines_of_the_list() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("crates/server/src");
        fs::create_dir_all(&folder).unwrap();
        let before = fs::read_to_string(repository::root().join(LIST)).unwrap();
        fs::write(root.path().join(LIST), &before).unwrap();
        for (name, module, made) in [
            ("greeter", "greeter", "greeter::Greeter"),
            ("low-stock2", "low_stock2", "low_stock2::LowStock2"),
        ] {
            write(root.path(), name).unwrap();
            let file = fs::read_to_string(folder.join(format!("subscribers/{module}.rs"))).unwrap();
            assert!(syn::parse_file(&file).is_ok(), "{file}");
            assert!(
                !file.contains("{Type}") && !file.contains("{module}") && !file.contains("{name}"),
                "{file}"
            );
            assert!(file.contains(&format!("NAME: &'static str = \"{name}\";")), "{file}");
            let list = fs::read_to_string(root.path().join(LIST)).unwrap();
            assert!(syn::parse_file(&list).is_ok(), "{list}");
            assert!(list.contains(&format!("\nmod {module};\n")), "{list}");
            // The last statement of the function that starts them.
            let (_, start) = list.split_once(START).unwrap();
            let (start, _) = start.split_once("\n}\n").unwrap();
            assert!(start.ends_with(&format!("\n    bus.register({made});")), "{list}");
        }
        let after = fs::read_to_string(root.path().join(LIST)).unwrap();
        let kept = after.lines().filter(|line| !line.contains("greeter") && !line.contains("low_stock2"));
        let old: Vec<_> = before.lines().filter(|line| !line.is_empty()).collect();
        assert_eq!(kept.filter(|line| !line.is_empty()).collect::<Vec<_>>(), old, "nothing else changed");
    }

    #[test]
    fn a_name_that_is_none_or_taken_is_refused() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("crates/server/src")).unwrap();
        fs::copy(repository::root().join(LIST), root.path().join(LIST)).unwrap();
        for name in ["", "Greeter", "low_stock", "-a", "a--b", "2nd", "../x"] {
            assert!(write(root.path(), name).is_err(), "{name:?}");
        }
        write(root.path(), "greeter").unwrap();
        assert!(write(root.path(), "greeter").is_err());
    }
}
