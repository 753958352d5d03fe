//! What is stored about one match: the last reading, its two slots with their channels, and whom we placed. `decide` alone changes it.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{
    Timestamp,
    ids::{ChannelId, Faction, GuildId, MatchId, UserId},
    match_facts::{MatchFacts, Status},
};

/// Everything durable about a match (tables `matches`, `active_matches`, `match_members`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub id: MatchId,
    /// Whose match it is; None while no guild claims its competition.
    pub guild: Option<GuildId>,
    /// The last reading that was accepted; None before the first.
    pub facts: Option<MatchFacts>,
    /// The highest webhook `payload.version` seen; an older one never moves the match.
    pub last_version: Option<i64>,
    pub first_seen_at: Timestamp,
    /// Start of the current life: a match that is run again after its end gets a new one. The hard age counts from here.
    pub live_since: Option<Timestamp>,
    /// When the current life was first seen over; the grace period counts from here.
    pub ended_at: Option<Timestamp>,
    /// When nothing was left to do; None while the match is open. Only a new reading opens it again.
    pub closed_at: Option<Timestamp>,
    /// When staff last asked to have it taken down. Written by whoever asks, never by a decision.
    pub teardown_at: Option<Timestamp>,
    pub demo_urls: BTreeSet<String>,
    /// The channels that exist, may exist or were refused, one per faction.
    pub slots: BTreeMap<Faction, Slot>,
    /// Whom we tried to place.
    pub members: BTreeMap<UserId, Member>,
}

impl Record {
    /// A match nobody has looked at yet.
    pub fn new(id: MatchId, now: Timestamp) -> Self {
        Self {
            id,
            guild: None,
            facts: None,
            last_version: None,
            first_seen_at: now,
            live_since: None,
            ended_at: None,
            closed_at: None,
            teardown_at: None,
            demo_urls: BTreeSet::new(),
            slots: BTreeMap::new(),
            members: BTreeMap::new(),
        }
    }

    /// Whether staff had the match taken down in its current life.
    pub fn is_taken_down(&self) -> bool {
        let asked = self.teardown_at.zip(self.live_since);
        asked.is_some_and(|(asked, since)| asked >= since)
    }

    /// Whether a channel is one of this match's.
    pub fn owns(&self, channel: ChannelId) -> bool {
        let mut slots = self.slots.values();
        slots.any(|slot| slot.channel == Some(channel) || slot.strays.contains(&channel))
    }

    /// Notes what became of a player. Where he came from stays known, and what he asked for is answered.
    pub fn put(&mut self, user: UserId, faction: Faction, placement: Placement, status: &Status, now: Timestamp) {
        let member = self.member(user, faction, now);
        member.placement = placement;
        member.tried_in = status.clone();
        member.tried_at = now;
        member.answered = member.asked;
    }

    /// Notes that a player is about to be moved out of `from`, so that a crash does not make us forget it. Between the match's own channels
    /// nobody comes from anywhere.
    pub fn intend(&mut self, user: UserId, faction: Faction, from: Option<ChannelId>, now: Timestamp) {
        let from = from.filter(|channel| !self.owns(*channel));
        let member = self.member(user, faction, now);
        member.came_from = from.or(member.came_from);
        member.try_anew();
    }

    fn member(&mut self, user: UserId, faction: Faction, now: Timestamp) -> &mut Member {
        let member = self.members.entry(user).or_insert_with(|| Member::new(faction, now));
        member.faction = faction;
        member
    }
}

/// The voice channel of one faction: wanted, bound to an id, or refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The name it was or will be created with.
    pub name: String,
    pub category: Option<ChannelId>,
    /// Set while a create may have been sent and its answer is not recorded: look for the channel before creating again.
    pub intended_at: Option<Timestamp>,
    /// The channel that is ours.
    pub channel: Option<ChannelId>,
    /// Start of the first create whose answer never came: before the slot is forgotten, look for what it may have left behind.
    pub uncertain_since: Option<Timestamp>,
    /// Further channels found from unanswered creates; ours, and to be deleted.
    pub strays: BTreeSet<ChannelId>,
    /// Who may enter, by an overwrite of his own.
    pub access: BTreeSet<UserId>,
    /// Why the channel can't be created or deleted; tried again only after a while.
    pub blocked: Option<Blocked>,
    /// Somebody deleted the channel: it is made again only when a player needs it.
    pub gone_at: Option<Timestamp>,
    /// Discord refused to change who may enter; tried again only when the bot's permissions changed since.
    pub access_blocked: Option<Blocked>,
}

impl Slot {
    /// Whether it says anything: a channel that is or may be ours, one that is waited for, or one that somebody deleted.
    pub fn has_reason(&self) -> bool {
        self.may_exist() || self.blocked.is_some() || self.gone_at.is_some()
    }

    /// Whether there is, or may be, anything in Discord.
    pub fn may_exist(&self) -> bool {
        self.channel.is_some()
            || self.intended_at.is_some()
            || self.uncertain_since.is_some()
            || !self.strays.is_empty()
    }
}

/// Why something can't be done now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocked {
    pub why: String,
    pub at: Timestamp,
    pub by: Obstacle,
}

/// What stands in the way, and so what may lift it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// A person must grant a permission or correct a setting.
    Refused,
    /// The category is full, and so is every further one.
    NoRoom,
    /// The guild has as many channels as Discord allows.
    GuildFull,
    /// Discord takes no more of this before then.
    Later(Timestamp),
}

impl Obstacle {
    /// As the database and the metrics name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::NoRoom => "no_room",
            Self::GuildFull => "guild_full",
            Self::Later(_) => "later",
        }
    }

    /// The one of that name; `until` is for the one that has a time.
    pub fn parse(word: &str, until: Option<Timestamp>) -> Option<Self> {
        match word {
            "refused" => Some(Self::Refused),
            "no_room" => Some(Self::NoRoom),
            "guild_full" => Some(Self::GuildFull),
            "later" => until.map(Self::Later),
            _ => None,
        }
    }

    /// Until when, if that is known.
    pub fn until(self) -> Option<Timestamp> {
        match self {
            Self::Later(until) => Some(until),
            _ => None,
        }
    }
}

/// What became of one linked player.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub faction: Faction,
    pub placement: Placement,
    /// The status the match had at the last try: while nobody listens to the gateway, somebody absent is tried again when it changes.
    pub tried_in: Status,
    pub tried_at: Timestamp,
    /// The voice channel he was moved from; he goes back there at the end.
    pub came_from: Option<ChannelId>,
    /// How often he, or staff for him, asked for a move, or an event made one possible. Counted by whoever asks, never by a decision.
    pub asked: i64,
    /// How many of these were seen to.
    pub answered: i64,
}

impl Member {
    /// Somebody who was not tried yet.
    pub fn new(faction: Faction, now: Timestamp) -> Self {
        Self {
            faction,
            placement: Placement::Absent,
            tried_in: Status::Gone,
            tried_at: now,
            came_from: None,
            asked: 0,
            answered: 0,
        }
    }

    /// He is brought in once more, wherever he went meanwhile.
    pub fn try_anew(&mut self) {
        self.placement = Placement::Absent;
        self.tried_in = Status::Gone;
    }

    pub fn is_asked(&self) -> bool {
        self.asked != self.answered
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placement {
    /// Discord moved him, or he came by himself; where he goes from there is his own business.
    Moved,
    /// He is not connected to voice.
    Absent,
    /// He sits in a channel that nobody is moved from.
    Outside,
    /// He is no member of the guild.
    NotInGuild,
    /// Discord refused the move.
    Refused(String),
}
