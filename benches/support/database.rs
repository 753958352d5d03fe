//! A private PostgreSQL that waits for the disk at every commit, as in production.

use anyhow::Context;
use muster::{
    sandbox::postgres::{Options, PrivatePostgres},
    store,
};
use secrecy::SecretString;
use sqlx::Row;

pub fn start() -> anyhow::Result<PrivatePostgres> {
    PrivatePostgres::start(Options { durable: true }).context("no private PostgreSQL")
}

pub fn pool(postgres: &PrivatePostgres, connections: u32) -> anyhow::Result<store::Pool> {
    Ok(store::connect(&SecretString::from(postgres.url()), connections)?)
}

/// A setting of the server, as it says itself: the report must not claim what was not so.
pub async fn setting(pool: &store::Pool, name: &str) -> anyhow::Result<String> {
    let row = sqlx::query("select current_setting($1) as value")
        .bind(name)
        .fetch_one(pool)
        .await?;
    Ok(row.try_get("value")?)
}
