//! When one bot may send what, from what Discord's answers say. Pure: time comes in, as the time since some start. Whose turn it is
//! among those who wait is decided in `line`; nothing is sent here.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

pub use crate::discord::bucket::{Told, Wait};
use crate::discord::{
    bucket::{Bucket, Sent},
    closing::Closing,
};

/// Requests of one bot that may arrive in any one second, over all routes. Discord takes 50; the rest is room for what never waits: the answers
/// to interactions, should it count them after all.
pub const PER_SECOND: usize = 48;
const SECOND: Duration = Duration::from_secs(1);
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);
/// The longest that a 429 is doubled to; it may well name a longer pause itself.
pub const LONGEST_DOUBLING: Duration = Duration::from_secs(600);
/// Above this many buckets, those that nothing is known about any more are forgotten.
const MANY: usize = 1024;

/// What a limit counts by: the method and route, and the guild or channel in the path (0 when there is none).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// `PATCH /guilds/{guild}/members/{user}`.
    pub route: &'static str,
    pub resource: u64,
}

impl Key {
    /// How many are sent before a route's first answer; only then its true size is known, and this is not looked at any more.
    fn guess(self) -> u32 {
        match self.route {
            // Seen by many bots as 10 at once (facts/discord.md 2.3): the whole wave of a match.
            "PATCH /guilds/{guild}/members/{user}" => 10,
            // Nothing is published. Three matches at once: few enough to be refused little, and enough that one slow answer does not
            // hold up the other matches.
            "POST /guilds/{guild}/channels" => 6,
            _ => 2,
        }
    }
}

/// The right to send one request. Give it back: answered, or cancelled.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub struct Permit(u64);

/// What an answer says, as far as limits go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen<'a> {
    pub told: Option<Told>,
    /// `X-RateLimit-Bucket`.
    pub bucket: Option<&'a str>,
    pub verdict: Verdict,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verdict {
    /// Nobody waited for the answer.
    #[default]
    Lost,
    Passed,
    /// 5xx, cut, timed out: perhaps it is too much for Discord just now.
    Failed,
    Limited {
        pause: Duration,
        scope: Scope,
    },
}

/// What a 429 closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The bucket is empty.
    Bucket,
    /// This route only: a sub-limit, the bucket has tokens left.
    Route,
    /// This route only: others used it up.
    Shared,
    /// All that this bot sends.
    Global,
    /// All that this address sends: it was not Discord itself who said so.
    Address,
}

/// Everything known of one bot's limits.
#[derive(Clone, Debug, Default)]
pub struct Limiter {
    buckets: BTreeMap<u64, Bucket>,
    by_key: BTreeMap<Key, u64>,
    /// By the value that Discord gives a bucket, and the top-level id.
    by_name: BTreeMap<(String, u64), u64>,
    routes: BTreeMap<&'static str, Known>,
    closed: BTreeMap<Key, Closing>,
    /// All routes.
    all: Closing,
    flights: BTreeMap<u64, Flight>,
    /// When requests were answered, in the last second.
    recent: VecDeque<Duration>,
    next: u64,
}

/// What holds for all buckets of a route.
#[derive(Clone, Debug, Default)]
struct Known {
    name: Option<String>,
    limit: Option<u32>,
    window: bool,
}

#[derive(Clone, Copy, Debug)]
struct Flight {
    key: Key,
    bucket: u64,
    sent: Sent,
}

impl Limiter {
    /// Whether a request may be sent now.
    pub fn look(&self, key: Key, now: Duration) -> Result<(), Wait> {
        let route = self.closed.get(&key).copied().unwrap_or_default();
        let mut until = route.until().max(self.all.until());
        let bucket = self
            .bucket(key)
            .map_or(Ok(()), |bucket| bucket.look(self.guess(key), now));
        let doubts = [
            self.look_in_doubt(route, |flight| flight.key == key),
            self.look_in_doubt(self.all, |_| true),
        ];
        // The longest of them, so that nobody sleeps twice.
        let waits = [bucket, self.look_global(now)].into_iter().chain(doubts);
        for wait in waits.filter_map(Result::err) {
            match wait {
                Wait::Until(later) => until = until.max(later),
                Wait::Answer if until > now => {}
                Wait::Answer => return Err(Wait::Answer),
            }
        }
        if until > now { Err(Wait::Until(until)) } else { Ok(()) }
    }

    /// Takes a permit, or says how long to wait (and then to ask again).
    pub fn permit(&mut self, key: Key, now: Duration) -> Result<Permit, Wait> {
        self.look(key, now)?;
        let id = self.bucket_id(key, now);
        let window = self.routes.get(key.route).is_some_and(|known| known.window);
        let bucket = self.buckets.entry(id).or_insert_with(|| Bucket::new(window));
        let sent = bucket.send(now);
        self.next += 1;
        self.flights.insert(self.next, Flight { key, bucket: id, sent });
        Ok(Permit(self.next))
    }

    /// How many could be sent at once; for choosing between bots.
    pub fn room(&self, key: Key, now: Duration) -> u32 {
        match self.look(key, now) {
            Err(_) => 0,
            Ok(()) => self
                .bucket(key)
                .map_or(self.guess(key), |bucket| bucket.room(self.guess(key), now)),
        }
    }

    /// Learns from an answer, or from there being none (`Seen::default()`).
    pub fn answered(&mut self, Permit(number): Permit, seen: &Seen<'_>, now: Duration) {
        let Some(Flight { key, .. }) = self.flights.get(&number).copied() else {
            return;
        };
        if let Some(name) = seen.bucket {
            self.name(key, name, now);
        }
        // Naming may have moved it to another bucket.
        let Some(flight) = self.flights.remove(&number) else {
            return;
        };
        while self.recent.front().is_some_and(|at| *at + SECOND <= now) {
            self.recent.pop_front();
        }
        self.recent.push_back(now);
        let pause = self.heed(flight, seen.verdict, now);
        let empty = matches!(
            seen.verdict,
            Verdict::Limited {
                scope: Scope::Bucket,
                ..
            }
        );
        let Some(bucket) = self.buckets.get_mut(&flight.bucket) else {
            return;
        };
        let lost = seen.told.is_none() && matches!(seen.verdict, Verdict::Lost | Verdict::Failed);
        if empty {
            bucket.refused(flight.sent, seen.told, now + pause, now);
        } else if lost {
            bucket.lost(flight.sent, now);
        } else {
            bucket.answered(flight.sent, seen.told, now);
        }
        if seen.told.is_some() {
            let (window, limit) = (bucket.is_window(), bucket.limit());
            let known = self.routes.entry(key.route).or_default();
            (known.window, known.limit) = (window, limit);
        }
    }

    /// The request was not sent.
    pub fn cancel(&mut self, Permit(number): Permit) {
        let Some(flight) = self.flights.remove(&number) else {
            return;
        };
        if let Some(bucket) = self.buckets.get_mut(&flight.bucket) {
            bucket.unsend();
        }
    }

    /// When a request was sent that is under way.
    pub fn sent_at(&self, Permit(number): &Permit) -> Option<Duration> {
        self.flights.get(number).map(|flight| flight.sent.at)
    }

    /// Whether anything is under way that was sent then or later.
    pub fn is_under_way_since(&self, since: Duration) -> bool {
        self.flights.values().any(|flight| flight.sent.at >= since)
    }

    /// A request arrives between its start and its answer, so those under way and those answered within a second are all that can arrive within
    /// one second with the next one. Whatever their latencies.
    fn look_global(&self, now: Duration) -> Result<(), Wait> {
        let over = self.recent.partition_point(|at| *at + SECOND <= now);
        if self.flights.len() + self.recent.len() - over < PER_SECOND {
            return Ok(());
        }
        Err(self
            .recent
            .get(over)
            .map_or(Wait::Answer, |at| Wait::Until(*at + SECOND)))
    }

    /// What was closed opens for one request first; the others wait for what that one says.
    fn look_in_doubt(&self, closing: Closing, is_one: impl FnMut(&Flight) -> bool) -> Result<(), Wait> {
        let mut tries = self.flights.values().filter(|flight| flight.sent.at >= closing.until());
        if closing.is_in_doubt() && tries.any(is_one) {
            return Err(Wait::Answer);
        }
        Ok(())
    }

    /// Closes and opens by what was answered; gives for how long.
    fn heed(&mut self, flight: Flight, verdict: Verdict, now: Duration) -> Duration {
        let (key, sent) = (flight.key, flight.sent.at);
        let mut close = |longest, pause| {
            let closing = self.closed.entry(key).or_default();
            closing.close(pause, longest, sent, now)
        };
        match verdict {
            Verdict::Lost => Duration::ZERO,
            Verdict::Failed => close(LONGEST_BACKOFF, Duration::ZERO),
            Verdict::Limited {
                pause,
                scope: Scope::Global | Scope::Address,
            } => self.all.close(pause, LONGEST_DOUBLING, sent, now),
            Verdict::Limited { pause, .. } => close(LONGEST_DOUBLING, pause),
            Verdict::Passed => {
                self.all.passed(sent);
                if let Some(closing) = self.closed.get_mut(&key) {
                    closing.passed(sent);
                }
                Duration::ZERO
            }
        }
    }

    fn guess(&self, key: Key) -> u32 {
        let learnt = self.routes.get(key.route).and_then(|known| known.limit);
        learnt.unwrap_or_else(|| key.guess())
    }

    fn bucket(&self, key: Key) -> Option<&Bucket> {
        self.buckets.get(&self.known_id(key)?)
    }

    fn known_id(&self, key: Key) -> Option<u64> {
        self.by_key.get(&key).copied().or_else(|| {
            let name = self.routes.get(key.route)?.name.clone()?;
            self.by_name.get(&(name, key.resource)).copied()
        })
    }

    fn bucket_id(&mut self, key: Key, now: Duration) -> u64 {
        let id = self.known_id(key).unwrap_or_else(|| {
            self.forget(now);
            self.next += 1;
            self.next
        });
        self.by_key.insert(key, id);
        id
    }

    /// Discord told a bucket's name: routes with the same one share it, each top-level id for itself.
    fn name(&mut self, key: Key, name: &str, now: Duration) {
        self.routes.entry(key.route).or_default().name = Some(name.to_owned());
        let mine = self.bucket_id(key, now);
        let named = (name.to_owned(), key.resource);
        let shared = match self.by_name.get(&named) {
            Some(id) => *id,
            // It had another name before, and others may still go by that.
            None if self.by_name.values().any(|id| *id == mine) => {
                self.next += 1;
                self.next
            }
            None => mine,
        };
        self.by_name.insert(named, shared);
        if shared != mine {
            self.move_over(key, mine, shared);
        }
    }

    /// Lets a route use another bucket, with all that it has under way.
    fn move_over(&mut self, key: Key, from: u64, to: u64) {
        self.by_key.insert(key, to);
        let Some(mut old) = self.buckets.remove(&from) else {
            return;
        };
        let bucket = self.buckets.entry(to).or_insert_with(|| Bucket::new(old.is_window()));
        for flight in self
            .flights
            .values_mut()
            .filter(|flight| flight.key == key && flight.bucket == from)
        {
            old.unsend();
            flight.sent = bucket.adopt(flight.sent);
            flight.bucket = to;
        }
        if self.by_key.values().any(|id| *id == from) {
            self.buckets.insert(from, old);
        } else {
            self.by_name.retain(|_, id| *id != from);
        }
    }

    /// Channels come and go, and each has had its buckets.
    fn forget(&mut self, now: Duration) {
        self.closed
            .retain(|_, closing| closing.until() + LONGEST_DOUBLING > now);
        if self.buckets.len() < MANY {
            return;
        }
        self.buckets.retain(|_, bucket| !bucket.is_spent(now));
        let buckets = &self.buckets;
        self.by_key.retain(|_, id| buckets.contains_key(id));
        self.by_name.retain(|_, id| buckets.contains_key(id));
    }
}

#[cfg(test)]
mod tests;
