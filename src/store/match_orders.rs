//! What staff orders for a match, whole: the wish, the booking, and its line in the audit log, all on the caller's transaction. Who may order what
//! is decided elsewhere.

use serde_json::{Value, json};
use sqlx::Row;

use crate::{
    domain::{
        Timestamp,
        ids::{GuildId, MatchId},
        job::JobKey,
    },
    store::{
        Connection, Error,
        audit::{self, Actor, Entry},
        convert, guild_states, jobs, listener,
        match_members::{self, Whom},
    },
};

/// Who orders something for which match, and when.
#[derive(Clone, Debug)]
pub struct Order<'a> {
    pub actor: &'a Actor,
    pub guild: GuildId,
    pub id: &'a MatchId,
    pub at: Timestamp,
}

/// Has the match looked at again; what was refused to it is tried again, and a dead job gets a new life.
pub async fn look_again(connection: &mut Connection, order: &Order<'_>) -> Result<(), Error> {
    guild_states::note_wish(connection, order.id, order.at).await?;
    jobs::book(connection, &JobKey::sync_match(order.id), order.at).await?;
    note(connection, order, "match.sync", (None, None)).await
}

/// Has the match taken down at once, whatever FACEIT says, until it is run again. False when it is not being played and has nothing left to take down.
pub async fn take_down(connection: &mut Connection, order: &Order<'_>) -> Result<bool, Error> {
    let stands = sqlx::query(
        "select status, ended_at, teardown_at from matches
        where match_id = $1 and closed_at is null and live_since is not null",
    )
    .bind(order.id.as_str())
    .fetch_optional(&mut *connection)
    .await?;
    let Some(stands) = stands else {
        return Ok(false);
    };
    let time = |column: &str| {
        let at: Option<Timestamp> = stands.try_get(column)?;
        at.map(convert::to_text).transpose()
    };
    let before = json!({
        "status": stands.try_get::<Option<String>, _>("status")?,
        "ended_at": time("ended_at")?,
        "teardown_at": time("teardown_at")?,
    });
    // The job's row first, as a run does that saves.
    jobs::book(connection, &JobKey::sync_match(order.id), order.at).await?;
    sqlx::query("update matches set teardown_at = $2 where match_id = $1")
        .bind(order.id.as_str())
        .bind(order.at)
        .execute(&mut *connection)
        .await?;
    let after = json!({ "teardown_at": convert::to_text(order.at)? });
    note(connection, order, "match.teardown", (Some(before), Some(after))).await?;
    Ok(true)
}

/// Has people moved into their channels once more, wherever they went. False when the match does not run.
pub async fn move_again(connection: &mut Connection, order: &Order<'_>, whom: Whom) -> Result<bool, Error> {
    if !match_members::request_move(connection, order.id, whom, order.at).await? {
        return Ok(false);
    }
    let whom = match whom {
        Whom::One(user) => json!({ "user_id": user.to_string() }),
        Whom::Everybody => json!({ "user_id": null }),
    };
    note(connection, order, "match.move", (None, Some(whom))).await?;
    Ok(true)
}

async fn note(
    connection: &mut Connection,
    order: &Order<'_>,
    action: &str,
    (before, after): (Option<Value>, Option<Value>),
) -> Result<(), Error> {
    let entry = Entry {
        actor: order.actor.clone(),
        action: action.to_owned(),
        guild: Some(order.guild),
        subject: order.id.to_string(),
        before,
        after,
    };
    audit::record(connection, &entry, order.at).await?;
    listener::notify(connection).await
}
