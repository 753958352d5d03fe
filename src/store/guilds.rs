//! Table `guilds`: each guild's settings, one row per guild. Who changes them says which version he saw.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use sqlx::{Row, postgres::PgRow};

use crate::{
    domain::{
        Timestamp,
        ids::{GuildId, RoleId},
        match_facts::Competition,
        settings::{OpenWhen, ReportAtEnd, ReturnTo, Settings},
    },
    store::{Connection, Error, convert, storable},
};

/// Settings as they are stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredGuild {
    pub settings: Settings,
    /// From 1, and one more with every change.
    pub version: i64,
    pub updated_at: Timestamp,
}

/// What came of a save.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saved {
    /// Stored, under this version.
    Version(i64),
    /// Somebody else changed it in between, or it is there already: load it and look again.
    Changed,
}

macro_rules! columns {
    () => {
        "guild_id, category_id, overflow, overflow_name, lobby_id, source_channels, staff_roles, spectator_roles, user_limit, \
         name_template, open_when, grace_seconds, max_age_seconds, return_to, paused, verified_links_only, report_channel_id, \
         report_at_end, version, updated_at"
    };
}

pub async fn load(connection: &mut Connection, guild: GuildId) -> Result<Option<StoredGuild>, Error> {
    let row = sqlx::query(concat!("select ", columns!(), " from guilds where guild_id = $1"))
        .bind(convert::to_bigint(guild.get())?)
        .fetch_optional(connection)
        .await?;
    row.map(|row| read(&row)).transpose()
}

pub async fn all(connection: &mut Connection) -> Result<Vec<StoredGuild>, Error> {
    let rows = sqlx::query(concat!("select ", columns!(), " from guilds order by guild_id"))
        .fetch_all(connection)
        .await?;
    rows.iter().map(read).collect()
}

/// The staff roles of those of these guilds that have settings of their own.
pub async fn staff_roles(
    connection: &mut Connection,
    guilds: &[GuildId],
) -> Result<BTreeMap<GuildId, BTreeSet<RoleId>>, Error> {
    let ids = guilds.iter().map(|guild| convert::to_bigint(guild.get()));
    let rows = sqlx::query("select guild_id, staff_roles from guilds where guild_id = any ($1)")
        .bind(ids.collect::<Result<Vec<_>, _>>()?)
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|row| Ok((convert::guild(row.try_get("guild_id")?)?, roles(row, "staff_roles")?)))
        .collect()
}

/// Whose match it is, and that guild's own settings if it has any: `bound` when the match has channels in a guild already, else
/// who claims the competition, else `default`.
pub async fn home(
    connection: &mut Connection,
    bound: Option<GuildId>,
    competition: &Competition,
    default: Option<GuildId>,
) -> Result<(Option<GuildId>, Option<StoredGuild>), Error> {
    let id = |guild: Option<GuildId>| guild.map(|guild| convert::to_bigint(guild.get())).transpose();
    let row = sqlx::query(concat!(
        "select home.id as home_id, guilds.guild_id is not null as has_settings, ",
        columns!(),
        " from (
            select coalesce($1, (
                select guild_id from guild_competitions
                where (kind <> 'organizer' and competition_id = $2) or (kind = 'organizer' and competition_id = $3)
                order by kind = 'organizer' limit 1
            ), $4) as id
        ) as home left join guilds on guild_id = home.id"
    ))
    .bind(id(bound)?)
    .bind(storable(&competition.id))
    .bind(storable(&competition.organizer_id))
    .bind(id(default)?)
    .fetch_one(connection)
    .await?;
    let home: Option<i64> = row.try_get("home_id")?;
    let stored = if row.try_get("has_settings")? {
        Some(read(&row)?)
    } else {
        None
    };
    Ok((home.map(convert::guild).transpose()?, stored))
}

/// Stores settings. `expected` is the version that they were made from; None when there were none.
pub async fn save(
    connection: &mut Connection,
    settings: &Settings,
    expected: Option<i64>,
    now: Timestamp,
) -> Result<Saved, Error> {
    let channel = |id: Option<crate::domain::ids::ChannelId>| id.map(|id| convert::to_bigint(id.get())).transpose();
    let ids = |ids: &mut dyn Iterator<Item = u64>| ids.map(convert::to_bigint).collect::<Result<Vec<_>, _>>();
    let seconds = |duration: Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    // An insert that finds a row changes it only when it is the one that was seen.
    let row = sqlx::query(concat!(
        "insert into guilds (",
        columns!(),
        ") select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, 1, $19
        where $20::bigint is null or exists (select from guilds where guild_id = $1)
        on conflict (guild_id) do update set
            category_id = excluded.category_id, overflow = excluded.overflow, overflow_name = excluded.overflow_name,
            lobby_id = excluded.lobby_id, source_channels = excluded.source_channels, staff_roles = excluded.staff_roles,
            spectator_roles = excluded.spectator_roles, user_limit = excluded.user_limit,
            name_template = excluded.name_template, open_when = excluded.open_when,
            grace_seconds = excluded.grace_seconds, max_age_seconds = excluded.max_age_seconds,
            return_to = excluded.return_to, paused = excluded.paused,
            verified_links_only = excluded.verified_links_only, report_channel_id = excluded.report_channel_id,
            report_at_end = excluded.report_at_end,
            version = guilds.version + 1, updated_at = excluded.updated_at
        where guilds.version = $20
        returning version"
    ))
    .bind(convert::to_bigint(settings.guild.get())?)
    .bind(channel(settings.category)?)
    .bind(settings.overflow)
    .bind(storable(&settings.overflow_name))
    .bind(channel(settings.lobby)?)
    .bind(ids(&mut settings.source_channels.iter().map(|id| id.get()))?)
    .bind(ids(&mut settings.staff_roles.iter().map(|id| id.get()))?)
    .bind(ids(&mut settings.spectator_roles.iter().map(|id| id.get()))?)
    .bind(i32::from(settings.user_limit))
    .bind(storable(&settings.name_template))
    .bind(settings.open_when.as_str())
    .bind(seconds(settings.grace))
    .bind(seconds(settings.max_age))
    .bind(settings.return_to.as_str())
    .bind(settings.paused)
    .bind(settings.verified_links_only)
    .bind(channel(settings.report_channel)?)
    .bind(settings.report_at_end.as_str())
    .bind(now)
    .bind(expected)
    .fetch_optional(connection)
    .await?;
    Ok(match row {
        Some(row) => Saved::Version(row.try_get("version")?),
        None => Saved::Changed,
    })
}

fn roles(row: &PgRow, column: &str) -> Result<BTreeSet<RoleId>, Error> {
    let ids: Vec<i64> = row.try_get(column)?;
    ids.into_iter().map(convert::role).collect()
}

fn read(row: &PgRow) -> Result<StoredGuild, Error> {
    let channel = |column: &str| {
        let id: Option<i64> = row.try_get(column)?;
        id.map(convert::channel).transpose()
    };
    let seconds = |column: &str| {
        let seconds: i64 = row.try_get(column)?;
        Ok::<_, Error>(Duration::from_secs(seconds.unsigned_abs()))
    };
    let sources: Vec<i64> = row.try_get("source_channels")?;
    let limit: i32 = row.try_get("user_limit")?;
    Ok(StoredGuild {
        settings: Settings {
            guild: convert::guild(row.try_get("guild_id")?)?,
            category: channel("category_id")?,
            overflow: row.try_get("overflow")?,
            overflow_name: row.try_get("overflow_name")?,
            lobby: channel("lobby_id")?,
            source_channels: sources.into_iter().map(convert::channel).collect::<Result<_, _>>()?,
            staff_roles: roles(row, "staff_roles")?,
            spectator_roles: roles(row, "spectator_roles")?,
            user_limit: u16::try_from(limit).unwrap_or(0),
            name_template: row.try_get("name_template")?,
            open_when: convert::word(row.try_get("open_when")?, OpenWhen::parse)?,
            grace: seconds("grace_seconds")?,
            max_age: seconds("max_age_seconds")?,
            return_to: convert::word(row.try_get("return_to")?, ReturnTo::parse)?,
            paused: row.try_get("paused")?,
            verified_links_only: row.try_get("verified_links_only")?,
            report_channel: channel("report_channel_id")?,
            report_at_end: convert::word(row.try_get("report_at_end")?, ReportAtEnd::parse)?,
        },
        version: row.try_get("version")?,
        updated_at: row.try_get("updated_at")?,
    })
}
