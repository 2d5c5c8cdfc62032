//! The layer itself: from a request with a token to a request with a principal, or to a refusal.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::SystemTime;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use loggia::transport::http::Body;
use loggia::wire::jsonrpc::{self, Frame};
use tower_layer::Layer;
use tower_service::Service;
use url::Url;

use super::challenge::{self, DPOP_NONCE, Refusal, Scheme};
use super::dpop::{ProofError, ProofVerifier};
use super::operation::{self, Unclear};
use super::{Grant, Resource, TokenError};
use crate::jose::{Claims, Jwt};

/// The layer that [`Resource::layer`] makes.
#[derive(Clone)]
pub struct ResourceLayer {
    gate: Arc<Gate>,
}

impl ResourceLayer {
    pub(super) fn new(resource: Resource) -> ResourceLayer {
        let metadata = resource.metadata_url();
        ResourceLayer { gate: Arc::new(Gate { resource, metadata }) }
    }
}

impl<S> Layer<S> for ResourceLayer {
    type Service = Protected<S>;

    fn layer(&self, inner: S) -> Protected<S> {
        Protected { inner, gate: self.gate.clone() }
    }
}

/// An endpoint with the layer around it.
#[derive(Clone)]
pub struct Protected<S> {
    inner: S,
    gate: Arc<Gate>,
}

struct Gate {
    resource: Resource,
    metadata: String,
}

impl<S> Service<Request<Body>> for Protected<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let gate = self.gate.clone();
        // The one that was polled is the one that is ready.
        let ready = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, ready);
        Box::pin(async move {
            if gate.resource.is_metadata(request.uri().path()) {
                return Ok(gate.resource.metadata_response(request.method()));
            }
            let proven = ProofVerifier::is_present(request.headers());
            let mut response = match gate.admit(request).await {
                Ok(request) => inner.call(request).await?,
                Err(refusal) => gate.refuse(&refusal),
            };
            gate.hand_out_nonce(proven, response.headers_mut());
            Ok(response)
        })
    }
}

impl Gate {
    async fn admit(&self, request: Request<Body>) -> Result<Request<Body>, Refusal> {
        let (mut parts, body) = request.into_parts();
        let (scheme, grant) = self.identify(&parts).await?;
        let body = self.check_scopes(scheme, &grant, &parts, body).await?;
        // Nothing behind this layer sees the token, so nothing can pass it on.
        parts.headers.remove(AUTHORIZATION);
        parts.headers.remove(HeaderName::from_static("dpop"));
        parts.extensions.insert(Arc::new(grant.principal()));
        parts.extensions.insert(Arc::new(grant));
        Ok(Request::from_parts(parts, body))
    }

    /// Whose request it is, by its head.
    async fn identify(&self, parts: &Parts) -> Result<(Scheme, Grant), Refusal> {
        let (scheme, token) = credentials(&parts.headers)?;
        let now = (self.resource.clock)();
        let grant = self.grant(token, now).await.map_err(|error| match error {
            TokenError::Invalid(why) => Refusal::Token(scheme, why),
            TokenError::Unavailable(_) => Refusal::Unavailable,
            TokenError::Failed(_) => Refusal::Failed,
        })?;
        self.check_binding(scheme, token, &grant, parts, now).await?;
        Ok((scheme, grant))
    }

    async fn grant(&self, token: &str, now: SystemTime) -> Result<Grant, TokenError> {
        let resource = &self.resource;
        if let Some(keys) = resource.keys.as_ref().filter(|keys| keys.is_key(token)) {
            return Ok(keys.verify(token, now).await?.into());
        }
        let audiences: Vec<&str> = resource.audiences.iter().map(String::as_str).collect();
        let untrusted =
            || TokenError::Invalid("The token is not of an issuer that is trusted here".to_owned());
        let mut issuers = resource.issuers.iter();
        let issuer = match Jwt::parse(token) {
            Ok(jwt) => {
                let claims: Claims = jwt.unverified().map_err(super::issuer::invalid)?;
                let named = issuers.find(|issuer| claims.iss.as_deref() == Some(issuer.name()));
                let named = named.ok_or_else(untrusted)?;
                if named.signs() {
                    return named.verify(jwt, &audiences, now, resource.skew).await;
                }
                named
            }
            // What says nothing of itself is shown to the one issuer of such tokens.
            Err(_) => issuers.find(|issuer| issuer.introspection().is_some()).ok_or_else(untrusted)?,
        };
        let introspection = issuer.introspection().ok_or_else(untrusted)?;
        introspection.check(token, issuer.name(), &audiences, now, resource.skew).await
    }

    /// RFC 9449, section 7: a bound token needs its proof, and is never a bearer token.
    async fn check_binding(
        &self,
        scheme: Scheme,
        token: &str,
        grant: &Grant,
        parts: &Parts,
        now: SystemTime,
    ) -> Result<(), Refusal> {
        let refused = |why: &str| Err(Refusal::Token(scheme, why.to_owned()));
        let Some(dpop) = &self.resource.dpop else {
            return match (scheme, &grant.key) {
                (Scheme::Bearer, None) => Ok(()),
                _ => refused("Tokens that are bound to a key are not accepted here"),
            };
        };
        match (scheme, &grant.key) {
            (Scheme::Bearer, None) if !dpop.is_required() => Ok(()),
            (Scheme::Bearer, None) | (Scheme::Dpop, None) => {
                refused("The token must be bound to a key, and is not")
            }
            (Scheme::Bearer, Some(_)) => {
                refused("The token is bound to a key: use the DPoP scheme with a proof")
            }
            (Scheme::Dpop, Some(key)) => {
                let requested = self.requested(parts);
                let urls: Vec<&Url> =
                    [Some(&self.resource.uri), requested.as_ref()].into_iter().flatten().collect();
                let proof = dpop.proofs().check(&parts.headers, &parts.method, &urls, Some(token), now);
                let proof = proof.map_err(|error| match error {
                    ProofError::Missing => {
                        Refusal::Proof("The DPoP header with the proof is missing".to_owned())
                    }
                    ProofError::Invalid(why) => Refusal::Proof(why),
                    ProofError::Nonce(nonce) => Refusal::Nonce(nonce),
                })?;
                if proof.key != *key {
                    return refused("The token is bound to another key");
                }
                match dpop.is_new(&proof, now).await {
                    Ok(true) => Ok(()),
                    Ok(false) => Err(Refusal::Proof("The proof was used before (jti)".to_owned())),
                    Err(error) => {
                        tracing::warn!(%error, "a proof cannot be held against those of other replicas");
                        Err(if error.is_unavailable() { Refusal::Unavailable } else { Refusal::Failed })
                    }
                }
            }
        }
    }

    /// The URL that was requested, as it looks from outside: the host that a request names is not to be
    /// relied on.
    fn requested(&self, parts: &Parts) -> Option<Url> {
        self.resource.uri.join(parts.uri.path()).ok()
    }

    async fn check_scopes(
        &self,
        scheme: Scheme,
        grant: &Grant,
        parts: &Parts,
        body: Body,
    ) -> Result<Body, Refusal> {
        let policy = &self.resource.scopes;
        let (needed, body) = if parts.method == Method::POST && policy.looks_inside() {
            self.needed_scopes(body).await?
        } else {
            (policy.base().clone(), body)
        };
        if policy.allows(&grant.scopes, &needed) {
            return Ok(body);
        }
        Err(Refusal::Scope(scheme, needed))
    }

    /// Reads a body and returns the scopes that it needs. The endpoint refuses a body that is no message.
    async fn needed_scopes(&self, body: Body) -> Result<(BTreeSet<String>, Body), Refusal> {
        let collected = Limited::new(body, self.resource.most_bytes).collect();
        let collected = tokio::time::timeout(self.resource.read_timeout, collected).await;
        let text: Bytes = match collected {
            Ok(Ok(collected)) => collected.to_bytes(),
            Ok(Err(_)) => return Err(Refusal::Unreadable(StatusCode::PAYLOAD_TOO_LARGE)),
            Err(_) => return Err(Refusal::Unreadable(StatusCode::REQUEST_TIMEOUT)),
        };
        let needed = match jsonrpc::decode_frame(&text) {
            Ok(frame) => self.scopes_of(&frame).map_err(|Unclear(why)| Refusal::Unclear(why))?,
            Err(_) => self.resource.scopes.base().clone(),
        };
        Ok((needed, Body::full(text)))
    }

    fn scopes_of(&self, frame: &Frame) -> Result<BTreeSet<String>, Unclear> {
        let operations = operation::operations(frame)?;
        self.resource.scopes.needed(&operations, self.resource.most_resources)
    }

    fn refuse(&self, refusal: &Refusal) -> Response<Body> {
        tracing::debug!(?refusal, "a request was refused");
        refusal.response(&challenge::Context {
            metadata: &self.metadata,
            base: self.resource.scopes.base(),
            dpop: self.resource.dpop.as_ref(),
        })
    }

    /// RFC 9449, section 8.2: a caller that uses proofs is told the nonce of its next one.
    fn hand_out_nonce(&self, proven: bool, headers: &mut HeaderMap) {
        let nonce = || self.resource.dpop.as_ref()?.proofs().nonce((self.resource.clock)());
        if proven
            && !headers.contains_key(DPOP_NONCE)
            && let Some(nonce) = nonce().and_then(|nonce| HeaderValue::from_str(&nonce).ok())
        {
            headers.insert(DPOP_NONCE, nonce);
        }
    }
}

/// The token of a request, and how it is shown. There is one place for it: the `Authorization` header.
fn credentials(headers: &HeaderMap) -> Result<(Scheme, &str), Refusal> {
    let malformed = |why: &str| Refusal::Malformed(why.to_owned());
    let mut given = headers.get_all(AUTHORIZATION).iter();
    let header = given.next().ok_or(Refusal::Nothing)?;
    if given.next().is_some() {
        return Err(malformed("There must be one Authorization header"));
    }
    let text = header.to_str().map_err(|_| malformed("The Authorization header cannot be read"))?;
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    let scheme = match scheme {
        _ if scheme.eq_ignore_ascii_case("bearer") => Scheme::Bearer,
        _ if scheme.eq_ignore_ascii_case("dpop") => Scheme::Dpop,
        _ => return Err(Refusal::Nothing),
    };
    let token = token.trim_matches(' ');
    let is_token68 = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    match !token.is_empty() && token.bytes().all(is_token68) {
        true => Ok((scheme, token)),
        false => Err(malformed("The Authorization header holds no token")),
    }
}
