//! Table `guild_states`: whether the bot is in a guild, and when something changed there; read together with how much of ours is there, and with
//! the pause of everything.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{Row, types::Json};

use crate::{
    domain::{
        Timestamp,
        guild::{Away, Guild, Overflow},
        ids::{GuildId, MatchId},
    },
    store::{Connection, Error, convert},
};

/// What is known of a guild, besides what the gateway tells.
pub async fn load(connection: &mut Connection, guild: GuildId) -> Result<Guild, Error> {
    let row = sqlx::query(
        "select g.away_since, g.away_checked_at, g.rights_at, g.room_at,
            coalesce((
                select jsonb_agg(jsonb_build_array(category_id, channels)) from (
                    select category_id, sum(cardinality(stray_channels) + case
                        when channel_id is not null or intended_at is not null or uncertain_since is not null then 1 else 0 end)::bigint
                    from active_matches where guild_id = $1 and category_id is not null group by category_id
                ) as t (category_id, channels) where channels > 0
            ), '[]') as taken,
            coalesce((
                select jsonb_agg(jsonb_build_array(channel_id, base_id) order by number)
                from overflow_categories where guild_id = $1 and channel_id is not null
            ), '[]') as overflow,
            (
                select blocked_why from overflow_categories
                where guild_id = $1 and channel_id is null and blocked_why is not null order by number limit 1
            ) as overflow_blocked,
            exists (select from service_pause) as halted
        from (select $1::bigint as id) as this left join guild_states g on g.guild_id = this.id",
    )
    .bind(convert::to_bigint(guild.get())?)
    .fetch_one(connection)
    .await?;
    let away = match (row.try_get("away_since")?, row.try_get("away_checked_at")?) {
        (Some(since), Some(checked_at)) => Some(Away { since, checked_at }),
        _ => None,
    };
    let Json(taken): Json<Vec<(i64, i64)>> = row.try_get("taken")?;
    let Json(overflow): Json<Vec<(i64, i64)>> = row.try_get("overflow")?;
    let taken = taken.into_iter().map(|(category, channels)| {
        let channels = usize::try_from(channels).unwrap_or(usize::MAX);
        Ok((convert::channel(category)?, channels))
    });
    let overflow = overflow.into_iter().map(|(channel, base)| {
        Ok(Overflow {
            channel: convert::channel(channel)?,
            base: convert::channel(base)?,
        })
    });
    Ok(Guild {
        halted: row.try_get("halted")?,
        outage: false,
        away,
        rights_at: row.try_get("rights_at")?,
        room_at: row.try_get("room_at")?,
        fullness: None,
        taken: taken.collect::<Result<BTreeMap<_, _>, Error>>()?,
        overflow: overflow.collect::<Result<_, Error>>()?,
        overflow_blocked: row.try_get("overflow_blocked")?,
        closed: BTreeSet::new(),
        missing: BTreeSet::new(),
    })
}

/// What the bot may do in these guilds may have changed. Kept only where something was refused to it, for elsewhere it makes no difference.
pub async fn note_rights(connection: &mut Connection, guilds: &[GuildId], now: Timestamp) -> Result<(), Error> {
    sqlx::query(
        "insert into guild_states (guild_id, rights_at)
        select guild_id, $2 from unnest($1::bigint[]) as changed (guild_id)
        where exists (
                select from active_matches a
                where a.guild_id = changed.guild_id and (a.blocked_by = 'refused' or a.access_blocked is not null)
            )
            or exists (select from overflow_categories o where o.guild_id = changed.guild_id and o.blocked_by = 'refused')
            or exists (
                select from matches m join match_members p using (match_id)
                where m.guild_id = changed.guild_id and m.closed_at is null and p.placement = 'refused'
            )
        order by guild_id
        on conflict (guild_id) do update set rights_at = excluded.rights_at",
    )
    .bind(bigints(guilds)?)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

/// A channel was deleted in these guilds. Kept only where something waits for room.
pub async fn note_room(connection: &mut Connection, guilds: &[GuildId], now: Timestamp) -> Result<(), Error> {
    sqlx::query(
        "insert into guild_states (guild_id, room_at)
        select guild_id, $2 from unnest($1::bigint[]) as changed (guild_id)
        where exists (
                select from active_matches a
                where a.guild_id = changed.guild_id and a.blocked_by in ('no_room', 'guild_full')
            )
            or exists (select from overflow_categories o where o.guild_id = changed.guild_id and o.blocked_by = 'guild_full')
        order by guild_id
        on conflict (guild_id) do update set room_at = excluded.room_at",
    )
    .bind(bigints(guilds)?)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

/// Somebody says that what stood in the way of a match is mended: what was refused in its guild is worth another try.
pub async fn note_wish(connection: &mut Connection, id: &MatchId, now: Timestamp) -> Result<(), Error> {
    sqlx::query(
        "insert into guild_states (guild_id, rights_at, room_at)
        select guild_id, $2, $2 from matches where match_id = $1 and guild_id is not null
        on conflict (guild_id) do update set rights_at = excluded.rights_at, room_at = excluded.room_at",
    )
    .bind(id.as_str())
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

/// The bot is no member of these guilds.
pub async fn set_away(connection: &mut Connection, guilds: &[GuildId], now: Timestamp) -> Result<(), Error> {
    sqlx::query(
        "insert into guild_states (guild_id, away_since, away_checked_at)
        select guild_id, $2, $2 from unnest($1::bigint[]) as gone (guild_id) order by guild_id
        on conflict (guild_id) do update set
            away_since = coalesce(guild_states.away_since, excluded.away_since), away_checked_at = excluded.away_checked_at",
    )
    .bind(bigints(guilds)?)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

/// The bot is in these guilds. Of most of them nothing else was ever thought.
pub async fn set_back(connection: &mut Connection, guilds: &[GuildId]) -> Result<(), Error> {
    sqlx::query(
        "update guild_states set away_since = null, away_checked_at = null
        where guild_id = any ($1) and away_since is not null",
    )
    .bind(bigints(guilds)?)
    .execute(connection)
    .await?;
    Ok(())
}

fn bigints(guilds: &[GuildId]) -> Result<Vec<i64>, Error> {
    guilds.iter().map(|guild| convert::to_bigint(guild.get())).collect()
}
