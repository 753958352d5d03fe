//! Messages in channels and to one person: posted, changed, deleted. Who takes no direct messages answers 50007.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{
    Post, Talk, body,
    pending::{At, BUTTON, Pending, Said},
};
use crate::simulator::{
    discord::{
        errors::Refusal,
        permissions::Bits,
        shapes,
        snowflake::Snowflake,
        world::{Bot, Discord, Kind},
    },
    exchange::{Answer, Call},
};

/// "The past few minutes" in which an enforced nonce is looked for (API reference, *Create Message*).
const NONCE_HOLDS: Duration = Duration::from_secs(300);

impl Talk {
    pub(super) fn open_direct(&mut self, world: &mut Discord, call: &Call, now: Duration) -> Result<Answer, Refusal> {
        let body = body::read(call)?;
        // Text or a number: libraries differ.
        let text = body["recipient_id"]
            .as_str()
            .map_or_else(|| body["recipient_id"].to_string(), str::to_owned);
        let wrong = |_| {
            Refusal::field(
                "recipient_id",
                "NUMBER_TYPE_COERCE",
                &format!("Value \"{text}\" is not snowflake."),
            )
        };
        let user: Snowflake = text.parse().map_err(wrong)?;
        if world.deleted_users.contains(&user) {
            return Err(Refusal::unknown_user());
        }
        let recipient = world.show_user(user)?;
        let id = self.direct_with(world, user, now);
        let body = json!({"id": id, "type": 1, "last_message_id": null, "flags": 0, "recipients": [recipient]});
        Ok(Answer::json(StatusCode::OK, &body))
    }

    /// The channel for messages to one person, always the same.
    pub(super) fn direct_with(&mut self, world: &mut Discord, user: Snowflake, now: Duration) -> Snowflake {
        let known = self.direct.iter().find(|(_, whose)| **whose == user).map(|(id, _)| *id);
        let id = known.unwrap_or_else(|| world.mint.mint(now));
        self.direct.insert(id, user);
        id
    }

    pub(super) fn post(
        &mut self,
        world: &mut Discord,
        call: &Call,
        channel: Snowflake,
        now: Duration,
    ) -> Result<Answer, Refusal> {
        let to = self.place(world, channel, Bits::SEND_MESSAGES)?;
        let shared = |user: &Snowflake| world.guilds.values().any(|guild| guild.members.contains_key(user));
        if let Some(user) = to
            && (self.closed.contains(&user) || !shared(&user))
        {
            return Err(Refusal::takes_no_messages());
        }
        let body = body::read(call)?;
        body::check(&body)?;
        body::check_not_empty(&body)?;
        let nonce = match &body["nonce"] {
            Value::Null => None,
            Value::String(text) if text.chars().count() > 25 => {
                return Err(Refusal::field(
                    "nonce",
                    "BASE_TYPE_MAX_LENGTH",
                    "Must be 25 or fewer in length.",
                ));
            }
            Value::String(text) => Some(text.clone()),
            number => Some(number.to_string()),
        };
        let nonce = nonce.filter(|_| body["enforce_nonce"] == true);
        let author = world.caller;
        let same = |post: &&Post| post.nonce == nonce && post.author == author && now < post.at + NONCE_HOLDS;
        if nonce.is_some()
            && let Some(post) = self.posts.iter().find(same)
        {
            return Ok(Answer::json(StatusCode::OK, &message(post, world)));
        }
        let post = Post {
            id: world.mint.mint(now),
            channel_id: channel,
            author,
            to,
            content: body["content"].as_str().unwrap_or_default().to_owned(),
            embeds: body["embeds"].clone(),
            components: body["components"].clone(),
            allowed_mentions: body["allowed_mentions"].clone(),
            edits: 0,
            deleted: false,
            nonce,
            at: now,
        };
        let answer = Answer::json(StatusCode::OK, &message(&post, world));
        self.posts.push(post);
        Ok(answer)
    }

    /// The newest first. Without READ_MESSAGE_HISTORY there are none; of those "after" a message, the oldest (API reference, *Get Channel
    /// Messages*).
    pub(super) fn list_messages(
        &mut self,
        world: &Discord,
        call: &Call,
        channel: Snowflake,
    ) -> Result<Answer, Refusal> {
        let in_guild = self.place(world, channel, Bits::VIEW_CHANNEL)?.is_none();
        let limit = match call.query("limit").map(|text| text.parse::<usize>()) {
            None => 50,
            Some(Ok(limit @ 1..=100)) => limit,
            Some(Ok(0) | Err(_)) => {
                let why = "int value should be greater than or equal to 1.";
                return Err(Refusal::field("limit", "NUMBER_TYPE_MIN", why));
            }
            Some(Ok(_)) => {
                let why = "int value should be less than or equal to 100.";
                return Err(Refusal::field("limit", "NUMBER_TYPE_MAX", why));
            }
        };
        let bound = |name: &str| {
            let Some(text) = call.query(name) else { return Ok(None) };
            let wrong = format!("Value \"{text}\" is not snowflake.");
            let id = text.parse::<u64>().map(Snowflake);
            id.map(Some)
                .map_err(|_| Refusal::field(name, "NUMBER_TYPE_COERCE", &wrong))
        };
        let (after, before) = (bound("after")?, bound("before")?);
        if call.query("around").is_some() || (after.is_some() && before.is_some()) {
            return Err(Refusal::not_modelled("messages around one, or between two"));
        }
        if in_guild && world.channel_for(channel, Bits::READ_MESSAGE_HISTORY).is_err() {
            return Ok(Answer::json(StatusCode::OK, &json!([])));
        }
        let fits = |post: &&Post| {
            let beyond = after.is_none_or(|after| post.id > after) && before.is_none_or(|before| post.id < before);
            post.channel_id == channel && !post.deleted && beyond
        };
        let mut found: Vec<&Post> = self.posts.iter().filter(fits).collect();
        if after.is_none() {
            found.drain(..found.len().saturating_sub(limit));
        }
        found.truncate(limit);
        let shown = found.into_iter().rev().map(|post| read(post, world));
        Ok(Answer::json(StatusCode::OK, &shown.collect::<Value>()))
    }

    pub(super) fn show_message(
        &mut self,
        world: &Discord,
        channel: Snowflake,
        id: Snowflake,
    ) -> Result<Answer, Refusal> {
        let post = self.find(world, channel, id)?;
        Ok(Answer::json(StatusCode::OK, &read(post, world)))
    }

    pub(super) fn edit(
        &mut self,
        world: &Discord,
        call: &Call,
        channel: Snowflake,
        id: Snowflake,
    ) -> Result<Answer, Refusal> {
        let body = body::read(call)?;
        body::check(&body)?;
        let post = self.find(world, channel, id)?;
        if post.author != world.caller {
            return Err(Refusal::not_the_author());
        }
        post.change(&body);
        Ok(Answer::json(StatusCode::OK, &message(post, world)))
    }

    pub(super) fn delete(&mut self, world: &Discord, channel: Snowflake, id: Snowflake) -> Result<Answer, Refusal> {
        let post = self.find(world, channel, id)?;
        if post.author != world.caller {
            return Err(Refusal::not_modelled("the deletion of somebody else's message"));
        }
        post.deleted = true;
        Ok(Answer::empty(StatusCode::NO_CONTENT))
    }

    fn find(&mut self, world: &Discord, channel: Snowflake, id: Snowflake) -> Result<&mut Post, Refusal> {
        self.place(world, channel, Bits::VIEW_CHANNEL)?;
        let mut posts = self.posts.iter_mut();
        let post = posts.find(|post| post.id == id && post.channel_id == channel && !post.deleted);
        post.ok_or_else(Refusal::unknown_message)
    }

    /// Whose direct channel it is; none for one of a guild's, where the bot needs these permissions.
    fn place(&self, world: &Discord, channel: Snowflake, wanted: Bits) -> Result<Option<Snowflake>, Refusal> {
        if let Some(user) = self.direct.get(&channel) {
            return Ok(Some(*user));
        }
        let (_, channel) = world.channel_for(channel, wanted)?;
        if channel.kind == Kind::Category {
            return Err(Refusal::not_a_text_channel());
        }
        Ok(None)
    }
}

impl Post {
    /// Fields that are named replace the old ones.
    pub(super) fn change(&mut self, fields: &Value) {
        self.edits += 1;
        if let Some(content) = fields["content"].as_str() {
            content.clone_into(&mut self.content);
        }
        for (name, place) in [("embeds", &mut self.embeds), ("components", &mut self.components)] {
            if let Some(value) = fields.get(name) {
                *place = value.clone();
            }
        }
    }
}

/// OpenAPI `MessageResponse`, what clients need of it.
pub(super) fn message(post: &Post, world: &Discord) -> Value {
    let edited = (post.edits > 0).then_some(shapes::JOINED_AT);
    let said = json!({ "content": post.content, "embeds": post.embeds, "components": post.components });
    let author = world.bots().find(|bot| bot.id == post.author);
    let mut body = written(author.unwrap_or(&world.bot), post.id, &said, edited);
    if author.is_none() {
        body["author"] = world.show_user(post.author).unwrap_or_default();
    }
    body["channel_id"] = json!(post.channel_id);
    body
}

/// As the asking bot may read it: what others wrote has content for those whom it mentions, or who hold the privileged intent, which no bot holds
/// here (Discord docs, Gateway, *Message Content Intent*).
fn read(post: &Post, world: &Discord) -> Value {
    let mut body = message(post, world);
    let caller = world.bots().find(|bot| bot.id == world.caller);
    let mentioned = caller.filter(|bot| post.content.contains(&format!("<@{}>", bot.id)));
    if let Some(bot) = mentioned {
        body["mentions"] = json!([shapes::bot_user(bot)]);
    } else if post.author != world.caller && post.to.is_none() {
        for (name, nothing) in [("content", json!("")), ("embeds", json!([])), ("components", json!([]))] {
            body[name] = nothing;
        }
    }
    body
}

/// The same of an answer to an interaction.
pub(super) fn answer(world: &Discord, interaction: Snowflake, asked: &Pending, said: &Said) -> Value {
    let mut body = written(&world.bot, said.id, &said.body, None);
    // EPHEMERAL and LOADING.
    let flags = u64::from(said.private) << 6 | u64::from(said.thinking) << 7;
    let guild = world.guild_of(asked.channel).map(|guild| guild.id);
    let mut asker = json!({
        "id": interaction, "type": asked.kind, "user": world.show_user(asked.user).unwrap_or_default(),
        "authorizing_integration_owners": { "0": guild.unwrap_or(Snowflake(0)) },
    });
    if asked.kind == BUTTON {
        let on = match asked.on {
            Some(At::Post(id) | At::Answer(id, _)) => id,
            None => said.id,
        };
        asker["interacted_message_id"] = json!(on);
    } else {
        asker["name"] = json!(asked.name);
        asker["command_type"] = json!(1);
    }
    for (name, value) in [
        ("channel_id", json!(asked.channel)),
        ("type", json!(20)),
        ("flags", json!(flags)),
        ("application_id", json!(world.bot.id)),
        ("webhook_id", json!(world.bot.id)),
        ("interaction_metadata", asker),
    ] {
        body[name] = value;
    }
    body
}

fn written(author: &Bot, id: Snowflake, said: &Value, edited: Option<&str>) -> Value {
    let list = |name: &str| said[name].as_array().cloned().unwrap_or_default();
    json!({
        "id": id, "content": said["content"].as_str().unwrap_or_default(), "type": 0, "flags": 0,
        "author": shapes::bot_user(author), "timestamp": shapes::JOINED_AT, "edited_timestamp": edited,
        "tts": false, "mention_everyone": false, "mentions": [], "mention_roles": [], "attachments": [],
        "embeds": list("embeds"), "pinned": false, "components": numbered(list("components"), &mut 0),
    })
}

/// Components without an id get one, counted through the message (Discord docs, Component Reference).
fn numbered(mut components: Vec<Value>, last: &mut u64) -> Vec<Value> {
    for component in &mut components {
        *last += 1;
        if component["id"].as_u64().is_none_or(|id| id == 0) {
            component["id"] = json!(*last);
        }
        if let Some(inner) = component["components"].as_array() {
            component["components"] = json!(numbered(inner.clone(), last));
        }
    }
    components
}
