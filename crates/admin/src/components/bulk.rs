//! Doing one thing to many components: the rows that were selected, or everything that a list shows.
//!
//! A page first says what would be done to how many. Then it is one transaction: all of them or none, and one
//! event each.

use std::collections::BTreeSet;

use askama::Template;
use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::post,
};
use inventory_core::{Component, ComponentId, ComponentPatch, Field, Status, Tag};
use inventory_store::{
    Column, ComponentOperation, Conflict, OperationErrors, OperationResult, PageStart, Query, Sort, Store,
    VersionPrecondition, WriteContext, WriteError,
};
use serde_json::{Map, Value, json};

use super::{
    draft, export,
    field::SHARED,
    form::{complaint, label},
    list_query::ListQuery,
};
use crate::{
    Admin,
    actor_label::by,
    auth::{Editor, SignedIn},
    failure::Failure,
    form_data::FormData,
    format::Count,
    layout::{Flash, Layout, Section},
    render::Answer as _,
    routes::Router,
};

/// How many components one action may be carried out on.
const MAX_COMPONENTS: u64 = 20_000;
/// How many of them the confirmation names.
const NAMED: usize = 5;

/// What can be done to many components.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Archive,
    Activate,
    AddTag,
    RemoveTag,
    Set,
    Export,
    Delete,
}

impl Action {
    pub(crate) const ALL: [Self; 7] =
        [Self::Archive, Self::Activate, Self::AddTag, Self::RemoveTag, Self::Set, Self::Export, Self::Delete];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Archive => "archive",
            Self::Activate => "activate",
            Self::AddTag => "add-tag",
            Self::RemoveTag => "remove-tag",
            Self::Set => "set",
            Self::Export => "export",
            Self::Delete => "delete",
        }
    }

    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Archive => "Archive",
            Self::Activate => "Set to active",
            Self::AddTag => "Add tag",
            Self::RemoveTag => "Remove tag",
            Self::Set => "Change field",
            Self::Export => "Export as CSV",
            Self::Delete => "Delete",
        }
    }

    fn needs_tag(self) -> bool {
        matches!(self, Self::AddTag | Self::RemoveTag)
    }
}

/// What is done to each component.
enum Change {
    Delete,
    Patch(Box<ComponentPatch>),
    AddTag(Tag),
    RemoveTag(Tag),
}

impl Change {
    /// What becomes of one component.
    fn operation(&self, target: &Component) -> Result<ComponentOperation, Failure> {
        let (id, expected) = (target.id, VersionPrecondition::version(target.version));
        let tagged = |tags| {
            ComponentPatch::from_json(json!({ "tags": tags })).map_err(|invalid| {
                Failure::BadRequest(format!("{}: {invalid}. Nothing was changed.", target.name))
            })
        };
        let mut tags: BTreeSet<_> = target.tags.iter().cloned().collect();
        let patch = match self {
            Self::Delete => return Ok(ComponentOperation::Delete { id, expected }),
            Self::Patch(patch) => patch.clone(),
            Self::AddTag(tag) => {
                tags.insert(tag.clone());
                Box::new(tagged(tags)?)
            }
            Self::RemoveTag(tag) => {
                tags.remove(tag);
                Box::new(tagged(tags)?)
            }
        };
        Ok(ComponentOperation::Update { id, expected, patch })
    }
}

/// The pages of this module.
pub(super) fn router() -> Router<Admin> {
    Router::new()
        .route("/admin/components/bulk", post(confirm))
        .route("/admin/components/bulk/run", post(run))
}

/// What was selected, and what is to be done to it.
struct Bulk {
    action: Action,
    /// The rows that were selected with the versions that were seen; nothing where it is everything that the list
    /// shows.
    rows: Option<Vec<(ComponentId, u64)>>,
    asked: ListQuery,
    tag: String,
    /// The field that is changed, and what was typed for it.
    field: Field,
    value: String,
}

impl Bulk {
    fn read(fields: &FormData) -> Result<Self, Failure> {
        let action = Action::ALL.into_iter().find(|action| action.as_str() == fields.text("action"));
        let action = action.ok_or(Failure::BadRequest("Unknown action.".to_owned()))?;
        let list = fields
            .0
            .iter()
            .filter_map(|(name, value)| Some((name.strip_prefix("list.")?.to_owned(), value.clone())));
        let asked = ListQuery::read(&FormData(list.collect()));
        let rows = if fields.has("everything") {
            None
        } else {
            let rows: Option<Vec<_>> = fields.all("row").map(row).collect();
            let wrong = "A selected row is not valid. Go back to the list and select again.";
            Some(rows.ok_or(Failure::BadRequest(wrong.to_owned()))?)
        };
        let field = match fields.text("field") {
            "" => Some(Field::Manufacturer),
            name => SHARED.into_iter().find(|field| field.as_str() == name),
        };
        let field = field.ok_or(Failure::BadRequest("This field cannot be changed in bulk.".to_owned()))?;
        Ok(Self {
            action,
            rows,
            asked,
            tag: fields.text("tag").trim().to_owned(),
            field,
            value: fields.text("value").to_owned(),
        })
    }

    /// What is to be done, or what is wrong with what was typed for it.
    fn change(&self) -> Result<Change, String> {
        let tag = || self.tag.parse::<Tag>().map_err(|error| format!("The tag {error}."));
        let (field, value) = match self.action {
            Action::Delete => return Ok(Change::Delete),
            Action::AddTag => return Ok(Change::AddTag(tag()?)),
            Action::RemoveTag => return Ok(Change::RemoveTag(tag()?)),
            Action::Archive => (Field::Status, json!(Status::Archived)),
            Action::Activate => (Field::Status, json!(Status::Active)),
            Action::Set => (self.field, draft::json(self.field, &self.value)),
            Action::Export => return Err("An export does not change components.".to_owned()),
        };
        let members = Map::from_iter([(field.as_str().to_owned(), value)]);
        ComponentPatch::from_json(Value::Object(members)).map(|patch| Change::Patch(Box::new(patch))).map_err(
            |invalid| {
                let details: Vec<_> = invalid.0.into_iter().map(|error| error.detail).collect();
                format!("{}.", complaint(field, &details.join("; ")))
            },
        )
    }

    /// How many there are, and the first few.
    async fn preview(&self, store: &Store) -> Result<(u64, Vec<Component>), Failure> {
        let Some(rows) = &self.rows else {
            let page = store.components(&self.query(NAMED)?).await?;
            return Ok((page.total, page.items));
        };
        let mut named = Vec::new();
        for (id, _) in rows.iter().take(NAMED) {
            named.extend(store.component(*id).await?);
        }
        Ok((rows.len() as u64, named))
    }

    /// All of them.
    async fn targets(&self, store: &Store) -> Result<Vec<Component>, Failure> {
        let mut targets = Vec::new();
        if let Some(rows) = &self.rows {
            for (id, version) in rows {
                // What is gone since is refused by the write, as what was changed since is.
                if let Some(component) = store.component(*id).await? {
                    targets.push(Component { version: *version, ..component });
                } else {
                    return Err(super::deleted());
                }
            }
            return Ok(targets);
        }
        // In one statement, and so as they are at one moment. One more than may be is enough to be too many.
        let most = usize::try_from(MAX_COMPONENTS).unwrap_or(usize::MAX - 1) + 1;
        Ok(store.components(&self.query(most)?).await?.items)
    }

    /// In the order of creation.
    fn query(&self, limit: usize) -> Result<Query, Failure> {
        let query = self.asked.query().ok_or(Failure::BadRequest(self.asked.errors.join(" ")))?;
        let sort = Sort { column: Column::Id, descending: false };
        Ok(Query { from: PageStart::Start, limit, sort, ..query })
    }
}

/// A row as its checkbox names it.
fn row(text: &str) -> Option<(ComponentId, u64)> {
    let (id, version) = text.split_once(':')?;
    Some((ComponentId(id.parse().ok()?), version.parse().ok()?))
}

#[derive(Template)]
#[template(path = "bulk.html")]
struct BulkPage {
    layout: Layout,
    bulk: Bulk,
    count: u64,
    named: Vec<Component>,
    error: Option<String>,
}

impl BulkPage {
    async fn new(
        signed_in: &SignedIn,
        store: &Store,
        bulk: Bulk,
        error: Option<String>,
    ) -> Result<Self, Failure> {
        let (count, named) = bulk.preview(store).await?;
        Ok(Self { layout: signed_in.layout(Section::Components), bulk, count, named, error })
    }

    fn question(&self) -> String {
        let (count, plural) = (Count(self.count), if self.count == 1 { "component" } else { "components" });
        match self.bulk.action {
            Action::Archive => format!("Archive {count} {plural}?"),
            Action::Activate => format!("Set {count} {plural} to active?"),
            Action::AddTag => format!("Add a tag to {count} {plural}"),
            Action::RemoveTag => format!("Remove a tag from {count} {plural}"),
            Action::Set => format!("Change a field in {count} {plural}"),
            Action::Export => format!("Export {count} {plural}"),
            Action::Delete => format!("Delete {count} {plural}?"),
        }
    }

    fn too_many(&self) -> bool {
        // A search counts no further than this, which then stands for as many or more.
        let uncounted =
            self.bulk.rows.is_none() && !self.bulk.asked.search.is_empty() && self.count >= Query::MAX_FOUND;
        self.count > MAX_COMPONENTS || uncounted
    }

    fn shared(&self) -> impl Iterator<Item = (&'static str, &'static str, bool)> {
        SHARED.into_iter().map(|field| (field.as_str(), label(field), field == self.bulk.field))
    }

    fn unnamed(&self) -> u64 {
        self.count.saturating_sub(self.named.len() as u64)
    }
}

async fn confirm(
    Editor(editor): Editor,
    State(store): State<Store>,
    fields: FormData,
) -> Result<Response, Failure> {
    let bulk = Bulk::read(&fields)?;
    // It changes nothing, so there is nothing to ask.
    if bulk.action == Action::Export && bulk.rows.as_ref().is_none_or(|rows| !rows.is_empty()) {
        return export::of(&store, &bulk.asked, bulk.rows.as_deref()).await;
    }
    BulkPage::new(&editor, &store, bulk, None).await?.answer(StatusCode::OK)
}

async fn run(
    Editor(editor): Editor,
    State(store): State<Store>,
    fields: FormData,
) -> Result<Response, Failure> {
    let bulk = Bulk::read(&fields)?;
    let change = match bulk.change() {
        Ok(change) => change,
        Err(error) => {
            let page = BulkPage::new(&editor, &store, bulk, Some(error)).await?;
            return page.answer(StatusCode::UNPROCESSABLE_ENTITY);
        }
    };
    let targets = bulk.targets(&store).await?;
    // What people said yes to was a number.
    if targets.len() as u64 != fields.number("count")? {
        let error = "The number of matching components has changed. Check it again.".to_owned();
        return BulkPage::new(&editor, &store, bulk, Some(error)).await?.answer(StatusCode::CONFLICT);
    }
    let operations: Vec<_> =
        targets.iter().map(|target| change.operation(target)).collect::<Result<_, _>>()?;
    match store.write(operations, WriteContext::new(editor.actor())).await {
        Ok(written) => {
            let changed = written
                .result
                .iter()
                .filter(|result| !matches!(result, OperationResult::Unchanged(_)))
                .count() as u64;
            let deleted = bulk.action == Action::Delete;
            let notice = if deleted { Flash::Deleted(changed) } else { Flash::Changed(changed) };
            let mut response = Redirect::to(&bulk.asked.link(&[])).into_response();
            response.headers_mut().append(header::SET_COOKIE, notice.cookie());
            Ok(response)
        }
        Err(WriteError::Conflict(OperationErrors(refused))) => {
            let rows = bulk.rows.is_some();
            let bulk = if rows { at_present(bulk, &store).await? } else { bulk };
            let (first, more) =
                (refused.first().map(|error| sentence(&error.conflict)), refused.len().saturating_sub(1));
            let others = match more {
                0 => String::new(),
                1 => " There is a problem with 1 more component.".to_owned(),
                more => format!(" There is a problem with {more} more components."),
            };
            let error = format!("Nothing was changed. {}{others}", first.unwrap_or_default());
            BulkPage::new(&editor, &store, bulk, Some(error)).await?.answer(StatusCode::CONFLICT)
        }
        Err(WriteError::Failure(failure)) => Err(failure.into()),
    }
}

fn sentence(conflict: &Conflict) -> String {
    match conflict {
        Conflict::Stale(current) => {
            format!("{} was changed {} in the meantime.", current.name, by(&current.updated_by))
        }
        Conflict::NoComponent(_) => "One of them was deleted in the meantime.".to_owned(),
        Conflict::SkuTaken(_) | Conflict::Invalid(_) => format!("{conflict}."),
    }
}

/// The rows in their present versions, for a user who has now been told that they changed.
async fn at_present(bulk: Bulk, store: &Store) -> Result<Bulk, Failure> {
    let mut present = Vec::new();
    for (id, _) in bulk.rows.iter().flatten() {
        present.extend(store.component(*id).await?.map(|component| (component.id, component.version)));
    }
    Ok(Bulk { rows: Some(present), ..bulk })
}
