//! Coming to the database: a service waits for one that is still starting, a command does not.

use std::time::Duration;

use anyhow::{Context, bail};
use secrecy::SecretString;
use tokio::time::{interval, timeout};
use tracing::warn;

use crate::store;

/// How long a start waits for a database that is not there yet.
const DATABASE_WITHIN: Duration = Duration::from_secs(30);
/// How long a command waits for the database.
const COMMAND_WITHIN: Duration = Duration::from_secs(5);

/// A pool for a command, checked at once: somebody waits at the terminal.
pub async fn connect(url: &SecretString, connections: u32) -> anyhow::Result<store::Pool> {
    let pool = store::connect(url, connections)?;
    // Outside the pool, which tries on until its time is over and then can't say why.
    let reached = timeout(COMMAND_WITHIN, store::dedicated(&pool)).await;
    reached
        .unwrap_or_else(|_| Err(store::Error::Unavailable("no answer in time".to_owned())))
        .context("can't reach the database (DATABASE_URL)")?;
    Ok(pool)
}

/// Applies the migrations, waiting for a database that is still starting.
pub(super) async fn migrate(pool: &store::Pool) -> anyhow::Result<()> {
    let mut last = None;
    let applied = timeout(DATABASE_WITHIN, async {
        let mut pauses = interval(Duration::from_secs(1));
        loop {
            pauses.tick().await;
            match store::migrate(pool).await {
                Err(error) if error.is_unavailable() => {
                    if last.is_none() {
                        warn!(%error, "the database is not there yet; trying for {} s", DATABASE_WITHIN.as_secs());
                    }
                    last = Some(error);
                }
                result => return result,
            }
        }
    });
    match applied.await {
        Ok(result) => result.context("the database (DATABASE_URL) could not be migrated"),
        Err(_) => {
            let why = last.map_or_else(|| "no answer".to_owned(), |error| error.to_string());
            bail!(
                "the database (DATABASE_URL) could not be reached within {} s: {why}",
                DATABASE_WITHIN.as_secs()
            )
        }
    }
}
