//! How many requests somebody may make: by address, by person, by guild; governor's buckets, which leak as a sliding window does. Counts in
//! this process only.

use std::{fmt, hash::Hash, net::IpAddr, num::NonZeroU32, str::FromStr, time::Duration};

use governor::{Quota, RateLimiter, middleware::NoOpMiddleware, state::keyed::HashMapStateStore};

use crate::{
    clock::Clock,
    domain::ids::{GuildId, UserId},
    web::refused::Refused,
};

/// So many in so long; written `30/60`: 30 in 60 seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub requests: NonZeroU32,
    pub seconds: u32,
}

impl Window {
    pub const fn new(requests: NonZeroU32, seconds: u32) -> Self {
        Self { requests, seconds }
    }

    fn quota(self) -> Option<Quota> {
        let each = Duration::from_secs(self.seconds.into()) / self.requests.get();
        Some(Quota::with_period(each)?.allow_burst(self.requests))
    }
}

impl FromStr for Window {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = || {
            let (requests, seconds) = text.split_once('/')?;
            let seconds = seconds
                .trim()
                .parse()
                .ok()
                .filter(|seconds| (1..=86_400).contains(seconds))?;
            let requests: NonZeroU32 = requests
                .trim()
                .parse()
                .ok()
                .filter(|n: &NonZeroU32| n.get() <= 1_000_000)?;
            Some(Self { requests, seconds })
        };
        read().ok_or_else(|| "must be requests/seconds, for example 30/60".to_owned())
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.requests, self.seconds)
    }
}

/// The windows as set.
#[derive(Clone, Copy, Debug)]
pub struct Windows {
    pub auth: Window,
    pub user: Window,
    pub guild: Window,
}

/// Our clock as governor reads it.
#[derive(Clone)]
struct Ours(Clock);

impl governor::clock::Clock for Ours {
    type Instant = Duration;

    fn now(&self) -> Duration {
        Duration::try_from(self.0.now() - crate::domain::Timestamp::UNIX_EPOCH).unwrap_or_default()
    }
}

type Keyed<K> = RateLimiter<K, HashMapStateStore<K>, Ours, NoOpMiddleware<Duration>>;

/// All buckets.
pub struct Limits {
    clock: Clock,
    auth: Option<Keyed<IpAddr>>,
    user: Option<Keyed<UserId>>,
    guild: Option<Keyed<GuildId>>,
}

impl Limits {
    pub fn new(windows: Windows, clock: &Clock) -> Self {
        Self {
            clock: clock.clone(),
            auth: keyed(windows.auth, clock),
            user: keyed(windows.user, clock),
            guild: keyed(windows.guild, clock),
        }
    }

    pub fn address(&self, address: IpAddr) -> Result<(), Refused> {
        // Whoever has one IPv6 address has the other 2^64 of its network too.
        let address = match address.to_canonical() {
            IpAddr::V6(six) => IpAddr::V6((six.to_bits() >> 64 << 64).into()),
            four => four,
        };
        self.check(self.auth.as_ref(), &address)
    }

    pub fn user(&self, user: UserId) -> Result<(), Refused> {
        self.check(self.user.as_ref(), &user)
    }

    pub fn guild(&self, guild: GuildId) -> Result<(), Refused> {
        self.check(self.guild.as_ref(), &guild)
    }

    /// Forgets full buckets.
    pub fn tidy(&self) {
        self.auth.iter().for_each(Keyed::retain_recent);
        self.user.iter().for_each(Keyed::retain_recent);
        self.guild.iter().for_each(Keyed::retain_recent);
    }

    fn check<K: Clone + Hash + Eq>(&self, limiter: Option<&Keyed<K>>, key: &K) -> Result<(), Refused> {
        let Some(limiter) = limiter else { return Ok(()) };
        let now = governor::clock::Clock::now(&Ours(self.clock.clone()));
        limiter
            .check_key(key)
            .map_err(|until| Refused::too_many(until.wait_time_from(now)))
    }
}

fn keyed<K: Clone + Hash + Eq>(window: Window, clock: &Clock) -> Option<Keyed<K>> {
    let quota = window.quota()?;
    Some(RateLimiter::new(
        quota,
        HashMapStateStore::default(),
        Ours(clock.clone()),
    ))
}
