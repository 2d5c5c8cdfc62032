//! The hosts that a backend may reach.
//!
//! Invariant: a backend whose URL is at another host than `network.allow` names is not opened.

use super::{BackendValueError, ConnectorValues, ManifestBackend, ManifestText};

impl ManifestBackend {
    /// Checks that the host of a URL is one that the backend may reach.
    pub(crate) fn check_host(
        &self,
        url: &str,
        key: &str,
        values: &ConnectorValues,
    ) -> Result<(), BackendValueError> {
        if self.allowed_hosts.is_empty() {
            return Ok(());
        }
        for pattern in &self.allowed_hosts {
            // A text that is none was reported when the manifest was read.
            let Ok(pattern) = ManifestText::parse(pattern) else { continue };
            if is_allowed(url, values.text(&pattern)?.expose()) {
                return Ok(());
            }
        }
        Err(BackendValueError::Key { key: key.to_owned(), reason: "its host is not in network.allow" })
    }
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
    let is_port = port.is_none_or(|port| authority.port_u16().is_some_and(|own| own.to_string() == port));
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
            ("/acme.example", "acme.example", false),
        ] {
            assert_eq!(is_allowed(url, pattern), expected, "{url} {pattern}");
        }
    }
}
