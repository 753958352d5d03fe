//! The list of Discord and FACEIT requests that came in, and of those nobody expected; control calls are not in it.

use serde::{Deserialize, Serialize};

/// Which API a request was for.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    Discord,
    Faceit,
}

/// One request.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// When it had come in whole, by the simulator's clock, in Unix milliseconds.
    pub at_ms: u64,
    pub side: Side,
    pub method: String,
    /// As it came, with the API prefix and the query.
    pub path: String,
    /// What was answered; 0 when the connection was cut instead.
    pub status: u16,
}

/// A request with what was sent and answered, for checks against a description of the API.
#[derive(Clone, Debug)]
pub struct Exchange {
    pub entry: Entry,
    /// The media type of what was sent; empty without one.
    pub sent_type: String,
    pub sent: Vec<u8>,
    /// The media type of the answer; empty without one.
    pub answered_type: String,
    pub answered: Vec<u8>,
    /// The answer is a fault's and not the simulator's own.
    pub struck: bool,
}

#[derive(Debug, Default)]
pub(super) struct Journal {
    /// With the number of its arrival: entries are written when they are answered.
    entries: Vec<(u64, Entry)>,
    unknown: Vec<Entry>,
    arrived: u64,
    /// Kept when asked for only: bodies can be large.
    exchanges: Option<Vec<Exchange>>,
}

impl Journal {
    pub(super) fn new(keeps_bodies: bool) -> Self {
        Self {
            exchanges: keeps_bodies.then(Vec::new),
            ..Self::default()
        }
    }

    /// Numbers a request as it comes in.
    pub(super) fn arrive(&mut self) -> u64 {
        self.arrived += 1;
        self.arrived
    }

    pub(super) fn record(&mut self, number: u64, entry: Entry, known: bool) {
        if !known {
            self.record_unknown(entry.clone());
        }
        let at = self.entries.partition_point(|(earlier, _)| *earlier < number);
        self.entries.insert(at, (number, entry));
    }

    pub(super) fn record_unknown(&mut self, entry: Entry) {
        self.unknown.push(entry);
    }

    /// Writes it down whole, if bodies are kept.
    pub(super) fn keep(&mut self, whole: impl FnOnce() -> Exchange) {
        if let Some(exchanges) = &mut self.exchanges {
            exchanges.push(whole());
        }
    }

    /// In the order they were answered.
    pub(super) fn exchanges(&self) -> Vec<Exchange> {
        self.exchanges.clone().unwrap_or_default()
    }

    /// In the order they came in.
    pub(super) fn entries(&self) -> Vec<Entry> {
        self.entries.iter().map(|(_, entry)| entry.clone()).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn unknown(&self) -> &[Entry] {
        &self.unknown
    }

    pub(super) fn clear(&mut self) {
        self.exchanges.iter_mut().for_each(Vec::clear);
        self.entries.clear();
        self.unknown.clear();
    }
}
