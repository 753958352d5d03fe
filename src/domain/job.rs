//! Jobs of the durable queue as the rest of the program sees them: a key to work on, and what came of it.

use std::{fmt, time::Duration};

use crate::domain::{
    Timestamp,
    ids::{GuildId, MatchId},
};

/// What a job is about. One job at a time per key; different keys run side by side.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobKey(String);

impl JobKey {
    /// *Sync this match*: nearly every job is one.
    pub fn sync_match(id: &MatchId) -> Self {
        Self(format!("match:{id}"))
    }

    /// *Sync this guild*: the categories that its matches share.
    pub fn sync_guild(id: GuildId) -> Self {
        Self(format!("guild:{id}"))
    }

    /// *Report on this match*: the message that staff read about it.
    pub fn report_match(id: &MatchId) -> Self {
        Self(format!("report:{id}"))
    }

    /// *Erase somebody*, by the number of the erasing: the key names nobody.
    pub fn erasing(number: i64) -> Self {
        Self(format!("erase:{number}"))
    }

    /// A key as stored; any text.
    pub fn new(key: impl Into<String>) -> Self {
        Self(key.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn match_id(&self) -> Option<MatchId> {
        self.0
            .strip_prefix("match:")
            .filter(|id| !id.is_empty())
            .map(MatchId::new)
    }

    /// The match of a report's key.
    pub fn report_id(&self) -> Option<MatchId> {
        self.0
            .strip_prefix("report:")
            .filter(|id| !id.is_empty())
            .map(MatchId::new)
    }

    pub fn erasing_number(&self) -> Option<i64> {
        self.0.strip_prefix("erase:")?.parse().ok()
    }

    pub fn guild_id(&self) -> Option<GuildId> {
        self.0.strip_prefix("guild:")?.parse().ok()
    }
}

impl fmt::Display for JobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A worker's hold on a key. Whatever is written on its strength must check that the epoch is still this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    pub key: JobKey,
    /// Grows with every claim of the key: the fence against a late owner.
    pub epoch: i64,
    /// How often the job was wanted when it was claimed; settling marks that much as done.
    pub seen: i64,
    /// Failed runs since the last good one.
    pub attempts: i32,
    /// When the oldest wish that is still unserved was booked; None when only a timer was due.
    pub wanted_since: Option<Timestamp>,
}

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing is left to do now; run again then, if a time is given.
    Done { look_again: Option<Timestamp> },
    /// The outside world was not ready (down, slow, rate limited). Try again, not earlier than `after`; never gives up.
    Retry { why: String, after: Duration },
    /// The outside world said when to come again, or the turn did not come in time: try again after just that time.
    PutOff { why: String, after: Duration },
    /// It should not have failed. Try again a few times, then keep the job as dead with its error.
    Failed { why: String },
    /// The key belongs to another worker by now; nothing may be written.
    Lost,
    /// The process is stopping; somebody else shall go on at once.
    Yielded,
    /// The key was booked again while steps waited for their turn, so they were taken back: run again at once.
    Recalled,
}
