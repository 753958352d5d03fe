//! What `/api/live` says, as JSON: the texts that the database's triggers send (migrations 0056 and 0057) are passed on as they are.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{domain::ids::GuildId, web::access};

/// One message of the WebSocket at `/api/live`: told by `type`. All but the first two are of a server, and name no more than what changed; who
/// wants the whole asks the call that lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum LiveMessage {
    /// The first message: every change from now on is told. Load what you show now, not before.
    Ready,
    /// Changes may have been missed: load everything anew.
    Resync,
    /// A match was heard of, moved on or was cleaned up.
    Match {
        #[schema(example = "41771983423143937")]
        guild: String,
        #[serde(rename = "match")]
        id: String,
        state: LiveMatch,
        /// FACEIT's word.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<String>,
    },
    /// Channels of a match were made, blocked, changed or deleted.
    Channel {
        guild: String,
        #[serde(rename = "match")]
        id: String,
        changes: Vec<ChannelChange>,
    },
    /// Something came of placing players.
    Move {
        guild: String,
        #[serde(rename = "match")]
        id: String,
        /// Null when there are too many to tell.
        changes: Option<Vec<MoveChange>>,
    },
    /// The job of a match, or of the server itself, fails, died, was revived or works again.
    Job {
        guild: String,
        /// To retry it by.
        key: String,
        #[serde(rename = "match", default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        state: LiveJob,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum LiveMatch {
    /// Known, and not played yet.
    Waiting,
    Running,
    /// Over; its channels are still there.
    Ending,
    /// Over and cleaned up.
    Closed,
    /// Another server's now.
    Gone,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChannelChange {
    #[schema(example = "faction1")]
    faction: String,
    state: LiveChannel,
    channel: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum LiveChannel {
    /// About to be made.
    Coming,
    There,
    /// Discord refuses it, or has no room.
    Blocked,
    Gone,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MoveChange {
    /// His Discord id; null for somebody who is not in this server.
    user: Option<String>,
    #[schema(example = "faction1")]
    faction: String,
    state: LiveMove,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LiveMove {
    Moved,
    /// Not in voice.
    Absent,
    /// In a channel that nobody is moved from.
    Outside,
    NotInGuild,
    Refused,
    /// No player of this match any more.
    Gone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum LiveJob {
    /// It failed, and is tried again by itself.
    Failing,
    /// It failed too often.
    Dead,
    /// It was dead, and is tried again.
    Revived,
    /// It works again.
    Well,
}

/// What a notification means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// Of this guild, for those who may make the call of this path there.
    Change { guild: GuildId, path: &'static str },
    /// These sessions are no more; by their hash.
    Ended(Vec<String>),
    /// Everything may have changed.
    All,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Inner {
    Sessions { ended: Vec<String> },
}

impl Told {
    /// A text that can't be read comes from a newer program's database: then something changed, and we can't say what.
    pub(super) fn read(text: &str) -> Self {
        if let Ok(Inner::Sessions { ended }) = serde_json::from_str(text) {
            return Self::Ended(ended);
        }
        let message = serde_json::from_str(text).ok();
        let change = message.as_ref().and_then(LiveMessage::about);
        change.map_or(Self::All, |(guild, path)| Self::Change { guild, path })
    }
}

impl LiveMessage {
    /// One of each, for the description that people read.
    pub fn examples() -> [Self; 6] {
        let guild = || "41771983423143937".to_owned();
        let id = || "1-5cd68867-aa96-4cfe-a373-12c57edbcab2".to_owned();
        let faction = || "faction1".to_owned();
        [
            Self::Ready,
            Self::Match {
                guild: guild(),
                id: id(),
                state: LiveMatch::Running,
                status: Some("READY".to_owned()),
            },
            Self::Channel {
                guild: guild(),
                id: id(),
                changes: vec![ChannelChange {
                    faction: faction(),
                    state: LiveChannel::There,
                    channel: Some("41771983423143940".to_owned()),
                }],
            },
            Self::Move {
                guild: guild(),
                id: id(),
                changes: Some(vec![MoveChange {
                    user: Some("80351110224678912".to_owned()),
                    faction: faction(),
                    state: LiveMove::Moved,
                }]),
            },
            Self::Job {
                guild: guild(),
                key: format!("match:{}", id()),
                id: Some(id()),
                state: LiveJob::Dead,
            },
            Self::Resync,
        ]
    }

    /// The guild, and the path of the call that shows the same.
    fn about(&self) -> Option<(GuildId, &'static str)> {
        let (guild, path) = match self {
            Self::Ready | Self::Resync => return None,
            Self::Match { guild, .. } | Self::Channel { guild, .. } | Self::Move { guild, .. } => {
                (guild, access::MATCHES)
            }
            Self::Job { guild, .. } => (guild, access::JOBS),
        };
        Some((guild.parse().ok()?, path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn for_everything_that_is_told_it_is_known_who_may_hear_it() {
        for path in [access::MATCHES, access::JOBS] {
            assert!(access::least_role(path).is_some(), "{path}");
        }
    }

    #[test]
    fn what_cannot_be_read_may_be_anything() {
        for text in [
            "",
            "null",
            "{}",
            r#"{"type": "all"}"#,
            r#"{"type": "ready"}"#,
            r#"{"type": "match", "guild": "1", "match": "a", "state": "new"}"#,
            r#"{"type": "match", "guild": "x", "match": "a", "state": "running"}"#,
        ] {
            assert_eq!(Told::read(text), Told::All, "{text}");
        }
        let ended = r#"{"type": "sessions", "ended": ["ab"]}"#;
        assert_eq!(Told::read(ended), Told::Ended(vec!["ab".to_owned()]));
    }
}
