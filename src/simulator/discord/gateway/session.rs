//! One gateway session: what it was told, in order, kept for a resume; it outlives its connections.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use axum::extract::ws::Utf8Bytes;
use tokio::sync::mpsc::UnboundedSender;

use super::Out;
use crate::simulator::discord::snowflake::Snowflake;

#[derive(Debug)]
pub(super) struct Session {
    pub(super) id: String,
    pub(super) bot: Snowflake,
    /// Its number and how many there are.
    pub(super) shard: (u64, u64),
    pub(super) intents: u64,
    pub(super) large_threshold: usize,
    /// The number of the last event.
    pub(super) seq: u64,
    /// Channels it was told of without their names and overwrites, by guild.
    pub(super) hidden: BTreeMap<Snowflake, BTreeSet<Snowflake>>,
    kept: VecDeque<(u64, Utf8Bytes)>,
    keeps: usize,
    outlet: Option<(u64, UnboundedSender<Out>)>,
    detached_at: Duration,
}

impl Session {
    pub(super) fn new(id: String, bot: Snowflake, shard: (u64, u64), intents: u64, keeps: usize) -> Self {
        Self {
            id,
            bot,
            shard,
            intents,
            large_threshold: 50,
            seq: 0,
            hidden: BTreeMap::new(),
            kept: VecDeque::new(),
            keeps,
            outlet: None,
            detached_at: Duration::ZERO,
        }
    }

    pub(super) fn attach(&mut self, connection: u64, outbox: UnboundedSender<Out>) {
        self.outlet = Some((connection, outbox));
    }

    pub(super) fn detach(&mut self, now: Duration) {
        self.outlet = None;
        self.detached_at = now;
    }

    pub(super) fn connection(&self) -> Option<u64> {
        self.outlet.as_ref().map(|(connection, _)| *connection)
    }

    pub(super) fn expired(&self, window: Duration, now: Duration) -> bool {
        self.outlet.is_none() && now >= self.detached_at + window
    }

    /// The shard a guild's events go to (Discord docs, Gateway, "Sharding").
    pub(super) fn serves(&self, guild: Snowflake) -> bool {
        let (id, count) = self.shard;
        (guild.0 >> 22) % count == id
    }

    pub(super) fn wants(&self, intent: u64) -> bool {
        self.intents & intent == intent
    }

    /// Tells an event: numbered, kept, and sent if anybody is connected.
    pub(super) fn dispatch(&mut self, name: &str, data: &str) {
        self.seq += 1;
        let frame = format!(r#"{{"t":"{name}","s":{},"op":0,"d":{data}}}"#, self.seq);
        let frame = Utf8Bytes::from(frame);
        self.kept.push_back((self.seq, frame.clone()));
        if self.kept.len() > self.keeps {
            self.kept.pop_front();
        }
        self.send(frame);
    }

    /// Whether every event after that one is still kept.
    pub(super) fn remembers(&self, seq: u64) -> bool {
        seq == self.seq || self.kept.front().is_some_and(|(oldest, _)| *oldest <= seq + 1)
    }

    /// Sends what came after that event once more.
    pub(super) fn replay(&self, seq: u64) {
        let missed = self.kept.iter().filter(|(number, _)| *number > seq);
        missed.for_each(|(_, frame)| self.send(frame.clone()));
    }

    fn send(&self, frame: Utf8Bytes) {
        if let Some((_, outbox)) = &self.outlet {
            // A connection that has just ended by itself misses it; a resume brings it.
            let _ = outbox.send(Out::Text(frame));
        }
    }
}
