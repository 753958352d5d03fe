//! Table `gateway_lease`, and the advisory lock that goes with it: which process listens to Discord's gateway. The lock lives as long as the
//! connection that took it; whoever writes sessions does so on that very connection, so that nobody writes over his successor.

use sqlx::Row;

use crate::{
    domain::Timestamp,
    store::{Connection, Error},
};

/// The first half of the lock of the one that listens; the second is 0.
const LISTENING: i32 = 0x6d75_7367;
/// The same for those who start a session, by key: Discord allows one in five seconds for each.
const IDENTIFYING: i32 = 0x6d75_7369;

/// Becomes the process that listens, as long as this connection lives. False when another one is.
pub async fn try_take(connection: &mut Connection) -> Result<bool, Error> {
    try_lock(connection, LISTENING, 0).await
}

/// Becomes the one that starts a session, as long as this connection lives. False when another one does.
pub async fn try_identify(connection: &mut Connection, key: u32) -> Result<bool, Error> {
    let key = i32::try_from(key).map_err(|_| Error::Unexpected(format!("there is no key {key}")))?;
    try_lock(connection, IDENTIFYING, key).await
}

async fn try_lock(connection: &mut Connection, class: i32, number: i32) -> Result<bool, Error> {
    let row = sqlx::query("select pg_try_advisory_lock($1, $2) as locked")
        .bind(class)
        .bind(number)
        .fetch_one(connection)
        .await?;
    Ok(row.try_get("locked")?)
}

/// The one that listens says that it lives.
pub async fn beat(connection: &mut Connection, now: Timestamp) -> Result<(), Error> {
    sqlx::query(
        "insert into gateway_lease (beats, beaten_at) values (1, $1)
        on conflict (only_row) do update set beats = gateway_lease.beats + 1, beaten_at = excluded.beaten_at",
    )
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

/// How often it has said so.
pub async fn beats(connection: &mut Connection) -> Result<i64, Error> {
    let row = sqlx::query("select coalesce(max(beats), 0) as beats from gateway_lease")
        .fetch_one(connection)
        .await?;
    Ok(row.try_get("beats")?)
}

/// Ends the connection of the one that listens, whatever it is doing.
pub async fn expel(connection: &mut Connection) -> Result<(), Error> {
    sqlx::query(
        "select pg_terminate_backend(pid) from pg_locks
        where locktype = 'advisory' and granted and classid = $1::bigint::oid and objid = 0 and objsubid = 2
            and database = (select oid from pg_database where datname = current_database())",
    )
    .bind(i64::from(LISTENING))
    .execute(connection)
    .await?;
    Ok(())
}
