//! `inventory user`

use std::io::{IsTerminal as _, Write as _, stdin, stdout};

use anyhow::{Context as _, bail};
use inventory_core::{Actor, User, UserChange, UserName};
use inventory_store::{Password, Store, VersionPrecondition};

use super::{table::table, token::seconds};
use crate::{
    config::{self, Common, NewPassword},
    database::{self, Purpose},
    outcome::say,
};

/// Adds, changes or lists users.
pub(crate) async fn run(common: &Common, command: config::User) -> anyhow::Result<()> {
    let purpose = match command {
        // Users can be added before the first start, while an installation is prepared.
        config::User::Add { .. } => Purpose::Fill,
        _ => Purpose::Inspect,
    };
    let store = database::open(common, purpose).await?;
    let outcome = carry_out(&store, command).await;
    store.close().await;
    outcome
}

async fn carry_out(store: &Store, command: config::User) -> anyhow::Result<()> {
    match command {
        config::User::Add { name, role, password } => {
            let password = read(&password)?;
            store.users().create(name.clone(), role, password.clone().0, Actor::cli()).await?;
            say(&format!("The user {name} was added, as {role}."));
            password.print()?;
        }
        config::User::Passwd { name, password } => {
            let user = find(store, &name).await?;
            let password = read(&password)?;
            let new = inventory_store::NewPassword { password: password.clone().0, keep: None };
            let change = UserChange::default();
            store.users().change(user.id, VersionPrecondition::Any, change, Some(new), Actor::cli()).await?;
            say(&format!("The password of the user {name} was changed, and the user's sessions were ended."));
            password.print()?;
        }
        config::User::Role { name, role } => {
            let change = UserChange { role: Some(role), ..UserChange::default() };
            change_user(store, &name, change).await?;
            say(&format!("The user {name} now has the role {role}."));
        }
        config::User::Disable { name } => {
            let change = UserChange { disabled: Some(true), ..UserChange::default() };
            change_user(store, &name, change).await?;
            say(&format!("The user {name} is disabled."));
        }
        config::User::Enable { name } => {
            let change = UserChange { disabled: Some(false), ..UserChange::default() };
            change_user(store, &name, change).await?;
            say(&format!("The user {name} can sign in again."));
        }
        config::User::Remove { name } => {
            let user = find(store, &name).await?;
            store.users().delete(user.id, VersionPrecondition::Any, Actor::cli()).await?;
            say(&format!("The user {name} is removed."));
        }
        config::User::List => {
            let mut rows = Vec::new();
            for User { name, role, disabled, created_at, created_by, .. } in store.users().list().await? {
                let state = if disabled { "disabled" } else { "active" };
                rows.push([
                    name.to_string(),
                    role.to_string(),
                    state.to_owned(),
                    seconds(created_at)?,
                    created_by.to_string(),
                ]);
            }
            let text = table(["NAME", "ROLE", "STATE", "ADDED", "BY"], rows);
            stdout().write_all(text.as_bytes())?;
        }
    }
    Ok(())
}

async fn find(store: &Store, name: &UserName) -> anyhow::Result<User> {
    store.users().find_by_name(name).await?.with_context(|| format!("there is no user named \"{name}\""))
}

async fn change_user(store: &Store, name: &UserName, change: UserChange) -> anyhow::Result<()> {
    let user = find(store, name).await?;
    store.users().change(user.id, VersionPrecondition::Any, change, None, Actor::cli()).await?;
    Ok(())
}

/// A new password, and whether it has to be shown.
#[derive(Clone)]
struct Chosen(Password, bool);

impl Chosen {
    fn print(&self) -> anyhow::Result<()> {
        if let Self(password, true) = self {
            say("The password is not shown again:");
            writeln!(stdout(), "{}", password.as_str())?;
        }
        Ok(())
    }
}

fn read(options: &NewPassword) -> anyhow::Result<Chosen> {
    if options.generate {
        return Ok(Chosen(Password::generate()?, true));
    }
    let text = if stdin().is_terminal() {
        let typed = rpassword::prompt_password("New password: ")?;
        if typed != rpassword::prompt_password("Repeat the password: ")? {
            bail!("the two passwords differ");
        }
        typed
    } else {
        let mut line = String::new();
        stdin().read_line(&mut line).context("cannot read the password from the standard input")?;
        line.trim_end_matches(['\r', '\n']).to_owned()
    };
    Ok(Chosen(Password::new(&text).context("the password")?, false))
}
