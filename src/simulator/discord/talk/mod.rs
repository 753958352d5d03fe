//! What an application says to people: messages in channels, direct messages, commands and the answers to them. Without reactions, threads, embeds
//! looked into, or limits of its own (set a fault for those).

pub(in crate::simulator) mod ask;
mod body;
mod commands;
mod interactions;
mod messages;
mod options;
pub(in crate::simulator) mod pending;
mod signing;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use axum::http::StatusCode;
use ed25519_dalek::SigningKey;
use serde::Serialize;
use serde_json::{Value, json};

pub use self::ask::{Ask, Asked, Signature};
use super::{Answered, errors::Refusal, snowflake::Snowflake, world::Discord};
use crate::simulator::exchange::{Answer, Call};

/// The same in every world, so that settings can be written down.
const KEY: [u8; 32] = *b"the simulated application's seed";

/// Everything that was said.
#[derive(Debug)]
pub(in crate::simulator) struct Talk {
    pub(in crate::simulator) key: SigningKey,
    /// Where interactions go by HTTP, when an address is set.
    pub(in crate::simulator) target: Option<String>,
    /// Direct channels, and whose they are.
    direct: BTreeMap<Snowflake, Snowflake>,
    /// People who take no direct messages.
    pub(in crate::simulator) closed: BTreeSet<Snowflake>,
    posts: Vec<Post>,
    /// Of a guild, or (`None`) those that show everywhere.
    commands: BTreeMap<Option<Snowflake>, Vec<Value>>,
    asked: BTreeMap<Snowflake, pending::Pending>,
}

/// A message in a channel.
#[derive(Clone, Debug, Serialize)]
pub struct Post {
    pub id: Snowflake,
    pub channel_id: Snowflake,
    /// Whom it was for, when it is a direct message.
    pub to: Option<Snowflake>,
    pub content: String,
    pub embeds: Value,
    pub components: Value,
    pub edits: u32,
    pub deleted: bool,
}

impl Talk {
    pub(in crate::simulator) fn new() -> Self {
        Self {
            key: SigningKey::from_bytes(&KEY),
            target: None,
            direct: BTreeMap::new(),
            closed: BTreeSet::new(),
            posts: Vec::new(),
            commands: BTreeMap::new(),
            asked: BTreeMap::new(),
        }
    }

    /// As it stands in the developer portal: 64 hexadecimal digits.
    pub(in crate::simulator) fn public_key() -> String {
        let key = SigningKey::from_bytes(&KEY).verifying_key();
        key.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Everything posted, the oldest first.
    pub(in crate::simulator) fn posts(&self) -> Vec<Post> {
        self.posts.clone()
    }

    /// Answers what belongs here; `None` for every other route.
    pub(super) fn answer(&mut self, world: &mut Discord, call: &Call, path: &str, now: Duration) -> Option<Answered> {
        let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let token = call
            .header("authorization")
            .and_then(|value| value.strip_prefix("Bot "));
        let authorized = token == Some(world.bot.token.as_str());
        let method = call.method.as_str();
        let result = match (method, segments.as_slice()) {
            // Whoever has the token of an interaction may answer it.
            ("POST", ["interactions", id, token, "callback"]) => self.callback(world, call, id, token, now),
            ("GET", ["webhooks", app, token, "messages", id]) => self.show_answer(world, [app, token, id], now),
            ("PATCH", ["webhooks", app, token, "messages", id]) => self.edit_answer(world, call, [app, token, id], now),
            ("DELETE", ["webhooks", app, token, "messages", id]) => self.delete_answer(world, [app, token, id], now),
            ("POST", ["webhooks", app, token]) => self.follow_up(world, call, app, token, now),
            ("POST", ["users", "@me", "channels"])
            | ("POST" | "PATCH" | "DELETE", ["channels", _, "messages", ..])
            | ("PUT" | "GET", ["applications", _, "commands"] | ["applications", _, "guilds", _, "commands"])
                if !authorized =>
            {
                Err(Refusal::unauthorized())
            }
            ("POST", ["users", "@me", "channels"]) => self.open_direct(world, call, now),
            ("POST", ["channels", channel, "messages"]) => self.post(world, call, channel, now),
            ("PATCH", ["channels", channel, "messages", id]) => self.edit(world, call, channel, id),
            ("DELETE", ["channels", channel, "messages", id]) => self.delete(world, channel, id),
            ("PUT", ["applications", app, "commands"]) => self.set_commands(world, call, app, None, now),
            ("PUT", ["applications", app, "guilds", guild, "commands"]) => {
                self.set_commands(world, call, app, Some(guild), now)
            }
            ("GET", ["applications", _, "commands"]) => Ok(Answer::json(StatusCode::OK, &json!(self.commands(None)))),
            _ => return None,
        };
        Some((result.unwrap_or_else(Answer::from), true))
    }
}

fn snowflake(name: &'static str, text: &str) -> Result<Snowflake, Refusal> {
    text.parse().map_err(|_| {
        Refusal::field(
            name,
            "NUMBER_TYPE_COERCE",
            &format!("Value \"{text}\" is not snowflake."),
        )
    })
}
