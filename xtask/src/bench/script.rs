//! The scripts of wrk. What can be made before the load is made before it: the load runs on the same cores.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use serde_json::Value;

use super::{contestant::Contestant, load::DONE};
use crate::service::{Running, TOKEN};

/// How many components a bulk create makes.
pub(super) const BATCH: u64 = 1000;
/// How many components a page has.
const PAGE: usize = 50;
/// Stands for the number of a request; the same width, so that a body's length is known before.
const NUMBER: &str = "########";

/// The pages of all components in the order of their ids.
pub(super) struct Pages {
    pub(super) paths: Vec<String>,
    ids: Vec<String>,
}

/// Follows the pages from the first to the last.
pub(super) fn all_pages(contestant: Contestant, server: &Running) -> anyhow::Result<Pages> {
    let mut pages = Pages { paths: Vec::new(), ids: Vec::new() };
    let (order, cursor) = match contestant {
        Contestant::Service | Contestant::ServiceByUrl => ("&sort=id", "cursor"),
        Contestant::Peer | Contestant::Constant => ("", "after"),
    };
    let mut path = format!("/api/v1/components?limit={PAGE}{order}");
    loop {
        let page: Value = serde_json::from_str(&server.get(&path)?)?;
        let items = page["items"].as_array().context("a page has no items")?;
        let ids = items.iter().filter_map(|item| item["id"].as_str());
        pages.ids.extend(ids.map(ToOwned::to_owned));
        // The last page is short or empty, and would make the workload easier.
        if items.len() == PAGE {
            pages.paths.push(path);
        }
        match page["next_cursor"].as_str() {
            Some(next) if items.len() == PAGE => {
                path = format!("/api/v1/components?limit={PAGE}{order}&{cursor}={next}");
            }
            _ => return Ok(pages),
        }
    }
}

/// The path of each component.
pub(super) fn all_components(contestant: Contestant, server: &Running) -> anyhow::Result<Vec<String>> {
    let ids = all_pages(contestant, server)?.ids;
    Ok(ids.iter().map(|id| format!("/api/v1/components/{id}")).collect())
}

/// Asks for one path after the other.
pub(super) fn get(paths: &[String]) -> String {
    get_as(("Authorization", &format!("Bearer {TOKEN}")), paths)
}

/// The same with another header that says who asks.
pub(super) fn get_as((header, value): (&str, &str), paths: &[String]) -> String {
    let paths: Vec<_> = paths.iter().map(|path| format!("{path:?}")).collect();
    format!(
        r#"wrk.headers["{header}"] = "{value}"
local paths = {{{paths}}}
local requests, i = {{}}, 0
function init(args)
  for n, path in ipairs(paths) do requests[n] = wrk.format("GET", path) end
end
function request()
  i = i % #requests + 1
  return requests[i]
end
{DONE}"#,
        paths = paths.join(", ")
    )
}

/// Creates one component a request.
pub(super) fn create() -> String {
    post("/api/v1/components", &component(&format!("{}-{NUMBER}", run())).to_string())
}

/// Creates a thousand components a request.
pub(super) fn bulk() -> String {
    post("/api/v1/components/batch", &batch(&format!("{}-{NUMBER}", run())))
}

/// The body of a bulk create, whose skus begin so.
pub(super) fn batch(skus: &str) -> String {
    let operation = |index| {
        let component = component(&format!("{skus}-{index}"));
        serde_json::json!({"op": "create", "component": component})
    };
    serde_json::json!({"operations": (0..BATCH).map(operation).collect::<Vec<_>>()}).to_string()
}

/// A component with what most have.
fn component(sku: &str) -> Value {
    serde_json::json!({
        "sku": sku,
        "name": "74HC00",
        "description": "Quad 2-input NAND gate, CMOS, 2 V to 6 V",
        "manufacturer": "Nexperia",
        "mpn": "74HC00D",
        "tags": ["cmos", "logic"],
    })
}

/// Makes the skus of one load differ from those of another.
fn run() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis())
}

fn post(path: &str, body: &str) -> String {
    format!(
        r#"wrk.headers["Authorization"] = "Bearer {TOKEN}"
wrk.headers["Content-Type"] = "application/json"
local template, n, run = nil, 0, os.time() % 100 * 1000000
function init(args)
  template = wrk.format("POST", "{path}", nil, [==[{body}]==])
end
function request()
  n = n + 1
  return (string.gsub(template, "{NUMBER}", string.format("%08d", run + n)))
end
{DONE}"#
    )
}
