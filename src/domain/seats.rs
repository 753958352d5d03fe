//! A guild as the gateway tells it: its channels, and who sits in which. Ids only.

use std::collections::BTreeMap;

use crate::domain::ids::{ChannelId, UserId};

/// What kind of channel it is, as far as we care.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Voice,
    Stage,
    Category,
    /// Text, forum, and whatever comes next.
    Other,
}

impl Kind {
    /// By Discord's number for it.
    pub fn of(number: u8) -> Self {
        match number {
            2 => Self::Voice,
            4 => Self::Category,
            13 => Self::Stage,
            _ => Self::Other,
        }
    }

    /// Discord's number for it; 0 for all others.
    pub fn number(self) -> u8 {
        match self {
            Self::Voice => 2,
            Self::Category => 4,
            Self::Stage => 13,
            Self::Other => 0,
        }
    }
}

/// A channel of a guild.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub kind: Kind,
    /// The category that it is in.
    pub parent: Option<ChannelId>,
}

/// How full a guild is: Discord allows 500 channels, and 50 in a category. Channels that the bot may not see count as well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fullness {
    /// All channels, categories among them.
    pub channels: usize,
    pub by_category: BTreeMap<ChannelId, usize>,
}

/// Everything that is known of a guild, for the way into the database and back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    pub seats: BTreeMap<UserId, ChannelId>,
    pub channels: BTreeMap<ChannelId, Place>,
    /// Discord has an outage there.
    pub unavailable: bool,
}
