//! What is around every page: who is signed in, where they are, what they searched for, and what was just done.

use std::{fmt, sync::Arc};

use axum::http::HeaderValue;
use inventory_core::{ComponentId, Role, Theme, User};

/// The cookie that carries a [`Flash`] over a redirect.
pub(crate) const FLASH_COOKIE: &str = "inventory_notice";
/// How long it waits for the next page, in seconds.
const NOTICE_SECONDS: u32 = 60;

/// The parts of the admin that the navigation leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Section {
    Home,
    Components,
    Import,
    Users,
    Tokens,
    Account,
    /// Nowhere that the navigation leads to.
    #[default]
    Elsewhere,
}

/// A page that can be gone to from every other one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) section: Section,
    pub(crate) label: &'static str,
    pub(crate) path: &'static str,
    /// The least role that may open it.
    pub(crate) role: Role,
    /// Whether it is so often wanted that it is in the bar on every screen; else a small screen has it in the
    /// user's menu.
    pub(crate) is_near: bool,
}

/// Those pages, in the order in which they are shown.
pub(crate) const PLACES: [Place; 6] = [
    Place { section: Section::Home, label: "Home", path: "/admin/", role: Role::Viewer, is_near: true },
    Place {
        section: Section::Components,
        label: "Components",
        path: "/admin/components",
        role: Role::Viewer,
        is_near: true,
    },
    Place {
        section: Section::Import,
        label: "Import",
        path: "/admin/import",
        role: Role::Editor,
        is_near: false,
    },
    Place {
        section: Section::Users,
        label: "Users",
        path: "/admin/users",
        role: Role::Admin,
        is_near: false,
    },
    Place {
        section: Section::Tokens,
        label: "API tokens",
        path: "/admin/tokens",
        role: Role::Viewer,
        is_near: false,
    },
    Place {
        section: Section::Account,
        label: "Account",
        path: "/admin/account",
        role: Role::Viewer,
        is_near: false,
    },
];

/// What a page has around its own content.
#[derive(Debug, Clone, Default)]
pub(crate) struct Layout {
    pub(crate) user: Option<Arc<User>>,
    pub(crate) section: Section,
    pub(crate) notice: Option<Flash>,
    /// What is in the search box.
    pub(crate) search: String,
    /// What else a search keeps, as the list that is being looked at has it.
    pub(crate) keep: Vec<(String, String)>,
}

impl Layout {
    /// The theme that the user has chosen; nothing where the browser decides.
    pub(crate) fn theme(&self) -> Option<&'static str> {
        match self.chosen_theme() {
            Theme::Auto => None,
            theme => Some(theme.as_str()),
        }
    }

    /// The theme that the user has chosen.
    pub(crate) fn chosen_theme(&self) -> Theme {
        self.user.as_ref().map(|user| user.preferences.theme).unwrap_or_default()
    }

    /// The pages that the user may go to.
    pub(crate) fn places(&self) -> impl Iterator<Item = &'static Place> + use<> {
        let role = self.user.as_ref().map(|user| user.role);
        PLACES.iter().filter(move |place| role.is_some_and(|role| role >= place.role))
    }

    /// Whether the user may change components.
    pub(crate) fn may_edit(&self) -> bool {
        self.user.as_ref().is_some_and(|user| user.role >= Role::Editor)
    }
}

/// What was just done, told on the page after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Flash {
    Created(ComponentId),
    Saved,
    Unchanged,
    Deleted(u64),
    Changed(u64),
    SignedOut,
    UserAdded,
    UserRemoved,
    PasswordSet,
    SessionsEnded(u64),
    TokenRevoked,
}

impl Flash {
    /// The cookie's value as it came with a request; anything else than what the admin writes is no notice.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (name, value) = text.split_once('.').unwrap_or((text, ""));
        match name {
            "created" => value.parse().ok().map(|id| Self::Created(ComponentId(id))),
            "saved" => Some(Self::Saved),
            "unchanged" => Some(Self::Unchanged),
            "deleted" => value.parse().ok().map(Self::Deleted),
            "changed" => value.parse().ok().map(Self::Changed),
            "signed-out" => Some(Self::SignedOut),
            "user-added" => Some(Self::UserAdded),
            "user-removed" => Some(Self::UserRemoved),
            "password-set" => Some(Self::PasswordSet),
            "sessions-ended" => value.parse().ok().map(Self::SessionsEnded),
            "token-revoked" => Some(Self::TokenRevoked),
            _ => None,
        }
    }

    /// The header that carries it to the next page.
    pub(crate) fn cookie(&self) -> HeaderValue {
        let value = match self {
            Self::Created(id) => format!("created.{id}"),
            Self::Saved => "saved".to_owned(),
            Self::Unchanged => "unchanged".to_owned(),
            Self::Deleted(count) => format!("deleted.{count}"),
            Self::Changed(count) => format!("changed.{count}"),
            Self::SignedOut => "signed-out".to_owned(),
            Self::UserAdded => "user-added".to_owned(),
            Self::UserRemoved => "user-removed".to_owned(),
            Self::PasswordSet => "password-set".to_owned(),
            Self::SessionsEnded(count) => format!("sessions-ended.{count}"),
            Self::TokenRevoked => "token-revoked".to_owned(),
        };
        cookie(&value, NOTICE_SECONDS)
    }

    /// The header that says that it was told.
    pub(crate) fn told() -> HeaderValue {
        cookie("", 0)
    }

    /// The component that it is about, where a link to it helps.
    pub(crate) fn component(&self) -> Option<ComponentId> {
        match self {
            Self::Created(id) => Some(*id),
            _ => None,
        }
    }
}

impl fmt::Display for Flash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = |count: u64| if count == 1 { "component" } else { "components" };
        match self {
            Self::Created(_) => f.write_str("Component created."),
            Self::Saved => f.write_str("Saved."),
            Self::Unchanged => f.write_str("No changes to save."),
            Self::Deleted(count) => write!(f, "{count} {} deleted.", plural(*count)),
            Self::Changed(count) => write!(f, "{count} {} changed.", plural(*count)),
            Self::SignedOut => f.write_str("You are signed out."),
            Self::UserAdded => f.write_str("User added."),
            Self::UserRemoved => f.write_str("User removed."),
            Self::PasswordSet => f.write_str("Password changed."),
            Self::SessionsEnded(1) => f.write_str("1 session ended."),
            Self::SessionsEnded(count) => write!(f, "{count} sessions ended."),
            Self::TokenRevoked => f.write_str("Token revoked."),
        }
    }
}

fn cookie(value: &str, seconds: u32) -> HeaderValue {
    let text = format!("{FLASH_COOKIE}={value}; Path=/admin; Max-Age={seconds}; HttpOnly; SameSite=Lax");
    // Cannot fail: letters, digits, dots and hyphens.
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}
