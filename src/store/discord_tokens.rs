//! Table `discord_tokens`: people's Discord tokens, sealed, and who may refresh them now. Opens none of them.

use sqlx::{Row, postgres::PgRow};

use crate::{
    domain::{Timestamp, ids::UserId},
    store::{Connection, Error, convert},
};

/// As sealed elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedTokens {
    pub user: UserId,
    pub key: String,
    pub bytes: Vec<u8>,
    /// When the access token ends.
    pub expires_at: Timestamp,
}

pub async fn find(connection: &mut Connection, user: UserId) -> Result<Option<SealedTokens>, Error> {
    let row = sqlx::query("select user_id, key_id, sealed, expires_at from discord_tokens where user_id = $1")
        .bind(convert::to_bigint(user.get())?)
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(stored).transpose()
}

/// Both tokens at once, whatever was there; a running refresh of older ones loses its lease.
pub async fn save(connection: &mut Connection, tokens: &SealedTokens, now: Timestamp) -> Result<(), Error> {
    sqlx::query(
        "insert into discord_tokens (user_id, key_id, sealed, expires_at, updated_at) values ($1, $2, $3, $4, $5)
        on conflict (user_id) do update set key_id = excluded.key_id, sealed = excluded.sealed,
            expires_at = excluded.expires_at, updated_at = excluded.updated_at, lease = null, leased_until = null",
    )
    .bind(convert::to_bigint(tokens.user.get())?)
    .bind(&tokens.key)
    .bind(&tokens.bytes)
    .bind(tokens.expires_at)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

/// Takes the right to refresh these very tokens; false when they have changed or another has it.
pub async fn lease(
    connection: &mut Connection,
    tokens: &SealedTokens,
    lease: i64,
    now: Timestamp,
    until: Timestamp,
) -> Result<bool, Error> {
    let done = sqlx::query(
        "update discord_tokens set lease = $3, leased_until = $5
        where user_id = $1 and sealed = $2 and (leased_until is null or leased_until <= $4)",
    )
    .bind(convert::to_bigint(tokens.user.get())?)
    .bind(&tokens.bytes)
    .bind(lease)
    .bind(now)
    .bind(until)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Puts the new pair in place of the leased one; false when the lease was lost meanwhile.
pub async fn replace(
    connection: &mut Connection,
    tokens: &SealedTokens,
    lease: i64,
    now: Timestamp,
) -> Result<bool, Error> {
    let done = sqlx::query(
        "update discord_tokens set key_id = $3, sealed = $4, expires_at = $5, updated_at = $6, lease = null, leased_until = null
        where user_id = $1 and lease = $2",
    )
    .bind(convert::to_bigint(tokens.user.get())?)
    .bind(lease)
    .bind(&tokens.key)
    .bind(&tokens.bytes)
    .bind(tokens.expires_at)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Gives a lease back after a refresh that came to nothing.
pub async fn release(connection: &mut Connection, user: UserId, lease: i64) -> Result<(), Error> {
    sqlx::query("update discord_tokens set lease = null, leased_until = null where user_id = $1 and lease = $2")
        .bind(convert::to_bigint(user.get())?)
        .bind(lease)
        .execute(connection)
        .await?;
    Ok(())
}

pub async fn remove(connection: &mut Connection, user: UserId) -> Result<(), Error> {
    sqlx::query("delete from discord_tokens where user_id = $1")
        .bind(convert::to_bigint(user.get())?)
        .execute(connection)
        .await?;
    Ok(())
}

/// Those that need another key than this one.
pub async fn not_sealed_with(connection: &mut Connection, key: &str) -> Result<Vec<SealedTokens>, Error> {
    let rows = sqlx::query(
        "select user_id, key_id, sealed, expires_at from discord_tokens where key_id <> $1 order by user_id",
    )
    .bind(key)
    .fetch_all(connection)
    .await?;
    rows.iter().map(stored).collect()
}

/// The same tokens under another key; false when they were refreshed meanwhile, which has sealed them anew anyway.
pub async fn reseal(
    connection: &mut Connection,
    old: &SealedTokens,
    key: &str,
    bytes: &[u8],
    now: Timestamp,
) -> Result<bool, Error> {
    let done = sqlx::query(
        "update discord_tokens set key_id = $3, sealed = $4, updated_at = $5 where user_id = $1 and sealed = $2",
    )
    .bind(convert::to_bigint(old.user.get())?)
    .bind(&old.bytes)
    .bind(key)
    .bind(bytes)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

fn stored(row: &PgRow) -> Result<SealedTokens, Error> {
    Ok(SealedTokens {
        user: convert::user(row.try_get("user_id")?)?,
        key: row.try_get("key_id")?,
        bytes: row.try_get("sealed")?,
        expires_at: row.try_get("expires_at")?,
    })
}
