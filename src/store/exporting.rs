//! Everything stored about a person, gathered for himself.

use serde_json::{Value, json};

use crate::{
    domain::{Timestamp, ids::UserId},
    store::{
        Connection, Error, audit, convert, discord_tokens, erasings, link_states, linking, match_steps,
        person::{self, Person},
        sessions, users,
    },
};

/// Deliveries listed at most; more would fit into no message of Discord's.
const MOST: usize = 5_000;

/// An export in the making. What is large comes last and in pieces, so that whoever has no more time can stop.
#[derive(Clone, Debug)]
pub struct Export {
    person: Person,
    small: Value,
    deliveries: Vec<Value>,
    matches: Vec<Value>,
    deliveries_before: Option<i64>,
    matches_after: Option<String>,
}

impl Export {
    /// All but what FACEIT's messages and recorded matches say of him.
    pub async fn begin(connection: &mut Connection, user: UserId, now: Timestamp) -> Result<Self, Error> {
        let person = Person::of(connection, user).await?;
        let audit = audit::about(connection, user, &person.ids()).await?;
        let audit = audit.iter().map(entry_as_json).collect::<Result<Vec<_>, _>>()?;
        let sign_ins = link_states::of_user(connection, user).await?;
        let sign_ins = sign_ins
            .into_iter()
            .map(convert::to_text)
            .collect::<Result<Vec<_>, _>>()?;
        let erased = erasings::since(connection, user).await?;
        let small = json!({
            "discord_id": user.to_string(),
            "being_erased_since": erased.map(convert::to_text).transpose()?,
            "link": person.link.as_ref().map(linking::as_json).transpose()?,
            "open_sign_ins": sign_ins,
            "admin_account": account(connection, user, now).await?,
            "steps_in_matches": match_steps::about(connection, user).await?,
            "placed_in_matches": person::placed(connection, user).await?,
            "played_in_servers": person::guilds(connection, user).await?,
            "audit_log": audit,
        });
        Ok(Self {
            small,
            deliveries: Vec::new(),
            matches: Vec::new(),
            deliveries_before: Some(i64::MAX).filter(|_| !person.players.is_empty()),
            matches_after: Some(String::new()).filter(|_| !person.players.is_empty()),
            person,
        })
    }

    /// Looks through one more piece; false when nothing is left.
    pub async fn step(&mut self, connection: &mut Connection) -> Result<bool, Error> {
        if let Some(after) = &self.matches_after {
            let (found, next) = person::matches_after(connection, &self.person, after).await?;
            self.matches.extend(found.into_iter().map(|(id, _)| json!(id)));
            self.matches_after = next;
            return Ok(true);
        }
        let Some(before) = self.deliveries_before.filter(|_| self.deliveries.len() < MOST) else {
            return Ok(false);
        };
        let (found, next) = person::deliveries_before(connection, &self.person, before).await?;
        for delivery in found {
            self.deliveries.push(json!({
                "event": delivery.event,
                "match_id": delivery.match_id,
                "received_at": convert::to_text(delivery.received_at)?,
            }));
        }
        self.deliveries_before = next;
        Ok(true)
    }

    /// What was gathered, and whether that is all.
    pub fn into_json(self) -> Value {
        let mut all = self.small;
        all["matches_that_name_you"] = self.matches.into();
        all["deliveries_that_name_you"] = self.deliveries.into();
        all["complete"] = (self.matches_after.is_none() && self.deliveries_before.is_none()).into();
        all
    }
}

/// His account in the admin part; null when he never signed in there.
async fn account(connection: &mut Connection, user: UserId, now: Timestamp) -> Result<Value, Error> {
    let Some(stored) = users::find(connection, user).await? else {
        return Ok(Value::Null);
    };
    let session = |session: &sessions::StoredSession| {
        Ok::<_, Error>(json!({
            "since": convert::to_text(session.created_at)?,
            "last_used": convert::to_text(session.last_seen_at)?,
            "program": session.user_agent,
        }))
    };
    let sessions = sessions::of_user(connection, user, now).await?;
    let sessions = sessions.iter().map(session).collect::<Result<Vec<_>, _>>()?;
    let tokens = discord_tokens::find(connection, user).await?;
    Ok(json!({
        "username": stored.profile.username,
        "name": stored.profile.global_name,
        "avatar": stored.profile.avatar,
        "last_sign_in": convert::to_text(stored.last_login_at)?,
        "sessions": sessions,
        "discord_tokens": tokens.map(|_| "stored, sealed"),
    }))
}

fn entry_as_json(row: &audit::Recorded) -> Result<Value, Error> {
    Ok(json!({
        "at": convert::to_text(row.at)?,
        "source": row.entry.actor.source.as_str(),
        "by": row.entry.actor.name,
        "action": row.entry.action,
        "guild_id": row.entry.guild.map(|guild| guild.to_string()),
        "before": row.entry.before,
        "after": row.entry.after,
    }))
}
