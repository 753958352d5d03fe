//! How the connections to Discord's gateway stand, one per shard, for whoever asks whether Muster is ready. Holds no connection.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

/// How one shard stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// Another process listens.
    StandingBy,
    Connecting,
    Up,
    /// It is tried again by itself.
    Down {
        why: String,
    },
    /// Only a person can help; says how.
    Fatal {
        why: String,
    },
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StandingBy => f.write_str("standing by: another process listens"),
            Self::Connecting => f.write_str("connecting"),
            Self::Up => f.write_str("up"),
            Self::Down { why } => write!(f, "down, connecting again: {why}"),
            Self::Fatal { why } => write!(f, "given up: {why}"),
        }
    }
}

/// All shards. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Shards(Arc<RwLock<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    shards: BTreeMap<u32, Status>,
    /// Why no shard could even be started; it is tried again by itself.
    trouble: Option<String>,
}

impl Shards {
    pub fn set(&self, shard: u32, status: Status) {
        self.with(|inner| inner.shards.insert(shard, status));
    }

    pub fn get(&self, shard: u32) -> Option<Status> {
        self.with(|inner| inner.shards.get(&shard).cloned())
    }

    pub fn all(&self) -> BTreeMap<u32, Status> {
        self.with(|inner| inner.shards.clone())
    }

    /// Discord was not ready to say how many shards there are.
    pub fn set_trouble(&self, why: Option<String>) {
        self.with(|inner| inner.trouble = why);
    }

    pub fn trouble(&self) -> Option<String> {
        self.with(|inner| inner.trouble.clone())
    }

    /// Why a shard was given up, with what to do about it.
    pub fn fatal(&self) -> Option<String> {
        self.with(|inner| {
            inner.shards.iter().find_map(|(shard, status)| match status {
                Status::Fatal { why } => Some(format!("shard {shard}: {why}")),
                _ => None,
            })
        })
    }

    fn with<T>(&self, look: impl FnOnce(&mut Inner) -> T) -> T {
        look(&mut self.0.write().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_shard_that_was_given_up_is_fatal() {
        let shards = Shards::default();
        let why = || "no answer".to_owned();
        shards.set(0, Status::Down { why: why() });
        shards.set(1, Status::Connecting);
        shards.set_trouble(Some(why()));
        assert_eq!(shards.fatal(), None);
        shards.clone().set(
            1,
            Status::Fatal {
                why: "the token is refused".to_owned(),
            },
        );
        assert_eq!(shards.fatal().as_deref(), Some("shard 1: the token is refused"));
        shards.set(1, Status::Up);
        assert_eq!(shards.fatal(), None);
    }
}
