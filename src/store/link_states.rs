//! Table `link_states`: sign-ins at FACEIT that are open. Token and state are stored as hashes; who reads the table can finish nothing.

use std::time::Duration;

use sha2::{Digest, Sha256};
use sqlx::{Row, postgres::PgRow};

use crate::{
    domain::{
        Timestamp,
        ids::{GuildId, UserId},
    },
    store::{Connection, Error, convert, storable},
};

/// How long somebody has to sign in.
pub const LASTS: Duration = Duration::from_secs(600);
/// Open sign-ins per user; a further one replaces the oldest.
pub const AT_MOST: i64 = 5;

/// Who wants to be linked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    pub user: UserId,
    /// What he is called in Discord.
    pub name: String,
    pub guild: Option<GuildId>,
}

/// What FACEIT sent a player back with.
#[derive(Debug, PartialEq, Eq)]
pub enum Taken {
    /// His state was good, and is used up now.
    Good {
        wish: Wish,
        verifier: String,
    },
    /// Never given out, used already, or so old that it is gone.
    Unknown,
    Expired,
    /// It was given to another browser.
    Foreign,
}

/// Opens a sign-in.
pub async fn open(connection: &mut Connection, token: &str, wish: &Wish, now: Timestamp) -> Result<(), Error> {
    let user = convert::to_bigint(wish.user.get())?;
    sqlx::query(
        "delete from link_states where expires_at <= $3 or token_hash in (
            select token_hash from link_states where discord_id = $1 and expires_at > $3 order by created_at desc offset $2)",
    )
    .bind(user)
    .bind(AT_MOST - 1)
    .bind(now)
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "insert into link_states (token_hash, discord_id, discord_name, guild_id, created_at, expires_at)
        values ($1, $2, $3, $4, $5, $6)",
    )
    .bind(hash(token))
    .bind(user)
    .bind(storable(&wish.name))
    .bind(wish.guild.map(|guild| convert::to_bigint(guild.get())).transpose()?)
    .bind(now)
    .bind(now + LASTS)
    .execute(connection)
    .await?;
    Ok(())
}

/// The player opened his address: from now on this state finishes it, and none that was given out for it before. None for a token that is not open.
pub async fn start(
    connection: &mut Connection,
    token: &str,
    state: &str,
    verifier: &str,
    now: Timestamp,
) -> Result<Option<Wish>, Error> {
    let row = sqlx::query(
        "update link_states set state_hash = $2, verifier = $3 where token_hash = $1 and expires_at > $4
        returning discord_id, discord_name, guild_id",
    )
    .bind(hash(token))
    .bind(hash(state))
    .bind(verifier)
    .bind(now)
    .fetch_optional(connection)
    .await?;
    row.map(|row| wish(&row)).transpose()
}

/// Uses a state up, whatever becomes of it. `token` is what the browser was given when it was sent to FACEIT.
pub async fn take(
    connection: &mut Connection,
    state: &str,
    token: Option<&str>,
    now: Timestamp,
) -> Result<Taken, Error> {
    let row = sqlx::query(
        "delete from link_states where state_hash = $1
        returning token_hash, verifier, discord_id, discord_name, guild_id, expires_at",
    )
    .bind(hash(state))
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(Taken::Unknown) };
    if row.try_get::<Timestamp, _>("expires_at")? <= now {
        return Ok(Taken::Expired);
    }
    if token.map(hash) != Some(row.try_get("token_hash")?) {
        return Ok(Taken::Foreign);
    }
    Ok(Taken::Good {
        wish: wish(&row)?,
        verifier: row.try_get("verifier")?,
    })
}

/// When each of a user's open sign-ins was begun.
pub async fn of_user(connection: &mut Connection, user: UserId) -> Result<Vec<Timestamp>, Error> {
    let rows = sqlx::query("select created_at from link_states where discord_id = $1 order by created_at")
        .bind(convert::to_bigint(user.get())?)
        .fetch_all(connection)
        .await?;
    rows.into_iter().map(|row| Ok(row.try_get("created_at")?)).collect()
}

/// Ends all sign-ins of a user; gives how many.
pub async fn delete_of(connection: &mut Connection, user: UserId) -> Result<u64, Error> {
    let done = sqlx::query("delete from link_states where discord_id = $1")
        .bind(convert::to_bigint(user.get())?)
        .execute(connection)
        .await?;
    Ok(done.rows_affected())
}

fn hash(secret: &str) -> Vec<u8> {
    Sha256::digest(secret.as_bytes()).to_vec()
}

fn wish(row: &PgRow) -> Result<Wish, Error> {
    Ok(Wish {
        user: convert::user(row.try_get("discord_id")?)?,
        name: row.try_get("discord_name")?,
        guild: row
            .try_get::<Option<i64>, _>("guild_id")?
            .map(convert::guild)
            .transpose()?,
    })
}
