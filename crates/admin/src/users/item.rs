//! The page of a user: the role, keeping the user out, a new password, sessions, tokens, and removing the user.

use askama::Template;
use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::Response,
    routing::{get, post},
};
use inventory_core::{Role, User, UserChange};
use inventory_store::{
    NewPassword, SessionSelector, Store, UserConflict, UserNotFound, VersionPrecondition, WriteError,
};

use super::{PATH, find, history};
use crate::{
    Admin,
    active_sessions::{self, Browser},
    auth::{Administrator, SignedIn},
    components::history::History,
    failure::Failure,
    form_data::FormData,
    format::Moment,
    layout::{Flash, Layout, Section},
    password,
    render::{self, Answer as _},
    routes::Router,
    tokens::{self, Row},
    users,
};

/// The pages of this module.
pub(super) fn router() -> Router<Admin> {
    Router::new()
        .route("/admin/users/{id}", get(page).post(change))
        .route("/admin/users/{id}/password", post(set_password))
        .route("/admin/users/{id}/sign-out", post(sign_out))
        .route("/admin/users/{id}/delete", get(confirm_delete).post(delete))
}

#[derive(Template)]
#[template(path = "user.html")]
struct UserPage {
    layout: Layout,
    user: User,
    /// Whether the user looks at their own page.
    is_self: bool,
    /// What is chosen in the form.
    role: Role,
    disabled: bool,
    /// Why what was chosen is not saved.
    trouble: Option<String>,
    password_error: Option<String>,
    seen: Option<Moment>,
    sessions: Vec<Browser>,
    tokens: Vec<Row>,
    history: History,
}

impl UserPage {
    async fn new(admin: &SignedIn, store: &Store, user: User) -> Result<Self, Failure> {
        Ok(Self {
            layout: admin.layout(Section::Users),
            is_self: user.id == admin.user.id,
            role: user.role,
            disabled: user.disabled,
            trouble: None,
            password_error: None,
            seen: store.sessions().last_seen().await?.get(&user.id).map(Moment::of),
            sessions: active_sessions::of(store, &user, admin.session.id).await?,
            tokens: tokens::of(store, user.id).await?,
            history: history::read(store, user.id, None).await?,
            user,
        })
    }
}

async fn page(
    Administrator(admin): Administrator,
    State(store): State<Store>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let user = find(&store, &id).await?;
    UserPage::new(&admin, &store, user).await?.answer(StatusCode::OK)
}

/// Another role, or keeping the user out or letting them in again.
async fn change(
    Administrator(admin): Administrator,
    State(store): State<Store>,
    Path(id): Path<String>,
    fields: FormData,
) -> Result<Response, Failure> {
    let user = find(&store, &id).await?;
    let role: Role =
        fields.text("role").parse().map_err(|error| Failure::BadRequest(format!("The role {error}.")))?;
    let disabled = fields.has("disabled");
    let expected = VersionPrecondition::version(fields.number("version")?);
    let change = UserChange {
        role: (role != user.role).then_some(role),
        disabled: (disabled != user.disabled).then_some(disabled),
        ..UserChange::default()
    };
    let conflict = match store.users().change(user.id, expected, change, None, admin.actor()).await {
        Ok(now) => {
            let notice = if now.version == user.version { Flash::Unchanged } else { Flash::Saved };
            return Ok(render::done(&users::path(user.id), &notice));
        }
        Err(WriteError::Conflict(conflict)) => conflict,
        Err(WriteError::Failure(failure)) => return Err(failure.into()),
    };
    let page = UserPage::new(&admin, &store, current(&conflict, user)?).await?;
    // What was chosen stays, beside what the user is now.
    let trouble = Some(told(&conflict));
    UserPage { role, disabled, trouble, ..page }.answer(StatusCode::CONFLICT)
}

/// The user as a conflict leaves them.
fn current(conflict: &UserConflict, before: User) -> Result<User, Failure> {
    match conflict {
        UserConflict::Stale(now) => Ok(now.as_ref().clone()),
        UserConflict::LastAdmin => Ok(before),
        UserConflict::NotFound(UserNotFound) => Err(super::no_user()),
    }
}

fn told(conflict: &UserConflict) -> String {
    match conflict {
        UserConflict::Stale(now) => format!(
            "This user was changed {} in the meantime, so nothing was saved. The role is now {} and the user \
             is {}. Check your choices and save again.",
            crate::actor_label::by(&now.updated_by),
            now.role,
            if now.is_active() { "active" } else { "disabled" },
        ),
        UserConflict::LastAdmin | UserConflict::NotFound(_) => {
            format!("Nothing was saved. {}", render::sentence(conflict))
        }
    }
}

async fn set_password(
    Administrator(admin): Administrator,
    State(store): State<Store>,
    Path(id): Path<String>,
    fields: FormData,
) -> Result<Response, Failure> {
    let user = find(&store, &id).await?;
    if user.id == admin.user.id {
        // There the present one is asked for: a browser that was left open does not give the account away.
        return Err(Failure::BadRequest("Change your own password on your account page.".to_owned()));
    }
    let password = match password::typed(&fields) {
        Ok(password) => NewPassword { password, keep: None },
        Err(error) => {
            let page = UserPage::new(&admin, &store, user).await?;
            return UserPage { password_error: Some(error), ..page }.answer(StatusCode::UNPROCESSABLE_ENTITY);
        }
    };
    let expected = VersionPrecondition::version(fields.number("version")?);
    let changed =
        store.users().change(user.id, expected, UserChange::default(), Some(password), admin.actor()).await;
    let conflict = match changed {
        Ok(_) => return Ok(render::done(&users::path(user.id), &Flash::PasswordSet)),
        Err(WriteError::Conflict(conflict)) => conflict,
        Err(WriteError::Failure(failure)) => return Err(failure.into()),
    };
    let page = UserPage::new(&admin, &store, current(&conflict, user)?).await?;
    UserPage { trouble: Some(told(&conflict)), ..page }.answer(StatusCode::CONFLICT)
}

async fn sign_out(
    Administrator(admin): Administrator,
    State(store): State<Store>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let user = find(&store, &id).await?;
    match store.sessions().sign_out(user.id, SessionSelector::AllBut(None), admin.actor()).await {
        Ok(count) => Ok(render::done(&users::path(user.id), &Flash::SessionsEnded(count))),
        Err(WriteError::Conflict(UserNotFound)) => Err(super::no_user()),
        Err(WriteError::Failure(failure)) => Err(failure.into()),
    }
}

#[derive(Template)]
#[template(path = "user_delete.html")]
struct DeletePage {
    layout: Layout,
    user: User,
    /// How many tokens are revoked with the user.
    tokens: usize,
    trouble: Option<String>,
}

impl DeletePage {
    async fn new(admin: &SignedIn, store: &Store, user: User) -> Result<Self, Failure> {
        let tokens = tokens::of(store, user.id).await?.len();
        Ok(Self { layout: admin.layout(Section::Users), user, tokens, trouble: None })
    }
}

async fn confirm_delete(
    Administrator(admin): Administrator,
    State(store): State<Store>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let user = find(&store, &id).await?;
    DeletePage::new(&admin, &store, user).await?.answer(StatusCode::OK)
}

async fn delete(
    Administrator(admin): Administrator,
    State(store): State<Store>,
    Path(id): Path<String>,
    fields: FormData,
) -> Result<Response, Failure> {
    let user = find(&store, &id).await?;
    let expected = VersionPrecondition::version(fields.number("version")?);
    let conflict = match store.users().delete(user.id, expected, admin.actor()).await {
        Ok(_) => return Ok(render::done(PATH, &Flash::UserRemoved)),
        Err(WriteError::Conflict(conflict)) => conflict,
        Err(WriteError::Failure(failure)) => return Err(failure.into()),
    };
    let page = DeletePage::new(&admin, &store, current(&conflict, user)?).await?;
    DeletePage { trouble: Some(told(&conflict)), ..page }.answer(StatusCode::CONFLICT)
}
