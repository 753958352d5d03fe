//! An interaction from the question to the last answer: what was answered when, and which messages its asker sees of it.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::{Talk, messages};
use crate::simulator::{
    discord::{snowflake::Snowflake, world::Discord},
    state::ControlError,
};

/// How long Discord waits for the first answer.
pub(in crate::simulator) const FIRST_WITHIN: Duration = Duration::from_secs(3);
/// How long further ones are taken.
pub(super) const TOKEN_LASTS: Duration = Duration::from_secs(900);

/// Kinds of interactions.
pub(super) const COMMAND: u64 = 2;
pub(super) const BUTTON: u64 = 3;
pub(super) const TYPING: u64 = 4;

/// Kinds of first answers.
pub(super) const MESSAGE: u64 = 4;
pub(super) const DEFERRED: u64 = 5;
pub(super) const DEFERRED_UPDATE: u64 = 6;
pub(super) const UPDATE: u64 = 7;
pub(super) const CHOICES: u64 = 8;

/// Which message: of a channel, or the one that an interaction was answered with first (0) or later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    Post(Snowflake),
    Answer(Snowflake, usize),
}

/// A message that was an answer.
#[derive(Clone, Debug)]
pub(super) struct Said {
    pub id: Snowflake,
    /// Content, embeds, components, files, as the application gave them last.
    pub body: Value,
    /// Only who asked sees it.
    pub private: bool,
    /// Deferred: nothing was said yet.
    pub thinking: bool,
    pub deleted: bool,
}

/// What somebody asked the application, and what he sees of its answer.
#[derive(Debug)]
pub(super) struct Pending {
    pub token: String,
    /// Where it was asked.
    pub channel: Snowflake,
    /// The command's name, or the button's id.
    pub name: String,
    pub user: Snowflake,
    pub at: Duration,
    /// 2 command, 3 button, 4 typing.
    pub kind: u64,
    /// The message that the button is on.
    pub on: Option<At>,
    /// The type of the first answer.
    pub answered: Option<u64>,
    /// The first of them is `@original`, if the first answer was a message.
    pub said: Vec<Said>,
    pub choices: Value,
    /// The application mentioned somebody in a way that reaches him.
    pub pinged: bool,
    pub hears: Option<oneshot::Sender<Value>>,
}

impl Pending {
    pub(super) fn new(
        token: String,
        (channel, user): (Snowflake, Snowflake),
        at: Duration,
        (kind, name): (u64, String),
        on: Option<At>,
    ) -> (Self, oneshot::Receiver<Value>) {
        let (hears, answered) = oneshot::channel();
        let pending = Self {
            token,
            channel,
            name,
            user,
            at,
            kind,
            on,
            answered: None,
            said: Vec::new(),
            choices: Value::Null,
            pinged: false,
            hears: Some(hears),
        };
        (pending, answered)
    }

    /// Whether `@original` is the message that the button is on, and not one of its own.
    pub(super) fn changes_the_message(&self) -> bool {
        matches!(self.answered, Some(DEFERRED_UPDATE | UPDATE))
    }
}

impl Talk {
    /// What is seen of an answer: `state` is `waiting`, `failed` (no answer within 3 s), `thinking`, `answered` or `deleted`.
    pub(in crate::simulator) fn see(&self, id: &str, now: Duration) -> Result<Value, ControlError> {
        let id = super::ask::id(id)?;
        let none = || ControlError::Unknown(format!("there is no interaction {id}"));
        let pending = self.asked.get(&id).ok_or_else(none)?;
        let first = (!pending.changes_the_message()).then(|| pending.said.first()).flatten();
        let state = match (pending.answered, first) {
            (None, _) if now > pending.at + FIRST_WITHIN => "failed",
            (None, _) => "waiting",
            (_, Some(said)) if said.deleted => "deleted",
            (_, Some(said)) if said.thinking => "thinking",
            _ => "answered",
        };
        let shown = first.filter(|said| !said.deleted);
        let body = shown.map(|said| said.body.clone()).unwrap_or_default();
        let later = usize::from(first.is_some());
        let further = pending
            .said
            .iter()
            .skip(later)
            .filter(|said| !said.deleted)
            .map(|said| {
                let mut body = said.body.clone();
                body["id"] = json!(said.id);
                body["private"] = json!(said.private);
                body
            });
        Ok(json!({
            "state": state, "private": first.is_some_and(|said| said.private), "message_id": shown.map(|said| said.id),
            "content": body["content"], "components": body["components"], "embeds": body["embeds"],
            "files": body["files"], "choices": pending.choices, "further": further.collect::<Vec<_>>(),
            "pinged": pending.pinged,
        }))
    }

    /// The message with this button, if that person sees it. Named by its own id, or by that of the interaction it answered first.
    pub(super) fn with_button(&self, of: Snowflake, user: Snowflake, button: &str) -> Result<At, ControlError> {
        let unseen = || ControlError::Unknown(format!("{user} sees no button {button} there"));
        let at = self.find_message(of).ok_or_else(unseen)?;
        let (body, whose) = match at {
            At::Post(id) => {
                let post = self
                    .posts
                    .iter()
                    .find(|post| post.id == id && !post.deleted)
                    .ok_or_else(unseen)?;
                (json!({ "components": post.components }), post.to)
            }
            At::Answer(id, index) => {
                let pending = &self.asked[&id];
                let said = pending
                    .said
                    .get(index)
                    .filter(|said| !said.deleted)
                    .ok_or_else(unseen)?;
                (said.body.clone(), said.private.then_some(pending.user))
            }
        };
        let rows = body["components"].as_array().map_or(&[][..], Vec::as_slice);
        let there = rows.iter().filter_map(|row| row["components"].as_array()).flatten();
        let pressable = there
            .filter(|one| one["custom_id"] == button && one["disabled"] != true)
            .count()
            > 0;
        if pressable && whose.is_none_or(|whose| whose == user) {
            Ok(at)
        } else {
            Err(unseen())
        }
    }

    fn find_message(&self, id: Snowflake) -> Option<At> {
        if self.posts.iter().any(|post| post.id == id) {
            return Some(At::Post(id));
        }
        if let Some(pending) = self.asked.get(&id) {
            // Where a button changed the message that it is on, that one is the answer.
            return if pending.changes_the_message() {
                pending.on
            } else {
                Some(At::Answer(id, 0))
            };
        }
        self.asked.iter().find_map(|(interaction, pending)| {
            let index = pending.said.iter().position(|said| said.id == id)?;
            Some(At::Answer(*interaction, index))
        })
    }

    /// The message as the application is shown it.
    pub(super) fn show(&self, world: &Discord, at: At) -> Option<Value> {
        match at {
            At::Post(id) => {
                let post = self.posts.iter().find(|post| post.id == id)?;
                Some(messages::message(post, world))
            }
            At::Answer(interaction, index) => {
                let pending = self.asked.get(&interaction)?;
                Some(messages::answer(world, interaction, pending, pending.said.get(index)?))
            }
        }
    }

    /// Changes a message: fields that are named replace the old ones.
    pub(super) fn lay_over(&mut self, at: At, fields: &Value) {
        match at {
            At::Post(id) => {
                if let Some(post) = self.posts.iter_mut().find(|post| post.id == id) {
                    post.change(fields);
                }
            }
            At::Answer(interaction, index) => {
                let pending = self.asked.get_mut(&interaction);
                if let Some(said) = pending.and_then(|pending| pending.said.get_mut(index)) {
                    said.thinking = false;
                    for name in ["content", "embeds", "components", "files"] {
                        if let Some(value) = fields.get(name) {
                            said.body[name] = value.clone();
                        }
                    }
                }
            }
        }
    }
}
