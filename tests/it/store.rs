//! The store, function by function, on a real PostgreSQL.

mod audit;
mod categories;
mod deliveries;
mod guilds;
mod jobs;
mod links;
mod live;
mod pool;
mod records;
mod workers;

use muster::{
    domain::{Timestamp, ids::MatchId, job::JobKey},
    store::{self, Connection, workers::WorkerId},
};
use time::{Duration, macros::datetime};

use crate::support::database::{Database, eventually};

const START: Timestamp = datetime!(2026-11-21 18:00 UTC);

/// So many seconds after the start.
fn at(seconds: i64) -> Timestamp {
    START + Duration::seconds(seconds)
}

fn key(text: &str) -> JobKey {
    JobKey::sync_match(&MatchId::new(text))
}

/// A worker whose lock this connection holds.
async fn worker(connection: &mut Connection) -> WorkerId {
    store::workers::register(connection, START).await.unwrap()
}

/// Waits until so many sessions of this database wait for a lock.
async fn blocked(database: &Database, sessions: i64) {
    eventually("a session waits for a lock", async || {
        let mut connection = database.connection().await;
        let waiting: i64 = sqlx::query_scalar(
            "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
        )
        .fetch_one(&mut connection)
        .await
        .unwrap();
        waiting == sessions
    })
    .await;
}
