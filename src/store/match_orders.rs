//! What staff orders for a match, whole: the wish, the booking, and its line in the audit log, all on the caller's transaction. Who may order what
//! is decided elsewhere.

use serde_json::{Value, json};

use crate::{
    domain::{
        Timestamp,
        ids::{GuildId, MatchId},
        job::JobKey,
    },
    store::{
        Connection, Error,
        audit::{self, Actor, Entry},
        guild_states, jobs, listener,
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
    note(connection, order, "match.sync", None).await
}

/// Has the match taken down at once, whatever FACEIT says, until it is run again. False when it is not being played and has nothing left to take down.
pub async fn take_down(connection: &mut Connection, order: &Order<'_>) -> Result<bool, Error> {
    let stands =
        sqlx::query("select from matches where match_id = $1 and closed_at is null and live_since is not null")
            .bind(order.id.as_str())
            .fetch_optional(&mut *connection)
            .await?;
    if stands.is_none() {
        return Ok(false);
    }
    // The job's row first, as a run does that saves.
    jobs::book(connection, &JobKey::sync_match(order.id), order.at).await?;
    sqlx::query("update matches set teardown_at = $2 where match_id = $1")
        .bind(order.id.as_str())
        .bind(order.at)
        .execute(&mut *connection)
        .await?;
    note(connection, order, "match.teardown", None).await?;
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
    note(connection, order, "match.move", Some(whom)).await?;
    Ok(true)
}

async fn note(connection: &mut Connection, order: &Order<'_>, action: &str, after: Option<Value>) -> Result<(), Error> {
    let entry = Entry {
        actor: order.actor.clone(),
        action: action.to_owned(),
        guild: Some(order.guild),
        subject: order.id.to_string(),
        before: None,
        after,
    };
    audit::record(connection, &entry, order.at).await?;
    listener::notify(connection).await
}
