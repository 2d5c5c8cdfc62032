//! The rule that keeps pages of other sites out: of a request that a browser sent, the site must be the gateway's own.
//!
//! Without a sign-in the API trusts each program that can reach the loopback, as the MCP endpoint does. A page of another site reaches
//! it too, through the user's browser: by a form or a script (`Origin`, `Sec-Fetch-Site`), or by a host name of its own that
//! resolves to the loopback (`Host`).

use http::header::{HOST, ORIGIN};
use http::{HeaderMap, Method};

/// The hosts by which a gateway may be addressed, without ports.
#[derive(Debug, Clone, Default)]
pub(crate) struct OwnHosts(Vec<String>);

impl OwnHosts {
    pub(crate) fn new(hosts: impl IntoIterator<Item = String>) -> OwnHosts {
        OwnHosts(hosts.into_iter().map(|host| host.to_ascii_lowercase()).collect())
    }

    /// Returns the reason why a request is refused; `None` if it is taken.
    pub(crate) fn refusal(&self, method: &Method, headers: &HeaderMap) -> Option<&'static str> {
        let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
        let Some(host) = text(HOST.as_str()).filter(|host| self.is_own(host)) else {
            return Some("the host name of the request is not one of this gateway");
        };
        if let Some(origin) = text(ORIGIN.as_str()) {
            let own = ["http://", "https://"].iter().any(|scheme| origin.strip_prefix(scheme) == Some(host));
            if !own {
                return Some("the request comes from a page of another site");
            }
        }
        match text("sec-fetch-site") {
            None | Some("same-origin") => None,
            // An address that the user typed, or a link, opens a page but changes nothing.
            Some("none" | "cross-site" | "same-site")
                if *method == Method::GET && text("sec-fetch-mode") == Some("navigate") =>
            {
                None
            }
            Some("none") => None,
            Some(_) => Some("the request comes from a page of another site"),
        }
    }

    fn is_own(&self, host: &str) -> bool {
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => host,
        };
        let name = name.to_ascii_lowercase();
        is_loopback(&name) || self.0.contains(&name)
    }
}

fn is_loopback(name: &str) -> bool {
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost"
        || name.ends_with(".localhost")
        || address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A method, a host, other headers, and whether the request is taken.
    type RequestRow<'r> = (&'r str, &'r str, &'r [(&'r str, &'r str)], bool);

    #[test]
    fn only_the_own_site_is_taken() {
        let rows: &[RequestRow<'_>] = &[
            ("GET", "127.0.0.1:4000", &[], true),
            (
                "POST",
                "localhost:4000",
                &[("origin", "http://localhost:4000"), ("sec-fetch-site", "same-origin")],
                true,
            ),
            ("POST", "[::1]:4000", &[("origin", "http://[::1]:4000")], true),
            ("GET", "box.internal", &[], true),
            ("GET", "evil.example:4000", &[], false),
            ("GET", "127.0.0.1.evil.example", &[], false),
            ("POST", "127.0.0.1:4000", &[("origin", "https://evil.example")], false),
            ("POST", "127.0.0.1:4000", &[("origin", "null")], false),
            ("POST", "127.0.0.1:4000", &[("origin", "http://127.0.0.1:4001")], false),
            ("POST", "127.0.0.1:4000", &[("sec-fetch-site", "cross-site")], false),
            ("POST", "127.0.0.1:4000", &[("sec-fetch-site", "same-site")], false),
            (
                "GET",
                "127.0.0.1:4000",
                &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "no-cors")],
                false,
            ),
            (
                "GET",
                "127.0.0.1:4000",
                &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")],
                true,
            ),
            (
                "POST",
                "127.0.0.1:4000",
                &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")],
                false,
            ),
            ("GET", "", &[], false),
        ];
        let own = OwnHosts::new(["box.internal".to_owned()]);
        for (method, host, others, is_taken) in rows {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, host.parse().expect("a value"));
            for (name, value) in *others {
                headers.insert(http::HeaderName::from_static(name), value.parse().expect("a value"));
            }
            let method = method.parse().expect("a method");
            assert_eq!(own.refusal(&method, &headers).is_none(), *is_taken, "{method} {host} {others:?}");
        }
    }
}
