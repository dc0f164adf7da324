//! Bodies that are made to cost the service more than they cost their sender: how much memory the process takes, read
//! from the kernel, and whether it answers others meanwhile.

use std::{
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use reqwest::{Method, RequestBuilder, StatusCode, header};
use tokio::task::{JoinHandle, JoinSet};

use crate::{
    command::inventory,
    database::TestDatabase,
    server::{Server, TOKEN, client_that_follows_nothing},
};

const BATCH: &str = "/api/v1/components/batch";
const PASSWORD: &str = "correct horse battery";
const BOUNDARY: &str = "a-boundary-that-no-file-has";
/// How many such bodies are sent at once.
const AT_ONCE: usize = 8;
/// The longest body that a batch may have, in bytes.
const BATCH_BYTES: usize = 32 * 1024 * 1024;
/// The longest file that the web admin takes, in bytes.
const FILE_BYTES: usize = 8 * 1024 * 1024;
/// The most memory that the process may take, in bytes.
const MAX_RESIDENT_BYTES: u64 = 200_000_000;
/// How long `/livez` may take meanwhile.
const MAX_LIVEZ: Duration = Duration::from_millis(100);
/// How often `/livez` is asked meanwhile.
const LIVEZ_PACE: Duration = Duration::from_millis(10);
/// How many of a hundred requests to `/livez` must be answered in that time, and in one of how many attempts: other
/// processes of the machine may take the processor away for a while, and a service that blocks its threads does so each
/// time.
const LIVEZ_PERCENT: usize = 90;
const ATTEMPTS: usize = 5;

/// The most memory that a process ever had, in bytes; nothing once it has ended.
fn peak(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.trim().parse::<u64>().unwrap() * 1024)
}

/// A text that is repeated up to a length, between a beginning and an end.
fn filled(start: &str, repeated: &str, end: &str, length: usize) -> String {
    let count = (length - start.len() - end.len()) / repeated.len();
    [start, &repeated.repeat(count), end].concat()
}

/// Members whose names all differ, up to a length, between a beginning and an end.
fn members(start: &str, end: &str, length: usize) -> String {
    let mut text = String::with_capacity(length);
    text.push_str(start);
    for number in 0_u32.. {
        let member = format!("\"{number:x}\":0,");
        if text.len() + member.len() + "\"z\":0".len() + end.len() > length {
            break;
        }
        text.push_str(&member);
    }
    text + "\"z\":0" + end
}

/// What is seen of a server while bodies are sent to it.
struct Watch {
    stop: Arc<AtomicBool>,
    asked: JoinHandle<Vec<Duration>>,
}

impl Watch {
    /// Asks `/livez` at a steady pace, also while earlier requests are not answered.
    fn start(server: &Server) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, client, url) =
            (Arc::clone(&stop), server.api.client.clone(), format!("{}/livez", server.base));
        let asked = tokio::spawn(async move {
            let mut pace = tokio::time::interval(LIVEZ_PACE);
            let mut requests = JoinSet::new();
            while !stopped.load(Ordering::Relaxed) {
                pace.tick().await;
                let (client, url) = (client.clone(), url.clone());
                requests.spawn(async move {
                    let since = Instant::now();
                    assert_eq!(client.get(url).send().await.unwrap().status(), StatusCode::OK);
                    since.elapsed()
                });
            }
            requests.join_all().await
        });
        Self { stop, asked }
    }

    /// Asserts that the process stayed small, and returns how long most answers took at most.
    async fn finish(self, server: &Server, shape: &str) -> Duration {
        self.stop.store(true, Ordering::Relaxed);
        let mut times = self.asked.await.unwrap();
        times.sort_unstable();
        let most = times[(times.len() * LIVEZ_PERCENT / 100).min(times.len() - 1)];
        let (peak, longest) = (peak(server.pid()).unwrap(), times.last().unwrap());
        eprintln!("{shape}: {} MB, /livez {most:?}, at longest {longest:?}", peak / 1_000_000);
        assert!(peak < MAX_RESIDENT_BYTES, "{shape}: the process took {} MB", peak / 1_000_000);
        most
    }
}

/// Sends a request [`AT_ONCE`] times at once, and asserts that it takes neither the memory nor the time of others.
async fn assert_cheap(server: &Server, shape: &str, request: RequestBuilder) -> Vec<(StatusCode, bool)> {
    for attempt in 1.. {
        let watch = Watch::start(server);
        let answers = send_at_once(request.try_clone().unwrap()).await;
        let most = watch.finish(server, shape).await;
        if most < MAX_LIVEZ {
            return answers;
        }
        assert!(attempt < ATTEMPTS, "{shape}: /livez took {most:?}");
    }
    unreachable!("the last attempt asserts or returns")
}

/// Sends a request [`AT_ONCE`] times at once, and returns the answers: their status, and whether they say when to try
/// again.
async fn send_at_once(request: RequestBuilder) -> Vec<(StatusCode, bool)> {
    let mut sent = JoinSet::new();
    for _ in 0..AT_ONCE {
        let request = request.try_clone().unwrap();
        sent.spawn(async move {
            let answer = request.send().await.unwrap();
            (answer.status(), answer.headers().contains_key(header::RETRY_AFTER))
        });
    }
    sent.join_all().await
}

/// Whether an answer is that of a service which does not take more now.
fn is_busy((status, retry_after): (StatusCode, bool)) -> bool {
    status == StatusCode::SERVICE_UNAVAILABLE && retry_after
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_batch_takes_little_memory_and_holds_up_nobody() {
    let long_notes = format!(
        "{{\"op\":\"create\",\"component\":{{\"name\":\"a\",\"notes\":\"{}\"}}}},",
        "n".repeat(10_000)
    );
    let fields: Vec<_> = (0..64).map(|number| format!("\"f{number}\":\"\"")).collect();
    let many_fields = format!(
        "{{\"op\":\"create\",\"component\":{{\"name\":\"a\",\"custom_fields\":{{{}}}}}}},",
        fields.join(",")
    );
    let operations = "{\"operations\":[";
    let bad_end = "{\"op\":\"create\",\"component\":{}}]}";
    let one = "{\"operations\":[{\"op\":\"create\",\"component\":";
    let shapes = [
        ("operations without a verb", filled(operations, "{\"a\":0},", "{}]}", BATCH_BYTES)),
        ("empty operations", filled(operations, "{},", "{}]}", BATCH_BYTES)),
        ("numbers for operations", filled(operations, "0,", "0]}", BATCH_BYTES)),
        ("an array for the whole", filled("[", "{\"a\":0},", "{}]", BATCH_BYTES)),
        ("members of the whole", members("{", "}", BATCH_BYTES)),
        ("members of a component", members(&format!("{one}{{"), "}}]}", BATCH_BYTES)),
        ("items of tags", filled(&format!("{one}{{\"tags\":["), "0,", "0]}}]}", BATCH_BYTES)),
        ("a component that nests", filled(one, "[", "", BATCH_BYTES)),
        ("a text of escapes", filled(&format!("{one}{{\"name\":\""), "\\n", "\"}}]}", BATCH_BYTES)),
        ("a plain text", filled(&format!("{one}{{\"name\":\""), "n", "\"}}]}", BATCH_BYTES)),
        ("a name of escapes", filled("{\"", "\\n", "\":0}", BATCH_BYTES)),
        ("good operations with long notes", filled(operations, &long_notes, bad_end, BATCH_BYTES)),
        ("good operations with many fields", filled(operations, &many_fields, bad_end, 15_000_000)),
    ];
    for (shape, body) in shapes {
        let database = TestDatabase::sqlite();
        let server = Server::start(&database);
        // Without a copy for each request.
        let body: &'static str = body.leak();
        let request =
            server.api.request(Method::POST, BATCH).header(header::CONTENT_TYPE, "application/json");
        let answers = assert_cheap(&server, shape, request.body(body)).await;
        let refused = answers.iter().filter(|(status, _)| status.is_client_error()).count();
        let busy = answers.iter().filter(|answer| is_busy(**answer)).count();
        assert!(refused > 0 && refused + busy == AT_ONCE, "{shape}: {answers:?}");
        server.stop();
    }
}

/// Files that are as long as the web admin takes, and more than they seem to be.
fn files() -> Vec<(&'static str, String)> {
    let columns: Vec<_> = (0..60).map(|number| format!("custom_fields.f{number}")).collect();
    let header = format!("sku,name,{}\n", columns.join(","));
    let rows = |count: usize| {
        let row = |number| format!("{number},b{}\n", ",c".repeat(60));
        (0..count).map(row).fold(header.clone(), |file, row| file + &row)
    };
    let object: Vec<_> = (0..50).map(|number| format!("\"\"{}{}\"\":1", 'a', number)).collect();
    let object_row = format!("a,b,\"{{{}}}\"\n", object.join(","));
    vec![
        ("commas", ",".repeat(FILE_BYTES)),
        ("commas after a header", filled("sku,name\n", ",", "\n", FILE_BYTES)),
        ("lines", filled("sku,name\n", "\n", "\n", FILE_BYTES)),
        ("rows without a sku", filled("sku,name\n", ",\n", "", FILE_BYTES)),
        ("as many rows with many fields as are taken", rows(4100)),
        ("rows with many fields", rows(20_000)),
        (
            "objects of many fields",
            filled("sku,name,custom_fields\n", &object_row, "", 20_000 * object_row.len()),
        ),
        ("a cell that never ends", filled("sku,name\na,\"", "b", "", FILE_BYTES)),
        ("quotes", filled("sku,name\na,\"", "\"\"", "\"\n", FILE_BYTES)),
        ("names of columns", filled("sku", ",a", "\n", FILE_BYTES)),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_file_takes_little_memory_and_holds_up_nobody() {
    for (shape, file) in files() {
        let database = TestDatabase::sqlite();
        let variables = [("INVENTORY_BOOTSTRAP_TOKEN", TOKEN), ("INVENTORY_ADMIN_PASSWORD", PASSWORD)];
        let server = Server::start_with(&database, &variables);
        let client = client_that_follows_nothing();
        let sign_in = client.post(format!("{}/admin/sign-in", server.base));
        let sign_in = sign_in.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let answer =
            sign_in.body(format!("name=admin&password={}", PASSWORD.replace(' ', "+"))).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        let cookies = answer.headers().get_all(header::SET_COOKIE).iter();
        let cookies: Vec<_> =
            cookies.filter_map(|cookie| cookie.to_str().unwrap().split(';').next()).collect();
        let form = format!(
            "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\n\r\n{file}\r\n\
             --{BOUNDARY}--\r\n"
        );
        let request = client
            .post(format!("{}/admin/import", server.base))
            .header(header::COOKIE, cookies.join("; "))
            .header(header::CONTENT_TYPE, format!("multipart/form-data; boundary={BOUNDARY}"))
            .body(&*form.leak());
        let answers = assert_cheap(&server, shape, request).await;
        let answered = |answer: &(StatusCode, bool)| {
            answer.0.is_redirection() || answer.0.is_client_error() || is_busy(*answer)
        };
        assert!(answers.iter().all(answered), "{shape}: {answers:?}");
        server.stop();
    }
}

#[test]
fn a_hostile_file_takes_little_memory_at_the_command_line() {
    // What an operator means to import takes what it takes.
    for (shape, file) in files().into_iter().filter(|(shape, _)| !shape.contains("many fields")) {
        let database = TestDatabase::sqlite();
        let path = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(path.path(), file).unwrap();
        let mut command = inventory();
        command.env("INVENTORY_DATABASE_URL", database.url()).arg("import").arg(path.path());
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut highest = 0;
        let status = loop {
            highest = highest.max(peak(child.id()).unwrap_or_default());
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        eprintln!("{shape}: peak {} MB, {status}", highest / 1_000_000);
        assert!(
            highest > 0 && highest < MAX_RESIDENT_BYTES,
            "{shape}: the process took {} MB",
            highest / 1_000_000
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sign_ins_take_little_memory() {
    let database = TestDatabase::sqlite();
    let server = Server::start_with(&database, &[("INVENTORY_ADMIN_PASSWORD", PASSWORD)]);
    let request = server
        .api
        .client
        .post(format!("{}/admin/sign-in", server.base))
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body("name=admin&password=a+guess");
    for _ in 0..3 {
        let answers = send_at_once(request.try_clone().unwrap()).await;
        assert!(answers.iter().all(|(status, _)| status.is_client_error()), "{answers:?}");
    }
    let peak = peak(server.pid()).unwrap();
    assert!(peak < MAX_RESIDENT_BYTES, "the process took {} MB", peak / 1_000_000);
    server.stop();
}
