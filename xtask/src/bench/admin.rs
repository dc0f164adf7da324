//! The pages of the web admin over many components: how long the service takes for each while several people
//! look, how large it is, and how long it takes to delete everything that matches a filter.

mod fill;
mod visitor;

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};

use self::visitor::Visitor;
use super::{contestant::Binaries, database::Engine, load, sample::median, script};
use crate::service::{self, Running};

/// Its name among the workloads.
pub(super) const NAME: &str = "admin";
/// How many components there are.
pub(super) const COMPONENTS: u32 = 200_000;
/// How many of them one bulk action deletes.
pub(super) const DELETED: u32 = 10_000;
/// How many people look at once.
const CLIENTS: u32 = 4;
/// How long each page is asked for before it is measured, in seconds.
const WARM_UP_SECONDS: u32 = 1;

/// A page and what is behind it in an address.
const PAGES: [(&str, &str); 26] = [
    ("home", "/admin/"),
    ("list", "/admin/components"),
    ("list of 100 by name", "/admin/components?sort=name&limit=100"),
    ("search: two words", "/admin/components?q=octal+maker"),
    ("search: one component", "/admin/components?q=P-177777"),
    ("search: two letters that many have", "/admin/components?q=ed"),
    ("search: two letters that none has", "/admin/components?q=qx"),
    ("search: a word that half have, the last first", "/admin/components?q=smd&sort=-name"),
    ("search: a word and a status", "/admin/components?q=gate&status=archived"),
    ("search: two letters and a status", "/admin/components?q=oc&status=archived"),
    ("status", "/admin/components?status=archived"),
    ("manufacturer", "/admin/components?manufacturer=Maker+17"),
    ("tag of half", "/admin/components?tags=smd"),
    ("tag of few", "/admin/components?tags=bay-34"),
    ("unit", "/admin/components?unit=kg&sort=name"),
    ("currency", "/admin/components?currency=EUR"),
    ("who changed last", "/admin/components?updated_by=user:bob"),
    ("price", "/admin/components?unit_cost__gte=12&unit_cost__lte=13&sort=unit_cost"),
    ("days", "/admin/components?created_at__gte=2021-03-01&created_at__lte=2021-03-31"),
    ("without a barcode", "/admin/components?barcode__isnull=true"),
    ("nothing matches", "/admin/components?unit=box&status=archived&sort=name"),
    ("filters beside the list", "/admin/components/filters"),
    ("filters beside a filtered list", "/admin/components/filters?status=archived&tags=bay-34"),
    ("filters beside a search", "/admin/components/filters?q=octal"),
    ("dates beside the list", "/admin/components/dates/created_at"),
    ("dates beside a filtered list", "/admin/components/dates/updated_at?status=active"),
];
/// What is typed into the palette, letter by letter.
const TYPED: [&str; 8] = ["", "g", "ga", "gat", "gate", "gate 1", "gate 15", "p-17"];

/// What was found for one page, or the medians of several.
#[derive(Debug, Clone, Copy)]
struct Figures {
    p50_ms: f64,
    p95_ms: f64,
    /// The largest.
    kilobytes: f64,
}

/// Everything that was measured.
#[derive(Debug, Default)]
pub(super) struct Measured {
    pages: BTreeMap<(Engine, usize), (String, Vec<Figures>)>,
    /// Seconds.
    deletes: BTreeMap<Engine, Vec<f64>>,
}

impl Measured {
    /// Measures every page once, and deletes once.
    pub(super) fn measure(
        &mut self,
        engine: Engine,
        seconds: u32,
        binaries: &Binaries,
        folder: &Path,
    ) -> anyhow::Result<()> {
        let url = fill::database(engine, binaries, folder)?;
        let address = service::free_address()?;
        let log = folder.join("admin.log");
        let server =
            Running::start(&mut service::inventory(&binaries.service, &url, address), address, &log)?;
        let visitor = Visitor::sign_in(address)?;
        for (place, (name, paths)) in pages(&visitor)?.into_iter().enumerate() {
            let figures = page(&visitor, &server, &paths, seconds, folder)
                .with_context(|| format!("the page {name} on {}", engine.name()))?;
            eprintln!("{name} on {}: {figures:?}", engine.name());
            self.pages.entry((engine, place)).or_insert((name, Vec::new())).1.push(figures);
        }
        let took = delete(&visitor)?;
        eprintln!("{DELETED} deleted on {} in {took:?}", engine.name());
        self.deletes.entry(engine).or_default().push(took.as_secs_f64());
        server.stop()?;
        fill::clean_up(engine, folder)
    }

    pub(super) fn engines(&self) -> impl Iterator<Item = Engine> {
        self.deletes.keys().copied()
    }

    /// The slowest page, in ms at the 95th percentile.
    pub(super) fn slowest_ms(&self, engine: Engine) -> Option<f64> {
        self.worst(engine, |figures| figures.p95_ms)
    }

    /// The largest page.
    pub(super) fn largest_kilobytes(&self, engine: Engine) -> Option<f64> {
        self.worst(engine, |figures| figures.kilobytes)
    }

    /// How long a delete took, in seconds.
    pub(super) fn delete_seconds(&self, engine: Engine) -> Option<f64> {
        self.deletes.get(&engine).map(|seconds| median(seconds.clone()))
    }

    fn worst(&self, engine: Engine, figure: fn(&Figures) -> f64) -> Option<f64> {
        let pages = self.pages.iter().filter(|((of, _), _)| *of == engine);
        pages.map(|(_, (_, figures))| median(figures.iter().map(figure).collect())).reduce(f64::max)
    }

    pub(super) fn write(&self, text: &mut String) -> anyhow::Result<()> {
        if self.pages.is_empty() {
            return Ok(());
        }
        writeln!(
            text,
            "### The web admin\n\n{COMPONENTS} components, {CLIENTS} clients at once, time until the whole page is \
             there.\n\n| page | database | p50 ms | p95 ms | kB |\n|---|---|---|---|---|"
        )?;
        for ((engine, _), (name, figures)) in &self.pages {
            let of = |figure: fn(&Figures) -> f64| median(figures.iter().map(figure).collect());
            let (p50, p95, kilobytes) =
                (of(|figures| figures.p50_ms), of(|figures| figures.p95_ms), of(|figures| figures.kilobytes));
            writeln!(text, "| {name} | {} | {p50:.1} | {p95:.1} | {kilobytes:.0} |", engine.name())?;
        }
        Ok(writeln!(text)?)
    }
}

/// The pages by name; of some, several that are asked for in turn.
fn pages(visitor: &Visitor) -> anyhow::Result<Vec<(String, Vec<String>)>> {
    let mut pages: Vec<_> =
        PAGES.iter().map(|(name, path)| ((*name).to_owned(), vec![(*path).to_owned()])).collect();
    // The other end of the list, from its other end.
    let backwards = visitor.get("/admin/components?sort=id&limit=100")?;
    let after = backwards.split_once("after=").context("there is no next page")?.1;
    let after = after.split('"').next().unwrap_or_default();
    pages.push(("last page".to_owned(), vec![format!("/admin/components?limit=100&after={after}")]));
    let rows = backwards.split("id=\"row-").skip(1);
    let ids = rows.map(|row| row.split('"').next().unwrap_or_default());
    pages.push(("component".to_owned(), ids.map(|id| format!("/admin/components/{id}")).collect()));
    let typed = TYPED.map(|typed| format!("/admin/palette?q={}", typed.replace(' ', "+")));
    pages.push(("palette".to_owned(), typed.to_vec()));
    Ok(pages)
}

fn page(
    visitor: &Visitor,
    server: &Running,
    paths: &[String],
    seconds: u32,
    folder: &Path,
) -> anyhow::Result<Figures> {
    let mut bytes = 0;
    for path in paths {
        bytes = bytes.max(visitor.get(path)?.len());
    }
    let file = folder.join("admin.lua");
    fs::write(&file, script::get_as(visitor.header(), paths))?;
    load::run(&file, server.address, CLIENTS, WARM_UP_SECONDS)?;
    let load = load::run(&file, server.address, CLIENTS, seconds)?;
    #[expect(clippy::cast_precision_loss, reason = "figures of a benchmark are far below 2^52")]
    Ok(Figures {
        p50_ms: load.p50_us as f64 / 1e3,
        p95_ms: load.p95_us as f64 / 1e3,
        kilobytes: bytes as f64 / 1e3,
    })
}

/// Deletes everything that a filter shows, as people do: a confirmation, then the deed, which is what is timed.
fn delete(visitor: &Visitor) -> anyhow::Result<Duration> {
    let (first, last) = (fill::sku(1), fill::sku(DELETED));
    let count = DELETED.to_string();
    let mut fields = vec![
        ("action", "delete"),
        ("everything", "1"),
        ("list.sku__gte", first.as_str()),
        ("list.sku__lte", last.as_str()),
    ];
    let asked = visitor.post("/admin/components/bulk", &fields)?;
    ensure!(asked.contains("Delete 10,000 components?"), "the confirmation is another: {asked}");
    ensure!(asked.len() < 20_000, "the confirmation has {} bytes", asked.len());
    fields.push(("count", &count));
    let started = Instant::now();
    visitor.post("/admin/components/bulk/run", &fields)?;
    Ok(started.elapsed())
}
