//! The steps for a guild's categories, and the decision for them. Prints as one line per step.

use std::fmt;

use crate::domain::{
    Timestamp,
    ids::ChannelId,
    plan::{Outcome, list},
};

/// One step in Discord.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Ask what the guild's own category is called.
    AskName {
        base: ChannelId,
    },
    CreateCategory {
        number: u32,
        name: String,
    },
    /// Look for categories that an unanswered create may have made.
    FindCategory {
        number: u32,
        name: String,
        since: Timestamp,
    },
    /// Ask whether it is still there: the gateway does not know it.
    CheckCategory {
        number: u32,
        channel: ChannelId,
    },
    /// Delete it if it is empty.
    DeleteCategory {
        number: u32,
        channel: ChannelId,
    },
}

/// One thing to take in before deciding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Outcomes(Vec<(Action, Outcome)>),
    Tick,
}

/// What to do now, why the rest is left, and when to look again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    pub actions: Vec<Action>,
    /// None when there is nothing to look after.
    pub look_again: Option<Timestamp>,
    pub notes: Vec<String>,
}

impl Action {
    /// The label under which metrics count it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::AskName { .. } => "ask_name",
            Self::CreateCategory { .. } => "create_category",
            Self::FindCategory { .. } => "find_category",
            Self::CheckCategory { .. } => "check_category",
            Self::DeleteCategory { .. } => "delete_category",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AskName { base } => write!(f, "ask what category {base} is called"),
            Self::CreateCategory { name, .. } => write!(f, "create category '{name}'"),
            Self::FindCategory { name, .. } => write!(f, "look whether category '{name}' was already created"),
            Self::CheckCategory { channel, .. } => write!(f, "ask whether category {channel} is still there"),
            Self::DeleteCategory { channel, .. } => write!(f, "delete category {channel} if it is empty"),
        }
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        list(f, &self.actions, &self.notes)
    }
}
