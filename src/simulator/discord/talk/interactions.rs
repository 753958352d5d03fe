//! The application's side of an interaction: one first answer within three seconds, then edits and further ones for fifteen minutes.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{Talk, body, snowflake};
use crate::simulator::{
    discord::{errors::Refusal, snowflake::Snowflake, world::Discord},
    exchange::{Answer, Call},
};

const FIRST_WITHIN: Duration = Duration::from_secs(3);
const TOKEN_LASTS: Duration = Duration::from_secs(900);

const MESSAGE: u64 = 4;
const DEFERRED: u64 = 5;
const DEFERRED_UPDATE: u64 = 6;
const UPDATE: u64 = 7;
const CHOICES: u64 = 8;

/// Flag 64: only who asked sees it.
const EPHEMERAL: u64 = 64;

/// What somebody asked the application, and what he sees of its answer.
#[derive(Debug)]
pub(super) struct Pending {
    pub token: String,
    pub user: Snowflake,
    pub at: Duration,
    /// 2 command, 3 button, 4 autocomplete.
    pub kind: u64,
    /// The interaction whose message the button is on.
    pub of: Option<Snowflake>,
    /// The type of the first answer.
    pub answered: Option<u64>,
    pub shown: Option<Value>,
    pub private: bool,
    pub choices: Value,
    pub further: Vec<Value>,
    /// The application mentioned somebody in a way that reaches him.
    pub pinged: bool,
}

impl Talk {
    pub(super) fn callback(
        &mut self,
        world: &Discord,
        call: &Call,
        id: &str,
        token: &str,
        now: Duration,
    ) -> Result<Answer, Refusal> {
        let id = snowflake("interaction_id", id)?;
        let body = body::read(call)?;
        let pending = self.asked.get(&id).ok_or_else(Refusal::unknown_interaction)?;
        if pending.token != token || now > pending.at + FIRST_WITHIN {
            return Err(Refusal::unknown_interaction());
        }
        let _ = world;
        self.first_answer(id, &body)?;
        Ok(Answer::empty(StatusCode::NO_CONTENT))
    }

    /// However it came: as a call of its own, or as the answer to Discord's.
    pub(super) fn first_answer(&mut self, id: Snowflake, body: &Value) -> Result<(), Refusal> {
        let pending = self.asked.get_mut(&id).ok_or_else(Refusal::unknown_interaction)?;
        if pending.answered.is_some() {
            return Err(Refusal::answered_already());
        }
        let kind = body["type"].as_u64().unwrap_or_default();
        let fits = match pending.kind {
            2 => matches!(kind, MESSAGE | DEFERRED),
            3 => matches!(kind, MESSAGE | DEFERRED | DEFERRED_UPDATE | UPDATE),
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
        pending.answered = Some(kind);
        pending.private = data["flags"].as_u64().unwrap_or_default() & EPHEMERAL != 0;
        pending.pinged |= body::pings(data);
        match kind {
            MESSAGE => pending.shown = Some(data.clone()),
            CHOICES => {
                if data["choices"].as_array().is_none_or(|choices| choices.len() > 25) {
                    return Err(Refusal::field(
                        "choices",
                        "BASE_TYPE_MAX_LENGTH",
                        "Must be 25 or fewer in length.",
                    ));
                }
                pending.choices = data["choices"].clone();
            }
            UPDATE => {
                let (of, data) = (pending.of, data.clone());
                self.lay_over(of, &data);
            }
            _ => {}
        }
        Ok(())
    }

    fn by_token(&mut self, world: &Discord, app: &str, token: &str, now: Duration) -> Result<Snowflake, Refusal> {
        if snowflake("webhook_id", app)? != world.bot.id {
            return Err(Refusal::unknown_webhook());
        }
        let found = self.asked.iter().find(|(_, pending)| pending.token == token);
        let (id, pending) = found.ok_or_else(Refusal::unknown_webhook)?;
        if now > pending.at + TOKEN_LASTS {
            return Err(Refusal::invalid_webhook_token());
        }
        if pending.answered.is_none() {
            return Err(Refusal::unknown_webhook());
        }
        Ok(*id)
    }

    pub(super) fn edit_original(
        &mut self,
        world: &Discord,
        call: &Call,
        app: &str,
        token: &str,
        now: Duration,
    ) -> Result<Answer, Refusal> {
        let id = self.by_token(world, app, token, now)?;
        let body = body::read(call)?;
        body::check(&body)?;
        let pending = self.asked.get_mut(&id).ok_or_else(Refusal::unknown_webhook)?;
        pending.pinged |= body::pings(&body);
        match pending.answered {
            Some(DEFERRED_UPDATE | UPDATE) => {
                let of = pending.of;
                self.lay_over(of, &body);
            }
            _ => lay(pending.shown.get_or_insert_with(|| json!({})), &body),
        }
        Ok(Answer::json(
            StatusCode::OK,
            &json!({"id": id, "content": body["content"]}),
        ))
    }

    pub(super) fn follow_up(
        &mut self,
        world: &mut Discord,
        call: &Call,
        app: &str,
        token: &str,
        now: Duration,
    ) -> Result<Answer, Refusal> {
        let id = self.by_token(world, app, token, now)?;
        let body = body::read(call)?;
        body::check(&body)?;
        let message = world.mint.mint(now);
        if let Some(pending) = self.asked.get_mut(&id) {
            pending.pinged |= body::pings(&body);
            pending.further.push(body);
        }
        Ok(Answer::json(StatusCode::OK, &json!({"id": message})))
    }

    fn lay_over(&mut self, of: Option<Snowflake>, body: &Value) {
        if let Some(shown) = of.and_then(|id| self.asked.get_mut(&id)) {
            lay(shown.shown.get_or_insert_with(|| json!({})), body);
        }
    }
}

/// Fields that an edit names replace the old ones.
fn lay(shown: &mut Value, body: &Value) {
    for name in ["content", "embeds", "components", "files"] {
        if let Some(value) = body.get(name) {
            shown[name] = value.clone();
        }
    }
}
