//! The web admin in a real browser, as people go through it. The steps are in `crates/admin/tests/browser`; what
//! they need is a Chromium, Node.js, and two of its modules in `target/browser`.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    database::TestDatabase,
    server::{Server, TOKEN},
};

/// The password of the first user.
const PASSWORD: &str = "correct horse battery";
/// How the modules are installed.
const INSTALL: &str = "npm install --prefix target/browser --no-save playwright-core@1.65 axe-core@4.10";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

/// Where a program is.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// A Node.js that runs a script of the browser tests; `None`, and a line that says so, where something is missing.
fn browser(script: &str) -> Option<Command> {
    let modules = root().join("target/browser");
    let missing = |what: &str| {
        assert!(std::env::var_os("CI").is_none(), "{what} is needed where CI is set");
        eprintln!("SKIPPED: there is no {what}");
        None
    };
    let Some(chromium) = program("chromium") else { return missing("chromium") };
    let Some(node) = program("node") else { return missing("node") };
    if !["playwright-core", "axe-core"].iter().all(|name| modules.join("node_modules").join(name).is_dir()) {
        return missing(&format!("module for the browser tests (`{INSTALL}`)"));
    }
    let mut command = Command::new(node);
    command
        .arg(root().join("crates/admin/tests/browser").join(script))
        .env("CHROMIUM", chromium)
        .env("MODULES", modules);
    Some(command)
}

fn walk(script: &str, database: Option<TestDatabase>, screenshots: &str) {
    let (Some(database), Some(mut command)) = (database, browser(script)) else { return };
    let variables = [("INVENTORY_BOOTSTRAP_TOKEN", TOKEN), ("INVENTORY_ADMIN_PASSWORD", PASSWORD)];
    let server = Server::start_with(&database, &variables);
    let output = command
        .env("BASE", &server.base)
        .env("TOKEN", TOKEN)
        .env("PASSWORD", PASSWORD)
        .env("SCREENSHOTS", root().join("target/screenshots").join(screenshots))
        .output()
        .unwrap();
    let told =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{told}\n{}", server.log());
    server.stop();
}

#[test]
fn people_go_through_the_admin_in_a_browser_on_sqlite() {
    walk("walk.mjs", Some(TestDatabase::sqlite()), "sqlite");
}

#[test]
fn people_go_through_the_admin_in_a_browser_on_postgres() {
    walk("walk.mjs", TestDatabase::postgres(), "postgres");
}

#[test]
fn users_tokens_and_accounts_are_managed_in_a_browser_on_sqlite() {
    walk("people.mjs", Some(TestDatabase::sqlite()), "sqlite");
}

#[test]
fn users_tokens_and_accounts_are_managed_in_a_browser_on_postgres() {
    walk("people.mjs", TestDatabase::postgres(), "postgres");
}

#[test]
fn people_narrow_the_list_and_use_it_by_keys_in_a_browser_on_sqlite() {
    walk("list.mjs", Some(TestDatabase::sqlite()), "sqlite");
}

#[test]
fn people_narrow_the_list_and_use_it_by_keys_in_a_browser_on_postgres() {
    walk("list.mjs", TestDatabase::postgres(), "postgres");
}

#[test]
fn files_are_imported_and_exported_in_a_browser_on_sqlite() {
    walk("import.mjs", Some(TestDatabase::sqlite()), "sqlite");
}

#[test]
fn files_are_imported_and_exported_in_a_browser_on_postgres() {
    walk("import.mjs", TestDatabase::postgres(), "postgres");
}
