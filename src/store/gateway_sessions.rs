//! Tables `gateway_sessions` and `gateway_guilds`: where each shard stopped listening, and what was known then. Written only by the process
//! that listens (`gateway_lease`).

use std::collections::BTreeMap;

use sqlx::{Connection as _, Row, postgres::PgRow};

use crate::{
    domain::{
        Timestamp,
        ids::GuildId,
        seats::{Kind, Place, Snapshot},
    },
    store::{Connection, Error, convert, storable},
};

/// A session of Discord's gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub id: String,
    pub resume_url: Option<String>,
    /// The last event that was taken in.
    pub sequence: u64,
}

/// A session with what was known when its last event was taken in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    pub session: Session,
    pub guilds: BTreeMap<GuildId, Snapshot>,
}

/// What is new since the last time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    pub session: Session,
    /// Nothing that was stored before is true any more.
    pub whole: bool,
    /// Guilds of which something changed; None for those that the bot is no longer in.
    pub guilds: BTreeMap<GuildId, Option<Snapshot>>,
}

/// The session to go on with. One of another number of shards is not for us: its guilds are others.
pub async fn load(connection: &mut Connection, shard: u32, shards: u32) -> Result<Option<Stored>, Error> {
    let row = sqlx::query(
        "select session_id, resume_url, sequence from gateway_sessions where shard_id = $1 and shard_count = $2",
    )
    .bind(to_integer(shard)?)
    .bind(to_integer(shards)?)
    .fetch_optional(&mut *connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let session = Session {
        id: row.try_get("session_id")?,
        resume_url: row.try_get("resume_url")?,
        sequence: u64::try_from(row.try_get::<i64, _>("sequence")?).unwrap_or_default(),
    };
    let rows = sqlx::query(
        "select guild_id, unavailable, users, seats, channels, kinds, parents from gateway_guilds where shard_id = $1",
    )
    .bind(to_integer(shard)?)
    .fetch_all(connection)
    .await?;
    let guilds = rows.iter().map(guild).collect::<Result<_, Error>>()?;
    Ok(Some(Stored { session, guilds }))
}

fn guild(row: &PgRow) -> Result<(GuildId, Snapshot), Error> {
    let (users, seats): (Vec<i64>, Vec<i64>) = (row.try_get("users")?, row.try_get("seats")?);
    let (channels, kinds): (Vec<i64>, Vec<i16>) = (row.try_get("channels")?, row.try_get("kinds")?);
    let parents: Vec<i64> = row.try_get("parents")?;
    let seats = users.into_iter().zip(seats);
    let places = channels.into_iter().zip(kinds.into_iter().zip(parents));
    let snapshot = Snapshot {
        seats: seats
            .map(|(user, seat)| Ok((convert::user(user)?, convert::channel(seat)?)))
            .collect::<Result<_, Error>>()?,
        channels: places
            .map(|(channel, (kind, parent))| {
                let place = Place {
                    kind: Kind::of(u8::try_from(kind).unwrap_or_default()),
                    parent: convert::channel(parent).ok(),
                };
                Ok((convert::channel(channel)?, place))
            })
            .collect::<Result<_, Error>>()?,
        unavailable: row.try_get("unavailable")?,
    };
    Ok((convert::guild(row.try_get("guild_id")?)?, snapshot))
}

/// Writes what is new, as one. Another division into shards, or another session, is simply written over; guilds that are not named stay.
pub async fn save(
    connection: &mut Connection,
    shard: u32,
    shards: u32,
    news: &News,
    now: Timestamp,
) -> Result<(), Error> {
    let mut tx = connection.begin().await?;
    let sequence = i64::try_from(news.session.sequence).unwrap_or(i64::MAX);
    sqlx::query(
        "insert into gateway_sessions (shard_id, shard_count, session_id, resume_url, sequence, saved_at)
        values ($1, $2, $3, $4, $5, $6)
        on conflict (shard_id) do update set
            shard_count = excluded.shard_count, session_id = excluded.session_id, resume_url = excluded.resume_url,
            sequence = excluded.sequence, saved_at = excluded.saved_at",
    )
    .bind(to_integer(shard)?)
    .bind(to_integer(shards)?)
    .bind(storable(&news.session.id))
    .bind(news.session.resume_url.as_deref().map(storable))
    .bind(sequence)
    .bind(now)
    .execute(&mut *tx)
    .await?;
    if news.whole {
        sqlx::query("delete from gateway_guilds where shard_id = $1")
            .bind(to_integer(shard)?)
            .execute(&mut *tx)
            .await?;
    }
    for (guild, snapshot) in &news.guilds {
        match snapshot {
            Some(snapshot) => save_guild(&mut tx, shard, *guild, snapshot).await?,
            None => {
                sqlx::query("delete from gateway_guilds where guild_id = $1")
                    .bind(convert::to_bigint(guild.get())?)
                    .execute(&mut *tx)
                    .await?;
            }
        }
    }
    Ok(tx.commit().await?)
}

async fn save_guild(connection: &mut Connection, shard: u32, guild: GuildId, snapshot: &Snapshot) -> Result<(), Error> {
    let bigint = convert::to_bigint;
    let ids = |ids: &mut dyn Iterator<Item = u64>| ids.map(bigint).collect::<Result<Vec<i64>, Error>>();
    let places = snapshot.channels.values();
    sqlx::query(
        "insert into gateway_guilds (guild_id, shard_id, unavailable, users, seats, channels, kinds, parents)
        values ($1, $2, $3, $4, $5, $6, $7, $8)
        on conflict (guild_id) do update set
            shard_id = excluded.shard_id, unavailable = excluded.unavailable, users = excluded.users,
            seats = excluded.seats, channels = excluded.channels, kinds = excluded.kinds, parents = excluded.parents",
    )
    .bind(bigint(guild.get())?)
    .bind(to_integer(shard)?)
    .bind(snapshot.unavailable)
    .bind(ids(&mut snapshot.seats.keys().map(|user| user.get()))?)
    .bind(ids(&mut snapshot.seats.values().map(|seat| seat.get()))?)
    .bind(ids(&mut snapshot.channels.keys().map(|channel| channel.get()))?)
    .bind(
        places
            .clone()
            .map(|place| i16::from(place.kind.number()))
            .collect::<Vec<_>>(),
    )
    .bind(ids(
        &mut places.map(|place| place.parent.map_or(0, |parent| parent.get()))
    )?)
    .execute(connection)
    .await?;
    Ok(())
}

fn to_integer(number: u32) -> Result<i32, Error> {
    i32::try_from(number).map_err(|_| Error::Unexpected(format!("there are not {number} shards")))
}
