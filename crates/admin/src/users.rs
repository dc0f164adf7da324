//! The pages about users, for those who manage them.

pub(crate) mod history;
mod item;
mod list;
mod new;

use inventory_core::{Role, User, UserId};
use inventory_store::Store;

use crate::{Admin, failure::Failure, routes::Router};

/// Where the list is.
pub(crate) const PATH: &str = "/admin/users";

/// Every page about users.
pub(crate) fn router() -> Router<Admin> {
    Router::new().merge(list::router()).merge(new::router()).merge(item::router()).merge(history::router())
}

/// Where the page of a user is.
pub(crate) fn path(id: UserId) -> String {
    format!("{PATH}/{id}")
}

/// The user with this id, as an address writes it.
async fn find(store: &Store, id: &str) -> Result<User, Failure> {
    let id = id.parse().map(UserId).map_err(|_| no_user())?;
    store.users().find(id).await?.ok_or_else(no_user)
}

fn no_user() -> Failure {
    Failure::NotFound("This user does not exist. They may have been removed.".to_owned())
}

/// What a role may do, as it is told where one is chosen.
pub(crate) fn about(role: Role) -> &'static str {
    match role {
        Role::Viewer => "can view components and their history",
        Role::Editor => "can also create, change and delete components",
        Role::Admin => "full access, including users and tokens",
    }
}
