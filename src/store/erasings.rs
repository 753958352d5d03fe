//! Table `erasings`: people who are being erased, and how far that is. Whoever changes a row locks it before anything else but the links.

use sqlx::Row;

use crate::{
    domain::{Timestamp, ids::UserId},
    store::{Connection, Error, convert, erasing::Scrubbing},
};

/// The erasing of this person, locked; with its number.
pub(super) async fn lock_of(connection: &mut Connection, user: UserId) -> Result<Option<(i64, Scrubbing)>, Error> {
    let row = sqlx::query("select number, state from erasings where discord_id = $1 for update")
        .bind(convert::to_bigint(user.get())?)
        .fetch_optional(connection)
        .await?;
    row.map(|row| Ok((row.try_get("number")?, read(&row)?))).transpose()
}

/// The one of this number, locked; None when it is done with.
pub async fn lock(connection: &mut Connection, number: i64) -> Result<Option<Scrubbing>, Error> {
    let row = sqlx::query("select state from erasings where number = $1 for update")
        .bind(number)
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(read).transpose()
}

/// Since when he is being erased.
pub(super) async fn since(connection: &mut Connection, user: UserId) -> Result<Option<Timestamp>, Error> {
    let row = sqlx::query("select asked_at from erasings where discord_id = $1")
        .bind(convert::to_bigint(user.get())?)
        .fetch_optional(connection)
        .await?;
    Ok(row.map(|row| row.try_get("asked_at")).transpose()?)
}

/// Gives the number of his erasing, a new one or that which he has.
pub(super) async fn put(
    connection: &mut Connection,
    user: UserId,
    scrubbing: &Scrubbing,
    now: Timestamp,
) -> Result<i64, Error> {
    let row = sqlx::query(
        "insert into erasings (discord_id, asked_at, state) values ($1, $2, $3)
        on conflict (discord_id) do update set asked_at = excluded.asked_at, state = excluded.state returning number",
    )
    .bind(convert::to_bigint(user.get())?)
    .bind(now)
    .bind(written(scrubbing)?)
    .fetch_one(connection)
    .await?;
    Ok(row.try_get("number")?)
}

/// Writes down how far it is.
pub async fn save(connection: &mut Connection, number: i64, scrubbing: &Scrubbing) -> Result<(), Error> {
    sqlx::query("update erasings set state = $2 where number = $1")
        .bind(number)
        .bind(written(scrubbing)?)
        .execute(connection)
        .await?;
    Ok(())
}

pub async fn remove(connection: &mut Connection, number: i64) -> Result<(), Error> {
    sqlx::query("delete from erasings where number = $1")
        .bind(number)
        .execute(connection)
        .await?;
    Ok(())
}

fn written(scrubbing: &Scrubbing) -> Result<serde_json::Value, Error> {
    serde_json::to_value(scrubbing).map_err(|_| Error::Unexpected("an erasing can't be written".to_owned()))
}

/// The parser's own words may quote whom it is about.
fn read(row: &sqlx::postgres::PgRow) -> Result<Scrubbing, Error> {
    serde_json::from_value(row.try_get("state")?)
        .map_err(|_| Error::Unexpected("a stored erasing can't be read".to_owned()))
}
