//! Whose address a call comes from, when proxies stand between: they add it to `X-Forwarded-For`, and before it anybody can write what he likes.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;

/// What the outermost of so many proxies of our own saw; None when there are none, or the header says less.
pub fn forwarded(headers: &HeaderMap, proxies: usize) -> Option<IpAddr> {
    let all: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    let at = all.len().checked_sub(proxies).filter(|_| proxies > 0)?;
    Some(all.get(at)?.trim().parse::<IpAddr>().ok()?.to_canonical())
}

/// The peer, or what our own proxies say of him. Where nobody has said how many there are: the last word of one on this machine or in the private
/// network.
pub fn caller(peer: SocketAddr, headers: &HeaderMap, proxies: usize) -> IpAddr {
    let peer = peer.ip().to_canonical();
    let proxies = if proxies == 0 {
        usize::from(is_near(peer))
    } else {
        proxies
    };
    forwarded(headers, proxies).unwrap_or(peer)
}

fn is_near(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_loopback() || address.is_private(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_proxy_nearby_is_believed_and_only_its_own_word_unless_the_operator_counts_more() {
        let headers = HeaderMap::from_iter([(
            axum::http::HeaderName::from_static("x-forwarded-for"),
            axum::http::HeaderValue::from_static("1.1.1.1, 2.2.2.2"),
        )]);
        let caller =
            |peer: &str, headers: &HeaderMap, proxies| caller(peer.parse().unwrap(), headers, proxies).to_string();
        assert_eq!(caller("127.0.0.1:80", &headers, 0), "2.2.2.2");
        assert_eq!(caller("[::ffff:10.0.0.7]:80", &headers, 0), "2.2.2.2");
        assert_eq!(caller("9.9.9.9:80", &headers, 0), "9.9.9.9");
        assert_eq!(caller("127.0.0.1:80", &HeaderMap::new(), 0), "127.0.0.1");
        assert_eq!(caller("127.0.0.1:80", &headers, 2), "1.1.1.1");
        assert_eq!(caller("9.9.9.9:80", &headers, 1), "2.2.2.2");
        assert_eq!(caller("9.9.9.9:80", &headers, 3), "9.9.9.9");
    }
}
