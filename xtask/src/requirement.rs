//! What the suites need beside cargo, and whether this machine has it.

use std::{
    env,
    net::{TcpStream, ToSocketAddrs},
    time::Duration,
};

use crate::repository;

/// Where tests find PostgreSQL, unless the variable below says otherwise.
const POSTGRES_URL: &str = "postgres://postgres@127.0.0.1:5432";
const POSTGRES_VARIABLE: &str = "INVENTORY_TEST_POSTGRES_URL";
/// How long a connection to PostgreSQL may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Where the modules of the browser tests are, and how they come there.
const BROWSER_MODULES: &str = "target/browser";
const INSTALL_MODULES: &str =
    "npm install --prefix target/browser --no-save playwright-core@1.65 axe-core@4.10";

/// Programs that suites run, and how one gets them.
const PROGRAMS: [(&str, &str); 7] = [
    ("promtool", "apt-get install prometheus"),
    ("prometheus", "apt-get install prometheus"),
    ("psql", "apt-get install postgresql-client"),
    ("sqlite3", "apt-get install sqlite3"),
    ("schemathesis", "pip install schemathesis"),
    ("chromium", "apt-get install chromium"),
    ("node", "apt-get install nodejs npm"),
];

/// A sentence for everything that is missing.
pub(crate) fn missing() -> Vec<String> {
    let programs = PROGRAMS.iter().filter(|(name, _)| !has_program(name));
    let mut missing: Vec<_> =
        programs.map(|(name, install)| format!("there is no {name} (`{install}`)")).collect();
    let url = postgres_url();
    if !answers(&url) {
        missing.push(format!("no PostgreSQL answers at {url} ({POSTGRES_VARIABLE} names another)"));
    }
    let modules = repository::root().join(BROWSER_MODULES);
    if !["playwright-core", "axe-core"].iter().all(|name| modules.join("node_modules").join(name).is_dir()) {
        missing.push(format!("there are no modules for the browser tests (`{INSTALL_MODULES}`)"));
    }
    missing
}

/// The PostgreSQL server for tests and benchmarks, without a database.
pub(crate) fn postgres_url() -> String {
    let url = env::var(POSTGRES_VARIABLE).unwrap_or_else(|_| POSTGRES_URL.to_owned());
    url.trim_end_matches('/').to_owned()
}

/// Whether a program can be run by its name.
pub(crate) fn has_program(name: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(name).is_file())
}

fn answers(url: &str) -> bool {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = authority.split(['/', '?']).next().unwrap_or(authority);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = if host.contains(':') { host.to_owned() } else { format!("{host}:5432") };
    let addresses = host.to_socket_addrs().into_iter().flatten();
    addresses.into_iter().any(|address| TcpStream::connect_timeout(&address, CONNECT_TIMEOUT).is_ok())
}
