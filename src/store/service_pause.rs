//! Table `service_pause`: whether all of Muster is paused. Changes come with their line in the audit log and with what follows from them.

use serde_json::json;
use sqlx::Row;

use crate::{
    domain::Timestamp,
    store::{
        Connection, Error,
        audit::{self, Actor, Entry},
        jobs, listener, storable,
    },
};

/// A pause that lasts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pause {
    pub since: Timestamp,
    pub reason: Option<String>,
}

/// The pause, while it lasts.
pub async fn load(connection: &mut Connection) -> Result<Option<Pause>, Error> {
    let row = sqlx::query("select since, reason from service_pause")
        .fetch_optional(connection)
        .await?;
    row.map(|row| {
        Ok(Pause {
            since: row.try_get("since")?,
            reason: row.try_get("reason")?,
        })
    })
    .transpose()
}

/// Pauses everything. Again changes only the reason.
pub async fn begin(
    connection: &mut Connection,
    actor: &Actor,
    reason: Option<&str>,
    now: Timestamp,
) -> Result<(), Error> {
    let changed = sqlx::query(
        "insert into service_pause (since, reason) values ($1, $2)
        on conflict (only_row) do update set reason = excluded.reason
        where service_pause.reason is distinct from excluded.reason",
    )
    .bind(now)
    .bind(reason.map(storable))
    .execute(&mut *connection)
    .await?;
    if changed.rows_affected() > 0 {
        note(connection, actor, "service.paused", reason, now).await?;
    }
    Ok(())
}

/// Goes on: all open matches are looked at at once.
pub async fn end(connection: &mut Connection, actor: &Actor, now: Timestamp) -> Result<(), Error> {
    let gone = sqlx::query("delete from service_pause")
        .execute(&mut *connection)
        .await?;
    if gone.rows_affected() > 0 {
        jobs::book_all_open(connection, now).await?;
        note(connection, actor, "service.resumed", None, now).await?;
        listener::notify(connection).await?;
    }
    Ok(())
}

async fn note(
    connection: &mut Connection,
    actor: &Actor,
    action: &str,
    reason: Option<&str>,
    now: Timestamp,
) -> Result<(), Error> {
    let entry = Entry {
        actor: actor.clone(),
        action: action.to_owned(),
        guild: None,
        subject: "service".to_owned(),
        before: None,
        after: reason.map(|reason| json!({ "reason": reason })),
    };
    audit::record(connection, &entry, now).await?;
    Ok(())
}
