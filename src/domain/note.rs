//! Why something is not done, for the person who wonders. Prints as one line.

use std::fmt;

use crate::domain::{
    Timestamp,
    ids::Faction,
    render::{several, stamp},
};

/// Something that is not done, and why, for the person who wonders.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Note {
    NeverSeen,
    Waiting(String),
    Grace(Timestamp),
    Expired,
    /// Staff had it taken down.
    TakenDown,
    Closed,
    Paused,
    /// All of Muster is paused.
    Halted,
    /// Discord has an outage in the guild.
    Outage,
    /// The bot is no member of the guild: everything waits until it is back.
    Parked {
        since: Timestamp,
    },
    /// It was never let in again; so many channels stay behind.
    GivenUp {
        channels: usize,
    },
    /// Somebody deleted the channel, and nobody needs it.
    ChannelGone {
        faction: Faction,
    },
    /// No guild claims the competition.
    Unclaimed,
    /// Only proven links count here.
    NotVerified {
        faction: Faction,
        nickname: String,
    },
    NotLinked {
        faction: Faction,
        nickname: String,
    },
    OptedOut {
        faction: Faction,
        nickname: String,
    },
    NotInVoice {
        faction: Faction,
        nickname: String,
    },
    /// He sits in a channel that nobody is moved from.
    NotInSource {
        faction: Faction,
        nickname: String,
    },
    /// He left his team's channel for another one.
    WentElsewhere {
        faction: Faction,
        nickname: String,
    },
    NotInGuild {
        faction: Faction,
        nickname: String,
    },
    MoveRefused {
        faction: Faction,
        nickname: String,
        why: String,
    },
    Blocked {
        faction: Faction,
        why: String,
    },
    AccessBlocked {
        faction: Faction,
        why: String,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NeverSeen => f.write_str("nothing is known of this match yet"),
            Self::Waiting(why) => write!(f, "waiting: {why}"),
            Self::Grace(until) => write!(f, "the match is over; its channels stay until {}", stamp(*until)),
            Self::Expired => f.write_str("the match is older than the hard age and treated as over"),
            Self::TakenDown => f.write_str(
                "staff had it taken down: nothing is done for it until FACEIT runs it again",
            ),
            Self::Closed => f.write_str("the match is over and cleaned up"),
            Self::Paused => f.write_str("Muster is paused in this Discord server: nothing is done there until it goes on"),
            Self::Halted => f.write_str(
                "Muster is paused everywhere by its operators: nothing is done in Discord until it goes on",
            ),
            Self::Outage => f.write_str("Discord has an outage in this server: nothing is done there until it is over"),
            Self::Parked { since } => write!(
                f,
                "parked: the bot was removed from the Discord server ({}); invite it again, and this goes on by itself",
                stamp(*since)
            ),
            Self::GivenUp { channels } => write!(
                f,
                "the bot was removed from the Discord server and never let in again: given up; {} of this match may be left there",
                several(*channels, "channel")
            ),
            Self::ChannelGone { faction } => write!(
                f,
                "somebody deleted the channel of {faction}; it is made again when a linked player needs it"
            ),
            Self::Unclaimed => f.write_str(
                "no Discord server claims this competition, so the match is left alone; claim it with `muster guilds claim`",
            ),
            Self::NotVerified { faction, nickname } => {
                write!(f, "{nickname} ({faction}) is linked, but not verified, which this server asks for")
            }
            Self::NotLinked { faction, nickname } => {
                write!(f, "{nickname} ({faction}) is not linked to a Discord account")
            }
            Self::OptedOut { faction, nickname } => write!(f, "{nickname} ({faction}) has opted out of being moved"),
            Self::NotInVoice { faction, nickname } => write!(f, "{nickname} ({faction}) was not in voice"),
            Self::NotInSource { faction, nickname } => write!(
                f,
                "{nickname} ({faction}) is in a voice channel that nobody is moved from; he is moved when he enters one of this server's source channels"
            ),
            Self::WentElsewhere { faction, nickname } => write!(
                f,
                "{nickname} ({faction}) went to another voice channel by himself and is left there"
            ),
            Self::NotInGuild { faction, nickname } => {
                write!(f, "{nickname} ({faction}) is no member of the Discord server")
            }
            Self::MoveRefused { faction, nickname, why } => {
                write!(f, "{nickname} ({faction}) could not be moved: {why}")
            }
            Self::Blocked { faction, why } => write!(f, "the channel of {faction} is blocked: {why}"),
            Self::AccessBlocked { faction, why } => {
                write!(f, "who may enter the channel of {faction} can't be changed: {why}")
            }
        }
    }
}
