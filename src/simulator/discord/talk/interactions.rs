//! The application's side of an interaction: one first answer within three seconds, then edits and further ones for fifteen minutes.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{
    Talk, body,
    pending::{
        At, BUTTON, CHOICES, COMMAND, DEFERRED, DEFERRED_UPDATE, FIRST_WITHIN, MESSAGE, Said, TOKEN_LASTS, UPDATE,
    },
    routes::Webhook,
};
use crate::simulator::{
    discord::{errors::Refusal, snowflake::Snowflake, world::Discord},
    exchange::{Answer, Call},
};

/// Flag 64: only who asked sees it.
const EPHEMERAL: u64 = 64;

/// A message of an interaction's; `@original` when it isn't named.
type Which<'a> = (Webhook<'a>, Option<Snowflake>);

/// The interaction that an application speaks of by its token, and which of the messages.
struct Spot {
    interaction: Snowflake,
    at: At,
}

impl Talk {
    pub(super) fn callback(
        &mut self,
        world: &mut Discord,
        call: &Call,
        (id, token): (Snowflake, &str),
        now: Duration,
    ) -> Result<Answer, Refusal> {
        let body = body::read(call)?;
        let pending = self.asked.get(&id).ok_or_else(Refusal::unknown_interaction)?;
        if pending.token != token {
            return Err(Refusal::unknown_interaction());
        }
        self.first_answer(world, id, &body, now)?;
        let wants = call
            .query("with_response")
            .is_some_and(|value| matches!(value.as_str(), "true" | "True" | "1"));
        if !wants {
            return Ok(Answer::empty(StatusCode::NO_CONTENT));
        }
        let pending = &self.asked[&id];
        let at = if pending.changes_the_message() {
            pending.on
        } else {
            Some(At::Answer(id, 0))
        };
        let mut resource = json!({ "type": body["type"] });
        let mut interaction = json!({ "id": id, "type": pending.kind });
        if let Some(message) = at.and_then(|at| self.show(world, at)) {
            interaction["response_message_id"] = message["id"].clone();
            resource["message"] = message;
        }
        Ok(Answer::json(
            StatusCode::OK,
            &json!({ "interaction": interaction, "resource": resource }),
        ))
    }

    /// However it came: as a call of its own, or as the answer to Discord's.
    pub(in crate::simulator) fn first_answer(
        &mut self,
        world: &mut Discord,
        id: Snowflake,
        body: &Value,
        now: Duration,
    ) -> Result<(), Refusal> {
        let pending = self.asked.get_mut(&id).ok_or_else(Refusal::unknown_interaction)?;
        if pending.answered.is_some() {
            return Err(Refusal::answered_already());
        }
        if now > pending.at + FIRST_WITHIN {
            return Err(Refusal::unknown_interaction());
        }
        let kind = body["type"].as_u64().unwrap_or_default();
        let fits = match pending.kind {
            COMMAND => matches!(kind, MESSAGE | DEFERRED),
            BUTTON => matches!(kind, MESSAGE | DEFERRED | DEFERRED_UPDATE | UPDATE),
            _ => kind == CHOICES,
        };
        if !fits {
            return Err(Refusal::field(
                "type",
                "INTERACTION_APPLICATION_COMMAND_INVALID_TYPE",
                "Wrong type of answer",
            ));
        }
        let data = &body["data"];
        body::check(data)?;
        if kind == MESSAGE {
            body::check_not_empty(data)?;
        }
        if kind == CHOICES {
            body::check_choices(data)?;
            pending.choices = data["choices"].clone();
        }
        pending.answered = Some(kind);
        pending.pinged |= body::pings(data);
        if matches!(kind, MESSAGE | DEFERRED) {
            pending.said.push(Said {
                id: world.mint.mint(now),
                body: if kind == MESSAGE { data.clone() } else { json!({}) },
                private: data["flags"].as_u64().unwrap_or_default() & EPHEMERAL != 0,
                thinking: kind == DEFERRED,
                deleted: false,
            });
        }
        if let Some(hears) = pending.hears.take() {
            // Nobody listens once Discord has given up.
            let _ = hears.send(body.clone());
        }
        if let (UPDATE, Some(on)) = (kind, pending.on) {
            self.lay_over(on, data);
        }
        Ok(())
    }

    fn by_token(&self, world: &Discord, webhook: Webhook<'_>, now: Duration) -> Result<Snowflake, Refusal> {
        if webhook.application != world.bot.id {
            return Err(Refusal::unknown_webhook());
        }
        let found = self.asked.iter().find(|(_, pending)| pending.token == webhook.token);
        let (id, pending) = found.ok_or_else(Refusal::unknown_webhook)?;
        if now > pending.at + TOKEN_LASTS {
            return Err(Refusal::invalid_webhook_token());
        }
        if pending.answered.is_none() {
            return Err(Refusal::unknown_webhook());
        }
        Ok(*id)
    }

    fn spot(&self, world: &Discord, (webhook, message): Which<'_>, now: Duration) -> Result<Spot, Refusal> {
        let interaction = self.by_token(world, webhook, now)?;
        let pending = &self.asked[&interaction];
        let at = if let Some(id) = message {
            let index = pending.said.iter().position(|said| said.id == id);
            index.map(|index| At::Answer(interaction, index))
        } else if pending.changes_the_message() {
            pending.on
        } else {
            Some(At::Answer(interaction, 0))
        };
        let there = |at: &At| match at {
            At::Answer(id, index) => self.asked[id].said.get(*index).is_some_and(|said| !said.deleted),
            At::Post(id) => self.posts.iter().any(|post| post.id == *id && !post.deleted),
        };
        let at = at.filter(there).ok_or_else(Refusal::unknown_message)?;
        Ok(Spot { interaction, at })
    }

    pub(super) fn show_answer(&mut self, world: &Discord, which: Which<'_>, now: Duration) -> Result<Answer, Refusal> {
        let spot = self.spot(world, which, now)?;
        let message = self.show(world, spot.at).ok_or_else(Refusal::unknown_message)?;
        Ok(Answer::json(StatusCode::OK, &message))
    }

    pub(super) fn edit_answer(
        &mut self,
        world: &Discord,
        call: &Call,
        which: Which<'_>,
        now: Duration,
    ) -> Result<Answer, Refusal> {
        let spot = self.spot(world, which, now)?;
        let body = body::read(call)?;
        body::check(&body)?;
        if let Some(pending) = self.asked.get_mut(&spot.interaction) {
            pending.pinged |= body::pings(&body);
        }
        self.lay_over(spot.at, &body);
        let message = self.show(world, spot.at).ok_or_else(Refusal::unknown_message)?;
        Ok(Answer::json(StatusCode::OK, &message))
    }

    pub(super) fn delete_answer(
        &mut self,
        world: &Discord,
        which: Which<'_>,
        now: Duration,
    ) -> Result<Answer, Refusal> {
        match self.spot(world, which, now)?.at {
            At::Answer(id, index) => {
                let pending = self.asked.get_mut(&id);
                if let Some(said) = pending.and_then(|pending| pending.said.get_mut(index)) {
                    said.deleted = true;
                }
            }
            At::Post(id) => {
                if let Some(post) = self.posts.iter_mut().find(|post| post.id == id) {
                    post.deleted = true;
                }
            }
        }
        Ok(Answer::empty(StatusCode::NO_CONTENT))
    }

    /// Right after a deferred answer it becomes that answer (Discord docs, Create Followup Message).
    pub(super) fn follow_up(
        &mut self,
        world: &mut Discord,
        call: &Call,
        webhook: Webhook<'_>,
        now: Duration,
    ) -> Result<Answer, Refusal> {
        let interaction = self.by_token(world, webhook, now)?;
        let body = body::read(call)?;
        body::check(&body)?;
        body::check_not_empty(&body)?;
        let pending = self.asked.get_mut(&interaction).ok_or_else(Refusal::unknown_webhook)?;
        pending.pinged |= body::pings(&body);
        let waits = pending.said.first().is_some_and(|said| said.thinking && !said.deleted);
        let index = if waits { 0 } else { pending.said.len() };
        if !waits {
            pending.said.push(Said {
                id: world.mint.mint(now),
                body: json!({}),
                private: body["flags"].as_u64().unwrap_or_default() & EPHEMERAL != 0,
                thinking: false,
                deleted: false,
            });
        }
        let at = At::Answer(interaction, index);
        self.lay_over(at, &body);
        let message = self.show(world, at).ok_or_else(Refusal::unknown_message)?;
        Ok(Answer::json(StatusCode::OK, &message))
    }
}
