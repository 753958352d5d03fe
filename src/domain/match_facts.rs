//! What FACEIT says about a match. Tolerant by design: statuses are open words, factions may be absent, byes or of any size.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use crate::domain::{
    Timestamp,
    ids::{Faction, PlayerId},
};

/// FACEIT's word for where a match stands; an open set (facts: `SCHEDULED`, `CONFIGURING`, `READY`, `FINISHED` and `CANCELLED` are recorded,
/// the others reported), so an unknown word is kept and treated as running.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Status {
    Created,
    Scheduled,
    CheckIn,
    CaptainPick,
    Voting,
    Substitution,
    Configuring,
    Ready,
    Ongoing,
    Paused,
    ManualResult,
    Finished,
    Cancelled,
    Aborted,
    /// FACEIT answers 404 for the match.
    Gone,
    /// A word we don't know, upper case.
    Other(String),
}

/// What a status means for the channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Not yet: championship matches are created days ahead, captains are still picking.
    Waiting,
    /// The players need their channels, once both rosters are known.
    Running,
    /// Over for now; FACEIT may run the same match again.
    Over,
}

impl Status {
    const WORDS: [(&'static str, Status); 15] = [
        ("CREATED", Status::Created),
        ("SCHEDULED", Status::Scheduled),
        ("CHECK_IN", Status::CheckIn),
        ("CAPTAIN_PICK", Status::CaptainPick),
        ("VOTING", Status::Voting),
        ("SUBSTITUTION", Status::Substitution),
        ("CONFIGURING", Status::Configuring),
        ("READY", Status::Ready),
        ("ONGOING", Status::Ongoing),
        ("PAUSED", Status::Paused),
        ("MANUAL_RESULT", Status::ManualResult),
        ("FINISHED", Status::Finished),
        ("CANCELLED", Status::Cancelled),
        ("ABORTED", Status::Aborted),
        ("GONE", Status::Gone),
    ];

    /// Reads FACEIT's word; case doesn't matter (`/players/{id}/history` writes lower case).
    pub fn parse(word: &str) -> Self {
        let word = word.trim().to_ascii_uppercase();
        match Self::WORDS.iter().find(|(known, _)| *known == word) {
            Some((_, status)) => status.clone(),
            None => Self::Other(word),
        }
    }

    pub fn as_str(&self) -> &str {
        if let Self::Other(word) = self {
            return word;
        }
        Self::WORDS
            .iter()
            .find(|(_, status)| status == self)
            .map_or("", |(word, _)| word)
    }

    pub fn phase(&self) -> Phase {
        match self {
            Self::Created | Self::Scheduled | Self::CaptainPick => Phase::Waiting,
            Self::Finished | Self::Cancelled | Self::Aborted | Self::Gone => Phase::Over,
            _ => Phase::Running,
        }
    }
}

impl From<String> for Status {
    fn from(word: String) -> Self {
        Self::parse(&word)
    }
}

impl From<Status> for String {
    fn from(status: Status) -> Self {
        status.as_str().to_owned()
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Somebody on a roster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Player {
    pub id: PlayerId,
    pub nickname: String,
}

/// One side of the match.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side {
    /// FACEIT's `faction_id`: a team id, the leader's player id or `bye`.
    pub team_id: String,
    /// The team's name; not unique, and may change with the leader.
    pub name: String,
    /// A free pass: nobody plays on this side.
    pub bye: bool,
    /// Empty when FACEIT gave no roster (yet). 1 to 7+ players.
    pub roster: Vec<Player>,
}

/// Where the match is played.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Competition {
    pub id: String,
    /// `hub`, `championship`, `matchmaking`, or a word to come.
    pub kind: String,
    pub name: String,
    /// May be `faceit` (matchmaking) or empty.
    pub organizer_id: String,
}

/// One reading of a match.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatchFacts {
    pub status: Status,
    /// A faction that FACEIT did not name is absent.
    pub sides: BTreeMap<Faction, Side>,
    pub competition: Competition,
    pub game: String,
    pub region: String,
    /// The picked map, as FACEIT names it (`de_mirage`).
    pub map: Option<String>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub scheduled_at: Option<Timestamp>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub configured_at: Option<Timestamp>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub started_at: Option<Timestamp>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub finished_at: Option<Timestamp>,
}

impl MatchFacts {
    /// A reading that says nothing but the status.
    pub fn bare(status: Status) -> Self {
        Self {
            status,
            sides: BTreeMap::new(),
            competition: Competition::default(),
            game: String::new(),
            region: String::new(),
            map: None,
            scheduled_at: None,
            configured_at: None,
            started_at: None,
            finished_at: None,
        }
    }

    /// Both sides have somebody to play: only then is it known who belongs where.
    pub fn rosters_known(&self) -> bool {
        Faction::BOTH.iter().all(|faction| {
            self.sides
                .get(faction)
                .is_some_and(|side| !side.bye && !side.roster.is_empty())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_statuses_are_kept_and_count_as_running() {
        let status = Status::parse("half_time_show");
        assert_eq!(status.as_str(), "HALF_TIME_SHOW");
        assert_eq!(status.phase(), Phase::Running);
    }

    #[test]
    fn every_known_word_reads_back_as_itself() {
        for (word, status) in Status::WORDS {
            assert_eq!(Status::parse(&word.to_lowercase()), status);
            assert_eq!(status.as_str(), word);
        }
    }
}
