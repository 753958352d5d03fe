//! Table `matches`: what we know of each match.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{Row, types::Json};

use crate::{
    domain::{
        Timestamp,
        ids::{GuildId, MatchId},
        match_facts::MatchFacts,
        record::Record,
    },
    store::{Connection, Error, convert, storable},
};

/// The match without its slots and members.
pub(super) async fn load(connection: &mut Connection, id: &MatchId) -> Result<Option<Record>, Error> {
    let row = sqlx::query(
        "select guild_id, facts, last_version, first_seen_at, live_since, ended_at, closed_at, demo_urls, teardown_at
        from matches where match_id = $1",
    )
    .bind(id.as_str())
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let facts: Option<Json<MatchFacts>> = row.try_get("facts")?;
    let guild: Option<i64> = row.try_get("guild_id")?;
    let demo_urls: Vec<String> = row.try_get("demo_urls")?;
    Ok(Some(Record {
        id: id.clone(),
        guild: guild.map(convert::guild).transpose()?,
        facts: facts.map(|Json(facts)| facts),
        last_version: row.try_get("last_version")?,
        first_seen_at: row.try_get("first_seen_at")?,
        live_since: row.try_get("live_since")?,
        ended_at: row.try_get("ended_at")?,
        closed_at: row.try_get("closed_at")?,
        teardown_at: row.try_get("teardown_at")?,
        demo_urls: BTreeSet::from_iter(demo_urls),
        slots: BTreeMap::new(),
        members: BTreeMap::new(),
    }))
}

/// Whether a match is that guild's.
pub async fn is_of(connection: &mut Connection, guild: GuildId, id: &MatchId) -> Result<bool, Error> {
    let found = sqlx::query("select from matches where match_id = $1 and guild_id = $2")
        .bind(id.as_str())
        .bind(convert::to_bigint(guild.get())?)
        .fetch_optional(connection)
        .await?;
    Ok(found.is_some())
}

/// Open matches of a guild, those that were heard of last first.
pub async fn open_in(
    connection: &mut Connection,
    guild: GuildId,
    limit: i64,
) -> Result<Vec<(MatchId, Option<MatchFacts>)>, Error> {
    let rows = sqlx::query(
        "select match_id, facts from matches where guild_id = $1 and closed_at is null
        order by first_seen_at desc, match_id limit $2",
    )
    .bind(convert::to_bigint(guild.get())?)
    .bind(limit)
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            let facts: Option<Json<MatchFacts>> = row.try_get("facts")?;
            Ok((
                MatchId::new(row.try_get::<String, _>("match_id")?),
                facts.map(|Json(facts)| facts),
            ))
        })
        .collect()
}

/// Adds or updates the match, but for what staff asks of it; a row that says the same already stays untouched.
pub(super) async fn save(connection: &mut Connection, record: &Record, now: Timestamp) -> Result<(), Error> {
    sqlx::query(
        "insert into matches (match_id, guild_id, status, facts, last_version, first_seen_at, live_since, ended_at, closed_at,
            demo_urls, updated_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        on conflict (match_id) do update set
            guild_id = excluded.guild_id, status = excluded.status, facts = excluded.facts,
            last_version = excluded.last_version, first_seen_at = excluded.first_seen_at, live_since = excluded.live_since,
            ended_at = excluded.ended_at, closed_at = excluded.closed_at, demo_urls = excluded.demo_urls,
            updated_at = excluded.updated_at
        where (matches.guild_id, matches.status, matches.facts, matches.last_version, matches.first_seen_at,
                matches.live_since, matches.ended_at, matches.closed_at, matches.demo_urls)
            is distinct from (excluded.guild_id, excluded.status, excluded.facts, excluded.last_version,
                excluded.first_seen_at, excluded.live_since, excluded.ended_at, excluded.closed_at, excluded.demo_urls)",
    )
    .bind(record.id.as_str())
    .bind(record.guild.map(|guild| convert::to_bigint(guild.get())).transpose()?)
    .bind(record.facts.as_ref().map(|facts| facts.status.as_str()))
    .bind(record.facts.as_ref().map(convert::to_jsonb).transpose()?)
    .bind(record.last_version)
    .bind(record.first_seen_at)
    .bind(record.live_since)
    .bind(record.ended_at)
    .bind(record.closed_at)
    .bind(record.demo_urls.iter().map(|url| storable(url)).collect::<Vec<_>>())
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}
