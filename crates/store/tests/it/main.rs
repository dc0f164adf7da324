//! The store on real databases: each test runs on an SQLite file and on PostgreSQL.

mod database;
mod events;
mod reads;
mod tokens;
mod writes;
