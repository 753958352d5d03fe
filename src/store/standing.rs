//! How things stand, for whoever looks after them: open matches per guild, what waits for a person, who works, whether anything came in at all.

use std::collections::BTreeMap;

use sqlx::Row;

use crate::{
    domain::{
        Timestamp,
        ids::{GuildId, MatchId},
    },
    store::{Connection, Error, convert, workers::WorkerId},
};

/// A step that Discord refused: it waits until somebody does what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck {
    pub id: MatchId,
    pub guild: Option<GuildId>,
    pub why: String,
}

/// Whether FACEIT's deliveries come in, and whether anybody can be moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Intake {
    pub newest_delivery: Option<Timestamp>,
    pub linked_players: i64,
}

/// A process that works on jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Worker {
    pub id: WorkerId,
    pub started_at: Timestamp,
    /// By its own clock.
    pub heartbeat_at: Timestamp,
    /// Its session with the database is open.
    pub connected: bool,
}

/// How many matches are open in each guild; those of no guild under none.
pub async fn open_by_guild(connection: &mut Connection) -> Result<BTreeMap<Option<GuildId>, i64>, Error> {
    let rows = sqlx::query("select guild_id, count(*) as open from matches where closed_at is null group by guild_id")
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|row| {
            let guild: Option<i64> = row.try_get("guild_id")?;
            Ok((guild.map(convert::guild).transpose()?, row.try_get("open")?))
        })
        .collect()
}

/// What waits for a person in open matches, the longest waiting first, and no more of it than that.
pub async fn stuck(connection: &mut Connection, limit: i64) -> Result<Vec<Stuck>, Error> {
    let rows = sqlx::query(
        "select match_id, guild_id, why from (
            select match_id, guild_id, blocked_why as why, blocked_at as since
            from active_matches where blocked_why is not null
            union all
            select match_members.match_id, matches.guild_id, reason, tried_at
            from match_members join matches using (match_id)
            where matches.closed_at is null and placement = 'refused'
        ) as stuck order by since, match_id, why limit $1",
    )
    .bind(limit)
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            let guild: Option<i64> = row.try_get("guild_id")?;
            Ok(Stuck {
                id: MatchId::new(row.try_get::<String, _>("match_id")?),
                guild: guild.map(convert::guild).transpose()?,
                why: row.try_get("why")?,
            })
        })
        .collect()
}

pub async fn intake(connection: &mut Connection) -> Result<Intake, Error> {
    let row = sqlx::query(
        "select (select max(received_at) from deliveries) as newest, (select count(*) from player_links) as linked",
    )
    .fetch_one(connection)
    .await?;
    Ok(Intake {
        newest_delivery: row.try_get("newest")?,
        linked_players: row.try_get("linked")?,
    })
}

/// All processes that have registered and were not cleared away. Asks for their locks without taking them.
pub async fn workers(connection: &mut Connection) -> Result<Vec<Worker>, Error> {
    let rows = sqlx::query(
        "select id, started_at, heartbeat_at, exists (
            select from pg_locks
            where locktype = 'advisory' and granted and classid::bigint = $1 and objid::bigint = workers.id and objsubid = 2
                and database = (select oid from pg_database where datname = current_database())
        ) as connected
        from workers order by id",
    )
    .bind(i64::from(super::workers::LOCK_CLASS))
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Worker {
                id: WorkerId::new(row.try_get("id")?),
                started_at: row.try_get("started_at")?,
                heartbeat_at: row.try_get("heartbeat_at")?,
                connected: row.try_get("connected")?,
            })
        })
        .collect()
}
