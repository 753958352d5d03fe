//! The routes of messages, commands and interactions, with their buckets; they are answered in the other rooms.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::simulator::discord::{
    limits::{Limits, Rate},
    routes::{Miss, id},
    snowflake::Snowflake,
};

/// The token of an interaction, with the application that says it is its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::simulator::discord) struct Webhook<'a> {
    pub application: Snowflake,
    pub token: &'a str,
}

/// A request of this room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::simulator::discord) enum Saying<'a> {
    OpenDirect,
    Post(Snowflake),
    Messages(Snowflake),
    Message(Snowflake, Snowflake),
    EditMessage(Snowflake, Snowflake),
    DeleteMessage(Snowflake, Snowflake),
    /// Of an application, everywhere or in one guild.
    Commands(Snowflake, Option<Snowflake>),
    SetCommands(Snowflake, Option<Snowflake>),
    FirstAnswer(Snowflake, &'a str),
    FollowUp(Webhook<'a>),
    /// Of a message, or of `@original`.
    Answer(Webhook<'a>, Option<Snowflake>),
    EditAnswer(Webhook<'a>, Option<Snowflake>),
    DeleteAnswer(Webhook<'a>, Option<Snowflake>),
}

impl<'a> Saying<'a> {
    /// `None` for every other route.
    pub(in crate::simulator::discord) fn read(method: &str, segments: &[&'a str]) -> Result<Option<Self>, Miss> {
        let channel = |text| id("channel_id", text);
        let message = |text| id("message_id", text);
        let app = |text| id("application_id", text);
        let guild = |text| id("guild_id", text);
        let which = |text: &str| {
            if text == "@original" {
                Ok(None)
            } else {
                id("message_id", text).map(Some)
            }
        };
        let webhook = |text, token: &'a str| {
            let application = id("webhook_id", text)?;
            Ok::<_, Miss>(Webhook { application, token })
        };
        Ok(Some(match (method, segments) {
            ("POST", ["users", "@me", "channels"]) => Self::OpenDirect,
            ("POST", ["channels", c, "messages"]) => Self::Post(channel(c)?),
            ("GET", ["channels", c, "messages"]) => Self::Messages(channel(c)?),
            ("GET", ["channels", c, "messages", m]) => Self::Message(channel(c)?, message(m)?),
            ("PATCH", ["channels", c, "messages", m]) => Self::EditMessage(channel(c)?, message(m)?),
            ("DELETE", ["channels", c, "messages", m]) => Self::DeleteMessage(channel(c)?, message(m)?),
            ("GET", ["applications", a, "commands"]) => Self::Commands(app(a)?, None),
            ("PUT", ["applications", a, "commands"]) => Self::SetCommands(app(a)?, None),
            ("GET", ["applications", a, "guilds", g, "commands"]) => Self::Commands(app(a)?, Some(guild(g)?)),
            ("PUT", ["applications", a, "guilds", g, "commands"]) => Self::SetCommands(app(a)?, Some(guild(g)?)),
            ("POST", ["interactions", i, token, "callback"]) => Self::FirstAnswer(id("interaction_id", i)?, token),
            ("POST", ["webhooks", a, token]) => Self::FollowUp(webhook(a, token)?),
            ("GET", ["webhooks", a, token, "messages", m]) => Self::Answer(webhook(a, token)?, which(m)?),
            ("PATCH", ["webhooks", a, token, "messages", m]) => Self::EditAnswer(webhook(a, token)?, which(m)?),
            ("DELETE", ["webhooks", a, token, "messages", m]) => Self::DeleteAnswer(webhook(a, token)?, which(m)?),
            _ => return Ok(None),
        }))
    }

    pub(in crate::simulator::discord) fn template(self) -> &'static str {
        match self {
            Self::OpenDirect => "POST /users/@me/channels",
            Self::Post(_) => "POST /channels/{channel_id}/messages",
            Self::Messages(_) => "GET /channels/{channel_id}/messages",
            Self::Message(..) => "GET /channels/{channel_id}/messages/{message_id}",
            Self::EditMessage(..) => "PATCH /channels/{channel_id}/messages/{message_id}",
            Self::DeleteMessage(..) => "DELETE /channels/{channel_id}/messages/{message_id}",
            Self::Commands(_, None) => "GET /applications/{application_id}/commands",
            Self::SetCommands(_, None) => "PUT /applications/{application_id}/commands",
            Self::Commands(..) => "GET /applications/{application_id}/guilds/{guild_id}/commands",
            Self::SetCommands(..) => "PUT /applications/{application_id}/guilds/{guild_id}/commands",
            Self::FirstAnswer(..) => "POST /interactions/{interaction_id}/{interaction_token}/callback",
            Self::FollowUp(_) => "POST /webhooks/{webhook_id}/{webhook_token}",
            Self::Answer(..) => "GET /webhooks/{webhook_id}/{webhook_token}/messages/{message_id}",
            Self::EditAnswer(..) => "PATCH /webhooks/{webhook_id}/{webhook_token}/messages/{message_id}",
            Self::DeleteAnswer(..) => "DELETE /webhooks/{webhook_id}/{webhook_token}/messages/{message_id}",
        }
    }

    /// A channel, a guild, or an interaction's token as a number.
    pub(in crate::simulator::discord) fn top_level(self) -> Option<Snowflake> {
        match self {
            Self::OpenDirect | Self::Commands(_, None) | Self::SetCommands(_, None) => None,
            Self::Post(id)
            | Self::Messages(id)
            | Self::Message(id, _)
            | Self::EditMessage(id, _)
            | Self::DeleteMessage(id, _)
            | Self::Commands(_, Some(id))
            | Self::SetCommands(_, Some(id)) => Some(id),
            Self::FirstAnswer(_, token)
            | Self::FollowUp(Webhook { token, .. })
            | Self::Answer(Webhook { token, .. }, _)
            | Self::EditAnswer(Webhook { token, .. }, _)
            | Self::DeleteAnswer(Webhook { token, .. }, _) => {
                let mut hasher = DefaultHasher::new();
                token.hash(&mut hasher);
                Some(Snowflake(hasher.finish()))
            }
        }
    }

    pub(in crate::simulator::discord) fn rate(self, limits: &Limits) -> Rate {
        match self {
            Self::Post(_) | Self::EditMessage(..) => limits.message,
            Self::FollowUp(_) | Self::EditAnswer(..) => limits.follow_up,
            _ => limits.other,
        }
    }

    /// Whoever has the token of an interaction may answer it.
    pub(in crate::simulator::discord) fn is_open(self) -> bool {
        matches!(
            self,
            Self::FirstAnswer(..)
                | Self::FollowUp(_)
                | Self::Answer(..)
                | Self::EditAnswer(..)
                | Self::DeleteAnswer(..)
        )
    }
}
