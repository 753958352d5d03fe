//! What an application says to people: messages in channels, direct messages, commands and the answers to them. Without reactions, threads, or embeds
//! looked into.

pub(in crate::simulator) mod ask;
mod body;
mod commands;
mod interactions;
mod messages;
mod options;
pub(in crate::simulator) mod pending;
pub(super) mod routes;
mod signing;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use ed25519_dalek::SigningKey;
use serde::Serialize;
use serde_json::Value;

pub use self::ask::{Ask, Asked, Signature};
use self::routes::Saying;
use super::{errors::Refusal, snowflake::Snowflake, world::Discord};
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
    /// The bot or the person who wrote it.
    pub author: Snowflake,
    /// Whom it was for, when it is a direct message.
    pub to: Option<Snowflake>,
    pub content: String,
    pub embeds: Value,
    pub components: Value,
    /// Whom it may ping, as it was posted; null: everybody whom it names.
    pub allowed_mentions: Value,
    pub edits: u32,
    pub deleted: bool,
    /// What the client named it, when it was to be taken once only.
    pub nonce: Option<String>,
    #[serde(skip)]
    at: Duration,
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

    /// Somebody writes into a channel.
    pub(in crate::simulator) fn say(
        &mut self,
        world: &mut Discord,
        (author, channel_id): (Snowflake, Snowflake),
        content: &str,
        now: Duration,
    ) {
        let post = Post {
            id: world.mint.mint(now),
            channel_id,
            author,
            to: None,
            content: content.to_owned(),
            embeds: Value::Null,
            components: Value::Null,
            allowed_mentions: Value::Null,
            edits: 0,
            deleted: false,
            nonce: None,
            at: now,
        };
        self.posts.push(post);
    }

    pub(in crate::simulator) fn delete_post(&mut self, id: Snowflake) {
        let posts = self.posts.iter_mut().filter(|post| post.id == id);
        posts.for_each(|post| post.deleted = true);
    }

    /// Answers what belongs here.
    pub(super) fn answer(
        &mut self,
        world: &mut Discord,
        saying: Saying<'_>,
        call: &Call,
        now: Duration,
    ) -> Result<Answer, Refusal> {
        match saying {
            Saying::OpenDirect => self.open_direct(world, call, now),
            Saying::Post(channel) => self.post(world, call, channel, now),
            Saying::Messages(channel) => self.list_messages(world, call, channel),
            Saying::Message(channel, id) => self.show_message(world, channel, id),
            Saying::EditMessage(channel, id) => self.edit(world, call, channel, id),
            Saying::DeleteMessage(channel, id) => self.delete(world, channel, id),
            Saying::Commands(application, guild) => self.list_commands(world, application, guild),
            Saying::SetCommands(application, guild) => self.set_commands(world, call, (application, guild), now),
            Saying::FirstAnswer(id, token) => self.callback(world, call, (id, token), now),
            Saying::FollowUp(webhook) => self.follow_up(world, call, webhook, now),
            Saying::Answer(webhook, message) => self.show_answer(world, (webhook, message), now),
            Saying::EditAnswer(webhook, message) => self.edit_answer(world, call, (webhook, message), now),
            Saying::DeleteAnswer(webhook, message) => self.delete_answer(world, (webhook, message), now),
        }
    }
}
