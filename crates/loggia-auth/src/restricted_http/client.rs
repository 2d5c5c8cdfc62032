//! The restricted HTTP client: sends a request, follows redirects, and reads the response within the bounds.
//!
//! Invariant: the policy is checked before each request and before each redirect.

use std::fmt;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, USER_AGENT};
use http::{HeaderValue, Method};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use url::Url;

use super::connector::{self, AddressError, RestrictedConnector};
use super::error::{FetchError, redacted};
use super::policy::FetchPolicy;
use super::redirect::redirect;
use super::request::{FetchRequest, FetchResponse};
use super::resolver::{Resolver, SystemResolver};

/// An HTTP client for URLs that another party chose: it follows a [`FetchPolicy`] on schemes, addresses, redirects
/// and sizes. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct RestrictedHttpClient {
    policy: Arc<FetchPolicy>,
    client: Client<RestrictedConnector, Full<Bytes>>,
}

impl fmt::Debug for RestrictedHttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RestrictedHttpClient").field("policy", &self.policy).finish_non_exhaustive()
    }
}

impl RestrictedHttpClient {
    /// Creates a client that resolves names by the operating system.
    pub fn new(policy: FetchPolicy) -> Result<RestrictedHttpClient, FetchError> {
        RestrictedHttpClient::with_resolver(policy, SystemResolver)
    }

    /// Creates a client with another resolver.
    pub fn with_resolver(
        policy: FetchPolicy,
        resolver: impl Resolver,
    ) -> Result<RestrictedHttpClient, FetchError> {
        let policy = Arc::new(policy);
        let client = connector::client(&policy, Arc::new(resolver))?;
        Ok(RestrictedHttpClient { policy, client })
    }

    /// Returns the policy.
    pub fn policy(&self) -> &FetchPolicy {
        &self.policy
    }

    /// Fetches a document.
    pub async fn get(&self, url: &Url) -> Result<FetchResponse, FetchError> {
        self.send(FetchRequest::get(url.clone())).await
    }

    /// Sends a request. A redirect that is not followed is an error; any other status is a response.
    pub async fn send(&self, fetch: FetchRequest) -> Result<FetchResponse, FetchError> {
        let limit = self.policy.timeout;
        let url = redacted(&fetch.url);
        let timed = tokio::time::timeout(limit, Box::pin(self.send_following(fetch))).await;
        timed.unwrap_or(Err(FetchError::TimedOut { url, limit }))
    }

    async fn send_following(&self, mut fetch: FetchRequest) -> Result<FetchResponse, FetchError> {
        let most = match fetch.method {
            Method::GET => fetch.redirects.unwrap_or(usize::MAX).min(self.policy.redirects),
            _ => 0,
        };
        for _ in 0..=most {
            self.policy.check(&fetch.url)?;
            let response = self.send_once(&fetch).await?;
            let Some(target) = redirect(&fetch.url, &response)? else {
                return self.reply(fetch, response).await;
            };
            if most == 0 {
                let why = format!("it answers {} and points to {}", response.status(), redacted(&target));
                return Err(FetchError::Refused { url: redacted(&fetch.url), why });
            }
            if target.origin() != fetch.url.origin() {
                // Any other header may contain a credential: the vendor chooses the header of an API key.
                let accept = fetch.headers.remove(ACCEPT);
                fetch.headers = accept.map(|accept| (ACCEPT, accept)).into_iter().collect();
            }
            fetch.url = target;
        }
        let why = format!("it is behind more than {most} redirects");
        Err(FetchError::Refused { url: redacted(&fetch.url), why })
    }

    async fn send_once(&self, fetch: &FetchRequest) -> Result<http::Response<Incoming>, FetchError> {
        let failed = |why: String| FetchError::Failed { url: redacted(&fetch.url), why };
        let mut request = http::Request::new(Full::new(fetch.body.clone()));
        *request.method_mut() = fetch.method.clone();
        *request.uri_mut() = fetch.url[..url::Position::AfterQuery]
            .parse()
            .map_err(|error| failed(format!("it cannot be requested ({error})")))?;
        *request.headers_mut() = fetch.headers.clone();
        let agent = HeaderValue::from_static(concat!("loggia/", env!("CARGO_PKG_VERSION")));
        request.headers_mut().entry(USER_AGENT).or_insert(agent);
        self.client.request(request).await.map_err(|error| match address_error(&error) {
            Some(why) => FetchError::Refused { url: redacted(&fetch.url), why },
            None => failed(with_sources(&error)),
        })
    }

    async fn reply(
        &self,
        fetch: FetchRequest,
        response: http::Response<Incoming>,
    ) -> Result<FetchResponse, FetchError> {
        let limit = fetch.most_bytes.unwrap_or(usize::MAX).min(self.policy.most_bytes);
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, limit).collect().await.map_err(|error| {
            let url = redacted(&fetch.url);
            match error.is::<LengthLimitError>() {
                true => FetchError::TooLong { url, limit },
                false => FetchError::Failed { url, why: with_sources(&*error) },
            }
        })?;
        Ok(FetchResponse {
            url: fetch.url,
            status: parts.status,
            headers: parts.headers,
            body: body.to_bytes(),
        })
    }
}

/// Returns the text of an [`AddressError`] in the chain of an error's causes.
fn address_error(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(refusal) = error.downcast_ref::<AddressError>() {
            return Some(refusal.to_string());
        }
        if let Some(refusal) = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
            .and_then(|inner| inner.downcast_ref::<AddressError>())
        {
            return Some(refusal.to_string());
        }
        cause = error.source();
    }
    None
}

/// Returns the text of an error and of its causes.
fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}
