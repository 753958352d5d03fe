//! The plan: independent steps that can be taken at once, what can come of each, and why others are not taken. Prints as one line per step.

use std::{fmt, time::Duration};

pub use crate::domain::note::Note;
use crate::domain::{
    Timestamp,
    ids::{ChannelId, Faction, RoleId, UserId},
    render::several,
};

/// One step in Discord. Ids appear only once they are bound.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// Create the private voice channel of a faction, with all overwrites.
    CreateChannel {
        faction: Faction,
        name: String,
        category: Option<ChannelId>,
        access: Vec<UserId>,
        /// May enter and speak.
        staff: Vec<RoleId>,
        /// May enter and listen.
        spectators: Vec<RoleId>,
    },
    /// Look for channels that an unanswered create may have made: same name and category, not older than `since`.
    FindChannel {
        faction: Faction,
        name: String,
        category: Option<ChannelId>,
        since: Timestamp,
    },
    DeleteChannel {
        faction: Faction,
        channel: ChannelId,
    },
    /// Ask whether a channel is still there that the gateway does not know.
    CheckChannel {
        faction: Faction,
        channel: ChannelId,
    },
    /// Let somebody enter who was not known at creation (a substitute, a late link).
    GrantAccess {
        faction: Faction,
        channel: ChannelId,
        user: UserId,
    },
    RevokeAccess {
        faction: Faction,
        channel: ChannelId,
        user: UserId,
    },
    /// Ask where somebody is in voice, before he is moved out of a channel he may have left by himself.
    LocateMember {
        user: UserId,
    },
    MoveMember {
        user: UserId,
        to: Destination,
    },
}

/// Where to move somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Destination {
    Slot {
        faction: Faction,
        channel: ChannelId,
    },
    Lobby(ChannelId),
    /// Where he was before the match.
    Back(ChannelId),
    /// Out of voice.
    Out,
}

/// Where somebody is in the guild's voice channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seat {
    Nowhere,
    In(ChannelId),
    /// Connected to a channel that Discord won't show us, so certainly none of ours.
    Elsewhere,
}

/// What came of an action. Anything passing (down, slow, rate limited) is no outcome: the run ends and is tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Done,
    Created(ChannelId),
    /// Oldest first; empty when there is none.
    Found(Vec<ChannelId>),
    Seen(Seat),
    /// The member is not connected to voice (Discord's 40032): a normal race.
    Absent,
    /// The account is no member of the guild (10007, 10013).
    NotInGuild,
    /// The channel does not exist any more (10003).
    Gone,
    /// Only a person can change it: a permission is missing, a setting is wrong. The text says what to do.
    Refused(String),
    /// The category has as many channels as Discord allows.
    CategoryFull,
    /// There is no such category. The text says what to do.
    CategoryGone(String),
    /// The guild has as many channels as Discord allows.
    GuildFull,
    /// Discord takes no more of this for so long; nothing was done.
    Later {
        after: Duration,
        why: String,
    },
    /// It was never sent: its turn did not come in time, or it was taken back before. Nothing has changed.
    NotSent,
    /// The bot is no member of the guild.
    NotHere,
    /// What a channel is called.
    Named(String),
    /// A category that is not empty: it stays.
    Occupied,
}

/// What to do now, why the rest is left, and when to look again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// Independent of each other: run them all at once.
    pub actions: Vec<Action>,
    /// Never in the past; None when the match is closed.
    pub look_again: Option<Timestamp>,
    pub notes: Vec<Note>,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CreateChannel {
                faction,
                name,
                category,
                access,
                staff,
                spectators,
            } => {
                write!(f, "create voice channel '{name}' for {faction}")?;
                if let Some(category) = category {
                    write!(f, " in category {category}")?;
                }
                write!(f, ", open to {}", several(access.len(), "linked player"))?;
                if !staff.is_empty() {
                    write!(f, ", {}", several(staff.len(), "staff role"))?;
                }
                if !spectators.is_empty() {
                    write!(f, ", {} (listening)", several(spectators.len(), "spectator role"))?;
                }
                Ok(())
            }
            Self::FindChannel { faction, name, .. } => {
                write!(f, "look whether '{name}' for {faction} was already created")
            }
            Self::DeleteChannel { faction, .. } => write!(f, "delete the channel of {faction}"),
            Self::CheckChannel { faction, .. } => write!(f, "ask whether the channel of {faction} is still there"),
            Self::GrantAccess { faction, user, .. } => {
                write!(f, "let member {user} into the channel of {faction}")
            }
            Self::RevokeAccess { faction, user, .. } => {
                write!(f, "take member {user} off the list of the channel of {faction}")
            }
            Self::LocateMember { user } => write!(f, "ask where member {user} is in voice"),
            Self::MoveMember { user, to } => write!(f, "move member {user} to {to}"),
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Slot { faction, .. } => write!(f, "the channel of {faction}"),
            Self::Lobby(channel) => write!(f, "the lobby {channel}"),
            Self::Back(channel) => write!(f, "channel {channel}, where he came from"),
            Self::Out => f.write_str("no channel"),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => f.write_str("done"),
            Self::Created(channel) => write!(f, "created {channel}"),
            Self::Found(channels) if channels.is_empty() => f.write_str("none found"),
            Self::Found(channels) => write!(
                f,
                "found {}",
                channels.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
            ),
            Self::Seen(Seat::Nowhere) => f.write_str("not in voice"),
            Self::Seen(Seat::In(channel)) => write!(f, "is in channel {channel}"),
            Self::Seen(Seat::Elsewhere) => f.write_str("is in a channel we can't see"),
            Self::Absent => f.write_str("not in voice"),
            Self::NotInGuild => f.write_str("no member of the guild"),
            Self::Gone => f.write_str("channel is gone"),
            Self::Refused(why) | Self::CategoryGone(why) => write!(f, "refused: {why}"),
            Self::CategoryFull => f.write_str("the category is full"),
            Self::GuildFull => f.write_str("the Discord server is full"),
            Self::Later { after, why } => write!(f, "not for {} s: {why}", after.as_secs()),
            Self::NotSent => f.write_str("not sent"),
            Self::NotHere => f.write_str("the bot is not in the Discord server"),
            Self::Named(name) => write!(f, "is called '{name}'"),
            Self::Occupied => f.write_str("is not empty"),
        }
    }
}

impl Action {
    /// The label under which metrics count it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::CreateChannel { .. } => "create_channel",
            Self::FindChannel { .. } => "find_channel",
            Self::DeleteChannel { .. } => "delete_channel",
            Self::CheckChannel { .. } => "check_channel",
            Self::GrantAccess { .. } => "grant_access",
            Self::RevokeAccess { .. } => "revoke_access",
            Self::LocateMember { .. } => "locate_member",
            Self::MoveMember { .. } => "move_member",
        }
    }

    /// Changes nothing in Discord.
    pub fn only_asks(&self) -> bool {
        matches!(
            self,
            Self::FindChannel { .. } | Self::CheckChannel { .. } | Self::LocateMember { .. }
        )
    }

    /// Whose channel it is about; none when it is about a person alone.
    pub fn faction(&self) -> Option<Faction> {
        match self {
            Self::CreateChannel { faction, .. }
            | Self::FindChannel { faction, .. }
            | Self::DeleteChannel { faction, .. }
            | Self::CheckChannel { faction, .. }
            | Self::GrantAccess { faction, .. }
            | Self::RevokeAccess { faction, .. }
            | Self::MoveMember {
                to: Destination::Slot { faction, .. },
                ..
            } => Some(*faction),
            Self::MoveMember { .. } | Self::LocateMember { .. } => None,
        }
    }

    /// The person it is about, if it is about one.
    pub fn user(&self) -> Option<UserId> {
        match self {
            Self::GrantAccess { user, .. }
            | Self::RevokeAccess { user, .. }
            | Self::LocateMember { user }
            | Self::MoveMember { user, .. } => Some(*user),
            Self::CreateChannel { .. }
            | Self::FindChannel { .. }
            | Self::DeleteChannel { .. }
            | Self::CheckChannel { .. } => None,
        }
    }

    /// The channel it is about, once it has an id.
    pub fn channel(&self) -> Option<ChannelId> {
        match self {
            Self::DeleteChannel { channel, .. }
            | Self::CheckChannel { channel, .. }
            | Self::GrantAccess { channel, .. }
            | Self::RevokeAccess { channel, .. }
            | Self::MoveMember {
                to: Destination::Slot { channel, .. } | Destination::Lobby(channel) | Destination::Back(channel),
                ..
            } => Some(*channel),
            _ => None,
        }
    }
}

impl Outcome {
    /// The label under which metrics count it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Done | Self::Created(_) | Self::Found(_) | Self::Seen(_) | Self::Named(_) => "done",
            Self::Absent => "absent",
            Self::NotInGuild => "not_in_guild",
            Self::Gone => "gone",
            Self::Refused(_) | Self::CategoryGone(_) => "refused",
            Self::CategoryFull | Self::GuildFull => "full",
            Self::Later { .. } => "later",
            Self::NotSent => "not_sent",
            Self::NotHere => "not_here",
            Self::Occupied => "occupied",
        }
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        list(f, &self.actions, &self.notes)
    }
}

/// A plan as a short list: its steps, then why others are not taken.
pub(super) fn list(
    f: &mut fmt::Formatter<'_>,
    actions: &[impl fmt::Display],
    notes: &[impl fmt::Display],
) -> fmt::Result {
    if actions.is_empty() {
        f.write_str("nothing to do")?;
    }
    let steps = actions.iter().map(|action| format!("- {action}"));
    let lines = steps.chain(notes.iter().map(|note| format!("  ({note})")));
    for (at, line) in lines.enumerate() {
        if at > 0 || actions.is_empty() {
            f.write_str("\n")?;
        }
        f.write_str(&line)?;
    }
    Ok(())
}
