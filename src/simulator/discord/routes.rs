//! What a Discord request asks for: the route table, its templates and top-level ids; it answers nothing itself.

use axum::http::Method;

use super::{
    errors::Refusal,
    limits::{Limits, Rate},
    snowflake::Snowflake,
    talk::routes::Saying,
};

/// A request the simulator knows, with the ids in its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route<'a> {
    Gateway,
    GatewayBot,
    Application,
    CurrentUser,
    CurrentUserGuilds,
    User(Snowflake),
    Guild(Snowflake),
    Roles(Snowflake),
    ListChannels(Snowflake),
    CreateChannel(Snowflake),
    Channel(Snowflake),
    EditChannel(Snowflake),
    DeleteChannel(Snowflake),
    PutOverwrite(Snowflake, Snowflake),
    DeleteOverwrite(Snowflake, Snowflake),
    Member(Snowflake, Snowflake),
    EditMember(Snowflake, Snowflake),
    VoiceState(Snowflake, Snowflake),
    OwnVoiceState(Snowflake),
    /// Messages, commands, and answers to people.
    Say(Saying<'a>),
}

/// Why a request is none of these.
#[derive(Debug)]
pub(super) enum Miss {
    /// Real or not, the simulator doesn't know it.
    Unknown,
    /// A known path with another method.
    Method,
    /// Something that is no id where one belongs.
    Refused(Refusal),
}

impl<'a> Route<'a> {
    /// Reads the segments of `/guilds/1000/channels`, without the API prefix.
    pub(super) fn read(method: &Method, segments: &[&'a str]) -> Result<Self, Miss> {
        if let Some(saying) = Saying::read(method.as_str(), segments)? {
            return Ok(Self::Say(saying));
        }
        let guild = |text| id("guild_id", text);
        let channel = |text| id("channel_id", text);
        let user = |text| id("user_id", text);
        Ok(match (method.as_str(), segments) {
            ("GET", ["gateway"]) => Self::Gateway,
            ("GET", ["gateway", "bot"]) => Self::GatewayBot,
            ("GET", ["applications", "@me"] | ["oauth2", "applications", "@me"]) => Self::Application,
            ("GET", ["users", "@me"]) => Self::CurrentUser,
            ("GET", ["users", "@me", "guilds"]) => Self::CurrentUserGuilds,
            ("GET", ["users", u]) => Self::User(user(u)?),
            ("GET", ["guilds", g]) => Self::Guild(guild(g)?),
            ("GET", ["guilds", g, "roles"]) => Self::Roles(guild(g)?),
            ("GET", ["guilds", g, "channels"]) => Self::ListChannels(guild(g)?),
            ("POST", ["guilds", g, "channels"]) => Self::CreateChannel(guild(g)?),
            ("GET", ["channels", c]) => Self::Channel(channel(c)?),
            ("PATCH", ["channels", c]) => Self::EditChannel(channel(c)?),
            ("DELETE", ["channels", c]) => Self::DeleteChannel(channel(c)?),
            ("PUT", ["channels", c, "permissions", o]) => Self::PutOverwrite(channel(c)?, id("overwrite_id", o)?),
            ("DELETE", ["channels", c, "permissions", o]) => Self::DeleteOverwrite(channel(c)?, id("overwrite_id", o)?),
            ("GET", ["guilds", g, "members", u]) => Self::Member(guild(g)?, user(u)?),
            ("PATCH", ["guilds", g, "members", u]) if *u != "@me" => Self::EditMember(guild(g)?, user(u)?),
            ("GET", ["guilds", g, "voice-states", "@me"]) => Self::OwnVoiceState(guild(g)?),
            ("GET", ["guilds", g, "voice-states", u]) => Self::VoiceState(guild(g)?, user(u)?),
            ("POST" | "PUT" | "DELETE", ["users", "@me"] | ["gateway"] | ["gateway", "bot"]) => {
                return Err(Miss::Method);
            }
            _ => return Err(Miss::Unknown),
        })
    }

    /// Method and template, the first half of a bucket's key.
    pub(super) fn template(self) -> &'static str {
        match self {
            Self::Gateway => "GET /gateway",
            Self::GatewayBot => "GET /gateway/bot",
            Self::Application => "GET /applications/@me",
            Self::CurrentUser => "GET /users/@me",
            Self::CurrentUserGuilds => "GET /users/@me/guilds",
            Self::User(_) => "GET /users/{user_id}",
            Self::Guild(_) => "GET /guilds/{guild_id}",
            Self::Roles(_) => "GET /guilds/{guild_id}/roles",
            Self::ListChannels(_) => "GET /guilds/{guild_id}/channels",
            Self::CreateChannel(_) => "POST /guilds/{guild_id}/channels",
            Self::Channel(_) => "GET /channels/{channel_id}",
            Self::EditChannel(_) => "PATCH /channels/{channel_id}",
            Self::DeleteChannel(_) => "DELETE /channels/{channel_id}",
            Self::PutOverwrite(..) => "PUT /channels/{channel_id}/permissions/{overwrite_id}",
            Self::DeleteOverwrite(..) => "DELETE /channels/{channel_id}/permissions/{overwrite_id}",
            Self::Member(..) => "GET /guilds/{guild_id}/members/{user_id}",
            Self::EditMember(..) => "PATCH /guilds/{guild_id}/members/{user_id}",
            Self::VoiceState(..) => "GET /guilds/{guild_id}/voice-states/{user_id}",
            Self::OwnVoiceState(_) => "GET /guilds/{guild_id}/voice-states/@me",
            Self::Say(saying) => saying.template(),
        }
    }

    /// The guild or channel in the path, the other half; a user's id is none.
    pub(super) fn top_level(self) -> Option<Snowflake> {
        match self {
            Self::Gateway
            | Self::GatewayBot
            | Self::Application
            | Self::CurrentUser
            | Self::CurrentUserGuilds
            | Self::User(_) => None,
            Self::Guild(id)
            | Self::Roles(id)
            | Self::ListChannels(id)
            | Self::CreateChannel(id)
            | Self::Channel(id)
            | Self::EditChannel(id)
            | Self::DeleteChannel(id)
            | Self::PutOverwrite(id, _)
            | Self::DeleteOverwrite(id, _)
            | Self::Member(id, _)
            | Self::EditMember(id, _)
            | Self::VoiceState(id, _)
            | Self::OwnVoiceState(id) => Some(id),
            Self::Say(saying) => saying.top_level(),
        }
    }

    pub(super) fn rate(self, limits: &Limits) -> Rate {
        match self {
            Self::EditMember(..) => limits.member_edit,
            Self::CreateChannel(_) => limits.channel_create,
            Self::EditChannel(_) => limits.channel_edit,
            Self::DeleteChannel(_) => limits.channel_delete,
            Self::PutOverwrite(..) | Self::DeleteOverwrite(..) => limits.overwrite_edit,
            Self::Say(saying) => saying.rate(limits),
            _ => limits.other,
        }
    }

    /// Whether it asks for no bot's token: it is everybody's, or has a token of its own.
    pub(super) fn is_open(self) -> bool {
        match self {
            Self::Gateway => true,
            Self::Say(saying) => saying.is_open(),
            _ => false,
        }
    }

    /// Whether it counts among the requests of a second (Discord docs, Rate Limits: interactions don't).
    pub(super) fn is_global(self) -> bool {
        !matches!(self, Self::Say(saying) if saying.is_open())
    }
}

pub(super) fn id(field: &str, text: &str) -> Result<Snowflake, Miss> {
    let message = format!("Value \"{text}\" is not snowflake.");
    text.parse()
        .map_err(|_| Miss::Refused(Refusal::field(field, "NUMBER_TYPE_COERCE", &message)))
}
