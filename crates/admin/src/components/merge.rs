//! Two people changed one component: field by field, what it was, what it is now, and what was typed.
//!
//! The page is a separate form. It carries everything that was typed, and the version that is there now; saving
//! it is one more change of that version, so a third person in between is met in the same way.

use std::collections::BTreeSet;

use askama::Template;
use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::Response,
    routing::post,
};
use inventory_core::{Component, Field};
use inventory_store::Store;

use super::{
    draft::{self, Custom, Draft},
    form,
};
use crate::{
    Admin,
    auth::{Editor, SignedIn},
    failure::Failure,
    form_data::FormData,
    layout::{Layout, Section},
    render::Answer as _,
    routes::Router,
};

/// What the name of a choice begins with.
const TAKE: &str = "take.";
/// What the name of a custom field's choice begins with.
const CUSTOM: &str = "custom.";

/// The pages of this module.
pub(super) fn router() -> Router<Admin> {
    Router::new().route("/admin/components/{id}/merge", post(choose))
}

/// Whose value is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Theirs,
    Yours,
}

/// A field in which the two sides differ.
#[derive(Debug, PartialEq, Eq)]
struct Difference {
    /// The name of the field, or of a custom field with [`CUSTOM`] before it.
    key: String,
    label: String,
    /// What both sides began with, where that is known.
    was: Option<String>,
    theirs: String,
    yours: String,
    /// The side that is suggested: the only one that changed it. Where both did, people decide.
    suggested: Option<Side>,
}

#[derive(Template)]
#[template(path = "merge.html")]
struct MergePage {
    layout: Layout,
    theirs: Component,
    yours: Draft,
    /// The version that was typed over.
    base: u64,
    differences: Vec<Difference>,
    /// Whether a choice is missing.
    incomplete: bool,
}

impl MergePage {
    async fn new(
        editor: &SignedIn,
        store: &Store,
        yours: Draft,
        base: u64,
        theirs: Component,
    ) -> Result<Self, Failure> {
        let was = super::history::at_version(store, theirs.id, base).await?;
        let differences = differences(was.map(|was| Draft::of(&was)).as_ref(), &Draft::of(&theirs), &yours);
        let layout = editor.layout(Section::Components);
        Ok(Self { layout, theirs, yours, base, differences, incomplete: false })
    }

    /// What comes of the choices; nothing where one is missing.
    fn merged(&self, fields: &FormData) -> Option<Draft> {
        let (mut merged, theirs) = (self.yours.clone(), Draft::of(&self.theirs));
        for Difference { key, .. } in &self.differences {
            match fields.get(&format!("{TAKE}{key}"))? {
                "theirs" => merged.take(key, &theirs),
                "yours" => {}
                _ => return None,
            }
        }
        Some(merged)
    }
}

/// Shows what differs between a draft that was made from a version and the component as it is now.
pub(super) async fn show(
    editor: &SignedIn,
    store: &Store,
    yours: Draft,
    base: u64,
    theirs: Component,
) -> Result<Response, Failure> {
    MergePage::new(editor, store, yours, base, theirs).await?.answer(StatusCode::CONFLICT)
}

/// Takes the choices, and saves what comes of them as any form is saved.
async fn choose(
    Editor(editor): Editor,
    State(store): State<Store>,
    Path(id): Path<String>,
    fields: FormData,
) -> Result<Response, Failure> {
    let theirs = super::find(&store, &id).await?;
    let (version, now) = (fields.number("version")?, theirs.version);
    let page = MergePage::new(&editor, &store, Draft::read(&fields), fields.number("base")?, theirs).await?;
    if now != version {
        // Someone else again: what was typed stays as it is, and is held against what is there now.
        return page.answer(StatusCode::CONFLICT);
    }
    let Some(merged) = page.merged(&fields) else {
        return MergePage { incomplete: true, ..page }.answer(StatusCode::UNPROCESSABLE_ENTITY);
    };
    let mut sent = merged.fields();
    sent.push(("version".to_owned(), version.to_string()));
    super::item::change(Editor(editor), State(store), Path(id), FormData(sent)).await
}

fn differences(was: Option<&Draft>, theirs: &Draft, yours: &Draft) -> Vec<Difference> {
    // What was not in the form at all is nobody's change.
    let texts = draft::texts()
        .filter(|field| yours.has(*field))
        .map(|field| (field.as_str().to_owned(), form::label(field).to_owned()));
    let names: BTreeSet<_> = [Some(theirs), Some(yours), was]
        .into_iter()
        .flatten()
        .flat_map(|draft| draft.customs.iter().map(|custom| custom.name.clone()))
        .collect();
    let customs = names.into_iter().map(|name| (format!("{CUSTOM}{name}"), name));
    let difference = |(key, label): (String, String)| {
        let (their, your) = (theirs.value(&key), yours.value(&key));
        let before = was.map(|was| was.value(&key));
        let (their_change, your_change) = (before.as_ref() != Some(&their), before.as_ref() != Some(&your));
        (!same(&key, &their, &your)).then(|| Difference {
            suggested: match (their_change, your_change) {
                _ if before.is_none() => None,
                (true, false) => Some(Side::Theirs),
                (false, true) => Some(Side::Yours),
                _ => None,
            },
            key,
            label,
            was: before,
            theirs: their,
            yours: your,
        })
    };
    texts.chain(customs).filter_map(difference).collect()
}

/// Whether two texts say the same to the store.
fn same(key: &str, one: &str, other: &str) -> bool {
    let field = Field::ALL.into_iter().find(|field| field.as_str() == key);
    one == other || field.is_some_and(|field| draft::json(field, one) == draft::json(field, other))
}

impl Draft {
    /// What is typed under a key, as people read it.
    fn value(&self, key: &str) -> String {
        if let Some(name) = key.strip_prefix(CUSTOM) {
            return self.custom(name).map(|custom| custom.value.clone()).unwrap_or_default();
        }
        let field = Field::ALL.into_iter().find(|field| field.as_str() == key);
        field.map_or(String::new(), |field| self.text(field).replace("\r\n", "\n"))
    }

    fn custom(&self, name: &str) -> Option<&Custom> {
        self.customs.iter().find(|custom| custom.name == name)
    }

    /// Takes what another draft has under a key.
    fn take(&mut self, key: &str, other: &Self) {
        if let Some(name) = key.strip_prefix(CUSTOM) {
            self.customs.retain(|custom| custom.name != name);
            self.customs.extend(other.custom(name).cloned());
        } else if let Some(field) = Field::ALL.into_iter().find(|field| field.as_str() == key) {
            self.set(field, other.text(field).to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(name: &str, unit: &str) -> Draft {
        let mut draft = Draft::empty();
        draft.set(Field::Name, name.to_owned());
        draft.set(Field::Unit, unit.to_owned());
        draft
    }

    #[test]
    fn a_field_that_one_side_changed_is_suggested_and_one_that_both_did_is_asked() {
        let was = draft("a", "pcs");
        let differences = differences(Some(&was), &draft("a", "m"), &draft("b", "pcs"));
        let suggested: Vec<_> = differences.iter().map(|d| (d.key.as_str(), d.suggested)).collect();
        assert_eq!(suggested, [("name", Some(Side::Yours)), ("unit", Some(Side::Theirs))]);
        let both = super::differences(Some(&was), &draft("c", "pcs"), &draft("b", "pcs"));
        assert_eq!((both.len(), both[0].suggested), (1, None));
        assert!(super::differences(Some(&was), &draft("b", "pcs"), &draft(" b ", "pcs")).is_empty());
    }
}
