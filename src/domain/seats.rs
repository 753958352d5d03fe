//! A guild as the gateway tells it: its channels, and who sits in which; and what of that a decision may know. Ids only.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{
    ids::{ChannelId, UserId},
    plan::Seat,
};

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

/// Somebody in voice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seated {
    pub channel: ChannelId,
    /// He came to voice straight into this channel: since then nobody moved him, and he did not go on by himself.
    pub fresh: bool,
}

/// What the gateway tells of the people and channels of one match.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// Everybody in the match's channels, and whoever else was asked about; who of those is missing is not in voice.
    pub seated: BTreeMap<UserId, Seated>,
    /// Those of the channels asked about that exist.
    pub channels: BTreeSet<ChannelId>,
}

/// Who sits where, as far as a decision may know: by the gateway, while it is listened to, and by what a step of this run has shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seats {
    heard: Option<Heard>,
    learnt: BTreeMap<UserId, Seat>,
}

impl Seats {
    /// Takes over what the gateway tells now; None while nobody listens to it.
    pub fn hear(&mut self, heard: Option<Heard>) {
        self.heard = heard;
    }

    /// A step has shown where somebody is: in this run that counts for more than what was heard, which may be late.
    pub fn learn(&mut self, user: UserId, seat: Seat) {
        self.learnt.insert(user, seat);
    }

    /// Whether the gateway is listened to: then everybody's seat is known.
    pub fn are_heard(&self) -> bool {
        self.heard.is_some()
    }

    /// Where somebody is; None when that has to be asked.
    pub fn of(&self, user: UserId) -> Option<Seat> {
        let heard = || {
            let seated = self.heard.as_ref()?.seated.get(&user);
            Some(seated.map_or(Seat::Nowhere, |seated| Seat::In(seated.channel)))
        };
        self.learnt.get(&user).copied().or_else(heard)
    }

    /// Whether a step of this run has shown it.
    pub fn is_learnt(&self, user: UserId) -> bool {
        self.learnt.contains_key(&user)
    }

    /// Whether he came to voice anew, and sits where he came to.
    pub fn is_fresh(&self, user: UserId) -> bool {
        let seated = self.heard.as_ref().and_then(|heard| heard.seated.get(&user));
        !self.is_learnt(user) && seated.is_some_and(|seated| seated.fresh)
    }

    /// Who is known to sit in a channel.
    pub fn in_channel(&self, channel: ChannelId) -> BTreeSet<UserId> {
        let heard = self.heard.iter().flat_map(|heard| heard.seated.keys());
        heard
            .chain(self.learnt.keys())
            .copied()
            .filter(|user| self.of(*user) == Some(Seat::In(channel)))
            .collect()
    }

    /// Whether a channel is known not to exist any more.
    pub fn is_gone(&self, channel: ChannelId) -> bool {
        self.heard
            .as_ref()
            .is_some_and(|heard| !heard.channels.contains(&channel))
    }
}
