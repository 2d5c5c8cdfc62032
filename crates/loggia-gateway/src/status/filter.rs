//! Selection of the gateways whose status is wanted, by the place that a user names. It exists because one gateway has a
//! public URL, an address and a port. Invariant: a place that names a host selects no gateway of another host.

use std::net::{IpAddr, SocketAddr};

use serde_json::Value;
use url::Url;

/// The place of a gateway, as the user names it: a URL, an address or a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayFilter {
    /// The host; any if it is not named.
    host: Option<String>,
    port: u16,
}

impl GatewayFilter {
    /// Reads `http://127.0.0.1:4000/mcp`, `127.0.0.1:4000`, `:4000` or `4000`; `None` for anything else.
    pub fn parse(text: &str) -> Option<GatewayFilter> {
        if text.contains("://") {
            return GatewayFilter::of_url(&Url::parse(text).ok()?);
        }
        let (host, port) = text.rsplit_once(':').unwrap_or(("", text));
        let port: u16 = port.parse().ok()?;
        match host {
            "" => Some(GatewayFilter { host: None, port }),
            host => GatewayFilter::of_url(&Url::parse(&format!("http://{host}:{port}/")).ok()?)
                // The port that a URL leaves out is its own default.
                .map(|filter| GatewayFilter { port, ..filter }),
        }
    }

    fn of_url(url: &Url) -> Option<GatewayFilter> {
        let host = url.host_str()?.trim_matches(['[', ']']).to_owned();
        Some(GatewayFilter { host: Some(host), port: url.port_or_known_default()? })
    }

    /// Returns whether the gateway of a status document has this URL, which may be its public one, or listens on this address.
    pub fn matches(&self, document: &Value) -> bool {
        let gateway = &document["gateway"];
        let url = gateway["url"].as_str().and_then(|url| GatewayFilter::of_url(&Url::parse(url).ok()?));
        let listen = gateway["listen"].as_str().and_then(|listen| listen.parse::<SocketAddr>().ok());
        url.is_some_and(|url| self.port == url.port && (self.host.is_none() || self.host == url.host))
            || listen.is_some_and(|listen| self.port == listen.port() && self.names(listen.ip()))
    }

    /// Returns whether the host may be the address `ip`.
    fn names(&self, ip: IpAddr) -> bool {
        let Some(host) = &self.host else { return true };
        match host.parse::<IpAddr>() {
            _ if ip.is_unspecified() => true,
            Ok(named) => named == ip,
            Err(_) => host.eq_ignore_ascii_case("localhost") && ip.is_loopback(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_gateway_is_found_by_its_url_its_address_and_its_port() {
        let document =
            |url: &str, listen: Option<&str>| json!({ "gateway": { "url": url, "listen": listen } });
        let here = document("http://127.0.0.1:4000/mcp", Some("127.0.0.1:4000"));
        let beside = document("http://127.0.0.2:4000/mcp", Some("127.0.0.2:4000"));
        let public = document("https://hub.example/mcp", Some("[::1]:4001"));
        let open = document("http://0.0.0.0:80/mcp", Some("0.0.0.0:80"));
        let stdio = document("stdio", None);
        let all =
            [("here", &here), ("beside", &beside), ("public", &public), ("open", &open), ("stdio", &stdio)];
        for (text, expected) in [
            ("4000", Some("here beside")),
            (":4000", Some("here beside")),
            ("127.0.0.1:4000", Some("here")),
            ("http://127.0.0.1:4000/mcp", Some("here")),
            ("http://127.0.0.2:4000", Some("beside")),
            ("localhost:4000", Some("here beside")),
            ("other.example:4000", Some("")),
            ("https://hub.example/other", Some("public")),
            ("http://[::1]:4001/mcp", Some("public")),
            ("[::1]:4001", Some("public")),
            ("443", Some("public")),
            ("http://10.0.0.1/mcp", Some("open")),
            ("10.0.0.1:80", Some("open")),
            ("1", Some("")),
            ("nonsense", None),
            ("http://", None),
            ("127.0.0.1:99999", None),
            ("a b:80", None),
            ("stdio", None),
        ] {
            let filter = GatewayFilter::parse(text);
            let found = filter.map(|filter| {
                let found = all.iter().filter(|(_, gateway)| filter.matches(gateway)).map(|(name, _)| *name);
                found.collect::<Vec<_>>().join(" ")
            });
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }
}
