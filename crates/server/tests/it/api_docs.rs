//! The page to browse the API with, in a real browser.

use std::{io::ErrorKind, process::Command};

use tempfile::TempDir;

use crate::{
    database::TestDatabase,
    server::{Server, TOKEN},
};

/// How long the browser lets the page run, in milliseconds of the page's own time, which passes as fast as
/// there is nothing to do.
const PAGE_TIME: u32 = 30_000;

/// The page as the browser has it after its scripts ran, and what the browser wrote to its console. `None`,
/// and a line that says so, where there is no browser.
fn browse(url: &str) -> Option<(String, String)> {
    let profile = TempDir::new().unwrap();
    let output = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .args(["--enable-logging=stderr", "--ignore-certificate-errors", "--window-size=1280,1024"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("--virtual-time-budget={PAGE_TIME}"))
        .args(["--dump-dom", url])
        .output();
    match output {
        Ok(output) => {
            let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
            let console = text(&output.stderr);
            let console = console.lines().filter(|line| line.contains(":CONSOLE")).collect::<Vec<_>>();
            Some((text(&output.stdout), console.join("\n")))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            assert!(std::env::var_os("CI").is_none(), "chromium is needed where CI is set");
            eprintln!("SKIPPED: chromium is not installed");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a_browser_shows_the_api_docs_without_a_complaint() {
    let database = TestDatabase::sqlite();
    let server = Server::start_with(&database, &[("INVENTORY_BOOTSTRAP_TOKEN", TOKEN)]);
    let Some((page, console)) = browse(&format!("{}/api/docs/#/components/createComponent", server.base))
    else {
        return;
    };
    assert!(page.contains("Create a component") && page.contains("Try it out"), "{page}\n{console}");
    assert_eq!(console, "");
    server.stop();
}
