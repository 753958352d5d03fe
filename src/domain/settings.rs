//! What a guild wants: where channels go, how they are named, how long they stay.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::ids::{ChannelId, GuildId};

/// One guild's settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    pub guild: GuildId,
    /// The category that match channels are made in; without one they stand at the top level.
    pub category: Option<ChannelId>,
    /// Where people go when their match is over; without one Discord disconnects them with the channel.
    pub lobby: Option<ChannelId>,
    /// How long channels stay after the end of a match.
    pub grace: Duration,
    /// After this long a match is treated as over, whatever FACEIT says.
    pub max_age: Duration,
    /// Channel name template, see `render`.
    pub name_template: String,
    /// At most this many people in a channel, 1 to 99; 0 is no limit.
    pub user_limit: u16,
}

impl Settings {
    pub const DEFAULT_NAME_TEMPLATE: &'static str = "match-{short_id}-{faction}";
}
