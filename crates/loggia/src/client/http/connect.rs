//! The HTTP client: connections with TLS and a time limit, authorization, and redirects within the same origin.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{HeaderValue, LOCATION, USER_AGENT, WWW_AUTHENTICATE};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper_util::client::legacy::connect::HttpConnector;
use url::Url;

use super::connector::secure;
use super::pool::{Origin, Pool, PooledBody};
use super::{Authorize, Challenge, HttpOptions};
use crate::error::{Error, Result};

/// The URL of requests, in all required forms.
#[derive(Debug)]
pub(super) struct EndpointAddress {
    pub(super) url: Url,
    origin: Origin,
}

impl EndpointAddress {
    pub(super) fn new(url: Url) -> Result<EndpointAddress> {
        let origin = Origin::new(&url)
            .map_err(|error| Error::Configuration(format!("{url} cannot be requested: {error}")))?;
        Ok(EndpointAddress { url, origin })
    }
}

/// Makes requests to one origin.
pub(super) struct HttpClient {
    pool: Pool,
    authorize: Option<Arc<dyn Authorize>>,
}

/// The maximum number of attempts for one request: without authorization, with it, with the nonce that the server
/// asks for, and with more scopes.
const CHALLENGES: usize = 4;
/// The maximum number of redirects for one request.
const REDIRECTS: usize = 3;

impl HttpClient {
    pub(super) fn new(url: &Url, options: &HttpOptions, connect_timeout: Duration) -> Result<HttpClient> {
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(connect_timeout));
        tcp.set_keepalive(Some(Duration::from_secs(60)));
        tcp.enforce_http(false);
        let connector = secure(tcp, url, options)?;
        Ok(HttpClient { pool: Pool::new(connector), authorize: options.authorize.clone() })
    }

    /// Makes a request with the headers that `headers` returns, which is called for each attempt. If other
    /// authorization may help after a refusal, tries again.
    pub(super) async fn request(
        &self,
        method: Method,
        address: &EndpointAddress,
        headers: &(dyn Fn() -> HeaderMap + Sync),
        body: &Bytes,
    ) -> Result<Response<PooledBody>, RequestError> {
        let mut denied = None;
        for _ in 0..CHALLENGES {
            let (response, sent) = self.redirected(&method, address, headers, body).await?;
            let Some(challenge) = challenge(&response, sent) else { return Ok(response) };
            denied = Some(challenge.status);
            let again = match &self.authorize {
                Some(authorize) => authorize.handle_challenge(challenge.clone()).await?,
                None => false,
            };
            if !again {
                return Err(RequestError { denied, error: unauthorized(&challenge) });
            }
        }
        let error = Error::Unauthorized(format!("refused {CHALLENGES} times"));
        Err(RequestError { denied, error })
    }

    /// Follows redirects that keep the method and the origin. Any other redirect would send the request, with its
    /// authorization, to another server.
    async fn redirected(
        &self,
        method: &Method,
        address: &EndpointAddress,
        headers: &(dyn Fn() -> HeaderMap + Sync),
        body: &Bytes,
    ) -> Result<(Response<PooledBody>, HeaderMap)> {
        let mut moved: Option<EndpointAddress> = None;
        for _ in 0..=REDIRECTS {
            let address = moved.as_ref().unwrap_or(address);
            let (response, sent) = self.once(method, address, headers(), body).await?;
            if !response.status().is_redirection() {
                return Ok((response, sent));
            }
            let keeps =
                [StatusCode::TEMPORARY_REDIRECT, StatusCode::PERMANENT_REDIRECT].contains(&response.status());
            let target = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
            match target.and_then(|text| address.url.join(text).ok()) {
                Some(target) if keeps && target.origin() == address.url.origin() => {
                    moved = Some(EndpointAddress::new(target)?);
                }
                Some(target) => {
                    return Err(Error::Connection(format!(
                        "the server answered {} and points to {target}, where this request is not taken; \
                         if that is the server, connect to it by that URL",
                        response.status()
                    )));
                }
                None => return Ok((response, sent)),
            }
        }
        Err(Error::Connection(format!("the server redirects more than {REDIRECTS} times")))
    }

    async fn once(
        &self,
        method: &Method,
        address: &EndpointAddress,
        headers: HeaderMap,
        body: &Bytes,
    ) -> Result<(Response<PooledBody>, HeaderMap)> {
        let mut request = Request::new(Full::new(body.clone()));
        *request.method_mut() = method.clone();
        *request.headers_mut() = headers;
        request
            .headers_mut()
            .entry(USER_AGENT)
            .or_insert(HeaderValue::from_static(concat!("loggia/", env!("CARGO_PKG_VERSION"))));
        let mut sent = match &self.authorize {
            Some(authorize) => authorize.headers(method, &address.url).await?,
            None => HeaderMap::new(),
        };
        sent.values_mut().for_each(|value| value.set_sensitive(true));
        for (name, value) in &sent {
            request.headers_mut().insert(name, value.clone());
        }
        let response = self.pool.request(&address.origin, request).await?;
        if let Some(authorize) = &self.authorize {
            authorize.observe_response(&sent, response.status(), response.headers());
        }
        Ok((response, sent))
    }
}

/// The error for a request without a usable response.
#[derive(Debug)]
pub(super) struct RequestError {
    /// The status of the response, if the server asked for other authorization and there is none.
    pub(super) denied: Option<StatusCode>,
    pub(super) error: Error,
}

impl From<Error> for RequestError {
    fn from(error: Error) -> RequestError {
        RequestError { denied: None, error }
    }
}

/// Returns the challenge of a refusal if other authorization may help.
fn challenge(response: &Response<PooledBody>, sent: HeaderMap) -> Option<Challenge> {
    let status = response.status();
    let challenges = response.headers().contains_key(WWW_AUTHENTICATE);
    let refused = status == StatusCode::UNAUTHORIZED || (status == StatusCode::FORBIDDEN && challenges);
    refused.then(|| Challenge { status, headers: response.headers().clone(), sent })
}

fn unauthorized(challenge: &Challenge) -> Error {
    let said = challenge.headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
    let said: Vec<&str> = said.collect();
    Error::Unauthorized(if said.is_empty() { challenge.status.to_string() } else { said.join(", ") })
}
