//! Table `command_lists`: which slash commands Discord was told of, and where.

use sqlx::Row;

use crate::{
    domain::{Timestamp, ids::GuildId},
    store::{Connection, Error, convert},
};

/// What was told for one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandList {
    /// None: everywhere.
    pub guild: Option<GuildId>,
    pub hash: Vec<u8>,
}

/// Where an application has commands from us.
pub async fn of(connection: &mut Connection, application: u64) -> Result<Vec<CommandList>, Error> {
    let rows = sqlx::query("select guild_id, hash from command_lists where application_id = $1 order by guild_id")
        .bind(convert::to_bigint(application)?)
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|row| {
            let guild: i64 = row.try_get("guild_id")?;
            Ok(CommandList {
                guild: if guild == EVERYWHERE {
                    None
                } else {
                    Some(convert::guild(guild)?)
                },
                hash: row.try_get("hash")?,
            })
        })
        .collect()
}

pub async fn put(
    connection: &mut Connection,
    application: u64,
    guild: Option<GuildId>,
    hash: &[u8],
    now: Timestamp,
) -> Result<(), Error> {
    sqlx::query(
        "insert into command_lists (application_id, guild_id, hash, told_at) values ($1, $2, $3, $4)
        on conflict (application_id, guild_id) do update set hash = excluded.hash, told_at = excluded.told_at",
    )
    .bind(convert::to_bigint(application)?)
    .bind(place(guild)?)
    .bind(hash)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

pub async fn forget(connection: &mut Connection, application: u64, guild: Option<GuildId>) -> Result<(), Error> {
    sqlx::query("delete from command_lists where application_id = $1 and guild_id = $2")
        .bind(convert::to_bigint(application)?)
        .bind(place(guild)?)
        .execute(connection)
        .await?;
    Ok(())
}

const EVERYWHERE: i64 = 0;

fn place(guild: Option<GuildId>) -> Result<i64, Error> {
    guild.map_or(Ok(EVERYWHERE), |guild| convert::to_bigint(guild.get()))
}
