//! What is known of a guild besides its matches: whether the bot is there, how much room there is, and when something changed. Chooses the
//! category for a channel; asks nobody.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::domain::{
    Timestamp,
    ids::ChannelId,
    record::{Blocked, Obstacle},
    seats::Fullness,
    settings::Settings,
};

/// Discord's limits; categories count among the first (facts/discord.md 2.4).
pub const CHANNELS: usize = 500;
pub const IN_CATEGORY: usize = 50;
/// A refusal is tried again after this long: somebody may have given the bot its permission, and we were not told.
pub const TRY_REFUSED_AGAIN: Duration = Duration::from_secs(600);
/// When Discord told us that something changed, sooner; but not at every change in a guild where much happens.
const AFTER_A_CHANGE: Duration = Duration::from_secs(30);

/// A guild as a decision sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guild {
    /// The operators have paused all of Muster.
    pub halted: bool,
    /// Discord has an outage there: nothing is asked of it until that is over.
    pub outage: bool,
    /// The bot is no member any more.
    pub away: Option<Away>,
    /// When what the bot may do there last changed, as far as it mattered.
    pub rights_at: Option<Timestamp>,
    /// When a channel was last deleted there, as far as it mattered.
    pub room_at: Option<Timestamp>,
    /// As the gateway tells it; None while nobody listens.
    pub fullness: Option<Fullness>,
    /// How many channels of ours are in each category, those that may yet come among them.
    pub taken: BTreeMap<ChannelId, usize>,
    /// Our further categories, in the order in which they are filled.
    pub overflow: Vec<Overflow>,
    /// Why no further category can be made.
    pub overflow_blocked: Option<String>,
    /// Categories that Discord said are full or gone, in this run.
    pub closed: BTreeSet<ChannelId>,
    /// Channels of ours that the gateway does not know. That alone does not mean that they are gone.
    pub missing: BTreeSet<ChannelId>,
}

/// Since when the bot has been out of a guild.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Away {
    pub since: Timestamp,
    /// When we last saw that it still is.
    pub checked_at: Timestamp,
}

/// A category that we made when another was full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overflow {
    pub channel: ChannelId,
    /// The one that was full.
    pub base: ChannelId,
}

impl Guild {
    /// When a refusal is worth another try.
    pub fn again_at(&self, blocked: &Blocked) -> Timestamp {
        let changed = match blocked.by {
            Obstacle::Later(until) => return until,
            Obstacle::Refused => self.rights_at,
            Obstacle::NoRoom | Obstacle::GuildFull => self.room_at,
        };
        let pause = if changed.is_some_and(|changed| changed >= blocked.at) {
            AFTER_A_CHANGE
        } else {
            TRY_REFUSED_AGAIN
        };
        blocked.at + pause
    }

    /// Whether the bot may do more by now than when it was refused something.
    pub fn rights_changed_since(&self, refused_at: Timestamp, now: Timestamp) -> bool {
        self.rights_at.is_some_and(|changed| changed >= refused_at) && now >= refused_at + AFTER_A_CHANGE
    }

    /// How many more channels a category holds, by what we know: the gateway counts those of others too, the database those that are
    /// only just being made.
    pub fn room_in(&self, category: ChannelId) -> usize {
        if self.closed.contains(&category) {
            return 0;
        }
        let ours = self.taken.get(&category).copied().unwrap_or(0);
        let all = self.fullness.as_ref().and_then(|full| full.by_category.get(&category));
        IN_CATEGORY.saturating_sub(ours.max(all.copied().unwrap_or(0)))
    }

    /// How many more channels the guild holds; None while nobody knows.
    pub fn room(&self) -> Option<usize> {
        let full = self.fullness.as_ref()?;
        Some(CHANNELS.saturating_sub(full.channels))
    }

    /// The category for the next channel of a match that needs `needed` more, best all in one place: that of its other channel, if there is
    /// one. None when each is full.
    pub fn choose(&self, settings: &Settings, needed: usize, other: Option<ChannelId>) -> Option<Option<ChannelId>> {
        let Some(base) = settings.category else {
            return Some(None);
        };
        let further = self.overflow.iter().filter(|overflow| overflow.base == base);
        let all: Vec<ChannelId> = std::iter::once(base)
            .chain(further.map(|overflow| overflow.channel))
            .collect();
        let fits = |category: &ChannelId, needed| self.room_in(*category) >= needed;
        let beside = other.filter(|other| all.contains(other) && fits(other, needed));
        // Where no further category can be had, one channel is better than none.
        let lone = !settings.overflow || self.overflow_blocked.is_some();
        beside
            .or_else(|| all.iter().copied().find(|category| fits(category, needed)))
            .or_else(|| all.iter().copied().find(|category| lone && fits(category, 1)))
            .map(Some)
    }

    /// Counts a channel that is about to be made.
    pub fn take(&mut self, category: Option<ChannelId>) {
        if let Some(full) = &mut self.fullness {
            full.channels += 1;
        }
        let Some(category) = category else { return };
        *self.taken.entry(category).or_default() += 1;
        if let Some(full) = &mut self.fullness {
            *full.by_category.entry(category).or_default() += 1;
        }
    }

    /// Discord says that the bot is no member.
    pub fn left(&mut self, now: Timestamp) {
        let since = self.away.map_or(now, |away| away.since);
        self.away = Some(Away { since, checked_at: now });
    }
}
