//! Table `active_matches`: the voice channels that exist, may exist or were refused, one row per faction of a match.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use sqlx::Row;

use crate::{
    domain::{
        Timestamp,
        ids::{ChannelId, Faction, MatchId},
        record::{Blocked, Obstacle, Record, Slot},
    },
    store::{Connection, Error, convert},
};

pub(super) async fn load(connection: &mut Connection, id: &MatchId) -> Result<BTreeMap<Faction, Slot>, Error> {
    let rows = sqlx::query(
        "select faction, channel_name, category_id, channel_id, intended_at, uncertain_since, stray_channels, access,
            blocked_why, blocked_at, blocked_by, blocked_until, access_blocked, access_blocked_at,
            gone_at
        from active_matches where match_id = $1",
    )
    .bind(id.as_str())
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            let channel = |column: &str| {
                row.try_get::<Option<i64>, _>(column)
                    .map_err(Error::from)?
                    .map(convert::channel)
                    .transpose()
            };
            let strays: Vec<i64> = row.try_get("stray_channels")?;
            let access: Vec<i64> = row.try_get("access")?;
            let slot = Slot {
                name: row.try_get("channel_name")?,
                category: channel("category_id")?,
                intended_at: row.try_get("intended_at")?,
                channel: channel("channel_id")?,
                uncertain_since: row.try_get("uncertain_since")?,
                strays: strays.into_iter().map(convert::channel).collect::<Result<_, _>>()?,
                access: access.into_iter().map(convert::user).collect::<Result<_, _>>()?,
                blocked: convert::blocked(&row)?,
                gone_at: row.try_get("gone_at")?,
                access_blocked: match (row.try_get("access_blocked")?, row.try_get("access_blocked_at")?) {
                    (Some(why), Some(at)) => Some(Blocked {
                        why,
                        at,
                        by: Obstacle::Refused,
                    }),
                    _ => None,
                },
            };
            Ok((convert::faction(row.try_get("faction")?)?, slot))
        })
        .collect()
}

/// Makes the match's rows what its slots are: one round trip, untouched where nothing changed.
pub(super) async fn save(connection: &mut Connection, record: &Record, now: Timestamp) -> Result<(), Error> {
    let guild = match record.guild {
        Some(guild) => guild,
        None if record.slots.is_empty() => return Ok(()),
        None => {
            return Err(Error::Unexpected(format!(
                "match {} has channels, but no guild",
                record.id
            )));
        }
    };
    let slots = record
        .slots
        .iter()
        .map(|(faction, slot)| as_json(*faction, slot))
        .collect::<Result<Vec<_>, Error>>()?;
    sqlx::query(
        "with slots as (
            select * from jsonb_to_recordset($3) as slot (faction text, channel_name text, category_id bigint,
                channel_id bigint, intended_at timestamptz, uncertain_since timestamptz, stray_channels bigint[],
                access bigint[], blocked_why text, blocked_at timestamptz, blocked_by text, blocked_until timestamptz,
                access_blocked text, access_blocked_at timestamptz, gone_at timestamptz)
        ), gone as (
            delete from active_matches where match_id = $1 and faction not in (select faction from slots)
        )
        insert into active_matches (match_id, guild_id, updated_at, faction, channel_name, category_id, channel_id,
            intended_at, uncertain_since, stray_channels, access, blocked_why, blocked_at, blocked_by, blocked_until,
            access_blocked, access_blocked_at, gone_at)
        select $1, $2, $4, slots.* from slots
        on conflict (match_id, faction) do update set
            guild_id = excluded.guild_id, updated_at = excluded.updated_at, channel_name = excluded.channel_name,
            category_id = excluded.category_id, channel_id = excluded.channel_id, intended_at = excluded.intended_at,
            uncertain_since = excluded.uncertain_since, stray_channels = excluded.stray_channels, access = excluded.access,
            blocked_why = excluded.blocked_why, blocked_at = excluded.blocked_at, blocked_by = excluded.blocked_by,
            blocked_until = excluded.blocked_until, access_blocked = excluded.access_blocked,
            access_blocked_at = excluded.access_blocked_at, gone_at = excluded.gone_at
        where (active_matches.guild_id, active_matches.channel_name, active_matches.category_id, active_matches.channel_id,
                active_matches.intended_at, active_matches.uncertain_since, active_matches.stray_channels,
                active_matches.access, active_matches.blocked_why, active_matches.blocked_at, active_matches.blocked_by,
                active_matches.blocked_until, active_matches.access_blocked, active_matches.access_blocked_at, active_matches.gone_at)
            is distinct from (excluded.guild_id, excluded.channel_name, excluded.category_id, excluded.channel_id,
                excluded.intended_at, excluded.uncertain_since, excluded.stray_channels,
                excluded.access, excluded.blocked_why, excluded.blocked_at, excluded.blocked_by, excluded.blocked_until,
                excluded.access_blocked, excluded.access_blocked_at, excluded.gone_at)",
    )
    .bind(record.id.as_str())
    .bind(convert::to_bigint(guild.get())?)
    .bind(convert::to_jsonb(&slots)?)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

fn as_json(faction: Faction, slot: &Slot) -> Result<serde_json::Value, Error> {
    let channel = |id: Option<ChannelId>| id.map(|id| convert::to_bigint(id.get())).transpose();
    let ids = |ids: &mut dyn Iterator<Item = u64>| ids.map(convert::to_bigint).collect::<Result<Vec<_>, _>>();
    Ok(json!({
        "faction": faction.as_str(),
        "channel_name": slot.name,
        "category_id": channel(slot.category)?,
        "channel_id": channel(slot.channel)?,
        "intended_at": slot.intended_at.map(convert::to_text).transpose()?,
        "uncertain_since": slot.uncertain_since.map(convert::to_text).transpose()?,
        "stray_channels": ids(&mut slot.strays.iter().map(|id| id.get()))?,
        "access": ids(&mut slot.access.iter().map(|id| id.get()))?,
        "blocked_why": slot.blocked.as_ref().map(|blocked| &blocked.why),
        "blocked_at": slot.blocked.as_ref().map(|blocked| convert::to_text(blocked.at)).transpose()?,
        "blocked_by": slot.blocked.as_ref().map(|blocked| blocked.by.as_str()),
        "blocked_until": slot.blocked.as_ref().and_then(|blocked| blocked.by.until()).map(convert::to_text).transpose()?,
        "access_blocked": slot.access_blocked.as_ref().map(|blocked| &blocked.why),
        "access_blocked_at": slot.access_blocked.as_ref().map(|blocked| convert::to_text(blocked.at)).transpose()?,
        "gone_at": slot.gone_at.map(convert::to_text).transpose()?,
    }))
}

/// Which of these channels belong to another match: bound, or found as strays of it.
pub async fn bound_elsewhere(
    connection: &mut Connection,
    channels: &[ChannelId],
    id: &MatchId,
) -> Result<BTreeSet<ChannelId>, Error> {
    let ids = channels
        .iter()
        .map(|channel| convert::to_bigint(channel.get()))
        .collect::<Result<Vec<_>, _>>()?;
    let rows = sqlx::query(
        "select channel_id as id from active_matches where match_id <> $2 and channel_id = any($1)
        union
        select stray from active_matches, unnest(stray_channels) as stray where match_id <> $2 and stray = any($1)",
    )
    .bind(ids)
    .bind(id.as_str())
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| convert::channel(row.try_get("id")?))
        .collect()
}
