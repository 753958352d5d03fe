//! One rate-limit bucket, as far as Discord's answers let us know it. Pure: time comes in. Knows no routes and sends nothing.
//!
//! Discord's buckets leak: each request adds one interval to the moment at which the bucket is full again, whenever it arrives. So we
//! keep an upper bound of that moment, `full_at + charged × interval`, that holds for any order and delay of what is under way: a
//! request charged to it when it is *sent* is never refused, and no answer is needed before the next one. An answer moves the bound
//! only as far down as it surely may: what could have arrived after the answer left is charged on top of it.

use std::time::Duration;

/// Headers are rounded to the millisecond.
const ROUNDING: Duration = Duration::from_millis(1);

/// What one answer says about its bucket (docs, "Rate Limits").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// `X-RateLimit-Limit`.
    pub limit: u32,
    /// `X-RateLimit-Remaining`.
    pub remaining: u32,
    /// `X-RateLimit-Reset-After`: until the bucket is full again.
    pub reset_after: Duration,
}

/// Why nothing may be sent right now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    Until(Duration),
    /// Only an answer to what is under way can open it.
    Answer,
}

/// A request under way, as its bucket sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    pub at: Duration,
    /// How many were answered before it was sent, and so are surely counted in its own answer.
    answered: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shape {
    limit: u32,
    /// The time for one token, between these: what is left is a whole number, so an answer tells it only roughly.
    shortest: Duration,
    longest: Duration,
}

#[derive(Clone, Debug, Default)]
pub struct Bucket {
    shape: Option<Shape>,
    /// It fills up all at once when the window is over: nothing comes back before that.
    window: bool,
    full_at: Duration,
    charged: u64,
    sent: u64,
    answered: u64,
    closed_until: Duration,
}

impl Bucket {
    /// `window`: others of this route were seen to be windows.
    pub fn new(window: bool) -> Self {
        Self {
            window,
            ..Self::default()
        }
    }

    /// Whether one more may be sent. Before anything is known of it, `guess` may be under way at once.
    pub fn look(&self, guess: u32, now: Duration) -> Result<(), Wait> {
        let Some(shape) = self.shape else {
            if now < self.closed_until {
                return Err(Wait::Until(self.closed_until));
            }
            // When all of the guess was lost, one at a time goes on asking.
            let open = self.charged < u64::from(guess) || self.in_flight() == 0;
            return if open { Ok(()) } else { Err(Wait::Answer) };
        };
        let limit = u64::from(shape.limit.max(1));
        // Whatever is not answered may arrive together with this one.
        if self.in_flight() >= limit && now >= self.closed_until {
            return Err(Wait::Answer);
        }
        let opens = self.opens_at(shape, limit).max(self.closed_until);
        if opens > now { Err(Wait::Until(opens)) } else { Ok(()) }
    }

    /// How many more could be sent at once; for choosing between buckets.
    pub fn room(&self, guess: u32, now: Duration) -> u32 {
        let mut ahead = self.clone();
        let most = self.shape.map_or(guess, |shape| shape.limit).max(1);
        (0..most)
            .take_while(|_| {
                let open = ahead.look(guess, now).is_ok();
                ahead.send(now);
                open
            })
            .count() as u32
    }

    fn opens_at(&self, shape: Shape, limit: u64) -> Duration {
        let next = self.charged + 1;
        if self.window {
            // `full_at` is when the window ends, `charged` what was used of it.
            return if next <= limit { Duration::ZERO } else { self.full_at };
        }
        // full_at + next × interval ≤ now + limit × interval, for every interval that is possible.
        if next <= limit {
            self.full_at
                .saturating_sub(sum(Duration::ZERO, shape.shortest, limit - next))
        } else {
            sum(self.full_at, shape.longest, next - limit)
        }
    }

    pub fn send(&mut self, now: Duration) -> Sent {
        if self.window && now >= self.full_at {
            self.charged = self.in_flight();
        }
        self.sent += 1;
        self.charged += 1;
        Sent {
            at: now,
            answered: self.answered,
        }
    }

    /// It was not sent after all.
    pub fn unsend(&mut self) {
        self.sent = self.sent.saturating_sub(1);
        self.charged = self.charged.saturating_sub(1);
    }

    /// Nobody knows what became of it: it was counted no later than now, if at all.
    pub fn lost(&mut self, sent: Sent, now: Duration) {
        let overlap = self.settle(sent);
        self.at_least(now, overlap + 1);
    }

    /// Its answer has come, with headers or without.
    pub fn answered(&mut self, sent: Sent, told: Option<Told>, now: Duration) {
        let overlap = self.settle(sent);
        let Some(told) = told else {
            return self.at_least(now, overlap + 1);
        };
        let first = self.shape.is_none();
        self.learn(told);
        let full_at = now + told.reset_after + ROUNDING;
        let earliest = sent.at + told.reset_after.saturating_sub(ROUNDING);
        if self.window {
            self.window_told(told, overlap, full_at, earliest, now);
        // Ours does not hold when somebody else uses the bucket, too.
        } else if first || self.bound() < earliest || !self.is_tighter_than(full_at, overlap, now) {
            (self.full_at, self.charged) = (full_at, overlap);
        }
    }

    /// A 429 that emptied or found empty the bucket: nothing before `until`.
    pub fn refused(&mut self, sent: Sent, told: Option<Told>, until: Duration, now: Duration) {
        let overlap = self.settle(sent);
        self.closed_until = self.closed_until.max(until);
        let Some(told) = told else { return };
        let wait = until.saturating_sub(now);
        if self.shape.is_none_or(|shape| shape.limit != told.limit) {
            self.learn(told);
        }
        // In a bucket that leaks, one token is back long before all of them are.
        self.window |= told.limit > 1 && wait >= told.reset_after.mul_f64(0.9);
        self.full_at = self.full_at.max(now + told.reset_after.max(wait) + ROUNDING);
        let limit = u64::from(told.limit);
        self.charged = if self.window { limit } else { overlap };
    }

    pub fn is_window(&self) -> bool {
        self.window
    }

    pub fn limit(&self) -> Option<u32> {
        self.shape.map(|shape| shape.limit)
    }

    pub fn in_flight(&self) -> u64 {
        self.sent - self.answered
    }

    /// Whether nothing is left to remember: it is full and open.
    pub fn is_spent(&self, now: Duration) -> bool {
        self.in_flight() == 0 && now >= self.closed_until && now >= self.bound()
    }

    /// Takes over a request that is under way, from a bucket that turned out to be this one.
    pub fn adopt(&mut self, sent: Sent) -> Sent {
        self.sent += 1;
        self.charged += 1;
        // Of ours, no more than the bucket holds can have been answered while this one was under way.
        let limit = self.shape.map_or(self.answered, |shape| u64::from(shape.limit));
        let answered = self.answered.saturating_sub(limit);
        Sent { at: sent.at, answered }
    }

    /// Counts one as answered; gives how many others its answer may have left out.
    fn settle(&mut self, sent: Sent) -> u64 {
        self.answered += 1;
        self.sent.saturating_sub(1 + sent.answered)
    }

    /// Whether what we hold is a better bound than that of an answer. It must cover a request that found the bucket full just now.
    fn is_tighter_than(&self, full_at: Duration, charged: u64, now: Duration) -> bool {
        let Some(shape) = self.shape else { return false };
        self.bound() < sum(full_at, shape.longest, charged)
            && [shape.shortest, shape.longest]
                .into_iter()
                .all(|interval| sum(self.full_at, interval, self.charged) >= sum(now, interval, charged + 1))
    }

    /// Raises the bound to cover `charged` requests that found the bucket full just now.
    fn at_least(&mut self, now: Duration, charged: u64) {
        let Some(shape) = self.shape.filter(|_| !self.window) else {
            return;
        };
        let more = self.charged.saturating_sub(charged);
        self.full_at = sum(self.full_at, shape.longest, more).max(now);
        self.charged = charged;
    }

    fn window_told(&mut self, told: Told, overlap: u64, full_at: Duration, earliest: Duration, now: Duration) {
        if now < self.full_at && earliest > self.full_at + ROUNDING {
            // A window's end does not move: this one leaks after all.
            self.window = false;
            (self.full_at, self.charged) = (full_at, overlap);
            return;
        }
        let used = u64::from(told.limit.saturating_sub(told.remaining));
        let most = used + overlap;
        self.charged = if self.charged < used {
            most
        } else {
            self.charged.min(most)
        };
        self.full_at = if now < self.full_at {
            self.full_at.min(full_at)
        } else {
            full_at
        };
    }

    /// What an answer says of the interval. It has used at least one token itself, and `remaining` is rounded down, so
    /// `used - 1 < reset_after / interval ≤ used`.
    fn learn(&mut self, told: Told) {
        let used = told.limit.saturating_sub(told.remaining).max(1);
        let new = Shape {
            limit: told.limit,
            shortest: told.reset_after.saturating_sub(ROUNDING) / used,
            longest: (told.reset_after + ROUNDING) / (used - 1).max(1),
        };
        self.shape = Some(match self.shape {
            Some(old) if old.limit == new.limit => {
                let (shortest, longest) = (old.shortest.max(new.shortest), old.longest.min(new.longest));
                // When they don't fit together, the limit was changed, or it is no bucket that leaks.
                if shortest <= longest {
                    Shape {
                        shortest,
                        longest,
                        ..new
                    }
                } else {
                    new
                }
            }
            _ => new,
        });
    }

    /// No later than this the bucket is full again, when all that was sent is counted.
    fn bound(&self) -> Duration {
        let longest = self.shape.map_or(Duration::ZERO, |shape| shape.longest);
        sum(self.full_at, longest, self.charged)
    }
}

fn sum(start: Duration, interval: Duration, count: u64) -> Duration {
    start.saturating_add(interval.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX)))
}
