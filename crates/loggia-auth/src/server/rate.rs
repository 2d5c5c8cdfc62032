//! How much one address may ask of the endpoints that cost something: nobody has to sign in to reach them, so
//! nothing else keeps one client from using up what is there for all.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use http::request::Parts;
use http::{Extensions, HeaderMap, HeaderName};
use loggia::transport::http::PeerAddr;

use super::Endpoint;
use crate::restricted_http::{IpNetwork, is_public};

/// Most addresses that are told apart. Whoever comes when there are more shares with others who do.
const MOST_KNOWN: usize = 10_000;
/// Most addresses of one request's way to us that are looked at.
const MOST_HOPS: usize = 16;
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// What a registration costs: it leaves a record behind.
const REGISTRATION: f64 = 20.0;
/// The cost of a link that is shown out of band, in requests.
const LINK: f64 = 10.0;

/// How many requests one address may make: so many at once, and after that so many a second.
///
/// The clients of a proxy are told apart by `X-Forwarded-For`. It is read only as far as the addresses from which the
/// request came are `proxies`: any other program can write what it likes into it.
#[derive(Debug, Clone)]
pub struct RateLimit {
    /// At once.
    pub burst: u32,
    /// In a second.
    pub per_second: u32,
    /// The addresses of proxies.
    pub proxies: Vec<IpNetwork>,
}

impl Default for RateLimit {
    /// Three hundred at once, and five a second. A registration counts twenty times.
    fn default() -> RateLimit {
        RateLimit { burst: 300, per_second: 5, proxies: Vec::new() }
    }
}

/// What every address has left.
pub(super) struct Rates {
    limit: Option<RateLimit>,
    left: Mutex<HashMap<Option<IpAddr>, Left>>,
    has_warned: AtomicBool,
}

#[derive(Clone, Copy)]
struct Left {
    requests: f64,
    at: SystemTime,
}

impl Rates {
    pub(super) fn new(limit: Option<RateLimit>) -> Rates {
        Rates { limit, left: Mutex::default(), has_warned: AtomicBool::default() }
    }

    /// Counts a request; or says after how long the same one would be taken. Where nobody says where requests come
    /// from, nothing is counted.
    pub(super) fn count(
        &self,
        endpoint: Endpoint,
        (headers, extensions): (&HeaderMap, &Extensions),
        now: SystemTime,
    ) -> Result<(), Duration> {
        let cost = match endpoint {
            Endpoint::Metadata | Endpoint::Jwks => return Ok(()),
            Endpoint::Register => REGISTRATION,
            _ => 1.0,
        };
        match (&self.limit, extensions.get::<PeerAddr>()) {
            (Some(limit), Some(peer)) => {
                self.warn_of_proxy(limit, peer.0.ip(), headers);
                self.take(limit, limit.client(peer.0.ip(), headers), cost, now)
            }
            _ => Ok(()),
        }
    }

    /// Counts a link that is shown out of band: a person has to read it.
    pub(super) fn count_link(&self, parts: &Parts, now: SystemTime) -> Result<(), Duration> {
        match (&self.limit, self.address(parts)) {
            (Some(limit), Some(client)) => self.take(limit, client, LINK, now),
            _ => Ok(()),
        }
    }

    /// Returns the address that a request counts for; `None` where the listener does not say.
    pub(super) fn address(&self, parts: &Parts) -> Option<IpAddr> {
        let peer = parts.extensions.get::<PeerAddr>()?.0.ip();
        let limit = self.limit.as_ref();
        Some(
            limit.map_or_else(|| network_of(peer.to_canonical()), |limit| limit.client(peer, &parts.headers)),
        )
    }

    /// Warns once of what may be a proxy that is not named: all of its clients count as one.
    fn warn_of_proxy(&self, limit: &RateLimit, peer: IpAddr, headers: &HeaderMap) {
        let is_unknown = headers.contains_key(FORWARDED_FOR) && !is_public(peer) && !limit.is_proxy(peer);
        if is_unknown && !self.has_warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                %peer,
                "X-Forwarded-For is ignored: the address is not among the trusted proxies, so all clients behind it \
                 share one rate limit"
            );
        }
    }

    fn take(&self, limit: &RateLimit, client: IpAddr, cost: f64, now: SystemTime) -> Result<(), Duration> {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        if left.len() >= MOST_KNOWN && !left.contains_key(&Some(client)) {
            left.retain(|_, left| limit.refilled(*left, now) < limit.most());
        }
        let known = left.len() < MOST_KNOWN || left.contains_key(&Some(client));
        let fresh = Left { requests: limit.most(), at: now };
        let left = left.entry(known.then_some(client)).or_insert(fresh);
        *left = Left { requests: limit.refilled(*left, now), at: now };
        if left.requests < cost {
            let seconds = (cost - left.requests) / f64::from(limit.per_second.max(1));
            return Err(Duration::from_secs_f64(seconds));
        }
        left.requests -= cost;
        Ok(())
    }
}

impl RateLimit {
    fn most(&self) -> f64 {
        // What a single request costs has to fit in.
        f64::from(self.burst).max(REGISTRATION)
    }

    fn refilled(&self, left: Left, now: SystemTime) -> f64 {
        let since = now.duration_since(left.at).unwrap_or_default().as_secs_f64();
        (left.requests + since * f64::from(self.per_second.max(1))).min(self.most())
    }

    fn is_proxy(&self, address: IpAddr) -> bool {
        self.proxies.iter().any(|network| network.contains(address.to_canonical()))
    }

    /// Whose request it is: the nearest address that is no proxy.
    fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        let written: Vec<&str> = headers
            .get_all(FORWARDED_FOR)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .collect();
        for hop in written.into_iter().rev().take(MOST_HOPS) {
            match hop.trim().parse::<IpAddr>() {
                Ok(address) if self.is_proxy(client) => client = address.to_canonical(),
                _ => break,
            }
        }
        network_of(client)
    }
}

/// Who has one IPv6 address has a whole network of them.
fn network_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + seconds)
    }

    #[test]
    fn the_nearest_address_that_is_no_proxy_counts() {
        let limit = RateLimit {
            proxies: ["198.41.128.0/17", "10.0.0.0/24"].map(|network| network.parse().unwrap()).to_vec(),
            ..RateLimit::default()
        };
        let table: [(&str, &[&str], &str); 15] = [
            ("8.8.8.8", &[], "8.8.8.8"),
            ("8.8.8.8", &["9.9.9.9"], "8.8.8.8"),
            ("127.0.0.1", &[], "127.0.0.1"),
            ("127.0.0.1", &["9.9.9.9"], "127.0.0.1"),
            ("192.168.1.1", &["9.9.9.9"], "192.168.1.1"),
            ("::1", &["9.9.9.9"], "::"),
            ("::ffff:10.0.0.2", &["9.9.9.9"], "9.9.9.9"),
            ("10.0.0.2", &["1.1.1.1, 9.9.9.9"], "9.9.9.9"),
            ("10.0.0.2", &["1.1.1.1", "9.9.9.9, 10.0.0.9"], "9.9.9.9"),
            ("198.41.200.1", &["9.9.9.9"], "9.9.9.9"),
            ("10.0.0.2", &["9.9.9.9, 198.41.200.1"], "9.9.9.9"),
            ("10.0.0.2", &["10.0.0.7"], "10.0.0.7"),
            ("10.0.0.2", &["9.9.9.9, unknown"], "10.0.0.2"),
            ("::ffff:8.8.8.8", &[], "8.8.8.8"),
            ("2606:4700:1:2:3:4:5:6", &[], "2606:4700:1:2::"),
        ];
        for (peer, written, client) in table {
            let mut headers = HeaderMap::new();
            for value in written {
                headers.append("x-forwarded-for", value.parse().unwrap());
            }
            let found = limit.client(peer.parse().unwrap(), &headers);
            assert_eq!(found, client.parse::<IpAddr>().unwrap(), "{peer} {written:?}");
        }
    }

    #[test]
    fn what_is_known_of_addresses_has_a_bound() {
        let rates = Rates::new(None);
        let limit = RateLimit { burst: 20, per_second: 1, proxies: Vec::new() };
        let address = |n: usize| IpAddr::from(u32::try_from(n).unwrap().to_be_bytes());
        for n in 0..MOST_KNOWN {
            assert!(rates.take(&limit, address(n), 1.0, at(0)).is_ok());
        }
        let outcomes: Vec<bool> =
            (0..40).map(|n| rates.take(&limit, address(MOST_KNOWN + n), 1.0, at(0)).is_ok()).collect();
        assert_eq!(outcomes.iter().filter(|taken| **taken).count(), 20, "the others share");
        assert_eq!(rates.left.lock().unwrap().len(), MOST_KNOWN + 1);
        assert!(rates.take(&limit, address(7), 1.0, at(0)).is_ok(), "who was there before goes on");
        assert!(rates.take(&limit, address(MOST_KNOWN), 1.0, at(60)).is_ok());
        assert!(rates.left.lock().unwrap().len() < 10, "who asks for nothing is forgotten");
    }
}
