//! Checks of browsers' requests on every path, before any layer: the `Host` and `Origin` checks, which keep a web page from
//! reaching a local server through a name that the page controls (DNS rebinding), and CORS (WHATWG Fetch, section 3.3) for
//! the origins that are allowed.

use std::net::IpAddr;

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, HOST, ORIGIN, VARY,
};
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Uri};

use super::respond;
use crate::transport::http::Body;

/// Request headers of the protocol, of OAuth and of tracing. Those that mirror arguments (`Mcp-Param-…`) have names of
/// their own and are allowed by their beginning.
const REQUEST_HEADERS: &str = "accept, authorization, baggage, content-type, dpop, last-event-id, mcp-method, mcp-name, \
                               mcp-protocol-version, mcp-session-id, traceparent, tracestate";
const PARAM_PREFIX: &str = "mcp-param-";
const METHODS: &str = "GET, POST, DELETE, OPTIONS";
/// Response headers that a page may read.
const EXPOSED: &str = "Mcp-Session-Id, WWW-Authenticate, MCP-Protocol-Version, DPoP-Nonce, Retry-After";
/// Seconds that a browser may cache the response to a preflight.
const MAX_AGE: &str = "600";
/// Longest list of headers in a preflight that is read, in bytes.
const MAX_REQUESTED: usize = 8 << 10;

/// Checks requests, and adds the headers by which browsers let a page read a response.
#[derive(Debug)]
pub(super) struct OriginFilter {
    rules: OriginRules,
    /// True if responses differ by origin.
    varies: bool,
}

/// The decision on a request.
pub(super) enum OriginVerdict {
    /// It is passed on.
    Pass,
    /// It is passed on, and its response is for a page of this origin, or for a client that is no page.
    PassFor(Option<HeaderValue>),
    /// It is answered.
    Answered(Response<Body>),
}

impl OriginFilter {
    pub(super) fn new(rules: OriginRules, varies: bool) -> OriginFilter {
        OriginFilter { rules, varies }
    }

    pub(super) fn judge(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> OriginVerdict {
        if let Err(message) = self.rules.check(uri, headers) {
            return OriginVerdict::Answered(respond::refuse(StatusCode::FORBIDDEN, message));
        }
        match headers.get(ORIGIN) {
            None if self.varies => OriginVerdict::PassFor(None),
            None => OriginVerdict::Pass,
            Some(origin) if *method == Method::OPTIONS && is_preflight(headers) => {
                let mut response = preflight(headers);
                mark(&mut response, Some(origin.clone()));
                OriginVerdict::Answered(response)
            }
            Some(origin) => OriginVerdict::PassFor(Some(origin.clone())),
        }
    }
}

/// Lets a page of `origin` read the response.
pub(super) fn mark(response: &mut Response<Body>, origin: Option<HeaderValue>) {
    let headers = response.headers_mut();
    headers.append(VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = origin {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    }
}

fn is_preflight(headers: &HeaderMap) -> bool {
    headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

fn preflight(headers: &HeaderMap) -> Response<Body> {
    let mut response = respond::empty(StatusCode::NO_CONTENT);
    let answer = response.headers_mut();
    answer.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
    answer.insert(ACCESS_CONTROL_ALLOW_HEADERS, allowed_headers(headers));
    answer.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE));
    answer.append(VARY, HeaderValue::from_static("Access-Control-Request-Headers"));
    response
}

fn allowed_headers(headers: &HeaderMap) -> HeaderValue {
    let requested = headers.get(ACCESS_CONTROL_REQUEST_HEADERS).and_then(|value| value.to_str().ok());
    let requested = requested.filter(|text| text.len() <= MAX_REQUESTED).unwrap_or_default();
    let is_param = |name: &&str| {
        let start = name.get(..PARAM_PREFIX.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(PARAM_PREFIX))
    };
    let params = requested.split(',').map(str::trim).filter(is_param);
    let all: Vec<&str> = std::iter::once(REQUEST_HEADERS).chain(params).collect();
    HeaderValue::from_str(&all.join(", ")).unwrap_or(HeaderValue::from_static(REQUEST_HEADERS))
}

/// Host names of the endpoint, and web origins that may call it.
#[derive(Debug, Clone)]
pub(super) struct OriginRules {
    loopback: bool,
    hosts: Vec<String>,
    origins: Vec<String>,
}

impl OriginRules {
    /// `loopback`: the endpoint is for this machine only, so its names and origins are allowed and others
    /// are not. Otherwise every host is accepted until one is named, and no origin until it is named.
    pub(super) fn new(loopback: bool, hosts: &[String], origins: &[String]) -> OriginRules {
        let lower = |names: &[String]| names.iter().map(|name| name.to_ascii_lowercase()).collect();
        OriginRules { loopback, hosts: lower(hosts), origins: lower(origins) }
    }

    /// Why a request is refused, where it is.
    pub(super) fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), &'static str> {
        if !self.host_allowed(uri, headers) {
            return Err("This Host is not served here");
        }
        let mut origins = headers.get_all(ORIGIN).iter();
        let allowed = origins.all(|origin| origin.to_str().is_ok_and(|origin| self.origin_allowed(origin)));
        if allowed { Ok(()) } else { Err("This Origin is not allowed here") }
    }

    fn host_allowed(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        if !self.loopback && self.hosts.is_empty() {
            return true;
        }
        if uri.authority().is_none() && self.is_plainly_local(headers) {
            return true;
        }
        // HTTP/2 and the absolute form of HTTP/1 carry the host in the target.
        let mut named =
            headers.get_all(HOST).iter().map(|host| host.to_str().ok()?.parse::<Authority>().ok());
        let from_headers = (named.next().flatten(), named.next());
        match (uri.authority(), from_headers) {
            (Some(target), (None, None)) => self.names_us(target),
            (Some(target), (Some(host), None)) => self.names_us(target) && self.names_us(&host),
            (None, (Some(host), None)) => self.names_us(&host),
            _ => false,
        }
    }

    /// Returns whether the one `Host` is a loopback address or name with a port, as nearly every local client writes
    /// it: told without taking it apart.
    fn is_plainly_local(&self, headers: &HeaderMap) -> bool {
        let mut hosts = headers.get_all(HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
        let local = [&b"127.0.0.1:"[..], b"localhost:", b"[::1]:"];
        let port = local.iter().find_map(|name| host.as_bytes().strip_prefix(*name));
        self.loopback && port.is_some_and(|port| port.len() <= 5 && port.iter().all(u8::is_ascii_digit))
    }

    fn names_us(&self, authority: &Authority) -> bool {
        self.is_ours(authority) || (self.hosts.iter().any(|allowed| allowed == "*") && !has_user(authority))
    }

    /// Returns whether the name was given to us. That every name is answered to makes none of them ours.
    fn is_ours(&self, authority: &Authority) -> bool {
        let whole = authority.as_str().to_ascii_lowercase();
        let host = authority.host().to_ascii_lowercase();
        let listed = self.hosts.iter().any(|allowed| *allowed == whole || *allowed == host);
        !has_user(authority) && (listed || (self.loopback && is_loopback(&host)))
    }

    fn origin_allowed(&self, origin: &str) -> bool {
        let origin = origin.to_ascii_lowercase();
        if self.origins.iter().any(|allowed| allowed == "*" || *allowed == origin) {
            return true;
        }
        // An origin on one of our own, verified names is our own page.
        let named = origin.parse::<Uri>().ok();
        named.as_ref().and_then(Uri::authority).is_some_and(|name| self.is_ours(name))
    }
}

fn has_user(authority: &Authority) -> bool {
    authority.as_str().contains('@')
}

/// Returns whether `host` (a name, or an address with or without brackets) is this machine and no other.
pub(super) fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preflight_allows_the_headers_of_the_protocol_and_no_others() {
        for (requested, also) in [
            ("", ""),
            ("content-type,mcp-session-id", ""),
            ("mcp-param-region, Mcp-Param-Zone,x-other", ", mcp-param-region, Mcp-Param-Zone"),
            ("x-é-mcp-param-a", ""),
        ] {
            let mut headers = HeaderMap::new();
            let requested = HeaderValue::from_bytes(requested.as_bytes()).expect("a header");
            headers.insert(ACCESS_CONTROL_REQUEST_HEADERS, requested);
            assert_eq!(allowed_headers(&headers), format!("{REQUEST_HEADERS}{also}"));
        }
    }

    fn check(guard: &OriginRules, host: Option<&str>, origin: Option<&str>) -> bool {
        let mut headers = HeaderMap::new();
        host.map(|value| headers.insert(HOST, value.parse().expect("header")));
        origin.map(|value| headers.insert(ORIGIN, value.parse().expect("header")));
        guard.check(&Uri::from_static("/mcp"), &headers).is_ok()
    }

    #[test]
    fn a_local_endpoint() {
        let guard = OriginRules::new(true, &["Box.lan:4000".into()], &["https://App.example".into()]);
        let cases: &[(Option<&str>, Option<&str>, bool)] = &[
            (Some("localhost:4000"), None, true),
            (Some("LOCALHOST"), None, true),
            (Some("127.0.0.1:1"), None, true),
            (Some("127.8.8.8"), None, true),
            (Some("[::1]:4000"), None, true),
            (Some("box.lan:4000"), None, true),
            (Some("box.lan"), None, false),
            (Some("evil.example.com"), None, false),
            (Some("localhost.evil.com"), None, false),
            (Some("localhost@evil.com"), None, false),
            (Some("user@localhost"), None, false),
            (Some("10.0.0.1:4000"), None, false),
            (Some(""), None, false),
            (None, None, false),
            (Some("localhost"), Some("http://localhost:6274"), true),
            (Some("localhost"), Some("http://[::1]"), true),
            (Some("localhost"), Some("https://app.example"), true),
            (Some("localhost"), Some("http://app.example"), false),
            (Some("localhost"), Some("https://app.example:444"), false),
            (Some("localhost"), Some("http://evil.example.com"), false),
            (Some("localhost"), Some("null"), false),
            (Some("localhost"), Some(""), false),
            (Some("localhost"), Some("localhost, evil"), false),
        ];
        for (host, origin, expected) in cases {
            assert_eq!(check(&guard, *host, *origin), *expected, "{host:?} {origin:?}");
        }
    }

    #[test]
    fn a_public_endpoint() {
        let open = OriginRules::new(false, &[], &[]);
        let named = OriginRules::new(false, &["mcp.example.com".into()], &[]);
        let any = OriginRules::new(false, &["*".into()], &["*".into()]);
        let any_host = OriginRules::new(true, &["*".into()], &[]);
        let cases: &[(&OriginRules, Option<&str>, Option<&str>, bool)] = &[
            (&open, Some("whatever:1"), None, true),
            (&open, None, None, true),
            (&open, Some("whatever"), Some("http://whatever"), false),
            (&open, Some("localhost"), Some("http://localhost"), false),
            (&named, Some("mcp.example.com:443"), None, true),
            (&named, Some("mcp.example.com"), Some("https://mcp.example.com"), true),
            (&named, Some("mcp.example.com"), Some("https://example.com"), false),
            (&named, Some("localhost"), None, false),
            (&any, Some("x"), Some("https://y"), true),
            (&any_host, Some("x"), None, true),
            (&any_host, Some("me@x"), None, false),
            (&any_host, Some("x"), Some("https://x"), false),
            (&any_host, Some("x"), Some("http://localhost"), true),
        ];
        for (guard, host, origin, expected) in cases {
            assert_eq!(check(guard, *host, *origin), *expected, "{guard:?} {host:?} {origin:?}");
        }
    }

    #[test]
    fn the_target_and_the_header_must_both_be_ours() {
        let guard = OriginRules::new(true, &[], &[]);
        let target = Uri::from_static("http://localhost/mcp");
        let mut headers = HeaderMap::new();
        assert!(guard.check(&target, &headers).is_ok());
        headers.insert(HOST, "evil.example".parse().expect("header"));
        assert!(guard.check(&target, &headers).is_err());
        headers.append(HOST, "localhost".parse().expect("header"));
        assert!(guard.check(&Uri::from_static("/mcp"), &headers).is_err());
    }
}
