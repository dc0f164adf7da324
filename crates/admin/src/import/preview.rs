//! What every row of a file would do; while it is carried out, how far that is; and then what was done.

use std::{collections::HashMap, sync::Arc};

use askama::Template;
use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use inventory_core::{Component, ComponentId, ComponentUpdated, NewComponent};
use inventory_csv::{Fault, Outcome};
use inventory_store::{RowKind, Staged, StagedRow, Store};

use super::{
    Imports, columns, find, path, planning,
    run::{ImportOutcome, changes},
    shortened,
};
use crate::{
    Admin, address,
    auth::{Editor, SignedIn},
    components::{Difference, changed, filled},
    failure::Failure,
    form_data::Parameters,
    format::{Count, Moment},
    layout::{Layout, Section},
    render::Answer as _,
    routes::Router,
};

/// How many rows a page shows.
const PAGE_ROWS: u64 = 25;
/// How many fields are shown of a row.
const MAX_DIFFERENCES: usize = 8;
/// How many faults are shown of a row.
const MAX_FAULTS: usize = 4;
/// How much is shown of a value, in characters. With the limits above, and whatever is in the values, a page stays
/// below 200 kB.
const MAX_VALUE_CHARS: usize = 60;
/// How much is shown of what a fault says, in characters.
const MAX_FAULT_CHARS: usize = 200;

/// The pages of this module.
pub(super) fn router() -> Router<Admin> {
    Router::new().route("/admin/import/{id}", get(page))
}

/// A row as the page shows it.
struct ShownRow {
    line: u64,
    kind: RowKind,
    name: String,
    sku: String,
    component: Option<ComponentId>,
    differences: Vec<Difference>,
    /// How many more fields it has or changes.
    more: usize,
    faults: Vec<Fault>,
    more_faults: usize,
    /// Whether its component is no longer as it was when it was compared.
    moved: bool,
}

impl ShownRow {
    fn what(&self) -> &'static str {
        word(self.kind)
    }

    fn empty(line: u64, kind: RowKind) -> Self {
        Self {
            line,
            kind,
            name: String::new(),
            sku: String::new(),
            component: None,
            differences: Vec::new(),
            more: 0,
            faults: Vec::new(),
            more_faults: 0,
            moved: false,
        }
    }

    fn about(self, component: &Component) -> Self {
        Self {
            name: shortened(component.name.as_str(), MAX_VALUE_CHARS),
            sku: component
                .sku
                .as_ref()
                .map(|sku| shortened(sku.as_str(), MAX_VALUE_CHARS))
                .unwrap_or_default(),
            ..self
        }
    }

    fn differing(self, differences: Vec<Difference>) -> Self {
        let more = differences.len().saturating_sub(MAX_DIFFERENCES);
        let shown =
            differences.into_iter().take(MAX_DIFFERENCES).map(|Difference { label, before, after }| {
                let [before, after] = [before, after].map(|text| shortened(&text, MAX_VALUE_CHARS));
                Difference { label, before, after }
            });
        Self { differences: shown.collect(), more, ..self }
    }

    fn faulty(self, faults: Vec<Fault>) -> Self {
        let more_faults = faults.len().saturating_sub(MAX_FAULTS);
        let shown = faults.into_iter().take(MAX_FAULTS).map(|Fault { line, place, expected, found }| {
            let [place, expected, found] =
                [place, expected, found].map(|text| shortened(&text, MAX_FAULT_CHARS));
            Fault { line, place, expected, found }
        });
        Self { faults: shown.collect(), more_faults, ..self }
    }
}

fn word(kind: RowKind) -> &'static str {
    match kind {
        RowKind::Create => "create",
        RowKind::Change => "change",
        RowKind::Unchanged => "unchanged",
        RowKind::Faulty => "error",
    }
}

/// A choice among the kinds of rows.
struct Choice {
    label: &'static str,
    count: u64,
    link: String,
    chosen: bool,
}

#[derive(Template)]
#[template(path = "import_preview.html")]
struct PreviewPage {
    layout: Layout,
    staged: Staged,
    ended: Option<ImportOutcome>,
    error: Option<String>,
    choices: Vec<Choice>,
    rows: Vec<ShownRow>,
    previous: Option<String>,
    next: Option<String>,
}

impl PreviewPage {
    fn faulty(&self) -> u64 {
        self.staged.count(RowKind::Faulty)
    }

    fn changes(&self) -> u64 {
        changes(&self.staged)
    }

    fn of(&self, kind: RowKind) -> Count {
        Count(self.staged.count(kind))
    }
}

#[derive(Template)]
#[template(path = "import_running.html")]
struct RunningPage {
    layout: Layout,
    staged: Staged,
    total: u64,
    done: u64,
    /// Whether it is another process that carries it out, or did until it ended.
    elsewhere: bool,
}

#[derive(Template)]
#[template(path = "import_done.html")]
struct DonePage {
    layout: Layout,
    staged: Staged,
    created: u64,
    changed: u64,
    unchanged: u64,
    /// The list of what was imported.
    list: String,
}

async fn page(
    Editor(editor): Editor,
    State(store): State<Store>,
    State(imports): State<Imports>,
    Path(id): Path<String>,
    Parameters(fields): Parameters,
) -> Result<Response, Failure> {
    let staged = find(&store, &editor, &id).await?;
    let layout = editor.layout(Section::Import);
    let ended = ImportOutcome::of(&staged);
    if let Some(ImportOutcome::Imported { created, changed, unchanged }) = ended {
        let by = format!("import:{}", editor.user.name);
        let list = address::with_query(
            crate::components::PATH,
            [("updated_by", by.as_str()), ("sort", "-updated_at")],
        );
        let page = DonePage { layout, staged, created, changed, unchanged, list };
        return page.answer(StatusCode::OK);
    }
    if let (Some((_, origin)), None) = (staged.started, &ended) {
        let here = imports.done(staged.id);
        let page = RunningPage {
            layout,
            total: changes(&staged),
            done: here.unwrap_or_default() as u64,
            elsewhere: here.is_none() && origin != store.origin(),
            staged,
        };
        return page.answer(StatusCode::OK);
    }
    if staged.plan == 0 {
        return Ok(Redirect::to(&columns::path(staged.id)).into_response());
    }
    let kind = RowKind::ALL.into_iter().find(|kind| word(*kind) == fields.text("kind"));
    let number = fields.text("page").parse().unwrap_or(1).max(1);
    let page = preview(&store, layout, staged, kind, number).await?;
    page.answer(StatusCode::OK)
}

/// The page for a user who confirmed another plan than the present one.
pub(super) async fn plan_changed(
    editor: &SignedIn,
    store: &Store,
    staged: Staged,
) -> Result<Response, Failure> {
    if staged.plan == 0 || staged.started.is_some() {
        return Ok(Redirect::to(&path(staged.id)).into_response());
    }
    let page = preview(store, editor.layout(Section::Import), staged, None, 1).await?;
    let error = "Nothing was imported: the preview was refreshed after you opened it. Check it again.";
    let page = PreviewPage { error: Some(error.to_owned()), ..page };
    page.answer(StatusCode::CONFLICT)
}

async fn preview(
    store: &Store,
    layout: Layout,
    staged: Staged,
    kind: Option<RowKind>,
    number: u64,
) -> Result<PreviewPage, Failure> {
    let count = kind.map_or_else(|| staged.counts.iter().sum(), |kind| staged.count(kind));
    let skipped = (number - 1).saturating_mul(PAGE_ROWS).min(count);
    let rows = store.import_jobs().rows(staged.id, kind, skipped, PAGE_ROWS).await?;
    let rows = shown(store, &rows).await?;
    let link = |kind: Option<RowKind>, number: u64| {
        let (word, number) =
            (kind.map_or("", word), if number > 1 { number.to_string() } else { String::new() });
        let pairs = [("kind", word), ("page", number.as_str())];
        address::with_query(&path(staged.id), pairs.into_iter().filter(|(_, value)| !value.is_empty()))
    };
    let choice =
        |label, one: Option<RowKind>, count| Choice { label, count, link: link(one, 1), chosen: one == kind };
    let labels = ["Create", "Change", "Unchanged", "Errors"];
    let each = RowKind::ALL.into_iter().zip(labels);
    let choices = [choice("All rows", None, staged.counts.iter().sum())]
        .into_iter()
        .chain(each.map(|(kind, label)| choice(label, Some(kind), staged.count(kind))))
        .collect();
    Ok(PreviewPage {
        layout,
        ended: ImportOutcome::of(&staged),
        error: None,
        choices,
        previous: (number > 1).then(|| link(kind, number - 1)),
        next: (skipped + PAGE_ROWS < count).then(|| link(kind, number + 1)),
        rows,
        staged,
    })
}

/// The rows beside the components that they are about, as these are now.
async fn shown(store: &Store, rows: &[StagedRow]) -> Result<Vec<ShownRow>, Failure> {
    let outcomes: Vec<_> = rows.iter().map(planning::outcome).collect::<Result<_, _>>()?;
    let ids: Vec<_> = outcomes
        .iter()
        .filter_map(|outcome| match outcome {
            Outcome::Change { id, .. } | Outcome::Unchanged(id) => Some(*id),
            Outcome::Create(_) | Outcome::Faulty(_) => None,
        })
        .collect();
    let components = store.components_by_id(&ids).await?;
    let components: HashMap<_, _> =
        components.into_iter().map(|component| (component.id, Arc::new(component))).collect();
    let now = store.clock().now();
    Ok(rows.iter().zip(outcomes).map(|(row, outcome)| show(row, outcome, &components, now)).collect())
}

/// What a row says of a new component: neither what every component is, nor what stands above it.
fn told(component: &Component, now: time::OffsetDateTime) -> Vec<Difference> {
    let bare = NewComponent::named(component.name.clone());
    let bare = bare.create(component.id, now, inventory_core::Actor::import());
    let bare = bare.map(|bare| Component { sku: component.sku.clone(), ..bare });
    let bare = bare.map(|bare| filled(&bare)).unwrap_or_default();
    let mut told = filled(component);
    told.retain(|field| !bare.iter().any(|other| other.label == field.label && other.after == field.after));
    told
}

fn show(
    row: &StagedRow,
    outcome: Outcome,
    components: &HashMap<ComponentId, Arc<Component>>,
    now: time::OffsetDateTime,
) -> ShownRow {
    let shown = ShownRow::empty(row.line, row.kind);
    let actor = inventory_core::Actor::import();
    match outcome {
        Outcome::Create(component) => match component.create(ComponentId::generate(), now, actor) {
            Ok(component) => shown.about(&component).differing(told(&component, now)),
            Err(_) => shown,
        },
        Outcome::Change { id, version, patch } => match components.get(&id) {
            Some(before) if before.version == version => {
                let shown = ShownRow { component: Some(id), ..shown.about(before) };
                match before.patched(*patch, now, actor) {
                    Ok(Some((after, fields))) => {
                        let (before, after) = (Arc::clone(before), Arc::new(after));
                        shown.differing(changed(&ComponentUpdated { before, after, changed: fields }))
                    }
                    _ => shown,
                }
            }
            Some(other) => ShownRow { component: Some(id), moved: true, ..shown.about(other) },
            None => ShownRow { moved: true, ..shown },
        },
        Outcome::Unchanged(id) => match components.get(&id) {
            Some(component) => ShownRow { component: Some(id), ..shown.about(component) },
            None => ShownRow { moved: true, ..shown },
        },
        Outcome::Faulty(faults) => shown.faulty(faults),
    }
}
