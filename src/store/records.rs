//! Records: what is stored about a match over `matches`, `active_matches` and `match_members`, read and written as one.

use std::collections::BTreeSet;

use sqlx::Row;

pub use crate::store::active_matches::bound_elsewhere;
use crate::{
    domain::{Timestamp, ids::MatchId, record::Record},
    store::{Connection, Error, active_matches, match_members, matches},
};

/// How many matches and channels there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub open: i64,
    /// Voice channels that are ours.
    pub channels: i64,
    /// Slots that wait for a person.
    pub blocked: i64,
}

/// Read by the owner of the match's job, and so without a transaction: nobody else writes it.
pub async fn load(connection: &mut Connection, id: &MatchId) -> Result<Option<Record>, Error> {
    let Some(mut record) = matches::load(connection, id).await? else {
        return Ok(None);
    };
    record.slots = active_matches::load(connection, id).await?;
    record.members = match_members::load(connection, id).await?;
    Ok(Some(record))
}

/// Makes the stored record this one. Three statements: call it in a transaction, after `jobs::still_owned`.
pub async fn save(connection: &mut Connection, record: &Record, now: Timestamp) -> Result<(), Error> {
    matches::save(connection, record, now).await?;
    active_matches::save(connection, record, now).await?;
    match_members::save(connection, record).await
}

/// Matches that something may still have to be done for.
pub async fn open(connection: &mut Connection) -> Result<Vec<MatchId>, Error> {
    let rows = sqlx::query("select match_id from matches where closed_at is null order by match_id")
        .fetch_all(connection)
        .await?;
    rows.into_iter()
        .map(|row| Ok(MatchId::new(row.try_get::<String, _>("match_id")?)))
        .collect()
}

/// Open matches that nobody will ever look at again: their job is missing.
pub async fn open_without_job(connection: &mut Connection) -> Result<Vec<MatchId>, Error> {
    let rows = sqlx::query(
        "select match_id from matches
        where closed_at is null and not exists (select from jobs where key = 'match:' || match_id)
        order by match_id",
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| Ok(MatchId::new(row.try_get::<String, _>("match_id")?)))
        .collect()
}

/// Hubs that had a match which changed since then.
pub async fn recent_hubs(connection: &mut Connection, since: Timestamp) -> Result<Vec<String>, Error> {
    let rows = sqlx::query(
        "select distinct facts -> 'competition' ->> 'id' as hub from matches
        where updated_at >= $1 and facts -> 'competition' ->> 'kind' = 'hub' and facts -> 'competition' ->> 'id' <> ''
        order by hub",
    )
    .bind(since)
    .fetch_all(connection)
    .await?;
    let hubs: BTreeSet<String> = rows
        .into_iter()
        .map(|row| row.try_get("hub"))
        .collect::<Result<_, _>>()?;
    Ok(hubs.into_iter().collect())
}

pub async fn counts(connection: &mut Connection) -> Result<Counts, Error> {
    let row = sqlx::query(
        "select (select count(*) from matches where closed_at is null) as open,
            (select count(*) from active_matches where channel_id is not null) as channels,
            (select count(*) from active_matches where blocked_why is not null) as blocked",
    )
    .fetch_one(connection)
    .await?;
    Ok(Counts {
        open: row.try_get("open")?,
        channels: row.try_get("channels")?,
        blocked: row.try_get("blocked")?,
    })
}
