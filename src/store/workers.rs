//! Table `workers`: processes that work on jobs. A worker lives as long as the session that holds its advisory lock; removing its row frees its
//! keys (`jobs.owner … on delete set null`), and the foreign key makes that wait for claims under way.

use std::fmt;

use sqlx::Row;

use crate::{
    domain::Timestamp,
    store::{Connection, Error},
};

/// The first half of every worker's advisory lock; the second is its id. Two-part locks never meet sqlx's one-part migration lock.
pub(super) const LOCK_CLASS: i32 = 0x6d75_7374;

/// One registration of a process; a process that lost its session comes back as another worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkerId(i32);

impl WorkerId {
    pub fn new(id: i32) -> Self {
        Self(id)
    }

    pub fn get(self) -> i32 {
        self.0
    }
}

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Adds a worker and takes its lock, for as long as this connection lives. One statement: a peer must not see the row with its lock still free.
pub async fn register(connection: &mut Connection, now: Timestamp) -> Result<WorkerId, Error> {
    let row = sqlx::query(
        "with worker as (insert into workers (started_at, heartbeat_at) values ($1, $1) returning id)
        select id, pg_try_advisory_lock($2, id) as locked from worker",
    )
    .bind(now)
    .bind(LOCK_CLASS)
    .fetch_one(connection)
    .await?;
    if !row.try_get::<bool, _>("locked")? {
        return Err(Error::Unavailable("the lock of a new worker was taken".into()));
    }
    Ok(WorkerId(row.try_get("id")?))
}

/// Says that the worker lives; false when its row is gone, and its keys with it.
pub async fn heartbeat(connection: &mut Connection, id: WorkerId, now: Timestamp) -> Result<bool, Error> {
    let done = sqlx::query("update workers set heartbeat_at = $2, beats = beats + 1 where id = $1")
        .bind(id.0)
        .bind(now)
        .execute(connection)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Every worker with its count of heartbeats.
pub async fn beats(connection: &mut Connection) -> Result<Vec<(WorkerId, i64)>, Error> {
    let rows = sqlx::query("select id, beats from workers order by id")
        .fetch_all(connection)
        .await?;
    rows.into_iter()
        .map(|row| Ok((WorkerId(row.try_get("id")?), row.try_get("beats")?)))
        .collect()
}

/// Removes the workers whose session is gone and frees their keys; gives who they were. Never the caller itself: a session may take its own lock
/// twice, so its own row would look free.
pub async fn reap(connection: &mut Connection, me: WorkerId) -> Result<Vec<WorkerId>, Error> {
    let rows = sqlx::query(
        "with gone as materialized (
            select id from workers where id <> $1 and pg_try_advisory_xact_lock($2, id)
        )
        delete from workers using gone where workers.id = gone.id returning workers.id",
    )
    .bind(me.0)
    .bind(LOCK_CLASS)
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(|row| Ok(WorkerId(row.try_get("id")?))).collect()
}

/// Removes a worker whatever its lock says, and frees its keys: one that leaves, or one that hangs with its session open. False when it was gone.
pub async fn remove(connection: &mut Connection, id: WorkerId) -> Result<bool, Error> {
    let done = sqlx::query("delete from workers where id = $1")
        .bind(id.0)
        .execute(connection)
        .await?;
    Ok(done.rows_affected() == 1)
}
