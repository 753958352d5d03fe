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

/// How far a shard has heard.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Heard {
    session: String,
    /// The number of the last event.
    sequence: u64,
    /// When so many bookings are stored, everything is that followed from it.
    bookings: u64,
}

#[derive(Debug, Default)]
struct Inner {
    shards: BTreeMap<u32, Status>,
    /// Why no shard could even be started; it is tried again by itself.
    trouble: Option<String>,
    heard: BTreeMap<u32, Heard>,
    /// How many bookings are stored.
    booked: u64,
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

    /// A shard has heard an event; what followed from it is among so many bookings.
    pub fn set_heard(&self, shard: u32, session: &str, sequence: u64, bookings: u64) {
        self.with(|inner| match inner.heard.get_mut(&shard) {
            Some(heard) if heard.session == session => {
                (heard.sequence, heard.bookings) = (sequence, bookings);
            }
            _ => {
                let heard = Heard {
                    session: session.to_owned(),
                    sequence,
                    bookings,
                };
                inner.heard.insert(shard, heard);
            }
        });
    }

    pub fn set_booked(&self, bookings: u64) {
        self.with(|inner| inner.booked = bookings);
    }

    /// The session of a shard and the last event in it that was heard; None while not everything that followed from it is booked.
    pub fn caught_up(&self, shard: u32) -> Option<(String, u64)> {
        self.with(|inner| {
            let heard = inner.heard.get(&shard)?;
            (heard.bookings <= inner.booked).then(|| (heard.session.clone(), heard.sequence))
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
    fn a_shard_has_caught_up_when_all_that_followed_is_booked() {
        let shards = Shards::default();
        assert_eq!(shards.caught_up(0), None);
        shards.set_heard(0, "a", 7, 2);
        assert_eq!(shards.caught_up(0), None);
        shards.set_booked(2);
        assert_eq!(shards.caught_up(0), Some(("a".to_owned(), 7)));
        shards.set_heard(0, "b", 1, 2);
        assert_eq!(shards.caught_up(0), Some(("b".to_owned(), 1)));
    }

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
