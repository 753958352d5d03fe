//! What happened in a guild, as the gateway tells it: written down where the world changes, read once by `gateway::publish`.

use super::{snowflake::Snowflake, world::Channel};

#[derive(Debug)]
pub(in crate::simulator) enum Event {
    ChannelCreated(Snowflake, Box<Channel>),
    ChannelChanged(Snowflake, Box<Channel>),
    ChannelDeleted(Snowflake, Box<Channel>),
    /// Somebody sits elsewhere, or nowhere, or is muted now. Where he sat then is kept, since he may have moved on since.
    Voice {
        guild: Snowflake,
        user: Snowflake,
        channel: Option<Snowflake>,
        session_id: String,
    },
    RoleChanged(Snowflake, Snowflake),
    /// His name or roles changed in a guild.
    MemberChanged(Snowflake, Snowflake),
}

impl Event {
    pub(super) fn guild(&self) -> Snowflake {
        match self {
            Self::ChannelCreated(guild, _)
            | Self::ChannelChanged(guild, _)
            | Self::ChannelDeleted(guild, _)
            | Self::Voice { guild, .. }
            | Self::RoleChanged(guild, _)
            | Self::MemberChanged(guild, _) => *guild,
        }
    }
}
