//! What can happen to a match: a reading from FACEIT, the outcomes of a wave, or nothing but time.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::domain::{
    Timestamp,
    guild::Guild,
    ids::{ChannelId, PlayerId, UserId},
    match_facts::{MatchFacts, Status},
    plan::{Action, Outcome},
    record::Record,
    seats::Seats,
    settings::Settings,
};

/// One thing to take in before deciding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Read(Box<Reading>),
    /// The outcomes of the wave that the last decision asked for; those of failed calls are left out.
    Outcomes(Vec<(Action, Outcome)>),
    Tick,
}

/// What FACEIT says, and by which way it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    pub facts: MatchFacts,
    pub source: Source,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The Data API: the truth, always taken.
    Api,
    /// A delivery's own payload, while the API is down: taken only when newer than what was seen (`payload.version`).
    Webhook { version: Option<i64> },
}

/// What the newest delivery announced; when the Data API disagrees, it may lag behind, so we look again soon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announced {
    pub status: Status,
    pub version: Option<i64>,
    pub at: Timestamp,
}

/// A FACEIT player's Discord account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    pub user: UserId,
    /// Never move him; he may still enter by himself.
    pub opted_out: bool,
    /// He proved that both accounts are his, or staff did so for him.
    pub verified: bool,
}

/// All that `decide` may look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// The settings of the guild whose match it is; None while no guild claims it.
    pub settings: Option<Arc<Settings>>,
    /// What else is known of that guild.
    pub guild: Guild,
    pub record: Record,
    /// The links of everybody on a roster.
    pub links: BTreeMap<PlayerId, Link>,
    pub seats: Seats,
    /// Channels of other matches, among those that people came from.
    pub other_matches: BTreeSet<ChannelId>,
    pub announced: Option<Announced>,
}
