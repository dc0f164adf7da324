//! The command palette: any component by a few letters, any page, any action.
//!
//! It is a page of links and forms; a script shows what that page has found in a dialog over whatever page one is
//! on.

use askama::Template;
use axum::{extract::State, response::Html, routing::get};
use inventory_core::{Component, Role, Sku};
use inventory_store::{Column, PageStart, Query, ReadError, Search, Sort, Store};

use crate::{
    Admin, address,
    auth::SignedIn,
    failure::Failure,
    form_data::Parameters,
    layout::{Layout, Place, Section},
    routes::Router,
};

/// How many components are offered.
const OFFERED: usize = 8;
/// Among how many that match the best are looked for.
const LOOKED_AT: usize = 50;

/// The pages of this module.
pub(crate) fn router() -> Router<Admin> {
    Router::new().route("/admin/palette", get(palette))
}

/// Something that can be done from everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Action {
    label: &'static str,
    path: &'static str,
    /// The least role that may do it.
    role: Role,
    how: How,
}

/// How an action is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Link,
    /// By a form that is posted.
    Post,
    /// By one with this theme.
    Theme(&'static str),
}

const ACTIONS: [Action; 6] = [
    link("New component", "/admin/components/new", Role::Editor),
    link("Keyboard shortcuts", crate::shortcuts::PATH, Role::Viewer),
    theme("Theme: system", "auto"),
    theme("Theme: light", "light"),
    theme("Theme: dark", "dark"),
    Action { label: "Sign out", path: "/admin/sign-out", role: Role::Viewer, how: How::Post },
];

const fn link(label: &'static str, path: &'static str, role: Role) -> Action {
    Action { label, path, role, how: How::Link }
}

const fn theme(label: &'static str, value: &'static str) -> Action {
    Action { label, path: "/admin/theme", role: Role::Viewer, how: How::Theme(value) }
}

#[derive(Template)]
#[template(path = "palette.html")]
struct PalettePage {
    layout: Layout,
    asked: String,
    components: Vec<Component>,
    places: Vec<&'static Place>,
    actions: Vec<Action>,
    /// The list of all components that match, where there are any.
    all: Option<String>,
}

impl PalettePage {
    fn is_empty(&self) -> bool {
        self.components.is_empty() && self.places.is_empty() && self.actions.is_empty()
    }
}

async fn palette(
    signed_in: SignedIn,
    State(store): State<Store>,
    Parameters(fields): Parameters,
) -> Result<Html<String>, Failure> {
    let asked = fields.text("q").trim().to_owned();
    let components = components(&store, &asked).await?;
    let layout = signed_in.layout(Section::Elsewhere);
    let matches = |label: &str| {
        let label = label.to_lowercase();
        asked.to_lowercase().split_whitespace().all(|word| label.contains(word))
    };
    let actions = ACTIONS.into_iter().filter(|action| signed_in.user.role >= action.role);
    let page = PalettePage {
        places: layout.places().filter(|place| matches(place.label)).collect(),
        actions: actions.filter(|action| matches(action.label)).collect(),
        all: (!components.is_empty()).then(|| address::with_query(crate::components::PATH, [("q", &*asked)])),
        components,
        layout,
        asked,
    };
    Ok(Html(page.render()?))
}

/// The components that match best: the one with exactly this sku, then those that begin with what was typed.
async fn components(store: &Store, asked: &str) -> Result<Vec<Component>, ReadError> {
    let Ok(Some(search)) = Search::parse(asked) else { return Ok(Vec::new()) };
    let query = Query {
        filters: Vec::new(),
        search: Some(search),
        // The newest ones: any other order may take long to find the first of many in.
        sort: Sort { column: Column::Id, descending: true },
        from: PageStart::Start,
        limit: LOOKED_AT,
    };
    let mut found = store.components(&query).await?.items;
    if let Ok(sku) = asked.parse::<Sku>() {
        let exact = store.components_by_sku(&[sku]).await?;
        found.retain(|component| exact.iter().all(|exact| exact.id != component.id));
        found.extend(exact);
    }
    let start = asked.to_ascii_lowercase();
    found.sort_by_key(|component| rank(component, asked, &start));
    found.truncate(OFFERED);
    Ok(found)
}

/// The lower, the better it matches.
fn rank(component: &Component, asked: &str, start: &str) -> u8 {
    let sku = component.sku.as_ref().map_or("", |sku| sku.as_str());
    let mpn = component.mpn.as_ref().map_or("", |mpn| mpn.as_str());
    let begins = |text: &str| text.to_ascii_lowercase().starts_with(start);
    match component.name.as_str() {
        _ if sku == asked => 0,
        name if name.eq_ignore_ascii_case(asked) => 1,
        name if begins(name) => 2,
        _ if begins(sku) || begins(mpn) => 3,
        _ => 4,
    }
}
