//! Table `overflow_categories`: the categories that we made because another was full.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::Row;

use crate::{
    domain::{
        Timestamp,
        ids::{ChannelId, GuildId},
        record::Obstacle,
        rooms::Category,
    },
    store::{Connection, Error, convert, storable},
};

/// Who waits for room in a guild.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// How many channels each of the matches needs.
    pub needed: Vec<usize>,
    /// The categories that they found full.
    pub full: BTreeSet<ChannelId>,
}

/// Read by the owner of the guild's job, and so without a transaction: nobody else writes it.
pub async fn load(connection: &mut Connection, guild: GuildId) -> Result<BTreeMap<u32, Category>, Error> {
    let rows = sqlx::query(
        "select number, base_id, name, intended_at, channel_id, uncertain_since, stray_channels, blocked_why, blocked_at, blocked_by,
            blocked_until
        from overflow_categories where guild_id = $1",
    )
    .bind(convert::to_bigint(guild.get())?)
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            let number: i32 = row.try_get("number")?;
            let channel: Option<i64> = row.try_get("channel_id")?;
            let strays: Vec<i64> = row.try_get("stray_channels")?;
            let category = Category {
                base: convert::channel(row.try_get("base_id")?)?,
                name: row.try_get("name")?,
                intended_at: row.try_get("intended_at")?,
                channel: channel.map(convert::channel).transpose()?,
                uncertain_since: row.try_get("uncertain_since")?,
                strays: strays.into_iter().map(convert::channel).collect::<Result<_, _>>()?,
                blocked: convert::blocked(&row)?,
            };
            Ok((number.unsigned_abs(), category))
        })
        .collect()
}

/// Makes the guild's rows these. Call it in a transaction, after `jobs::still_owned`.
pub async fn save(
    connection: &mut Connection,
    guild: GuildId,
    categories: &BTreeMap<u32, Category>,
    now: Timestamp,
) -> Result<(), Error> {
    let id = convert::to_bigint(guild.get())?;
    let number = |number: u32| {
        i32::try_from(number).map_err(|_| Error::Unexpected(format!("category number {number} is too large")))
    };
    let numbers = categories
        .keys()
        .map(|key| number(*key))
        .collect::<Result<Vec<_>, _>>()?;
    sqlx::query("delete from overflow_categories where guild_id = $1 and number <> all ($2)")
        .bind(id)
        .bind(numbers)
        .execute(&mut *connection)
        .await?;
    for (key, category) in categories {
        let strays = category.strays.iter().map(|stray| convert::to_bigint(stray.get()));
        let channel = category.channel.map(|channel| convert::to_bigint(channel.get()));
        let blocked = category.blocked.as_ref();
        sqlx::query(
            "insert into overflow_categories (guild_id, number, base_id, name, intended_at, channel_id, uncertain_since,
                stray_channels, blocked_why, blocked_at, blocked_by, blocked_until, updated_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
            on conflict (guild_id, number) do update set
                base_id = excluded.base_id, name = excluded.name, intended_at = excluded.intended_at,
                channel_id = excluded.channel_id, uncertain_since = excluded.uncertain_since,
                stray_channels = excluded.stray_channels, blocked_why = excluded.blocked_why, blocked_at = excluded.blocked_at,
                blocked_by = excluded.blocked_by, blocked_until = excluded.blocked_until, updated_at = excluded.updated_at",
        )
        .bind(id)
        .bind(number(*key)?)
        .bind(convert::to_bigint(category.base.get())?)
        .bind(storable(&category.name))
        .bind(category.intended_at)
        .bind(channel.transpose()?)
        .bind(category.uncertain_since)
        .bind(strays.collect::<Result<Vec<_>, _>>()?)
        .bind(blocked.map(|blocked| storable(&blocked.why)))
        .bind(blocked.map(|blocked| blocked.at))
        .bind(blocked.map(|blocked| blocked.by.as_str()))
        .bind(blocked.and_then(|blocked| blocked.by.until()))
        .bind(now)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// The running matches of a guild that found no category with room.
pub async fn waiting(connection: &mut Connection, guild: GuildId) -> Result<Waiting, Error> {
    let rows = sqlx::query(
        "select count(*) as needed, coalesce(array_agg(distinct a.category_id) filter (where a.category_id is not null), '{}') as full_ones
        from active_matches a join matches m using (match_id)
        where a.guild_id = $1 and a.blocked_by = $2 and a.channel_id is null and m.closed_at is null and m.ended_at is null
        group by match_id order by match_id",
    )
    .bind(convert::to_bigint(guild.get())?)
    .bind(Obstacle::NoRoom.as_str())
    .fetch_all(connection)
    .await?;
    let mut waiting = Waiting::default();
    for row in rows {
        let needed: i64 = row.try_get("needed")?;
        let full: Vec<i64> = row.try_get("full_ones")?;
        waiting.needed.push(usize::try_from(needed).unwrap_or(0));
        for category in full {
            waiting.full.insert(convert::channel(category)?);
        }
    }
    Ok(waiting)
}

/// Guilds with categories of ours that nobody will ever look after again: their job is missing.
pub async fn without_job(connection: &mut Connection) -> Result<Vec<GuildId>, Error> {
    let rows = sqlx::query(
        "select distinct guild_id from overflow_categories
        where not exists (select from jobs where key = 'guild:' || guild_id)",
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| convert::guild(row.try_get("guild_id")?))
        .collect()
}
