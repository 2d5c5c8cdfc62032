//! Rate limits for each client address.
//!
//! The endpoints need no authorization, so without a limit one client could use all resources of the server.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use http::request::Parts;
use http::{HeaderMap, HeaderName};
use loggia::transport::http::PeerAddr;

use crate::restricted_http::{IpNetwork, is_public};

/// The maximum number of addresses with a limit of their own. All further addresses share one limit.
const MAX_ADDRESSES: usize = 10_000;
/// The maximum number of addresses in `X-Forwarded-For` that are read.
const MAX_HOPS: usize = 16;
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// The cost of a request.
pub(super) const REQUEST_COST: f64 = 1.0;
/// The cost of a registration, in requests, because it writes a record.
pub(super) const REGISTRATION_COST: f64 = 20.0;
/// The cost of a shown sign-in link, in requests, because a user has to read it.
const LINK_COST: f64 = 10.0;

/// A limit on the requests of one address: a burst, and then a number of requests in each second.
///
/// The clients of a proxy are distinguished by `X-Forwarded-For`. Its addresses are used only as far as the request
/// came through `proxies`, because any other program can write any address into it.
#[derive(Debug, Clone)]
pub struct RateLimit {
    /// The number of requests of a burst.
    pub burst: u32,
    /// The number of requests in each second after the burst.
    pub per_second: u32,
    /// The addresses of trusted proxies.
    pub proxies: Vec<IpNetwork>,
}

impl Default for RateLimit {
    /// Returns a burst of three hundred, and five requests per second. A registration counts as twenty requests.
    fn default() -> RateLimit {
        RateLimit { burst: 300, per_second: 5, proxies: Vec::new() }
    }
}

/// Counts the requests of each address.
pub(super) struct RateLimiter {
    limit: Option<RateLimit>,
    allowances: Mutex<HashMap<Option<IpAddr>, Allowance>>,
    has_warned: AtomicBool,
}

/// The number of requests that an address may still send, at a time.
#[derive(Clone, Copy)]
struct Allowance {
    requests: f64,
    at: SystemTime,
}

impl RateLimiter {
    pub(super) fn new(limit: Option<RateLimit>) -> RateLimiter {
        RateLimiter { limit, allowances: Mutex::default(), has_warned: AtomicBool::default() }
    }

    /// Counts a request with a cost. The error is the time after which the request would be accepted. If the listener
    /// does not pass on the addresses of clients, nothing is counted.
    pub(super) fn count(
        &self,
        cost: f64,
        Parts { headers, extensions, .. }: &Parts,
        now: SystemTime,
    ) -> Result<(), Duration> {
        match (&self.limit, extensions.get::<PeerAddr>()) {
            (Some(limit), Some(peer)) => {
                self.warn_of_proxy(limit, peer.0.ip(), headers);
                self.take(limit, limit.client(peer.0.ip(), headers), cost, now)
            }
            _ => Ok(()),
        }
    }

    /// Counts a sign-in link that is about to be shown.
    pub(super) fn count_link(&self, parts: &Parts, now: SystemTime) -> Result<(), Duration> {
        match (&self.limit, self.address(parts)) {
            (Some(limit), Some(client)) => self.take(limit, client, LINK_COST, now),
            _ => Ok(()),
        }
    }

    /// Returns the address for which a request counts; `None` if the listener does not pass it on.
    pub(super) fn address(&self, parts: &Parts) -> Option<IpAddr> {
        let peer = parts.extensions.get::<PeerAddr>()?.0.ip();
        let limit = self.limit.as_ref();
        Some(
            limit.map_or_else(|| network_of(peer.to_canonical()), |limit| limit.client(peer, &parts.headers)),
        )
    }

    /// Logs once a warning about an address that may be an unknown proxy, because all of its clients share one limit.
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
        let mut allowances = self.allowances.lock().unwrap_or_else(PoisonError::into_inner);
        if allowances.len() >= MAX_ADDRESSES && !allowances.contains_key(&Some(client)) {
            allowances.retain(|_, left| limit.refill(*left, now) < limit.max());
        }
        let has_own = allowances.len() < MAX_ADDRESSES || allowances.contains_key(&Some(client));
        let full = Allowance { requests: limit.max(), at: now };
        let left = allowances.entry(has_own.then_some(client)).or_insert(full);
        *left = Allowance { requests: limit.refill(*left, now), at: now };
        if left.requests < cost {
            let seconds = (cost - left.requests) / f64::from(limit.per_second.max(1));
            return Err(Duration::from_secs_f64(seconds));
        }
        left.requests -= cost;
        Ok(())
    }
}

impl RateLimit {
    fn max(&self) -> f64 {
        // The most expensive request must be possible.
        f64::from(self.burst).max(REGISTRATION_COST)
    }

    fn refill(&self, left: Allowance, now: SystemTime) -> f64 {
        let since = now.duration_since(left.at).unwrap_or_default().as_secs_f64();
        (left.requests + since * f64::from(self.per_second.max(1))).min(self.max())
    }

    fn is_proxy(&self, address: IpAddr) -> bool {
        self.proxies.iter().any(|network| network.contains(address.to_canonical()))
    }

    /// Returns the address of the client of a request: the nearest address that is not a trusted proxy.
    fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        let written: Vec<&str> = headers
            .get_all(FORWARDED_FOR)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .collect();
        for hop in written.into_iter().rev().take(MAX_HOPS) {
            match hop.trim().parse::<IpAddr>() {
                Ok(address) if self.is_proxy(client) => client = address.to_canonical(),
                _ => break,
            }
        }
        network_of(client)
    }
}

/// Returns the network of an IPv6 address, because a client usually has a whole network.
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
    fn the_number_of_addresses_is_bounded() {
        let limiter = RateLimiter::new(None);
        let limit = RateLimit { burst: 20, per_second: 1, proxies: Vec::new() };
        let address = |n: usize| IpAddr::from(u32::try_from(n).unwrap().to_be_bytes());
        for n in 0..MAX_ADDRESSES {
            assert!(limiter.take(&limit, address(n), 1.0, at(0)).is_ok());
        }
        let outcomes: Vec<bool> =
            (0..40).map(|n| limiter.take(&limit, address(MAX_ADDRESSES + n), 1.0, at(0)).is_ok()).collect();
        assert_eq!(outcomes.iter().filter(|taken| **taken).count(), 20, "the others share");
        assert_eq!(limiter.allowances.lock().unwrap().len(), MAX_ADDRESSES + 1);
        assert!(limiter.take(&limit, address(7), 1.0, at(0)).is_ok(), "an earlier address keeps its limit");
        assert!(limiter.take(&limit, address(MAX_ADDRESSES), 1.0, at(60)).is_ok());
        assert!(limiter.allowances.lock().unwrap().len() < 10, "idle addresses are removed");
    }
}
