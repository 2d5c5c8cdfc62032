//! The layer of a resource server: replaces the access token of a request by a principal, or refuses the request.
//!
//! No service behind the layer sees the token, so none can pass it on.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
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

use super::challenge::{AccessRefusal, ChallengeContext, DPOP_NONCE, TokenScheme};
use super::dpop::{DpopPolicy, ProofError, ProofVerifier};
use super::metadata::MetadataEndpoint;
use super::operation::{self, AmbiguousRequest};
use super::resource_server::ResourceServer;
use super::scopes::ScopePolicy;
use super::token::{TokenError, VerifiedToken};
use crate::jose::{Claims, Jwt};

/// The layer that [`ResourceServer::layer`] returns.
#[derive(Clone)]
pub struct ResourceServerLayer {
    authorizer: Arc<RequestAuthorizer>,
}

impl ResourceServer {
    /// Returns the layer that goes around the endpoint.
    pub fn layer(self) -> ResourceServerLayer {
        let metadata = MetadataEndpoint::new(&self.uri, self.metadata());
        ResourceServerLayer { authorizer: Arc::new(RequestAuthorizer::new(self, metadata)) }
    }
}

impl ResourceServerLayer {
    /// Replaces the scopes that operations need. Requests that are checked from now on follow the new policy; the metadata
    /// goes on to name the scopes of the first one.
    pub fn replace_scopes(&self, scopes: ScopePolicy) {
        *self.authorizer.scopes.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(scopes);
    }
}

impl<S> Layer<S> for ResourceServerLayer {
    type Service = ProtectedService<S>;

    fn layer(&self, inner: S) -> ProtectedService<S> {
        ProtectedService { inner, authorizer: self.authorizer.clone() }
    }
}

/// An endpoint that is protected by a resource server.
#[derive(Clone)]
pub struct ProtectedService<S> {
    inner: S,
    authorizer: Arc<RequestAuthorizer>,
}

/// Authorizes requests.
struct RequestAuthorizer {
    resource: ResourceServer,
    metadata: MetadataEndpoint,
    /// Each request reads it once, so that one request is not judged by two policies.
    scopes: RwLock<Arc<ScopePolicy>>,
}

impl<S> Service<Request<Body>> for ProtectedService<S>
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
        let authorizer = self.authorizer.clone();
        // Only the service that was polled is ready.
        let ready = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, ready);
        Box::pin(async move {
            if authorizer.metadata.is_at(request.uri().path()) {
                return Ok(authorizer.metadata.handle(request.method()));
            }
            let has_proof = ProofVerifier::is_present(request.headers());
            let mut response = match authorizer.authorize(request).await {
                Ok(request) => inner.call(request).await?,
                Err(refusal) => authorizer.refuse(&refusal),
            };
            authorizer.set_next_nonce(has_proof, response.headers_mut());
            Ok(response)
        })
    }
}

impl RequestAuthorizer {
    fn new(resource: ResourceServer, metadata: MetadataEndpoint) -> RequestAuthorizer {
        let scopes = RwLock::new(Arc::new(resource.scopes.clone()));
        RequestAuthorizer { resource, metadata, scopes }
    }

    fn scopes(&self) -> Arc<ScopePolicy> {
        self.scopes.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Authorizes a request. Removes its token, and adds the principal and the verified token for handlers.
    async fn authorize(&self, request: Request<Body>) -> Result<Request<Body>, AccessRefusal> {
        let (mut parts, body) = request.into_parts();
        let (scheme, verified) = self.authenticate(&parts).await?;
        let body = self.check_scopes(scheme, &verified, &parts, body).await?;
        parts.headers.remove(AUTHORIZATION);
        parts.headers.remove(HeaderName::from_static("dpop"));
        parts.extensions.insert(Arc::new(verified.principal()));
        parts.extensions.insert(Arc::new(verified));
        Ok(Request::from_parts(parts, body))
    }

    /// Checks the token of a request, and that the request may use it.
    async fn authenticate(&self, parts: &Parts) -> Result<(TokenScheme, VerifiedToken), AccessRefusal> {
        let (scheme, token) = credentials(&parts.headers)?;
        let now = (self.resource.clock)();
        let verified = self.verify(token, now).await.map_err(|error| match error {
            TokenError::Invalid(why) => AccessRefusal::InvalidToken(scheme, why),
            TokenError::Unavailable(_) => AccessRefusal::Unavailable,
            TokenError::Failed(_) => AccessRefusal::InternalError,
        })?;
        self.check_binding(scheme, token, &verified, parts, now).await?;
        Ok((scheme, verified))
    }

    /// Checks a token: an API key, a signed token of a trusted issuer, or an opaque token.
    async fn verify(&self, token: &str, now: SystemTime) -> Result<VerifiedToken, TokenError> {
        let resource = &self.resource;
        if let Some(keys) = resource.keys.as_ref().filter(|keys| keys.is_key(token)) {
            return Ok(keys.verify(token, now).await?.into());
        }
        let audiences: Vec<&str> = resource.audiences.iter().map(String::as_str).collect();
        let untrusted =
            || TokenError::Invalid("The token is not from an issuer that is trusted here".to_owned());
        let mut issuers = resource.issuers.iter();
        let issuer = match Jwt::parse(token) {
            Ok(jwt) => {
                let claims: Claims = jwt.unverified()?;
                let named = issuers.find(|issuer| claims.iss.as_deref() == Some(issuer.name()));
                let named = named.ok_or_else(untrusted)?;
                if named.signs() {
                    return named.verify(jwt, &audiences, now, resource.skew).await;
                }
                named
            }
            // An opaque token names no issuer, so the issuer with an introspection endpoint is asked.
            Err(_) => issuers.find(|issuer| issuer.introspection().is_some()).ok_or_else(untrusted)?,
        };
        let introspection = issuer.introspection().ok_or_else(untrusted)?;
        introspection.check(token, issuer.name(), &audiences, now, resource.skew).await
    }

    /// Checks the DPoP binding of a token (RFC 9449, section 7). A bound token needs a proof, and is never a bearer
    /// token.
    async fn check_binding(
        &self,
        scheme: TokenScheme,
        token: &str,
        verified: &VerifiedToken,
        parts: &Parts,
        now: SystemTime,
    ) -> Result<(), AccessRefusal> {
        let refused = |why: &str| Err(AccessRefusal::InvalidToken(scheme, why.to_owned()));
        let Some(dpop) = &self.resource.dpop else {
            return match (scheme, &verified.key) {
                (TokenScheme::Bearer, None) => Ok(()),
                _ => refused("Tokens that are bound to a key are not accepted here"),
            };
        };
        match (scheme, &verified.key) {
            (TokenScheme::Bearer, None) if !dpop.is_required() => Ok(()),
            (TokenScheme::Bearer, None) | (TokenScheme::Dpop, None) => {
                refused("The token must be bound to a key, and is not")
            }
            (TokenScheme::Bearer, Some(_)) => {
                refused("The token is bound to a key: use the DPoP scheme with a proof")
            }
            (TokenScheme::Dpop, Some(key)) => self.check_proof(dpop, (token, key), parts, now).await,
        }
    }

    /// Checks the proof of a request for a token that is bound to a key, given by its thumbprint.
    async fn check_proof(
        &self,
        dpop: &DpopPolicy,
        (token, key): (&str, &str),
        parts: &Parts,
        now: SystemTime,
    ) -> Result<(), AccessRefusal> {
        let requested = self.requested_url(parts);
        let urls: Vec<&Url> = [Some(&self.resource.uri), requested.as_ref()].into_iter().flatten().collect();
        let proof = dpop.verifier().check(&parts.headers, &parts.method, &urls, Some(token), now);
        let proof = proof.map_err(|error| match error {
            ProofError::Missing => {
                AccessRefusal::InvalidProof("The DPoP header with the proof is missing".to_owned())
            }
            ProofError::Invalid(why) => AccessRefusal::InvalidProof(why),
            ProofError::Nonce(nonce) => AccessRefusal::NonceRequired(nonce),
        })?;
        if proof.key != key {
            let why = "The token is bound to another key".to_owned();
            return Err(AccessRefusal::InvalidToken(TokenScheme::Dpop, why));
        }
        match dpop.record(&proof, now).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(AccessRefusal::InvalidProof("The proof was used before (jti)".to_owned())),
            Err(error) => {
                tracing::warn!(%error, "a proof cannot be compared with those of other replicas");
                let is_temporary = error.is_unavailable();
                Err(if is_temporary { AccessRefusal::Unavailable } else { AccessRefusal::InternalError })
            }
        }
    }

    /// Returns the requested URL as clients see it. Only its path comes from the request, because its host is not
    /// trusted.
    fn requested_url(&self, parts: &Parts) -> Option<Url> {
        self.resource.uri.join(parts.uri.path()).ok()
    }

    /// Checks the scopes of a token, and returns the body of the request.
    async fn check_scopes(
        &self,
        scheme: TokenScheme,
        verified: &VerifiedToken,
        parts: &Parts,
        body: Body,
    ) -> Result<Body, AccessRefusal> {
        let policy = self.scopes();
        let (needed, body) = if parts.method == Method::POST && policy.depends_on_body() {
            self.needed_scopes(&policy, body).await?
        } else {
            (policy.base().clone(), body)
        };
        if policy.allows(&verified.scopes, &needed) {
            return Ok(body);
        }
        Err(AccessRefusal::InsufficientScope(scheme, needed))
    }

    /// Reads a body, and returns the scopes that it needs. The endpoint behind refuses a body that is no message.
    async fn needed_scopes(
        &self,
        policy: &ScopePolicy,
        body: Body,
    ) -> Result<(BTreeSet<String>, Body), AccessRefusal> {
        let collected = Limited::new(body, self.resource.max_bytes).collect();
        let collected = tokio::time::timeout(self.resource.read_timeout, collected).await;
        let text: Bytes = match collected {
            Ok(Ok(collected)) => collected.to_bytes(),
            Ok(Err(_)) => return Err(AccessRefusal::UnreadableBody(StatusCode::PAYLOAD_TOO_LARGE)),
            Err(_) => return Err(AccessRefusal::UnreadableBody(StatusCode::REQUEST_TIMEOUT)),
        };
        let needed = match jsonrpc::decode_frame(&text) {
            Ok(frame) => self
                .scopes_of(policy, &frame)
                .map_err(|AmbiguousRequest(why)| AccessRefusal::AmbiguousRequest(why))?,
            Err(_) => policy.base().clone(),
        };
        Ok((needed, Body::full(text)))
    }

    fn scopes_of(&self, policy: &ScopePolicy, frame: &Frame) -> Result<BTreeSet<String>, AmbiguousRequest> {
        let operations = operation::operations(frame)?;
        policy.needed(&operations, self.resource.max_resources)
    }

    /// Returns the response to a refused request.
    fn refuse(&self, refusal: &AccessRefusal) -> Response<Body> {
        tracing::debug!(?refusal, "a request was refused");
        refusal.response(&ChallengeContext {
            metadata: self.metadata.url(),
            base: self.scopes().base(),
            dpop: self.resource.dpop.as_ref(),
        })
    }

    /// Sets the nonce for the next proof of a client that sends proofs (RFC 9449, section 8.2).
    fn set_next_nonce(&self, has_proof: bool, headers: &mut HeaderMap) {
        let nonce = || self.resource.dpop.as_ref()?.verifier().nonce((self.resource.clock)());
        if has_proof
            && !headers.contains_key(DPOP_NONCE)
            && let Some(nonce) = nonce().and_then(|nonce| HeaderValue::from_str(&nonce).ok())
        {
            headers.insert(DPOP_NONCE, nonce);
        }
    }
}

/// Returns the token of a request and its scheme. Only the `Authorization` header can contain it.
fn credentials(headers: &HeaderMap) -> Result<(TokenScheme, &str), AccessRefusal> {
    let malformed = |why: &str| AccessRefusal::MalformedHeader(why.to_owned());
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let header = values.next().ok_or(AccessRefusal::NoToken)?;
    if values.next().is_some() {
        return Err(malformed("There must be one Authorization header"));
    }
    let text = header.to_str().map_err(|_| malformed("The Authorization header cannot be read"))?;
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    let scheme = match scheme {
        _ if scheme.eq_ignore_ascii_case("bearer") => TokenScheme::Bearer,
        _ if scheme.eq_ignore_ascii_case("dpop") => TokenScheme::Dpop,
        _ => return Err(AccessRefusal::NoToken),
    };
    let token = token.trim_matches(' ');
    let is_token68 = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    match !token.is_empty() && token.bytes().all(is_token68) {
        true => Ok((scheme, token)),
        false => Err(malformed("The Authorization header holds no token")),
    }
}
