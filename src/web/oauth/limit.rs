//! How often one address may call: a few at once, then one every few seconds.

use std::{
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};

use governor::{
    DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
};

/// Addresses remembered before those that rest are forgotten.
const REMEMBERED: usize = 10_000;

/// Clones share it.
#[derive(Clone)]
pub struct PerAddress(Arc<RateLimiterOf>);

type RateLimiterOf = DefaultKeyedRateLimiter<IpAddr>;

impl PerAddress {
    /// So many at once, then one every so often.
    pub fn new(burst: NonZeroU32, every: Duration) -> Self {
        let quota = Quota::with_period(every).unwrap_or(Quota::per_second(burst));
        Self(Arc::new(RateLimiter::keyed(quota.allow_burst(burst))))
    }

    /// Counts a call; the time to wait when there were too many.
    pub fn check(&self, address: IpAddr) -> Result<(), Duration> {
        if self.0.len() > REMEMBERED {
            self.0.retain_recent();
        }
        self.0
            .check_key(&home(address))
            .map_err(|not_until| not_until.wait_time_from(DefaultClock::default().now()))
    }
}

/// In IPv6 everybody has 2^64 addresses of his own.
fn home(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_network_is_one_caller() {
        let limit = PerAddress::new(NonZeroU32::MIN, Duration::from_secs(600));
        assert!(limit.check("2001:db8::1".parse().unwrap()).is_ok());
        let wait = limit.check("2001:db8::2".parse().unwrap()).unwrap_err();
        assert!(wait > Duration::from_secs(500), "{wait:?}");
        assert!(limit.check("2001:db8:0:1::1".parse().unwrap()).is_ok());
    }
}
