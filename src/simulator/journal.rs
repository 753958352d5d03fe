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

#[derive(Debug, Default)]
pub(super) struct Journal {
    /// With the number of its arrival: entries are written when they are answered.
    entries: Vec<(u64, Entry)>,
    unknown: Vec<Entry>,
    arrived: u64,
}

impl Journal {
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

    /// In the order they came in.
    pub(super) fn entries(&self) -> Vec<Entry> {
        self.entries.iter().map(|(_, entry)| entry.clone()).collect()
    }

    pub(super) fn unknown(&self) -> &[Entry] {
        &self.unknown
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.unknown.clear();
    }
}
