//! The policy of the restricted HTTP client: schemes, addresses and bounds.
//!
//! Invariant: without an exception in the policy, only `https` URLs with public addresses are allowed.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use url::{Host, Url};

use super::address::{IpNetwork, is_public};
use super::error::{FetchError, redacted};

/// The requests that a [`RestrictedHttpClient`](super::RestrictedHttpClient) allows.
#[derive(Debug, Clone)]
pub struct FetchPolicy {
    /// True if loopback addresses are allowed, also with `http`. For development and tests.
    pub loopback: bool,
    /// Networks that are not public but allowed, with `https`.
    pub networks: Vec<IpNetwork>,
    /// The hosts that may be reached; all of them if it is `None`. Redirects are checked too.
    pub hosts: Option<HostRule>,
    /// Servers that the user or administrator configured: they are allowed at any address.
    pub trusted: Vec<Url>,
    /// The maximum number of bytes of a body that are read.
    pub most_bytes: usize,
    /// The time limit of a request, with name resolution, connection, redirects and body.
    pub timeout: Duration,
    /// The maximum number of redirects of a GET request.
    pub redirects: usize,
    /// Root certificates in addition to the usual ones, each in PEM.
    pub roots: Vec<Vec<u8>>,
}

/// A rule for the hosts that may be reached.
#[derive(Clone)]
pub struct HostRule {
    name: Arc<str>,
    allows: Arc<dyn Fn(&Url) -> bool + Send + Sync>,
}

impl HostRule {
    /// Creates a rule. Errors say that a host is not in `name`, which is a key of a configuration.
    pub fn new(name: impl Into<Arc<str>>, allows: impl Fn(&Url) -> bool + Send + Sync + 'static) -> HostRule {
        HostRule { name: name.into(), allows: Arc::new(allows) }
    }

    fn allows(&self, url: &Url) -> bool {
        (self.allows)(url)
    }
}

impl fmt::Debug for HostRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostRule").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Default for FetchPolicy {
    fn default() -> FetchPolicy {
        FetchPolicy {
            loopback: false,
            networks: Vec::new(),
            hosts: None,
            trusted: Vec::new(),
            most_bytes: 256 << 10,
            timeout: Duration::from_secs(20),
            redirects: 3,
            roots: Vec::new(),
        }
    }
}

impl FetchPolicy {
    /// Returns the policy for development: loopback addresses are allowed, also with `http`.
    pub fn development() -> FetchPolicy {
        FetchPolicy { loopback: true, ..FetchPolicy::default() }
    }

    /// Adds a server that the user or administrator configured.
    pub fn trusting(mut self, server: &Url) -> FetchPolicy {
        self.trusted.push(server.clone());
        self
    }

    /// Returns whether a URL is fetched without a risk of changes: with `https`, or from this machine if loopback is
    /// allowed.
    #[cfg(feature = "client")]
    pub(crate) fn is_safe(&self, url: &Url) -> bool {
        url.scheme() == "https" || (self.loopback && url.scheme() == "http" && is_local(url))
    }

    fn trusts(&self, url: &Url) -> bool {
        self.trusted.iter().any(|trusted| trusted.origin() == url.origin())
    }

    pub(super) fn trusts_host(&self, host: &str) -> bool {
        let same = |trusted: &Url| trusted.host_str().is_some_and(|own| own.eq_ignore_ascii_case(host));
        self.trusted.iter().any(same)
    }

    /// Returns whether connections to an address are allowed.
    pub fn permits(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        is_public(address)
            || (self.loopback && address.is_loopback())
            || self.networks.iter().any(|network| network.contains(address))
    }

    /// Checks a URL before its name is resolved.
    pub fn check(&self, url: &Url) -> Result<(), FetchError> {
        let refused = |why: &str| Err(FetchError::Refused { url: redacted(url), why: why.to_owned() });
        if !url.username().is_empty() || url.password().is_some() {
            return refused("it holds a user name or password");
        }
        if let Some(rule) = self.hosts.as_ref().filter(|rule| !rule.allows(url)) {
            let host = url.host_str().unwrap_or_default().to_owned();
            return Err(FetchError::Host { host, rule: rule.name.to_string() });
        }
        if self.trusts(url) && matches!(url.scheme(), "http" | "https") {
            return Ok(());
        }
        if url.host().is_none() {
            return refused("it names no host");
        }
        let local = is_local(url);
        if local && !self.loopback {
            return refused("it points to the machine itself");
        }
        if url.scheme() != "https" && !(url.scheme() == "http" && local) {
            return refused("it is not an https URL");
        }
        let address = match url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            _ => None,
        };
        match address {
            Some(address) if !self.permits(address) => refused("its address is not a public one"),
            _ => Ok(()),
        }
    }
}

/// Returns whether a URL is on this machine, without resolving its name.
pub fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => is_localhost(name),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).to_canonical().is_loopback(),
        None => false,
    }
}

/// Returns whether a name means this machine (RFC 6761, section 6.3).
pub(super) fn is_localhost(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    name.eq_ignore_ascii_case("localhost") || name.to_ascii_lowercase().ends_with(".localhost")
}
