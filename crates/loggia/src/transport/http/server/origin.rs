//! Checks of browsers' requests on every path, before any layer: the `Host` and `Origin` checks, and CORS (WHATWG
//! Fetch, section 3.3) for the origins that are allowed.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Uri};

use super::origin_rules::OriginRules;
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
const MOST_REQUESTED: usize = 8 << 10;

/// Checks requests, and adds the headers by which browsers let a page read a response.
#[derive(Debug)]
pub(super) struct OriginFilter {
    rules: OriginRules,
    /// Whether responses differ by origin.
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
    let requested = requested.filter(|text| text.len() <= MOST_REQUESTED).unwrap_or_default();
    let is_param = |name: &&str| {
        let start = name.get(..PARAM_PREFIX.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(PARAM_PREFIX))
    };
    let params = requested.split(',').map(str::trim).filter(is_param);
    let all: Vec<&str> = std::iter::once(REQUEST_HEADERS).chain(params).collect();
    HeaderValue::from_str(&all.join(", ")).unwrap_or(HeaderValue::from_static(REQUEST_HEADERS))
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
}
