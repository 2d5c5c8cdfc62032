//! The authorization server as one value, and as a `tower` layer.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::request::Parts;
use http::{HeaderMap, Request, Response};
use loggia::transport::http::Body;
use tower_layer::Layer;
use tower_service::Service;
use url::Url;

use super::page_access::{FormFields, PageAccess, SignedInUser};
use super::revoked::RevokedFamilies;
use super::router::Router;
use crate::error::AuthError;
use crate::resource::TrustedIssuer;

/// An embedded authorization server. It is cheap to clone.
#[derive(Clone)]
pub struct AuthorizationServer {
    router: Arc<Router>,
    pages: Arc<PageAccess>,
    revoked: Arc<RevokedFamilies>,
}

impl fmt::Debug for AuthorizationServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let issuer = self.router.urls.issuer();
        f.debug_struct("AuthorizationServer").field("issuer", &issuer).finish_non_exhaustive()
    }
}

impl AuthorizationServer {
    pub(super) fn new(
        router: Router,
        pages: PageAccess,
        revoked: Arc<RevokedFamilies>,
    ) -> AuthorizationServer {
        AuthorizationServer { router: Arc::new(router), pages: Arc::new(pages), revoked }
    }

    /// Returns the layer that goes around all other layers.
    pub fn layer(&self) -> AuthorizationServerLayer {
        AuthorizationServerLayer { server: self.clone() }
    }

    /// Returns this server as an issuer for a resource server in the same process, which needs no requests to it. A
    /// revocation by this process takes effect immediately. A revocation by another replica takes effect within ten
    /// seconds; if the store is unavailable, when the access token expires.
    pub fn issuer(&self) -> TrustedIssuer {
        let issuer =
            TrustedIssuer::signing(self.router.urls.issuer().to_owned(), self.router.signing_keys.clone());
        issuer.revocation_check(self.revoked.clone())
    }

    /// Returns a new link that signs in the user of [`SignInMethod::Link`](super::SignInMethod::Link). It works once,
    /// within ten minutes.
    pub async fn sign_in_link(&self) -> Result<Url, AuthError> {
        self.router.sign_in.new_link().await
    }

    /// Replaces the signing keys. All access tokens become invalid.
    pub async fn replace_keys(&self) -> Result<(), AuthError> {
        self.router.signing_keys.replace().await
    }

    /// Returns the metadata document (RFC 8414).
    pub fn metadata(&self) -> serde_json::Value {
        self.router.metadata.clone()
    }

    /// Returns the user who is signed in with the browser that sent these headers.
    pub async fn signed_in_user(&self, headers: &HeaderMap) -> Result<Option<SignedInUser>, AuthError> {
        self.pages.user(headers).await
    }

    /// Returns the page that starts a sign-in for the browser that sent `request`. Afterwards the user returns to a
    /// page of this server, given by path and query. The rate limit of the server's own pages applies.
    pub async fn start_sign_in(&self, path: &str, request: &Parts) -> Response<Body> {
        self.pages.start_sign_in(path, request).await
    }

    /// Reads a form that was sent from a page of this server. The error is the response to a form of another origin.
    pub async fn read_form(
        &self,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<FormFields, Box<Response<Body>>> {
        self.pages.read_form(headers, body).await
    }
}

/// The layer that [`AuthorizationServer::layer`] returns.
#[derive(Debug, Clone)]
pub struct AuthorizationServerLayer {
    server: AuthorizationServer,
}

impl<S> Layer<S> for AuthorizationServerLayer {
    type Service = AuthorizationServerService<S>;

    fn layer(&self, inner: S) -> AuthorizationServerService<S> {
        AuthorizationServerService { inner, server: self.server.clone() }
    }
}

/// A service behind an authorization server, which answers the requests to its own paths.
#[derive(Debug, Clone)]
pub struct AuthorizationServerService<S> {
    inner: S,
    server: AuthorizationServer,
}

impl<S> Service<Request<Body>> for AuthorizationServerService<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Send,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let Some(route) = self.server.router.route(request.uri().path()) else {
            return Box::pin(self.inner.call(request));
        };
        let router = self.server.router.clone();
        Box::pin(async move { Ok(router.handle(route, request).await) })
    }
}
