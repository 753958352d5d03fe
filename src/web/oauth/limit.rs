//! How often one address may call: a few at once, then one every few seconds. Whose address it is behind a proxy is told here, too.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};

use axum::http::HeaderMap;
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

/// Who calls: the peer, or what a proxy on this machine or in the private network says of him. The last entry is the proxy's own; those before it
/// anybody can make up.
pub fn caller(peer: SocketAddr, headers: &HeaderMap) -> IpAddr {
    let peer = peer.ip().to_canonical();
    if !is_near(peer) {
        return peer;
    }
    let listed = headers.get_all("x-forwarded-for").iter().next_back();
    let last = listed
        .and_then(|value| value.to_str().ok())
        .and_then(|list| list.rsplit(',').next());
    last.and_then(|address| address.trim().parse::<IpAddr>().ok())
        .map_or(peer, |address| address.to_canonical())
}

fn is_near(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_loopback() || address.is_private(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local(),
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
    fn only_a_proxy_nearby_is_believed_and_only_its_own_word() {
        let headers = HeaderMap::from_iter([(
            axum::http::HeaderName::from_static("x-forwarded-for"),
            axum::http::HeaderValue::from_static("1.1.1.1, 2.2.2.2"),
        )]);
        let caller = |peer: &str, headers| caller(peer.parse().unwrap(), headers).to_string();
        assert_eq!(caller("127.0.0.1:80", &headers), "2.2.2.2");
        assert_eq!(caller("[::ffff:10.0.0.7]:80", &headers), "2.2.2.2");
        assert_eq!(caller("9.9.9.9:80", &headers), "9.9.9.9");
        assert_eq!(caller("127.0.0.1:80", &HeaderMap::new()), "127.0.0.1");
    }

    #[test]
    fn one_network_is_one_caller() {
        let limit = PerAddress::new(NonZeroU32::MIN, Duration::from_secs(600));
        assert!(limit.check("2001:db8::1".parse().unwrap()).is_ok());
        let wait = limit.check("2001:db8::2".parse().unwrap()).unwrap_err();
        assert!(wait > Duration::from_secs(500), "{wait:?}");
        assert!(limit.check("2001:db8:0:1::1".parse().unwrap()).is_ok());
    }
}
