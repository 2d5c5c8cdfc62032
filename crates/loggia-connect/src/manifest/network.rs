//! The hosts that a backend may reach.
//!
//! Invariant: a backend whose URL is at another host than `network.allow` names is not opened. The program that sends the
//! requests follows no redirect to another host.

use loggia_sandbox::{HostAccess, HostPattern};

use super::{BackendValueError, ConnectorValues, ManifestBackend, ManifestText, MissingValue};
use crate::config_file::{ProgramPermissions, ProgramSandbox};
use crate::secret::Secret;

impl ManifestBackend {
    /// Checks that the host of a URL is one that the backend may reach.
    pub(crate) fn check_host(
        &self,
        url: &str,
        key: &str,
        values: &ConnectorValues,
    ) -> Result<(), BackendValueError> {
        match self.host_allowlist(values)? {
            Some(list) if !list.allows(url) => Err(BackendValueError::Key {
                key: key.to_owned(),
                reason: "its host is not in network.allow",
            }),
            _ => Ok(()),
        }
    }

    /// Returns the hosts that the backend may reach; `None` if the manifest does not restrict them.
    pub fn host_allowlist(&self, values: &ConnectorValues) -> Result<Option<HostAllowlist>, MissingValue> {
        if self.allowed_hosts.is_empty() {
            return Ok(None);
        }
        // A text that is none was reported when the manifest was read.
        let patterns = self.allowed_hosts.iter().filter_map(|pattern| ManifestText::parse(pattern).ok());
        let patterns = patterns.map(|pattern| Ok(values.text(&pattern)?.expose().to_owned()));
        Ok(Some(HostAllowlist { patterns: patterns.collect::<Result<_, MissingValue>>()? }))
    }
}

/// The hosts that a backend may reach: `network.allow` of a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostAllowlist {
    patterns: Vec<String>,
}

impl HostAllowlist {
    /// Returns whether the host of a URL may be reached.
    pub fn allows(&self, url: &str) -> bool {
        self.patterns.iter().any(|pattern| is_allowed(url, pattern))
    }
}

impl ManifestBackend {
    /// Returns what the program of the backend may use: the hosts of `network.allow`, or any host without it, and the files
    /// and folders that the user chose.
    pub(crate) fn program_sandbox(
        &self,
        values: &ConnectorValues,
    ) -> Result<ProgramSandbox<Secret>, BackendValueError> {
        let mut hosts = Vec::new();
        for pattern in &self.allowed_hosts {
            // A text that is none was reported when the manifest was read.
            let Ok(pattern) = ManifestText::parse(pattern) else { continue };
            if !values.is_absent(&pattern) {
                hosts.push(host_pattern(values.text(&pattern)?.expose())?);
            }
        }
        let hosts = if self.allowed_hosts.is_empty() { HostAccess::Any } else { HostAccess::Only(hosts) };
        let write = values.paths().to_vec();
        let permissions = ProgramPermissions { write, hosts, ..ProgramPermissions::default() };
        Ok(ProgramSandbox { mode: None, permissions: Some(permissions) })
    }
}

fn host_pattern(text: &str) -> Result<HostPattern, BackendValueError> {
    let reason = "a host is needed, such as api.example.com";
    text.parse().map_err(|_| BackendValueError::Key { key: "network.allow".to_owned(), reason })
}

/// Returns whether a pattern of `network.allow` has the host of a URL.
pub(super) fn is_allowed(url: &str, pattern: &str) -> bool {
    let Ok(uri) = url.parse::<http::Uri>() else { return false };
    let Some(authority) = uri.authority() else { return false };
    let host = authority.host().to_ascii_lowercase();
    let pattern = pattern.to_ascii_lowercase();
    let (name, port) = match pattern.rsplit_once(':') {
        Some((name, port)) => (name, Some(port)),
        None => (pattern.as_str(), None),
    };
    let default = match uri.scheme_str() {
        Some("https") => Some(443),
        Some("http") => Some(80),
        _ => None,
    };
    let own = authority.port_u16().or(default);
    let is_port = port.is_none_or(|port| own.is_some_and(|own| own.to_string() == port));
    let is_host = match name.strip_prefix("*.") {
        Some(parent) => host.strip_suffix(parent).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')),
        None => host == name,
    };
    is_port && is_host
}

#[cfg(test)]
mod tests {
    use super::is_allowed;

    #[test]
    fn a_pattern_is_a_host_or_all_below_one() {
        for (url, pattern, expected) in [
            ("https://api.acme.example/v1", "api.acme.example", true),
            ("https://API.acme.example", "api.Acme.example", true),
            ("https://api.acme.example", "*.acme.example", true),
            ("https://a.b.acme.example", "*.acme.example", true),
            ("https://acme.example", "*.acme.example", false),
            ("https://evilacme.example", "*.acme.example", false),
            ("https://acme.example.evil", "acme.example", false),
            ("https://acme.example@evil.example", "acme.example", false),
            ("http://127.0.0.1:4010", "127.0.0.1:4010", true),
            ("http://127.0.0.1:4011", "127.0.0.1:4010", false),
            ("http://127.0.0.1:4010", "127.0.0.1", true),
            ("https://api.acme.example", "api.acme.example:443", true),
            ("http://api.acme.example", "api.acme.example:443", false),
            ("/acme.example", "acme.example", false),
        ] {
            assert_eq!(is_allowed(url, pattern), expected, "{url} {pattern}");
        }
    }
}
