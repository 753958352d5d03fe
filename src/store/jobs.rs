//! Table `jobs`: the durable queue, one row per key. Every judgement on a key is made on its locked row, in the statement that changes it.

use sqlx::{Row, postgres::PgRow};

use crate::{
    domain::{
        Timestamp,
        job::{Claim, JobKey},
    },
    store::{Connection, Error, storable, workers::WorkerId},
};

/// What booking does to a row that is there: its wishes on top, due at once; a dead job gets a new life. It must be an update and never `do nothing`,
/// which would lose the wish to a run that is about to settle. A running job keeps its `due_at`, so the wish is also noted in `next_at`.
macro_rules! book_again {
    () => {
        "on conflict (key) do update set
            wanted = jobs.wanted + excluded.wanted,
            wanted_since = coalesce(jobs.wanted_since, excluded.wanted_since),
            due_at = least(jobs.due_at, excluded.due_at),
            next_at = case when jobs.owner is not null then least(jobs.next_at, excluded.due_at) end,
            attempts = case when jobs.dead_at is null then jobs.attempts else 0 end,
            failures = case when jobs.dead_at is null then jobs.failures else 0 end,
            dead_at = null"
    };
}
pub(super) use book_again;

/// How the queue stands.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counts {
    /// Due and not taken.
    pub waiting: i64,
    pub running: i64,
    pub dead: i64,
    /// Due later: grace periods, re-checks, backoffs.
    pub asleep: i64,
    /// For how long the oldest waiting job has been due; 0 when none waits.
    pub oldest_due_seconds: f64,
}

/// A row as an operator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    pub key: JobKey,
    pub due_at: Timestamp,
    pub owner: Option<WorkerId>,
    /// Runs since the last good one.
    pub attempts: i32,
    pub last_error: Option<String>,
    pub dead_at: Option<Timestamp>,
}

/// What became of a run that should not have failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The key belongs to somebody else by now; nothing was changed.
    Fenced,
    /// It is tried again.
    Counted { failures: i32 },
    /// That was once too often.
    Died { failures: i32 },
}

/// Wants the job run, now. Bursts coalesce; a wish that lands while the job runs leads to another run.
pub async fn book(connection: &mut Connection, key: &JobKey, now: Timestamp) -> Result<(), Error> {
    sqlx::query(concat!(
        "insert into jobs (key, due_at, wanted_since) values ($1, $2, $2) ",
        book_again!()
    ))
    .bind(key.as_str())
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

/// The same for all open matches, and for guilds and reports that have a job.
pub async fn book_all_open(connection: &mut Connection, now: Timestamp) -> Result<(), Error> {
    sqlx::query(concat!(
        "insert into jobs (key, due_at, wanted_since)
        select key, $1, $1 from (
            select 'match:' || match_id as key from matches where closed_at is null
            union
            select key from jobs where key like 'guild:%' or key like 'report:%'
        ) as open order by key ",
        book_again!()
    ))
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

/// Sees to it that the job runs then at the latest. No wish of its own: it does not revive a dead job.
pub async fn schedule(connection: &mut Connection, key: &JobKey, due: Timestamp) -> Result<(), Error> {
    sqlx::query(
        "insert into jobs (key, due_at, wanted) values ($1, $2, 0)
        on conflict (key) do update set
            due_at = least(jobs.due_at, excluded.due_at),
            next_at = case when jobs.owner is not null then least(jobs.next_at, excluded.due_at) end
        where jobs.dead_at is null",
    )
    .bind(key.as_str())
    .bind(due)
    .execute(connection)
    .await?;
    Ok(())
}

/// Takes up to `free` jobs that are due, the longest due first. Fails when the worker's own row is gone: it must register anew.
pub async fn claim(
    connection: &mut Connection,
    worker: WorkerId,
    free: usize,
    now: Timestamp,
) -> Result<Vec<Claim>, Error> {
    let rows = sqlx::query(
        "with due as materialized (
            select key from jobs where owner is null and dead_at is null and due_at <= $3
            order by due_at limit $2 for update skip locked
        )
        update jobs set owner = $1, epoch = nextval('job_epochs'), next_at = null
        from due where jobs.key = due.key
        returning jobs.key, jobs.epoch, jobs.wanted, jobs.attempts, jobs.wanted_since",
    )
    .bind(worker.get())
    .bind(i64::try_from(free).unwrap_or(i64::MAX))
    .bind(now)
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Claim {
                key: JobKey::new(row.try_get::<String, _>("key")?),
                epoch: row.try_get("epoch")?,
                seen: row.try_get("wanted")?,
                attempts: row.try_get("attempts")?,
                wanted_since: row.try_get("wanted_since")?,
            })
        })
        .collect()
}

/// Ends a good run. What was booked meanwhile is due now; otherwise the job sleeps until the earlier of `look_again` and what was scheduled meanwhile,
/// and its row goes when there is neither. False when the key belongs to somebody else by now: nothing was changed.
pub async fn settle(
    connection: &mut Connection,
    worker: WorkerId,
    claim: &Claim,
    look_again: Option<Timestamp>,
    now: Timestamp,
) -> Result<bool, Error> {
    // Both statements judge the row as it is once its lock is had; a booking comes before or after each as a whole.
    if look_again.is_none() {
        let done = sqlx::query(
            "delete from jobs where key = $1 and owner = $2 and epoch = $3 and wanted = $4 and next_at is null",
        )
        .bind(claim.key.as_str())
        .bind(worker.get())
        .bind(claim.epoch)
        .bind(claim.seen)
        .execute(&mut *connection)
        .await?;
        if done.rows_affected() == 1 {
            return Ok(true);
        }
    }
    let done = sqlx::query(
        "update jobs set
            owner = null,
            done = $4,
            due_at = case when wanted > $4 then least(next_at, $6) else coalesce(least(next_at, $5), $6) end,
            wanted_since = case when wanted > $4 then least(next_at, $6) end,
            next_at = null,
            attempts = 0,
            failures = 0,
            last_error = null
        where key = $1 and owner = $2 and epoch = $3",
    )
    .bind(claim.key.as_str())
    .bind(worker.get())
    .bind(claim.epoch)
    .bind(claim.seen)
    .bind(look_again)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends a run that the outside world was not ready for: tried again then, or at once when it was or is booked again. False when fenced.
pub async fn retry(
    connection: &mut Connection,
    worker: WorkerId,
    claim: &Claim,
    at: Timestamp,
    why: &str,
) -> Result<bool, Error> {
    let done = sqlx::query(
        "update jobs set owner = null, due_at = case when wanted > $6 then due_at else $4 end, next_at = null,
            attempts = attempts + 1, last_error = $5
        where key = $1 and owner = $2 and epoch = $3",
    )
    .bind(claim.key.as_str())
    .bind(worker.get())
    .bind(claim.epoch)
    .bind(at)
    .bind(storable(why))
    .bind(claim.seen)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends a run that should not have failed: tried again then, and dead once it failed `max_failures` times since the last good run.
pub async fn fail(
    connection: &mut Connection,
    worker: WorkerId,
    claim: &Claim,
    at: Timestamp,
    why: &str,
    max_failures: i32,
    now: Timestamp,
) -> Result<Failure, Error> {
    let row = sqlx::query(
        "update jobs set owner = null, due_at = $4, next_at = null, attempts = attempts + 1, failures = failures + 1,
            last_error = $5, dead_at = case when failures + 1 >= $6 then $7::timestamptz end
        where key = $1 and owner = $2 and epoch = $3
        returning failures, dead_at is not null as died",
    )
    .bind(claim.key.as_str())
    .bind(worker.get())
    .bind(claim.epoch)
    .bind(at)
    .bind(storable(why))
    .bind(max_failures)
    .bind(now)
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(Failure::Fenced) };
    let failures = row.try_get("failures")?;
    Ok(match row.try_get("died")? {
        true => Failure::Died { failures },
        false => Failure::Counted { failures },
    })
}

/// Gives the key back unfinished; it is due at once for whoever is free. False when fenced.
pub async fn release(connection: &mut Connection, worker: WorkerId, claim: &Claim) -> Result<bool, Error> {
    let done = sqlx::query("update jobs set owner = null, next_at = null where key = $1 and owner = $2 and epoch = $3")
        .bind(claim.key.as_str())
        .bind(worker.get())
        .bind(claim.epoch)
        .execute(connection)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Gives back what this worker holds besides these epochs: claims whose answer it never got. Gives how many.
pub async fn disown(connection: &mut Connection, worker: WorkerId, held: &[i64]) -> Result<u64, Error> {
    let done = sqlx::query("update jobs set owner = null, next_at = null where owner = $1 and epoch <> all ($2)")
        .bind(worker.get())
        .bind(held)
        .execute(connection)
        .await?;
    Ok(done.rows_affected())
}

/// Whether the claim still holds, and holds on until this transaction ends: nobody can take the key over before. Ask in the transaction that
/// writes, so that a late owner writes nothing.
pub async fn still_owned(connection: &mut Connection, worker: WorkerId, claim: &Claim) -> Result<bool, Error> {
    let row = sqlx::query("select from jobs where key = $1 and owner = $2 and epoch = $3 for share")
        .bind(claim.key.as_str())
        .bind(worker.get())
        .bind(claim.epoch)
        .fetch_optional(connection)
        .await?;
    Ok(row.is_some())
}

/// Whether what the claim's owner is doing may be out of date: the key was booked again since, or is somebody else's by now.
pub async fn is_outdated(connection: &mut Connection, worker: WorkerId, claim: &Claim) -> Result<bool, Error> {
    let row = sqlx::query("select wanted > $4 as news from jobs where key = $1 and owner = $2 and epoch = $3")
        .bind(claim.key.as_str())
        .bind(worker.get())
        .bind(claim.epoch)
        .bind(claim.seen)
        .fetch_optional(connection)
        .await?;
    Ok(row.map_or(Ok(true), |row| row.try_get("news"))?)
}

pub async fn counts(connection: &mut Connection, now: Timestamp) -> Result<Counts, Error> {
    let row = sqlx::query(
        "select
            count(*) filter (where owner is null and dead_at is null and due_at <= $1) as waiting,
            count(*) filter (where owner is not null) as running,
            count(*) filter (where dead_at is not null) as dead,
            count(*) filter (where owner is null and dead_at is null and due_at > $1) as asleep,
            coalesce(extract(epoch from
                $1 - min(due_at) filter (where owner is null and dead_at is null and due_at <= $1)), 0)::float8 as oldest
        from jobs",
    )
    .bind(now)
    .fetch_one(connection)
    .await?;
    Ok(Counts {
        waiting: row.try_get("waiting")?,
        running: row.try_get("running")?,
        dead: row.try_get("dead")?,
        asleep: row.try_get("asleep")?,
        oldest_due_seconds: row.try_get("oldest")?,
    })
}

/// When the next job is due that nobody has; may be past.
pub async fn next_due(connection: &mut Connection) -> Result<Option<Timestamp>, Error> {
    let row = sqlx::query("select min(due_at) as due from jobs where owner is null and dead_at is null")
        .fetch_one(connection)
        .await?;
    Ok(row.try_get("due")?)
}

/// All jobs: dead ones first, then by when they are due.
pub async fn list(connection: &mut Connection) -> Result<Vec<Job>, Error> {
    let rows = sqlx::query(
        "select key, due_at, owner, attempts, last_error, dead_at from jobs order by dead_at is null, dead_at, due_at, key",
    )
    .fetch_all(connection)
    .await?;
    rows.iter().map(job).collect()
}

/// Dead jobs, the longest dead first.
pub async fn list_dead(connection: &mut Connection) -> Result<Vec<Job>, Error> {
    let rows = sqlx::query(
        "select key, due_at, owner, attempts, last_error, dead_at from jobs where dead_at is not null order by dead_at, key",
    )
    .fetch_all(connection)
    .await?;
    rows.iter().map(job).collect()
}

/// Gives a dead job a new life, due now. False when there is no such dead job.
pub async fn revive(connection: &mut Connection, key: &JobKey, now: Timestamp) -> Result<bool, Error> {
    let done = sqlx::query(
        "update jobs set dead_at = null, attempts = 0, failures = 0, due_at = $2 where key = $1 and dead_at is not null",
    )
    .bind(key.as_str())
    .bind(now)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) fn job(row: &PgRow) -> Result<Job, Error> {
    Ok(Job {
        key: JobKey::new(row.try_get::<String, _>("key")?),
        due_at: row.try_get("due_at")?,
        owner: row.try_get::<Option<i32>, _>("owner")?.map(WorkerId::new),
        attempts: row.try_get("attempts")?,
        last_error: row.try_get("last_error")?,
        dead_at: row.try_get("dead_at")?,
    })
}
