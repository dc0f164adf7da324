//! Users and their sessions, and what a token opens, whose it is and how long it lasts.

use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::execute(manager, TABLES).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

/// Tokens from before this had no scopes: they open what they opened, reading and changing components. The
/// table of tokens is small, so all of this takes no time.
const TABLES: &str = r"
CREATE TABLE user_account (
    id            {UUID}   NOT NULL PRIMARY KEY,
    name          {TEXT}   NOT NULL CONSTRAINT user_account_name_key UNIQUE
                           CHECK (length(name) BETWEEN 1 AND 64),
    role          {TEXT}   NOT NULL CHECK (role IN ('viewer', 'editor', 'admin')),
    disabled      {BOOL}   NOT NULL DEFAULT {FALSE},
    password_hash {TEXT}   NOT NULL,
    preferences   {TEXT}   NOT NULL DEFAULT '{}',
    created_at    {BIGINT} NOT NULL,
    created_by    {TEXT}   NOT NULL,
    updated_at    {BIGINT} NOT NULL,
    updated_by    {TEXT}   NOT NULL,
    version       {BIGINT} NOT NULL CHECK (version >= 1)
) {STRICT};

-- The secret of a session is known to the browser alone; here is its SHA-256. A session that has ended is kept
-- for a while, because it tells which browsers and addresses are known to a user.
CREATE TABLE user_session (
    id         {UUID}   NOT NULL PRIMARY KEY,
    hash       {BYTES}  NOT NULL CONSTRAINT user_session_hash_key UNIQUE,
    user_id    {UUID}   NOT NULL REFERENCES user_account (id) ON DELETE CASCADE,
    address    {TEXT}   NOT NULL,
    agent      {TEXT}   NOT NULL,
    created_at {BIGINT} NOT NULL,
    seen_at    {BIGINT} NOT NULL,
    ended_at   {BIGINT}
) {STRICT};

CREATE INDEX user_session_by_user ON user_session (user_id, created_at);
CREATE INDEX user_session_by_seen_at ON user_session (seen_at);

ALTER TABLE token ADD COLUMN owner {UUID};
ALTER TABLE token ADD COLUMN scopes {TEXT} NOT NULL DEFAULT 'write';
ALTER TABLE token ADD COLUMN hint {TEXT} NOT NULL DEFAULT '';
ALTER TABLE token ADD COLUMN expires_at {BIGINT};

CREATE INDEX token_by_owner ON token (owner);

-- When a token was last used: no change of the token, and so no event.
CREATE TABLE token_use (
    token_id {UUID}   NOT NULL PRIMARY KEY REFERENCES token (id) ON DELETE CASCADE,
    used_at  {BIGINT} NOT NULL
) {STRICT};
";
