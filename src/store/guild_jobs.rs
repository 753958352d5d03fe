//! Jobs of one guild: of its matches, and its own. A job of a match that was never read belongs to nobody yet.

use serde_json::json;
use sqlx::Row;

use crate::{
    domain::{Timestamp, ids::GuildId, job::JobKey},
    store::{
        Connection, Error,
        audit::{self, Actor, Entry},
        convert,
        jobs::{self, Job},
    },
};

/// Jobs and whose they are: `$1` is the guild.
macro_rules! of_guild {
    () => {
        "from jobs left join matches on jobs.key = 'match:' || matches.match_id
        where (matches.guild_id = $1 or jobs.key = 'guild:' || $1)"
    };
}

/// A job with the word for where it stands: `dead`, `running`, `waiting` (due and not taken) or `asleep` (due later).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuildJob {
    pub job: Job,
    pub state: String,
}

/// What became of a wish to try a dead job again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retried {
    Done,
    /// It works, or waits for its turn: there is nothing to revive.
    NotDead,
    /// The guild has none of this key.
    Unknown,
}

/// By key, after the one given; only those in this state, if one is named.
pub async fn list(
    connection: &mut Connection,
    guild: GuildId,
    state: Option<&str>,
    after: Option<&str>,
    limit: i64,
    now: Timestamp,
) -> Result<Vec<GuildJob>, Error> {
    let rows = sqlx::query(concat!(
        "select * from (
            select key, due_at, owner, attempts, last_error, dead_at, case when dead_at is not null then 'dead'
                when owner is not null then 'running' when due_at <= $2 then 'waiting' else 'asleep' end as state ",
        of_guild!(),
        ") as job where ($3::text is null or state = $3) and key > $4 order by key limit $5"
    ))
    .bind(convert::to_bigint(guild.get())?)
    .bind(now)
    .bind(state)
    .bind(after.unwrap_or_default())
    .bind(limit)
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(GuildJob {
                job: jobs::job(row)?,
                state: row.try_get("state")?,
            })
        })
        .collect()
}

/// Gives a dead job of the guild a new life, with a line in the audit log, on the caller's transaction.
pub async fn retry(
    connection: &mut Connection,
    guild: GuildId,
    key: &JobKey,
    actor: &Actor,
    now: Timestamp,
) -> Result<Retried, Error> {
    let row = sqlx::query(concat!(
        "select key, due_at, owner, attempts, last_error, dead_at ",
        of_guild!(),
        " and key = $2 for update of jobs"
    ))
    .bind(convert::to_bigint(guild.get())?)
    .bind(key.as_str())
    .fetch_optional(&mut *connection)
    .await?;
    let Some(job) = row.as_ref().map(jobs::job).transpose()? else {
        return Ok(Retried::Unknown);
    };
    let Some(dead_at) = job.dead_at else {
        return Ok(Retried::NotDead);
    };
    jobs::revive(connection, key, now).await?;
    let entry = Entry {
        actor: actor.clone(),
        action: "job.retried".to_owned(),
        guild: Some(guild),
        subject: key.to_string(),
        before: Some(json!({ "dead_at": convert::to_text(dead_at)?, "last_error": job.last_error })),
        after: None,
    };
    audit::record(connection, &entry, now).await?;
    Ok(Retried::Done)
}
