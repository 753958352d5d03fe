//! Discord's rate limits: leaky buckets per route and top-level id, the global window, sub-limits; pure, time is passed in.

use std::{collections::HashMap, time::Duration};

use serde::{Deserialize, Serialize};

use super::snowflake::Snowflake;

/// Sizes of the buckets. The defaults are what bots observed (member edits, renames) or generous guesses (the rest).
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// PATCH of a member (moves), per guild: 10 per 10 s.
    pub member_edit: Rate,
    /// POST of a channel, per guild.
    pub channel_create: Rate,
    /// PATCH of a channel, per channel.
    pub channel_edit: Rate,
    /// PATCH of a channel with a name in it: a sub-limit no header tells of. 2 per 10 min.
    pub channel_rename: Rate,
    /// DELETE of a channel, per channel.
    pub channel_delete: Rate,
    /// PUT and DELETE of an overwrite, per channel.
    pub overwrite_edit: Rate,
    /// POST and PATCH of a message, each, per channel.
    pub message: Rate,
    /// Further answers to an interaction and changes of answers, each, per interaction.
    pub follow_up: Rate,
    /// Every other route, per top-level id.
    pub other: Rate,
    /// Requests of one bot in one second, over all routes.
    pub global_per_second: u32,
    /// Channels one bot may create in one guild in 24 h; none unless set, since nothing official says it still exists.
    pub channels_per_day: Option<u32>,
    /// Answers 401, 403 and 429 (but shared) in 10 minutes after which the edge bans the caller for the rest of them.
    pub invalid_per_10_min: u32,
    /// FACEIT calls of one key in one second.
    pub faceit_per_second: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            member_edit: Rate {
                limit: 10,
                per_ms: 10_000,
            },
            channel_create: Rate {
                limit: 100,
                per_ms: 10_000,
            },
            channel_edit: Rate {
                limit: 5,
                per_ms: 5_000,
            },
            channel_rename: Rate {
                limit: 2,
                per_ms: 600_000,
            },
            channel_delete: Rate {
                limit: 5,
                per_ms: 5_000,
            },
            overwrite_edit: Rate {
                limit: 10,
                per_ms: 10_000,
            },
            message: Rate {
                limit: 5,
                per_ms: 5_000,
            },
            follow_up: Rate {
                limit: 5,
                per_ms: 2_000,
            },
            other: Rate {
                limit: 50,
                per_ms: 1_000,
            },
            global_per_second: 50,
            channels_per_day: None,
            invalid_per_10_min: 10_000,
            faceit_per_second: 10,
        }
    }
}

/// `limit` requests at once, then one more every `per_ms / limit`.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    pub limit: u32,
    pub per_ms: u64,
}

impl Rate {
    fn period(self) -> Duration {
        Duration::from_millis(self.per_ms)
    }

    fn interval(self) -> Duration {
        self.period() / self.limit.max(1)
    }
}

/// Where a bucket stands after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::simulator) struct Standing {
    pub(in crate::simulator) limit: u32,
    pub(in crate::simulator) remaining: u32,
    /// Until the bucket is full again; it moves with every request.
    pub(in crate::simulator) reset_after: Duration,
    /// Until one request would pass; zero when this one did.
    pub(in crate::simulator) retry_after: Duration,
}

/// A leaky bucket: the moment at which it will be full again says everything.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::simulator) struct Bucket {
    full_at: Duration,
}

impl Bucket {
    pub(in crate::simulator) fn take(&mut self, rate: Rate, now: Duration) -> Standing {
        let owed = self.full_at.saturating_sub(now);
        let room = rate.period().saturating_sub(rate.interval());
        if rate.limit == 0 || owed > room {
            let retry_after = if rate.limit == 0 { rate.period() } else { owed - room };
            return Standing {
                limit: rate.limit,
                remaining: 0,
                reset_after: owed.max(retry_after),
                retry_after,
            };
        }
        let owed = owed + rate.interval();
        self.full_at = now + owed;
        let left = rate.period().saturating_sub(owed);
        let remaining = left.as_nanos() / rate.interval().as_nanos().max(1);
        let remaining = u32::try_from(remaining).unwrap_or(u32::MAX).min(rate.limit - 1);
        Standing {
            limit: rate.limit,
            remaining,
            reset_after: owed,
            retry_after: Duration::ZERO,
        }
    }
}

/// So many in a time, counted from the first of them.
#[derive(Debug)]
pub(in crate::simulator) struct Window {
    length: Duration,
    opened: Duration,
    used: u32,
}

impl Window {
    pub(in crate::simulator) fn of(length: Duration) -> Self {
        Self {
            length,
            opened: Duration::ZERO,
            used: 0,
        }
    }

    /// `Err` holds how long the window stays shut.
    pub(in crate::simulator) fn take(&mut self, limit: u32, now: Duration) -> Result<(), Duration> {
        if now >= self.opened + self.length {
            (self.opened, self.used) = (now, 0);
        }
        self.shut(limit, now).map_or(Ok(()), Err)?;
        self.used += 1;
        Ok(())
    }

    /// For how much longer nothing more passes.
    pub(in crate::simulator) fn shut(&self, limit: u32, now: Duration) -> Option<Duration> {
        let rest = (self.opened + self.length).saturating_sub(now);
        (self.used >= limit && !rest.is_zero()).then_some(rest)
    }

    pub(in crate::simulator) fn used(&self, now: Duration) -> u32 {
        if now >= self.opened + self.length { 0 } else { self.used }
    }

    /// How many more would pass right after the last one that was counted.
    pub(in crate::simulator) fn left(&self, limit: u32) -> u32 {
        limit.saturating_sub(self.used)
    }
}

/// Which bucket a request falls into: its rate's name, its route (method and template) and its top-level id.
pub(in crate::simulator) type Key = (&'static str, Option<Snowflake>);

/// The limits of all bots; invalid requests are counted together, since they share an address.
#[derive(Debug)]
pub(in crate::simulator) struct Limiter {
    pub(in crate::simulator) limits: Limits,
    /// Answers that count as invalid requests.
    pub(in crate::simulator) invalid: Window,
    buckets: HashMap<(Snowflake, Key), Bucket>,
    global: HashMap<Snowflake, Window>,
}

/// How a request fared.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::simulator) enum Verdict {
    Passes(Standing),
    /// Too many in this bucket.
    Route(Standing),
    /// Too many in all, for so long.
    Global(Duration),
}

impl Limiter {
    pub(in crate::simulator) fn new(limits: Limits) -> Self {
        let invalid = Window::of(Duration::from_secs(600));
        Self {
            limits,
            invalid,
            buckets: HashMap::new(),
            global: HashMap::new(),
        }
    }

    /// A request that counts among those of the running second.
    pub(in crate::simulator) fn take(&mut self, bot: Snowflake, key: Key, rate: Rate, now: Duration) -> Verdict {
        let global = self
            .global
            .entry(bot)
            .or_insert_with(|| Window::of(Duration::from_secs(1)));
        if let Err(wait) = global.take(self.limits.global_per_second, now) {
            return Verdict::Global(wait);
        }
        self.take_unbound(bot, key, rate, now)
    }

    /// One that doesn't.
    pub(in crate::simulator) fn take_unbound(
        &mut self,
        bot: Snowflake,
        key: Key,
        rate: Rate,
        now: Duration,
    ) -> Verdict {
        match self.take_apart(bot, key, rate, now) {
            standing if standing.retry_after.is_zero() => Verdict::Passes(standing),
            standing => Verdict::Route(standing),
        }
    }

    /// A sub-limit: a bucket of its own that the global window doesn't count again.
    pub(in crate::simulator) fn take_apart(&mut self, bot: Snowflake, key: Key, rate: Rate, now: Duration) -> Standing {
        if self.buckets.len() > 10_000 {
            // Channels come and go, and each has had its buckets; a full one says nothing.
            self.buckets.retain(|_, bucket| bucket.full_at > now);
        }
        self.buckets.entry((bot, key)).or_default().take(rate, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOVES: Rate = Rate {
        limit: 10,
        per_ms: 10_000,
    };

    fn at(ms: u64) -> Duration {
        Duration::from_millis(1_763_000_000_000 + ms)
    }

    #[test]
    fn ten_pass_at_once_and_the_eleventh_waits_a_second() {
        let mut bucket = Bucket::default();
        let left: Vec<u32> = (0..10).map(|_| bucket.take(MOVES, at(0)).remaining).collect();
        assert_eq!(left, [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
        let eleventh = bucket.take(MOVES, at(0));
        assert_eq!(eleventh.retry_after, Duration::from_secs(1));
        assert_eq!(eleventh.reset_after, Duration::from_secs(10));
    }

    #[test]
    fn after_the_burst_one_passes_each_second() {
        let mut bucket = Bucket::default();
        (0..10).for_each(|_| assert!(bucket.take(MOVES, at(0)).retry_after.is_zero()));
        assert_eq!(bucket.take(MOVES, at(999)).retry_after, Duration::from_millis(1));
        assert!(bucket.take(MOVES, at(1000)).retry_after.is_zero());
        assert!(!bucket.take(MOVES, at(1001)).retry_after.is_zero());
    }

    #[test]
    fn an_idle_bucket_fills_up_and_no_further() {
        let mut bucket = Bucket::default();
        (0..10).for_each(|_| assert!(bucket.take(MOVES, at(0)).retry_after.is_zero()));
        let later = bucket.take(MOVES, at(3_600_000));
        assert_eq!((later.remaining, later.reset_after), (9, Duration::from_secs(1)));
    }

    #[test]
    fn a_refused_request_costs_nothing() {
        let mut bucket = Bucket::default();
        (0..50).for_each(|_| _ = bucket.take(MOVES, at(0)));
        assert_eq!(bucket.take(MOVES, at(0)).retry_after, Duration::from_secs(1));
    }

    #[test]
    fn each_bot_has_buckets_and_a_second_of_its_own() {
        let mut limiter = Limiter::new(Limits {
            global_per_second: 11,
            ..Limits::default()
        });
        let key = ("PATCH /guilds/{guild_id}/members/{user_id}", Some(Snowflake(1)));
        for bot in [7, 8] {
            let mut take = || limiter.take(Snowflake(bot), key, MOVES, at(0));
            (0..10).for_each(|_| assert!(matches!(take(), Verdict::Passes(_))));
            assert!(matches!(take(), Verdict::Route(_)));
            assert!(matches!(take(), Verdict::Global(_)));
        }
    }

    #[test]
    fn each_guild_has_buckets_of_its_own_but_the_second_is_shared() {
        let bot = Snowflake(7);
        let mut limiter = Limiter::new(Limits {
            global_per_second: 12,
            ..Limits::default()
        });
        let key = |guild| ("PATCH /guilds/{guild_id}/members/{user_id}", Some(Snowflake(guild)));
        (0..10).for_each(|_| assert!(matches!(limiter.take(bot, key(1), MOVES, at(0)), Verdict::Passes(_))));
        assert!(matches!(limiter.take(bot, key(1), MOVES, at(0)), Verdict::Route(_)));
        assert!(matches!(limiter.take(bot, key(2), MOVES, at(0)), Verdict::Passes(_)));
        assert_eq!(
            limiter.take(bot, key(2), MOVES, at(400)),
            Verdict::Global(Duration::from_millis(600))
        );
        assert!(matches!(limiter.take(bot, key(2), MOVES, at(1000)), Verdict::Passes(_)));
    }
}
