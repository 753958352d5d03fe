//! What happened in a guild, as the gateway tells it: written down where the world changes, read once by `gateway::publish`.

use super::{snowflake::Snowflake, world::Channel};

#[derive(Clone, Debug)]
pub(in crate::simulator) struct Event {
    pub(in crate::simulator) guild: Snowflake,
    pub(in crate::simulator) what: What,
}

#[derive(Clone, Debug)]
pub(in crate::simulator) enum What {
    ChannelCreated(Box<Channel>),
    ChannelChanged(Box<Channel>),
    ChannelDeleted(Box<Channel>),
    /// Somebody sits elsewhere, or nowhere, or is muted now. Where he sat then is kept, since he may have moved on since.
    Voice {
        user: Snowflake,
        channel: Option<Snowflake>,
        session_id: String,
    },
    RoleCreated(Snowflake),
    RoleChanged(Snowflake),
    RoleDeleted(Snowflake),
    /// His name or roles changed in a guild.
    MemberChanged(Snowflake),
    /// The guild's own name or owner.
    GuildChanged,
    BotAdded(Snowflake),
    BotRemoved(Snowflake),
    /// Discord can't reach the guild for the moment.
    Outage,
    /// It can again.
    Back,
}

impl What {
    /// The dispatch it is told by.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::ChannelCreated(_) => "CHANNEL_CREATE",
            Self::ChannelChanged(_) => "CHANNEL_UPDATE",
            Self::ChannelDeleted(_) => "CHANNEL_DELETE",
            Self::Voice { .. } => "VOICE_STATE_UPDATE",
            Self::RoleCreated(_) => "GUILD_ROLE_CREATE",
            Self::RoleChanged(_) => "GUILD_ROLE_UPDATE",
            Self::RoleDeleted(_) => "GUILD_ROLE_DELETE",
            Self::MemberChanged(_) => "GUILD_MEMBER_UPDATE",
            Self::GuildChanged => "GUILD_UPDATE",
            Self::BotAdded(_) | Self::Back => "GUILD_CREATE",
            Self::BotRemoved(_) | Self::Outage => "GUILD_DELETE",
        }
    }
}

impl Event {
    pub(in crate::simulator) fn of(guild: Snowflake, what: What) -> Self {
        Self { guild, what }
    }
}
