//! Routes requests to the endpoints of the authorization server.
//!
//! Endpoints for programs answer any origin and read no cookies; endpoints for browsers answer with pages. Every
//! request counts for the rate limit of its address before its endpoint gets it.

use std::sync::Arc;

use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use loggia::transport::http::Body;
use serde_json::Value;

use super::authorization_endpoint::AuthorizationEndpoint;
use super::http::{
    OAuthError, RequestParams, json, method_not_allowed, preflight, read_body, read_form, too_many_requests,
    with_cors,
};
use super::pages;
use super::rate::{REGISTRATION_COST, REQUEST_COST, RateLimiter};
use super::records::RecordStore;
use super::registration_endpoint::RegistrationEndpoint;
use super::revocation_endpoint::RevocationEndpoint;
use super::sign_in::SignInPages;
use super::signing_keys::SigningKeys;
use super::token_endpoint::TokenEndpoint;
use super::urls::ServerUrls;

/// An endpoint for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProgramEndpoint {
    Metadata,
    Jwks,
    Register,
    Token,
    Revoke,
}

/// An endpoint for browsers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BrowserEndpoint {
    Authorize,
    Continue,
    Consent,
    SignIn,
    Callback,
}

/// The endpoint at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
    Program(ProgramEndpoint),
    Browser(BrowserEndpoint),
}

impl ProgramEndpoint {
    /// Returns the cost of a request, in requests; `None` for documents, which have no limit.
    fn cost(self) -> Option<f64> {
        match self {
            ProgramEndpoint::Metadata | ProgramEndpoint::Jwks => None,
            ProgramEndpoint::Register => Some(REGISTRATION_COST),
            ProgramEndpoint::Token | ProgramEndpoint::Revoke => Some(REQUEST_COST),
        }
    }
}

impl BrowserEndpoint {
    /// Returns whether the endpoint reads a query, and whether it reads a form.
    fn inputs(self) -> (bool, bool) {
        match self {
            BrowserEndpoint::Authorize | BrowserEndpoint::SignIn => (true, true),
            BrowserEndpoint::Continue | BrowserEndpoint::Callback => (true, false),
            BrowserEndpoint::Consent => (false, true),
        }
    }

    fn allowed_methods(self) -> &'static str {
        match self.inputs() {
            (_, false) => "GET, HEAD",
            (false, true) => "POST",
            (true, true) => "GET, HEAD, POST",
        }
    }

    fn allows(self, method: &Method) -> bool {
        let (reads_query, reads_form) = self.inputs();
        match *method {
            Method::GET | Method::HEAD => reads_query,
            Method::POST => reads_form,
            _ => false,
        }
    }
}

/// The endpoints of the server.
pub(super) struct Router {
    pub(super) urls: Arc<ServerUrls>,
    pub(super) limiter: Arc<RateLimiter>,
    pub(super) records: RecordStore,
    pub(super) metadata: Value,
    pub(super) signing_keys: Arc<SigningKeys>,
    /// The registration endpoint; `None` if clients cannot register.
    pub(super) registration: Option<RegistrationEndpoint>,
    pub(super) token: TokenEndpoint,
    pub(super) revocation: RevocationEndpoint,
    pub(super) authorization: AuthorizationEndpoint,
    pub(super) sign_in: Arc<SignInPages>,
}

impl Router {
    /// Returns the endpoint at a path; `None` for a path that is not the server's.
    pub(super) fn route(&self, path: &str) -> Option<Route> {
        if self.urls.is_metadata_path(path) {
            return Some(Route::Program(ProgramEndpoint::Metadata));
        }
        Some(match self.urls.endpoint_name(path)? {
            "jwks" => Route::Program(ProgramEndpoint::Jwks),
            "register" if self.registration.is_some() => Route::Program(ProgramEndpoint::Register),
            "token" => Route::Program(ProgramEndpoint::Token),
            "revoke" => Route::Program(ProgramEndpoint::Revoke),
            "authorize" => Route::Browser(BrowserEndpoint::Authorize),
            "continue" => Route::Browser(BrowserEndpoint::Continue),
            "consent" => Route::Browser(BrowserEndpoint::Consent),
            "signin" => Route::Browser(BrowserEndpoint::SignIn),
            "callback" => Route::Browser(BrowserEndpoint::Callback),
            _ => return None,
        })
    }

    /// Answers a request.
    pub(super) async fn handle(&self, route: Route, request: Request<Body>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        match route {
            Route::Program(_) if parts.method == Method::OPTIONS => preflight(),
            Route::Program(endpoint) => with_cors(self.handle_program(endpoint, parts, body).await),
            Route::Browser(endpoint) => self.handle_browser(endpoint, parts, body).await,
        }
    }

    async fn handle_program(&self, endpoint: ProgramEndpoint, parts: Parts, body: Body) -> Response<Body> {
        if let Some(cost) = endpoint.cost()
            && let Err(wait) = self.limiter.count(cost, &parts, self.records.now())
        {
            return too_many_requests(wait);
        }
        match (endpoint, &parts.method) {
            (ProgramEndpoint::Metadata, &Method::GET | &Method::HEAD) => json(StatusCode::OK, &self.metadata),
            (ProgramEndpoint::Jwks, &Method::GET | &Method::HEAD) => self.jwks().await,
            (ProgramEndpoint::Metadata | ProgramEndpoint::Jwks, _) => {
                method_not_allowed("GET, HEAD, OPTIONS")
            }
            (_, &Method::POST) => self.handle_post(endpoint, &parts, body).await,
            _ => method_not_allowed("POST, OPTIONS"),
        }
    }

    async fn jwks(&self) -> Response<Body> {
        match self.signing_keys.published().await {
            Ok(keys) => json(StatusCode::OK, &*keys),
            Err(error) => OAuthError::from(error).response(),
        }
    }

    async fn handle_post(&self, endpoint: ProgramEndpoint, parts: &Parts, body: Body) -> Response<Body> {
        if let (ProgramEndpoint::Register, Some(registration)) = (endpoint, &self.registration) {
            return registration.handle(body, self.limiter.address(parts)).await;
        }
        match read_form(&parts.headers, body).await {
            Ok(params) if endpoint == ProgramEndpoint::Token => {
                self.token.handle(&parts.headers, &params).await
            }
            Ok(params) => self.revocation.handle(&parts.headers, &params).await,
            Err(error) => error.response(),
        }
    }

    async fn handle_browser(&self, endpoint: BrowserEndpoint, parts: Parts, body: Body) -> Response<Body> {
        if let Err(wait) = self.limiter.count(REQUEST_COST, &parts, self.records.now()) {
            return pages::too_many_requests(wait);
        }
        if !endpoint.allows(&parts.method) {
            return method_not_allowed(endpoint.allowed_methods());
        }
        let is_form = parts.method == Method::POST;
        let text = match is_form {
            true => match read_body(body).await {
                Ok(text) => String::from_utf8_lossy(&text).into_owned(),
                Err(error) => return pages::refusal(error.status, &error.description),
            },
            false => parts.uri.query().unwrap_or_default().to_owned(),
        };
        // The authorization endpoint reads the parameters itself, because some of its errors go to the client.
        if endpoint == BrowserEndpoint::Authorize {
            return self.authorization.authorize(&text, &parts, self.limiter.address(&parts)).await;
        }
        let params = match RequestParams::parse(text.as_bytes()) {
            Ok(params) => params,
            Err(error) => return pages::refusal(StatusCode::BAD_REQUEST, &error.to_string()),
        };
        match endpoint {
            BrowserEndpoint::Consent => self.authorization.decide(&params, &parts.headers).await,
            BrowserEndpoint::SignIn if is_form => self.sign_in.confirm(&params, &parts.headers).await,
            BrowserEndpoint::SignIn => self.sign_in.open(&params),
            BrowserEndpoint::Callback => self.sign_in.callback(&params, &parts.headers).await,
            BrowserEndpoint::Authorize | BrowserEndpoint::Continue => {
                self.authorization.resume(params.get("request").unwrap_or_default(), &parts).await
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browser_endpoints_allow_the_methods_that_they_name() {
        use BrowserEndpoint::{Authorize, Callback, Consent, Continue, SignIn};
        for endpoint in [Authorize, Continue, Consent, SignIn, Callback] {
            for method in [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::OPTIONS] {
                let is_named =
                    endpoint.allowed_methods().split(", ").any(|allowed| allowed == method.as_str());
                assert_eq!(endpoint.allows(&method), is_named, "{endpoint:?} {method}");
            }
        }
    }
}
