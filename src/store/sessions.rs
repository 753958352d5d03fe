//! Tables `sessions` and `used_states`: who is signed in, and which sign-ins came back already. Knows ids by their hash only.

use std::collections::BTreeSet;

use sqlx::{Row, postgres::PgRow};

use crate::{
    domain::{Timestamp, ids::UserId},
    store::{Connection, Error, convert, storable},
};

/// SHA-256 of a session's secret id.
pub type SessionHash = [u8; 32];

/// A session that may be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSession {
    pub id: SessionHash,
    pub user: UserId,
    pub created_at: Timestamp,
    pub last_seen_at: Timestamp,
    pub expires_at: Timestamp,
    pub user_agent: Option<String>,
}

pub async fn insert(connection: &mut Connection, session: &StoredSession) -> Result<(), Error> {
    sqlx::query(
        "insert into sessions (id, user_id, created_at, last_seen_at, expires_at, user_agent)
        values ($1, $2, $3, $4, $5, $6)",
    )
    .bind(session.id.as_slice())
    .bind(convert::to_bigint(session.user.get())?)
    .bind(session.created_at)
    .bind(session.last_seen_at)
    .bind(session.expires_at)
    .bind(session.user_agent.as_deref().map(storable))
    .execute(connection)
    .await?;
    Ok(())
}

/// None when it was ended or has expired.
pub async fn find(
    connection: &mut Connection,
    id: &SessionHash,
    now: Timestamp,
) -> Result<Option<StoredSession>, Error> {
    let row = sqlx::query(
        "select id, user_id, created_at, last_seen_at, expires_at, user_agent from sessions
        where id = $1 and expires_at > $2",
    )
    .bind(id.as_slice())
    .bind(now)
    .fetch_optional(connection)
    .await?;
    row.as_ref().map(stored).transpose()
}

/// Which of these have neither ended nor expired.
pub async fn living(
    connection: &mut Connection,
    ids: &[SessionHash],
    now: Timestamp,
) -> Result<BTreeSet<SessionHash>, Error> {
    let ids: Vec<&[u8]> = ids.iter().map(<[u8; 32]>::as_slice).collect();
    let rows = sqlx::query("select id from sessions where id = any ($1) and expires_at > $2")
        .bind(ids)
        .bind(now)
        .fetch_all(connection)
        .await?;
    rows.iter().map(|row| hash(row.try_get("id")?)).collect()
}

/// Says that it was used, and until when it lives now.
pub async fn touch(
    connection: &mut Connection,
    id: &SessionHash,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<(), Error> {
    sqlx::query("update sessions set last_seen_at = $2, expires_at = $3 where id = $1")
        .bind(id.as_slice())
        .bind(now)
        .bind(expires_at)
        .execute(connection)
        .await?;
    Ok(())
}

/// A person's sessions, the latest used first.
pub async fn of_user(connection: &mut Connection, user: UserId, now: Timestamp) -> Result<Vec<StoredSession>, Error> {
    let rows = sqlx::query(
        "select id, user_id, created_at, last_seen_at, expires_at, user_agent from sessions
        where user_id = $1 and expires_at > $2 order by last_seen_at desc, id",
    )
    .bind(convert::to_bigint(user.get())?)
    .bind(now)
    .fetch_all(connection)
    .await?;
    rows.iter().map(stored).collect()
}

/// Ends one session of that person; false when there is none such.
pub async fn end(connection: &mut Connection, user: UserId, id: &SessionHash) -> Result<bool, Error> {
    let done = sqlx::query("delete from sessions where user_id = $1 and id = $2")
        .bind(convert::to_bigint(user.get())?)
        .bind(id.as_slice())
        .execute(connection)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends every session of that person; says how many.
pub async fn end_all(connection: &mut Connection, user: UserId) -> Result<u64, Error> {
    let done = sqlx::query("delete from sessions where user_id = $1")
        .bind(convert::to_bigint(user.get())?)
        .execute(connection)
        .await?;
    Ok(done.rows_affected())
}

/// Removes what has expired, with the tokens of those who have no session left; says how many sessions that were.
pub async fn remove_expired(connection: &mut Connection, now: Timestamp) -> Result<u64, Error> {
    let done = sqlx::query("delete from sessions where expires_at <= $1")
        .bind(now)
        .execute(&mut *connection)
        .await?;
    sqlx::query("delete from used_states where expires_at <= $1")
        .bind(now)
        .execute(&mut *connection)
        .await?;
    // Not those of somebody who is signing in at this moment, and whose session can't be seen yet.
    sqlx::query(
        "delete from discord_tokens where updated_at <= $1 - interval '1 minute'
            and not exists (select from sessions where sessions.user_id = discord_tokens.user_id)",
    )
    .bind(now)
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// Takes a state as used; false when it was before.
pub async fn use_state(connection: &mut Connection, id: &[u8; 32], expires_at: Timestamp) -> Result<bool, Error> {
    let done = sqlx::query("insert into used_states (id, expires_at) values ($1, $2) on conflict do nothing")
        .bind(id.as_slice())
        .bind(expires_at)
        .execute(connection)
        .await?;
    Ok(done.rows_affected() == 1)
}

fn stored(row: &PgRow) -> Result<StoredSession, Error> {
    Ok(StoredSession {
        id: hash(row.try_get("id")?)?,
        user: convert::user(row.try_get("user_id")?)?,
        created_at: row.try_get("created_at")?,
        last_seen_at: row.try_get("last_seen_at")?,
        expires_at: row.try_get("expires_at")?,
        user_agent: row.try_get("user_agent")?,
    })
}

fn hash(id: Vec<u8>) -> Result<SessionHash, Error> {
    let wrong = |_| Error::Unexpected("a stored session id has not 32 bytes".to_owned());
    id.try_into().map_err(wrong)
}
