//! Messages in channels and to one person: posted, changed, deleted. Who takes no direct messages answers 50007.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{Post, Talk, body, snowflake};
use crate::simulator::{
    discord::{errors::Refusal, snowflake::Snowflake, world::Discord},
    exchange::{Answer, Call},
};

impl Talk {
    pub(super) fn open_direct(&mut self, world: &mut Discord, call: &Call, now: Duration) -> Result<Answer, Refusal> {
        let body = body::read(call)?;
        let user = snowflake("recipient_id", body["recipient_id"].as_str().unwrap_or_default())?;
        if world.deleted_users.contains(&user) {
            return Err(Refusal::unknown_user());
        }
        let known = self.direct.iter().find(|(_, whose)| **whose == user).map(|(id, _)| *id);
        let id = known.unwrap_or_else(|| world.mint.mint(now));
        self.direct.insert(id, user);
        let body = json!({"id": id, "type": 1, "last_message_id": null, "flags": 0, "recipients": []});
        Ok(Answer::json(StatusCode::OK, &body))
    }

    pub(super) fn post(
        &mut self,
        world: &mut Discord,
        call: &Call,
        channel: &str,
        now: Duration,
    ) -> Result<Answer, Refusal> {
        let channel = snowflake("channel_id", channel)?;
        let to = self.place(world, channel)?;
        let shared = |user: &Snowflake| world.guilds.values().any(|guild| guild.members.contains_key(user));
        if let Some(user) = to
            && (self.closed.contains(&user) || !shared(&user))
        {
            return Err(Refusal::takes_no_messages());
        }
        let body = body::read(call)?;
        body::check(&body)?;
        let post = Post {
            id: world.mint.mint(now),
            channel_id: channel,
            to,
            content: body["content"].as_str().unwrap_or_default().to_owned(),
            embeds: body["embeds"].clone(),
            components: body["components"].clone(),
            edits: 0,
            deleted: false,
        };
        let answer = Answer::json(StatusCode::OK, &message(&post, world));
        self.posts.push(post);
        Ok(answer)
    }

    pub(super) fn edit(&mut self, world: &Discord, call: &Call, channel: &str, id: &str) -> Result<Answer, Refusal> {
        let body = body::read(call)?;
        body::check(&body)?;
        let post = self.find(world, channel, id)?;
        post.edits += 1;
        if let Some(content) = body["content"].as_str() {
            content.clone_into(&mut post.content);
        }
        for (name, place) in [("embeds", &mut post.embeds), ("components", &mut post.components)] {
            if let Some(value) = body.get(name) {
                *place = value.clone();
            }
        }
        Ok(Answer::json(StatusCode::OK, &message(post, world)))
    }

    pub(super) fn delete(&mut self, world: &Discord, channel: &str, id: &str) -> Result<Answer, Refusal> {
        self.find(world, channel, id)?.deleted = true;
        Ok(Answer::empty(StatusCode::NO_CONTENT))
    }

    fn find(&mut self, world: &Discord, channel: &str, id: &str) -> Result<&mut Post, Refusal> {
        let (channel, id) = (snowflake("channel_id", channel)?, snowflake("message_id", id)?);
        self.place(world, channel)?;
        let mut posts = self.posts.iter_mut();
        let post = posts.find(|post| post.id == id && post.channel_id == channel && !post.deleted);
        post.ok_or_else(Refusal::unknown_message)
    }

    /// Whose direct channel it is; none for one of a guild's.
    fn place(&self, world: &Discord, channel: Snowflake) -> Result<Option<Snowflake>, Refusal> {
        if let Some(user) = self.direct.get(&channel) {
            return Ok(Some(*user));
        }
        match world.guild_of(channel) {
            Some(_) => Ok(None),
            None => Err(Refusal::unknown_channel()),
        }
    }
}

/// OpenAPI `MessageResponse`, what clients need of it.
pub(super) fn message(post: &Post, world: &Discord) -> Value {
    json!({
        "id": post.id, "channel_id": post.channel_id, "content": post.content, "type": 0, "flags": 0,
        "author": {
            "id": world.bot.id, "username": world.bot.name, "discriminator": "0001", "avatar": null, "bot": true,
            "global_name": null, "public_flags": 0,
        },
        "timestamp": "2026-01-01T00:00:00.000000+00:00", "edited_timestamp": null, "tts": false, "mention_everyone": false,
        "mentions": [], "mention_roles": [], "attachments": [], "embeds": [], "pinned": false, "components": [],
    })
}
