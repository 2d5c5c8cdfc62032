//! Patterns of the hosts that a confined program may connect to. They are the entries of `network.allow` in a manifest.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The ports of a pattern that names none: HTTPS and HTTP.
const WEB: [u16; 2] = [443, 80];

/// A host, or all hosts below one: `api.example.com`, `*.example.com`, `db.example.com:5432`. Without a port the
/// pattern means the ports 443 and 80.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostPattern {
    /// The name in lower case, without `*.`.
    name: String,
    is_parent: bool,
    port: Option<u16>,
}

/// The reason why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPatternError(String);

impl HostPattern {
    /// Returns whether a program may connect to this port of this host.
    pub fn allows(&self, host: &str, port: u16) -> bool {
        self.allows_host(host) && self.ports().contains(&port)
    }

    /// Returns whether a program may connect to a port of this host.
    pub fn allows_host(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        match self.is_parent {
            true => host.strip_suffix(&self.name).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')),
            false => host == self.name,
        }
    }

    /// Returns the ports.
    pub fn ports(&self) -> Vec<u16> {
        self.port.map_or_else(|| WEB.to_vec(), |port| vec![port])
    }

    /// Returns the name, without `*.` and the port.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "this system has no sandbox"))]
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Returns the address, if the pattern is one.
    pub fn address(&self) -> Option<IpAddr> {
        self.name.trim_start_matches('[').trim_end_matches(']').parse().ok()
    }

    /// Returns whether the pattern names this machine or an address. Its author then means the address.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "this system has no sandbox"))]
    pub(crate) fn is_explicit_address(&self) -> bool {
        self.name == "localhost" || self.address().is_some()
    }
}

impl FromStr for HostPattern {
    type Err = HostPatternError;

    fn from_str(text: &str) -> Result<HostPattern, HostPatternError> {
        let wrong = |reason: &str| HostPatternError(format!("{text:?} is no host: {reason}"));
        if text.contains("://") || text.contains('/') {
            return Err(wrong("write the name alone, without scheme and path"));
        }
        let (name, is_parent) = text.strip_prefix("*.").map_or((text, false), |name| (name, true));
        let (name, port) = match name.rsplit_once(':') {
            // An IPv6 address without a port.
            Some((before, _)) if before.contains(':') && !before.ends_with(']') => (name, None),
            Some((name, port)) => {
                let port = port.parse().ok().filter(|port| *port != 0);
                (name, Some(port.ok_or_else(|| wrong("the port is a number from 1 to 65535"))?))
            }
            None => (name, None),
        };
        let is_character = |c: char| c.is_ascii_alphanumeric() || "-._[]:".contains(c);
        if name.is_empty() || name.len() > 253 || !name.chars().all(is_character) {
            return Err(wrong("write a name such as api.example.com, *.example.com or api.example.com:8443"));
        }
        Ok(HostPattern { name: name.trim_end_matches('.').to_ascii_lowercase(), is_parent, port })
    }
}

impl TryFrom<String> for HostPattern {
    type Error = HostPatternError;

    fn try_from(text: String) -> Result<HostPattern, HostPatternError> {
        text.parse()
    }
}

impl From<HostPattern> for String {
    fn from(pattern: HostPattern) -> String {
        pattern.to_string()
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_parent { "*." } else { "" })?;
        f.write_str(&self.name)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl fmt::Display for HostPatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for HostPatternError {}

#[cfg(test)]
mod tests {
    use super::HostPattern;

    #[test]
    fn a_pattern_is_a_host_or_all_below_one_with_its_ports() {
        for (pattern, host, port, expected) in [
            ("api.acme.example", "api.acme.example", 443, true),
            ("api.acme.example", "API.acme.example.", 80, true),
            ("api.acme.example", "api.acme.example", 22, false),
            ("api.acme.example", "evil-api.acme.example", 443, false),
            ("*.acme.example", "api.acme.example", 443, true),
            ("*.acme.example", "a.b.acme.example", 443, true),
            ("*.acme.example", "acme.example", 443, false),
            ("*.acme.example", "evilacme.example", 443, false),
            ("*.acme.example", ".acme.example", 443, false),
            ("db.acme.example:5432", "db.acme.example", 5432, true),
            ("db.acme.example:5432", "db.acme.example", 443, false),
            ("127.0.0.1:8080", "127.0.0.1", 8080, true),
            ("localhost:8080", "localhost", 8080, true),
        ] {
            let parsed: HostPattern = pattern.parse().expect("a pattern");
            assert_eq!(parsed.allows(host, port), expected, "{pattern} {host} {port}");
            assert_eq!(parsed.to_string(), pattern);
        }
    }

    #[test]
    fn a_url_or_a_strange_text_is_no_pattern() {
        for text in
            ["", "*.", "https://acme.example", "acme.example/v1", "acme.example:", "a:0", "a:99999", "a b"]
        {
            assert!(text.parse::<HostPattern>().is_err(), "{text}");
        }
    }
}
