//! How often one person may run a command that costs others something: a few times at once, then one every so often. Per process.

use std::{num::NonZeroU32, time::Duration};

use governor::{
    DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
};

use crate::{commands::trouble::Trouble, domain::ids::UserId};

/// People remembered before those that rest are forgotten.
const REMEMBERED: usize = 10_000;

/// What is counted, each on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Counted {
    /// Opens a sign-in.
    Link,
    /// Looks a name up at FACEIT.
    Register,
    /// Reads a profile afresh.
    Verify,
    /// Has a match looked at.
    Move,
    /// Reads or rewrites much of the database.
    Data,
    /// Does something as staff.
    Staff,
}

impl Counted {
    /// So many at once, then one every so often.
    fn quota(self) -> Quota {
        let (burst, seconds) = match self {
            Self::Link => (5, 60),
            Self::Register => (6, 20),
            Self::Verify => (3, 60),
            Self::Move => (5, 10),
            Self::Data => (3, 120),
            Self::Staff => (30, 3),
        };
        let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
        Quota::with_period(Duration::from_secs(seconds))
            .unwrap_or(Quota::per_minute(burst))
            .allow_burst(burst)
    }
}

pub(super) struct Limits {
    link: DefaultKeyedRateLimiter<UserId>,
    register: DefaultKeyedRateLimiter<UserId>,
    verify: DefaultKeyedRateLimiter<UserId>,
    moves: DefaultKeyedRateLimiter<UserId>,
    data: DefaultKeyedRateLimiter<UserId>,
    staff: DefaultKeyedRateLimiter<UserId>,
    suggestions: DefaultDirectRateLimiter,
}

impl Default for Limits {
    fn default() -> Self {
        let of = |counted: Counted| RateLimiter::keyed(counted.quota());
        Self {
            link: of(Counted::Link),
            register: of(Counted::Register),
            verify: of(Counted::Verify),
            moves: of(Counted::Move),
            data: of(Counted::Data),
            staff: of(Counted::Staff),
            // Matches need FACEIT's calls more than people who type.
            suggestions: RateLimiter::direct(Quota::per_second(NonZeroU32::MIN).allow_burst(TWO)),
        }
    }
}

const TWO: NonZeroU32 = NonZeroU32::new(2).expect("above zero");

impl Limits {
    /// Counts one more.
    pub fn check(&self, counted: Counted, user: UserId) -> Result<(), Trouble> {
        let limiter = match counted {
            Counted::Link => &self.link,
            Counted::Register => &self.register,
            Counted::Verify => &self.verify,
            Counted::Move => &self.moves,
            Counted::Data => &self.data,
            Counted::Staff => &self.staff,
        };
        if limiter.len() > REMEMBERED {
            limiter.retain_recent();
        }
        limiter
            .check_key(&user)
            .map_err(|until| Trouble::TooOften(until.wait_time_from(DefaultClock::default().now())))
    }

    /// Whether FACEIT may be asked for suggestions now.
    pub fn may_suggest(&self) -> bool {
        self.suggestions.check().is_ok()
    }
}
