//! Table `guild_competitions`: which guild's the matches of a hub, a championship or an organizer are.

use sqlx::Row;

use crate::{
    domain::{
        Timestamp,
        ids::{GuildId, MatchId},
        settings::ClaimKind,
    },
    store::{Connection, Error, convert},
};

/// A hub, a championship or an organizer that a guild claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredClaim {
    pub id: String,
    pub kind: ClaimKind,
    pub guild: GuildId,
    pub claimed_at: Timestamp,
}

/// Claims a competition; gives whose it is now: another guild's claim stands. The guild needs settings first (`guilds::save`).
pub async fn claim(
    connection: &mut Connection,
    guild: GuildId,
    kind: ClaimKind,
    id: &str,
    now: Timestamp,
) -> Result<GuildId, Error> {
    let row = sqlx::query(
        "insert into guild_competitions (competition_id, kind, guild_id, claimed_at) values ($1, $2, $3, $4)
        on conflict (competition_id) do update set
            kind = case when guild_competitions.guild_id = excluded.guild_id then excluded.kind else guild_competitions.kind end
        returning guild_id",
    )
    .bind(id)
    .bind(kind.as_str())
    .bind(convert::to_bigint(guild.get())?)
    .bind(now)
    .fetch_one(connection)
    .await?;
    convert::guild(row.try_get("guild_id")?)
}

/// Gives a claim up; false when this guild had none.
pub async fn release(connection: &mut Connection, guild: GuildId, id: &str) -> Result<bool, Error> {
    let done = sqlx::query("delete from guild_competitions where competition_id = $1 and guild_id = $2")
        .bind(id)
        .bind(convert::to_bigint(guild.get())?)
        .execute(connection)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// Who claims this very id.
pub async fn claimant(connection: &mut Connection, id: &str) -> Result<Option<GuildId>, Error> {
    let row = sqlx::query("select guild_id from guild_competitions where competition_id = $1")
        .bind(id)
        .fetch_optional(connection)
        .await?;
    row.map(|row| convert::guild(row.try_get("guild_id")?)).transpose()
}

/// What a guild claims; what all do when none is named.
pub async fn list(connection: &mut Connection, guild: Option<GuildId>) -> Result<Vec<StoredClaim>, Error> {
    let rows = sqlx::query(
        "select competition_id, kind, guild_id, claimed_at from guild_competitions
        where $1::bigint is null or guild_id = $1 order by guild_id, kind, competition_id",
    )
    .bind(guild.map(|guild| convert::to_bigint(guild.get())).transpose()?)
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(StoredClaim {
                id: row.try_get("competition_id")?,
                kind: convert::word(row.try_get("kind")?, ClaimKind::parse)?,
                guild: convert::guild(row.try_get("guild_id")?)?,
                claimed_at: row.try_get("claimed_at")?,
            })
        })
        .collect()
}

/// Open matches whose home may change with a claim on this id.
pub async fn open_matches_of(connection: &mut Connection, id: &str) -> Result<Vec<MatchId>, Error> {
    let rows = sqlx::query(
        "select match_id from matches where closed_at is null
            and (facts -> 'competition' ->> 'id' = $1 or facts -> 'competition' ->> 'organizer_id' = $1)
        order by match_id",
    )
    .bind(id)
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| Ok(MatchId::new(row.try_get::<String, _>("match_id")?)))
        .collect()
}

/// A guild's open matches.
pub async fn open_matches_in(connection: &mut Connection, guild: GuildId) -> Result<Vec<MatchId>, Error> {
    let rows = sqlx::query("select match_id from matches where closed_at is null and guild_id = $1 order by match_id")
        .bind(convert::to_bigint(guild.get())?)
        .fetch_all(connection)
        .await?;
    rows.into_iter()
        .map(|row| Ok(MatchId::new(row.try_get::<String, _>("match_id")?)))
        .collect()
}
