//! The layout of the workspace, as `ARCHITECTURE.md` states it. Most of it is about what is absent, which no
//! other test would notice.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a panic is how a test fails, in the functions beside it too"
)]

#[path = "tidy/module_graph.rs"]
mod module_graph;
#[path = "tidy/modules.rs"]
mod modules;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use self::{module_graph::ModuleGraph, modules::MODULES};

/// Which crates of the workspace a crate may depend on.
const ARROWS: [(&str, &[&str]); 13] = [
    (
        "inventory",
        &[
            "inventory-admin",
            "inventory-api",
            "inventory-core",
            "inventory-csv",
            "inventory-exporter",
            "inventory-http",
            "inventory-metrics",
            "inventory-store",
        ],
    ),
    ("inventory-admin", &["inventory-core", "inventory-csv", "inventory-http", "inventory-store"]),
    ("inventory-api", &["inventory-core", "inventory-http", "inventory-store"]),
    ("inventory-core", &[]),
    // As a user would write it: what it needs is in these two.
    ("inventory-example-subscriber", &["inventory", "inventory-core"]),
    ("inventory-csv", &["inventory-core", "inventory-store"]),
    ("inventory-exporter", &["inventory-core", "inventory-http", "inventory-metrics", "inventory-store"]),
    ("inventory-http", &["inventory-core", "inventory-metrics", "inventory-store"]),
    ("inventory-metrics", &["inventory-core"]),
    ("inventory-migration", &[]),
    ("inventory-store", &["inventory-core", "inventory-migration"]),
    ("inventory-testing", &[]),
    ("xtask", &[]),
];

/// Which crates may depend on libraries that would otherwise spread through the workspace.
const FENCES: [(&str, &[&str]); 24] = [
    ("anyhow", &["inventory", "xtask"]),
    ("askama", &["inventory-admin"]),
    ("async-broadcast", &["inventory-core"]),
    ("axum", &["inventory", "inventory-admin", "inventory-api", "inventory-exporter", "inventory-http"]),
    ("clap", &["inventory", "xtask"]),
    ("csv", &["inventory-csv"]),
    ("csv-core", &["inventory-csv"]),
    ("governor", &["inventory-http"]),
    ("hyper", &["inventory"]),
    ("indicatif", &["inventory"]),
    ("ipnet", &["inventory-http"]),
    ("metrics", &["inventory-exporter", "inventory-http", "inventory-metrics"]),
    ("metrics-exporter-prometheus", &["inventory-exporter"]),
    ("deadpool", &["inventory-store"]),
    ("reqwest", &["inventory", "inventory-testing"]),
    ("rustix", &["inventory", "inventory-store", "inventory-testing"]),
    ("sea-orm", &["inventory-store"]),
    ("sea-query-sqlx", &["inventory-store"]),
    ("sea-orm-migration", &["inventory-migration"]),
    ("sqlx", &[]),
    ("tokio-rustls", &["inventory"]),
    (
        "tower-http",
        &["inventory", "inventory-admin", "inventory-api", "inventory-exporter", "inventory-http"],
    ),
    ("tracing-subscriber", &["inventory"]),
    ("utoipa", &["inventory", "inventory-api", "inventory-core", "inventory-http"]),
];

/// Names that say nothing about what is in a file.
const EMPTY_NAMES: [&str; 8] = ["common", "helper", "helpers", "misc", "type", "types", "util", "utils"];

/// Phrases that are not plain English, with what is written instead.
const REFUSED_PHRASES: [(&str, &str); 9] = [
    ("whoever", "who, or a noun"),
    ("anew", "again"),
    ("so many", "a number, or a given number"),
    ("of its own", "its own, separate, or nothing"),
    ("mend", "fix"),
    ("mended", "fixed"),
    ("good for nothing", "invalid, or no longer valid"),
    ("that is yet to", "that has not"),
    ("as it were", "nothing"),
];

/// The longest a source file may be, in lines, without its tests.
const MAX_LINES: usize = 600;

#[test]
fn crates_depend_on_each_other_along_the_arrows_only() {
    let arrows = BTreeMap::from(ARROWS);
    let packages = packages();
    let names: BTreeSet<_> = packages.iter().map(|package| package.name.as_str()).collect();
    assert_eq!(names, arrows.keys().copied().collect(), "every crate of the workspace has its arrows here");
    for package in &packages {
        for dependency in package.dependencies.iter().filter(|name| names.contains(name.as_str())) {
            let name = package.name.as_str();
            assert!(arrows[name].contains(&dependency.as_str()), "{name} may not depend on {dependency}");
        }
    }
}

#[test]
fn no_files_use_each_other_in_a_circle() {
    for (name, _) in MODULES {
        let mut circles = module_graph(name).circles();
        if name == "admin" {
            circles.retain(|circle| {
                let tops: BTreeSet<_> = circle.iter().map(|module| module.split("::").next()).collect();
                tops.len() > 1
            });
        }
        assert_eq!(circles, BTreeSet::new(), "files of crates/{name} use each other");
    }
}

#[test]
fn modules_use_each_other_along_the_arrows_only() {
    for (name, arrows) in MODULES {
        let arrows = arrows.iter().map(|(from, to)| {
            let to = to.iter().map(|module| (*module).to_owned());
            ((*from).to_owned(), to.collect::<BTreeSet<_>>())
        });
        assert_eq!(
            module_graph(name).arrows(),
            arrows.collect(),
            "crates/{name} and the table in tidy/modules.rs"
        );
    }
}

fn module_graph(name: &str) -> ModuleGraph {
    ModuleGraph::read(&root().join("crates").join(name).join("src"))
}

#[test]
fn dependencies_stay_within_their_fences() {
    let fences = BTreeMap::from(FENCES);
    for Package { name, dependencies, .. } in packages() {
        for dependency in dependencies {
            if let Some(inside) = fences.get(dependency.as_str()) {
                assert!(inside.contains(&name.as_str()), "{name} may not depend on {dependency}");
            }
        }
    }
}

#[test]
fn manifests_share_lints_versions_and_licence() {
    for Package { name, folder, .. } in packages() {
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        assert!(
            manifest.contains("\n[lints]\nworkspace = true\n"),
            "{name} does not take the workspace's lints"
        );
        assert!(
            manifest.contains("\nlicense.workspace = true\n"),
            "{name} does not take the workspace's licence"
        );
        let mut section = "";
        for line in manifest.lines().map(str::trim) {
            if line.starts_with('[') {
                section = line;
            } else if section.contains("dependencies") && line.contains('=') {
                let shared = line.contains(".workspace = true") || line.contains("workspace = true");
                assert!(shared, "{name} does not use the workspace version: {line}");
            }
        }
    }
}

#[test]
fn every_test_that_the_architecture_names_is_there() {
    let architecture = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let (_, invariants) = architecture.split_once("## Invariants").expect("the invariants");
    let code: String = sources().into_iter().map(|(_, text)| text).collect();
    // The last column of the table.
    let guards = invariants.lines().filter_map(|line| line.strip_suffix(" |")?.rsplit_once("| "));
    let names: Vec<_> = guards
        .flat_map(|(_, guards)| {
            guards.split('`').skip(1).step_by(2).map(ToOwned::to_owned).collect::<Vec<_>>()
        })
        .collect();
    assert!(!names.is_empty(), "ARCHITECTURE.md names no test");
    for name in names {
        assert!(code.contains(&format!("fn {name}()")), "ARCHITECTURE.md names {name}, which is no test");
    }
}

#[test]
fn the_licences_are_there() {
    for file in ["LICENSE-MIT", "LICENSE-APACHE"] {
        assert!(root().join(file).is_file(), "there is no {file}");
    }
}

#[test]
fn texts_are_plain_english() {
    let is_text = |path: &Path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        // The changelog quotes what was; the list of phrases is in this file.
        !matches!(name, "CHANGELOG.md" | "tidy.rs")
            && matches!(extension, "rs" | "md" | "html" | "js" | "css" | "toml" | "yml" | "py" | "mjs")
    };
    let mut found = Vec::new();
    for path in files(&root()).into_iter().filter(|path| is_text(path)) {
        let text = fs::read_to_string(&path).unwrap().to_lowercase();
        for (number, line) in text.lines().enumerate() {
            for (phrase, instead) in REFUSED_PHRASES.iter().filter(|(phrase, _)| has_phrase(line, phrase)) {
                let path = path.strip_prefix(root()).unwrap().display();
                found.push(format!("{path}:{}: {phrase:?}: write {instead}", number + 1));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Whether a phrase is in a line as words. Names such as those of tests are one word.
fn has_phrase(line: &str, phrase: &str) -> bool {
    let is_part = |character: Option<char>| character.is_some_and(|c| c.is_alphanumeric() || c == '_');
    line.match_indices(phrase).any(|(at, _)| {
        !is_part(line[..at].chars().next_back()) && !is_part(line[at + phrase.len()..].chars().next())
    })
}

#[test]
fn phrases_are_found_as_words() {
    assert!(has_phrase("// whoever asks", "whoever") && has_phrase("so many,", "so many"));
    assert!(!has_phrase("fn of_its_own()", "of its own") && !has_phrase("recommend", "mend"));
}

#[test]
fn source_files_are_named_for_what_is_in_them_and_short() {
    for (path, text) in sources() {
        let path = path.strip_prefix(root()).unwrap();
        for part in path.with_extension("").iter().filter_map(|part| part.to_str()) {
            assert!(!EMPTY_NAMES.contains(&part), "{}: {part:?} says nothing", path.display());
        }
        let lines = text.lines().take_while(|line| *line != "#[cfg(test)]").count();
        let is_test = path.iter().any(|part| part == "tests");
        assert!(is_test || lines <= MAX_LINES, "{} has {lines} lines", path.display());
    }
}

#[test]
fn source_files_hide_no_lint_and_leave_nothing_undone() {
    // Written in two parts so that they are not found here.
    let forbidden = [
        (concat!("#[", "allow("), "use #[expect(…, reason = \"…\")]"),
        (concat!("#![", "allow("), "use #![expect(…, reason = \"…\")]"),
        (concat!("todo", "!("), "do it"),
        (concat!("unimplemented", "!("), "do it"),
        (concat!("#[", "ignore"), "a test that never runs is none"),
    ];
    for (path, text) in sources() {
        for (number, line) in (1..).zip(text.lines()) {
            for (what, instead) in forbidden {
                assert!(!line.contains(what), "{}:{number}: {what}: {instead}", path.display());
            }
        }
    }
}

#[test]
fn no_file_knows_the_machine_it_was_written_on() {
    // Written in two parts so that it is not found here.
    let forbidden = concat!("/wo", "rk/");
    for path in files(&root()) {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        for (number, line) in (1..).zip(text.lines()) {
            assert!(!line.contains(forbidden), "{}:{number}: {forbidden}", path.display());
        }
    }
}

/// The lines of a container file that keep a target directory in a cache, which all checkouts share.
fn cached_targets(container_file: &str) -> Vec<&str> {
    let keeps_target = |mount: &str| {
        let options = mount.split(',').filter_map(|option| option.split_once('='));
        let (mut is_cache, mut is_target) = (false, false);
        for (name, value) in options {
            is_cache |= name == "type" && value == "cache";
            is_target |= matches!(name, "target" | "dst" | "destination")
                && value.trim_matches('"').split('/').any(|folder| folder == "target");
        }
        is_cache && is_target
    };
    let lines = container_file.lines().filter(|line| {
        line.split_whitespace().filter_map(|word| word.strip_prefix("--mount=")).any(keeps_target)
    });
    lines.collect()
}

#[test]
fn no_cache_of_an_image_build_keeps_a_target_directory() {
    for bad in [
        "RUN --mount=type=cache,target=/src/target cargo build",
        "    --mount=type=cache,dst=/src/target/ \\",
        "RUN --mount=id=a,destination=\"/src/target/dist\",type=cache,sharing=locked true",
    ] {
        assert_eq!(cached_targets(bad), [bad]);
    }
    assert_eq!(
        cached_targets("RUN --mount=type=cache,target=/usr/local/cargo/registry cargo build"),
        [""; 0]
    );
    let names = |path: &Path| path.file_name().and_then(|name| name.to_str().map(str::to_lowercase));
    let container_files = files(&root()).into_iter().filter(|path| {
        names(path).is_some_and(|name| name.contains("containerfile") || name.contains("dockerfile"))
    });
    let container_files: Vec<_> = container_files.collect();
    assert!(!container_files.is_empty(), "there is no container file");
    for path in container_files {
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(cached_targets(&text), [""; 0], "{}", path.display());
    }
}

#[test]
fn dependencies_have_licences_that_can_be_passed_on() {
    let allowed = list("licenses", "allow");
    let banned = list("bans", "deny");
    let mut wrong = Vec::new();
    for package in linked_packages() {
        let name = package["name"].as_str().unwrap();
        let licence = package["license"].as_str().unwrap_or("none");
        if !Licence::new(licence).satisfied_by(&allowed) {
            wrong.push(format!("the licence of {name} is {licence}, which deny.toml does not allow"));
        }
        if banned.contains(name) {
            wrong.push(format!("deny.toml bans {name}"));
        }
        // A path within the repository has no source.
        if let Some(source) = package["source"].as_str()
            && source != "registry+https://github.com/rust-lang/crates.io-index"
        {
            wrong.push(format!("{name} comes from {source}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn licence_expressions_are_read_as_spdx_says() {
    let allowed = BTreeSet::from(["MIT".to_owned(), "Unicode-3.0".to_owned(), "A WITH x".to_owned()]);
    for (expression, satisfied) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("GPL-3.0 OR MIT", true),
        ("GPL-3.0/MIT", true),
        ("GPL-3.0 AND MIT", false),
        ("(GPL-3.0 OR MIT) AND Unicode-3.0", true),
        ("MIT OR GPL-3.0 AND LGPL-3.0", true),
        ("A", false),
        ("A WITH x", true),
    ] {
        assert_eq!(Licence::new(expression).satisfied_by(&allowed), satisfied, "{expression}");
    }
}

/// A crate of the workspace.
struct Package {
    name: String,
    folder: PathBuf,
    /// What it is built from, tests aside.
    dependencies: Vec<String>,
}

fn packages() -> Vec<Package> {
    let metadata = metadata(&["--no-deps"]);
    let read = |package: &Value| {
        let dependencies = package["dependencies"].as_array().unwrap().iter();
        Package {
            name: package["name"].as_str().unwrap().to_owned(),
            folder: Path::new(package["manifest_path"].as_str().unwrap()).parent().unwrap().to_owned(),
            dependencies: dependencies
                .filter(|dependency| dependency["kind"] != "dev")
                .map(|dependency| dependency["name"].as_str().unwrap().to_owned())
                .collect(),
        }
    };
    metadata["packages"].as_array().unwrap().iter().map(read).collect()
}

/// Every package that a build of the workspace contains or runs, tests aside, on any platform.
fn linked_packages() -> Vec<Value> {
    let metadata = metadata(&["--all-features"]);
    let nodes: BTreeMap<_, _> =
        metadata["resolve"]["nodes"].as_array().unwrap().iter().map(|node| (id(&node["id"]), node)).collect();
    let mut open: Vec<_> = metadata["workspace_members"].as_array().unwrap().iter().map(id).collect();
    let mut linked = BTreeSet::new();
    while let Some(next) = open.pop() {
        if linked.insert(next) {
            let dependencies = nodes[next]["deps"].as_array().unwrap().iter();
            let needed = dependencies.filter(|dependency| {
                dependency["dep_kinds"].as_array().unwrap().iter().any(|kind| kind["kind"] != "dev")
            });
            open.extend(needed.map(|dependency| id(&dependency["pkg"])));
        }
    }
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages.filter(|package| linked.contains(id(&package["id"]))).cloned().collect()
}

fn id(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn metadata(arguments: &[&str]) -> Value {
    let output = Command::new(env!("CARGO"))
        .current_dir(root())
        .args(["metadata", "--format-version", "1", "--locked"])
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The strings of a list in a section of `deny.toml`, one per line.
fn list(section: &str, key: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(root().join("deny.toml")).unwrap();
    let (_, section) = text.split_once(&format!("\n[{section}]\n")).expect("a section of deny.toml");
    let (_, list) = section.split_once(&format!("\n{key} = [\n")).expect("a list of deny.toml");
    let (list, _) = list.split_once("\n]").expect("the end of a list of deny.toml");
    let strings = list.lines().filter_map(|line| Some(line.split_once('"')?.1.split_once('"')?.0.to_owned()));
    strings.collect()
}

/// An SPDX licence expression. The slash is how it was written before there was `OR`.
struct Licence(Vec<String>);

impl Licence {
    fn new(expression: &str) -> Self {
        let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
        Self(spaced.split_whitespace().map(ToOwned::to_owned).rev().collect())
    }

    fn satisfied_by(mut self, allowed: &BTreeSet<String>) -> bool {
        let satisfied = self.either(allowed);
        assert!(self.0.is_empty(), "a licence expression ends with {:?}", self.0);
        satisfied
    }

    fn either(&mut self, allowed: &BTreeSet<String>) -> bool {
        let mut satisfied = self.both(allowed);
        while self.0.pop_if(|token| token == "OR").is_some() {
            satisfied |= self.both(allowed);
        }
        satisfied
    }

    fn both(&mut self, allowed: &BTreeSet<String>) -> bool {
        let mut satisfied = self.one(allowed);
        while self.0.pop_if(|token| token == "AND").is_some() {
            satisfied &= self.one(allowed);
        }
        satisfied
    }

    fn one(&mut self, allowed: &BTreeSet<String>) -> bool {
        let mut name = self.0.pop().expect("a licence");
        if name == "(" {
            let satisfied = self.either(allowed);
            assert_eq!(self.0.pop().as_deref(), Some(")"));
            return satisfied;
        }
        if self.0.pop_if(|token| token == "WITH").is_some() {
            name = format!("{name} WITH {}", self.0.pop().expect("an exception"));
        }
        allowed.contains(&name)
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Every Rust file and what is in it.
fn sources() -> Vec<(PathBuf, String)> {
    let rust =
        files(&root()).into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    rust.map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

/// Every file of the repository, but for what git and cargo keep, and databases.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        if entry.file_type().unwrap().is_dir() {
            if name != ".git" && name != "target" {
                files.extend(self::files(&entry.path()));
            }
        } else if name != ".git" {
            files.push(entry.path());
        }
    }
    files
}
