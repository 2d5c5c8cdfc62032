//! Creates the endpoints of the authorization server over their common stores.

use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::access_tokens::AccessTokens;
use super::assertions::{AssertionGrant, AssertionIssuer};
use super::authorization_endpoint::AuthorizationEndpoint;
use super::authorization_requests::RequestValidator;
use super::client_authentication::ClientAuthenticator;
use super::client_registry::ClientRegistry;
use super::codes::AuthorizationCodes;
use super::consents::Consents;
use super::http::ServerCookies;
use super::metadata::{OptionalFeatures, metadata};
use super::page_access::PageAccess;
use super::pending_authorizations::PendingAuthorizations;
use super::rate::RateLimiter;
use super::records::RecordStore;
use super::refresh_tokens::RefreshTokens;
use super::registration_endpoint::RegistrationEndpoint;
use super::resources::ProtectedResources;
use super::return_pages::ReturnPages;
use super::revocation_endpoint::RevocationEndpoint;
use super::router::Router;
use super::sessions::Sessions;
use super::sign_in::{LinkSignIn, ProviderSignIn, SignInFlow, SignInMethod, SignInPages};
use super::signing_keys::SigningKeys;
use super::token_endpoint::{TokenEndpoint, TokenProofs};
use super::urls::ServerUrls;
use crate::resource::ProofVerifier;

/// Tolerance for the clocks of other issuers.
const SKEW: Duration = Duration::from_secs(30);

/// The stores that the endpoints share.
pub(super) struct ServerStores {
    pub(super) urls: Arc<ServerUrls>,
    pub(super) records: RecordStore,
    pub(super) cookies: ServerCookies,
    pub(super) resources: Arc<ProtectedResources>,
    pub(super) clients: Arc<ClientRegistry>,
    pub(super) limiter: Arc<RateLimiter>,
    pub(super) sessions: Sessions,
    pub(super) pending: PendingAuthorizations,
    pub(super) return_pages: ReturnPages,
    pub(super) refresh_tokens: RefreshTokens,
    pub(super) signing_keys: Arc<SigningKeys>,
}

impl ServerStores {
    /// Returns the token endpoint and the revocation endpoint.
    pub(super) fn token_endpoints(
        &self,
        verifier: ProofVerifier,
        token_url: Url,
        assertion_issuers: Vec<AssertionIssuer>,
        lifetime: Duration,
    ) -> (TokenEndpoint, RevocationEndpoint) {
        let (issuer, records) = (self.urls.issuer(), &self.records);
        let authenticator =
            Arc::new(ClientAuthenticator::new(self.clients.clone(), &self.urls, records.clone(), SKEW));
        let access_tokens =
            Arc::new(AccessTokens::new(issuer, self.signing_keys.clone(), records.clone(), lifetime));
        let resources = self.resources.clone();
        let token = TokenEndpoint {
            authenticator: authenticator.clone(),
            proofs: TokenProofs::new(verifier, records.clone(), token_url),
            resources: resources.clone(),
            codes: self.codes(),
            refresh_tokens: self.refresh_tokens.clone(),
            assertions: AssertionGrant::new(assertion_issuers, resources, records.clone(), issuer, SKEW),
            access_tokens: access_tokens.clone(),
        };
        let refresh_tokens = self.refresh_tokens.clone();
        (token, RevocationEndpoint { authenticator, refresh_tokens, access_tokens })
    }

    fn codes(&self) -> AuthorizationCodes {
        AuthorizationCodes::new(self.records.clone(), self.refresh_tokens.clone())
    }

    /// Returns the pages of a sign-in method.
    pub(super) fn sign_in_pages(&self, method: SignInMethod) -> SignInPages {
        let flow = match method {
            SignInMethod::Link { subject, show } => SignInFlow::Link(LinkSignIn {
                subject,
                show,
                urls: self.urls.clone(),
                records: self.records.clone(),
                sessions: self.sessions.clone(),
                pending: self.pending.clone(),
                clients: self.clients.clone(),
                limiter: self.limiter.clone(),
            }),
            SignInMethod::OpenId(provider) => SignInFlow::OpenId(ProviderSignIn {
                provider,
                urls: self.urls.clone(),
                records: self.records.clone(),
                cookies: self.cookies,
                sessions: self.sessions.clone(),
                pending: self.pending.clone(),
                return_pages: self.return_pages.clone(),
                skew: SKEW,
            }),
        };
        SignInPages { urls: self.urls.clone(), flow }
    }

    /// Returns the router over all endpoints.
    pub(super) fn router(
        &self,
        token: TokenEndpoint,
        revocation: RevocationEndpoint,
        sign_in: Arc<SignInPages>,
        features: OptionalFeatures,
    ) -> Router {
        let register = || RegistrationEndpoint::new(self.clients.clone(), self.records.clone());
        Router {
            urls: self.urls.clone(),
            limiter: self.limiter.clone(),
            records: self.records.clone(),
            metadata: metadata(&self.urls, &self.resources, features),
            signing_keys: self.signing_keys.clone(),
            registration: features.registration.then(register),
            token,
            revocation,
            authorization: self.authorization_endpoint(sign_in.clone()),
            sign_in,
        }
    }

    /// Returns the authorization endpoint.
    pub(super) fn authorization_endpoint(&self, sign_in: Arc<SignInPages>) -> AuthorizationEndpoint {
        AuthorizationEndpoint {
            urls: self.urls.clone(),
            clients: self.clients.clone(),
            validator: RequestValidator::new(self.clients.clone(), self.resources.clone()),
            pending: self.pending.clone(),
            return_pages: self.return_pages.clone(),
            sessions: self.sessions.clone(),
            sign_in,
            consents: Consents::new(self.records.clone()),
            codes: self.codes(),
        }
    }

    /// Returns the object with which other pages of the program identify users.
    pub(super) fn page_access(&self, sign_in: Arc<SignInPages>) -> PageAccess {
        PageAccess {
            urls: self.urls.clone(),
            records: self.records.clone(),
            limiter: self.limiter.clone(),
            sessions: self.sessions.clone(),
            return_pages: self.return_pages.clone(),
            sign_in,
        }
    }
}
