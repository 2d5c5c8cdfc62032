//! The OAuth client for one server: signs the user in, and keeps the tokens valid.
//!
//! [`OAuth`] is the authorization for a client of the SDK (`authorize`). Invariant: for one credential, only one
//! change happens at a time, among all tasks, processes and replicas; and a new token is saved before it is used.
//!
//! | object | task |
//! |---|---|
//! | `CredentialCache` | the credential in the memory of this process, in front of the store |
//! | `Renewer` | decides when another token is needed, and by which flow |
//! | `Refresher`, `CodeFlow`, `GrantFlow` | the flows: refresh token, authorization code, other grants |
//! | `TokenRequestPlan` | authorization server, scopes and key of a new token |
//! | `TokenChecker`, `Revoker` | ask the server about a token; revoke it |

mod active;
mod builder;
mod cache;
mod code_flow;
mod credential;
mod endpoints;
mod grant_flow;
mod history;
mod issuer_cache;
mod plan;
mod refresher;
mod renewer;
mod revoker;
mod settings;
#[cfg(test)]
mod testing;
mod token_check;

use std::fmt;
use std::sync::Arc;

use http::{HeaderMap, Method, StatusCode};
use loggia::client::{Authorize, Challenge};
use loggia::service::BoxFuture;
use loggia::wire::text::redact_url;
use tokio::sync::watch;
use url::Url;

use crate::discovery::BearerChallenge;
use crate::error::AuthError;
use crate::registration::ClientIdentity;
use crate::restricted_http::FetchResponse;
use crate::secret::Secret;
use crate::user_agent::{AuthorizationRequest, AuthorizationResponse};
use active::sent_token;
pub use builder::OAuthBuilder;
pub use cache::AuthStatus;
use cache::CredentialCache;
pub use credential::Credential;
pub use endpoints::AuthorizationEndpoints;
use renewer::{RenewalReason, Renewer};
use settings::ClientSettings;
pub use settings::DpopUse;
pub use token_check::TokenCheck;
use token_check::{TokenChecker, is_refusal};

/// The maximum number of requests of [`OAuth::ensure`]: without a token, with one, with the required nonce, with more
/// scopes.
const ENSURE_ATTEMPTS: usize = 4;

/// The authorization for one server. It is cheap to clone; clones share the token.
///
/// ```no_run
/// use std::sync::Arc;
/// use loggia_auth::client::OAuth;
/// use loggia_auth::loopback::LoopbackUserAgent;
/// use loggia_auth::registration::ClientIdentity;
/// use loggia_auth::store::FileStore;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let server = "https://mcp.example.com/mcp";
/// let browser = LoopbackUserAgent::new(|page| {
///     eprintln!("Open this page to sign in: {page}");
///     Ok(())
/// });
/// let oauth = OAuth::builder(server.parse()?, ClientIdentity::new("My program"))
///     .user_agent(browser)
///     .store(Arc::new(FileStore::open("tokens")?), server)
///     .build()?;
/// oauth.ensure().await?;
/// let client = loggia::client::Client::builder().authorize(oauth).connect(server).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct OAuth {
    settings: Arc<ClientSettings>,
    cache: Arc<CredentialCache>,
    renewer: Arc<Renewer>,
    checker: Arc<TokenChecker>,
}

impl fmt::Debug for OAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ClientSettings { server, key, grant, .. } = &*self.settings;
        f.debug_struct("OAuth")
            .field("server", &server.as_str())
            .field("key", key)
            .field("grant", grant)
            .finish_non_exhaustive()
    }
}

impl OAuth {
    /// Starts building the authorization for the server at a URL.
    pub fn builder(server: Url, identity: ClientIdentity) -> OAuthBuilder {
        OAuthBuilder::new(server, identity)
    }

    /// Returns the status, now and whenever it changes.
    pub fn status(&self) -> watch::Receiver<AuthStatus> {
        self.cache.status()
    }

    /// Returns the credential, if there is one.
    pub async fn credential(&self) -> Result<Option<Credential>, AuthError> {
        Ok(self.cache.get().await?.map(|current| current.credential.clone()))
    }

    /// Signs in, even if there is a credential: asks the server for its requirements, then uses the grant.
    pub async fn sign_in(&self) -> Result<Credential, AuthError> {
        let challenge = self.challenge().await?;
        self.cache.delete_unreadable().await?;
        let current = self.renewer.renew(None, RenewalReason::SignIn(challenge)).await?;
        Ok(current.credential.clone())
    }

    /// Returns a credential that can be sent now: it is renewed if it expires soon. Returns `None` if there is none, or if
    /// only a sign-in gives another one.
    pub async fn valid_credential(&self) -> Result<Option<Credential>, AuthError> {
        self.renewer.reload_in_background();
        Ok(self.renewer.usable().await?.map(|current| current.credential.clone()))
    }

    /// Returns another credential than the one with the access token `refused`, which a server refused. It is renewed
    /// without the user, unless another task or process did so meanwhile.
    pub async fn replace_refused(&self, refused: &Secret) -> Result<Credential, AuthError> {
        let renewed = self.renewer.renew(Some(refused.clone()), RenewalReason::Forced).await?;
        Ok(renewed.credential.clone())
    }

    /// Renews the token now, without the user.
    pub async fn refresh(&self) -> Result<Credential, AuthError> {
        let Some(current) = self.cache.get().await? else {
            return Err(AuthError::SignInAgain("there is no token yet".to_owned()));
        };
        let renewed = self.renewer.renew(Some(current.token().clone()), RenewalReason::Forced).await?;
        Ok(renewed.credential.clone())
    }

    /// Deletes the token, and revokes it if the authorization server supports that. Also deletes an unreadable
    /// record.
    pub async fn sign_out(&self) -> Result<(), AuthError> {
        self.renewer.sign_out().await
    }

    /// Starts a sign-in whose response will arrive at `redirect_uri`, on which this process or another one listens.
    pub async fn begin(&self, redirect_uri: &str) -> Result<AuthorizationRequest, AuthError> {
        let challenge = self.challenge().await?;
        self.renewer.start_sign_in(redirect_uri, &challenge).await
    }

    /// Finishes a sign-in that was started for this credential, in this process or in another one.
    pub async fn finish(&self, response: AuthorizationResponse) -> Result<Credential, AuthError> {
        Ok(self.renewer.finish_sign_in(response).await?.credential.clone())
    }

    /// Asks the server whether it accepts the current token, without renewing it and without a sign-in. Fails if the
    /// response does not come from an MCP server.
    pub async fn check_token(&self) -> Result<TokenCheck, AuthError> {
        self.checker.check().await
    }

    /// Makes sure that the server accepts requests: with the current token, with a renewed one, or after a sign-in.
    /// Returns `None` if the server needs no token. Call this before connecting if the user may have to sign in,
    /// because a user needs longer than a connection attempt may take.
    pub async fn ensure(&self) -> Result<Option<Credential>, AuthError> {
        self.cache.delete_unreadable().await?;
        let server = &self.settings.server;
        let shown = redact_url(server.as_str());
        for _ in 0..ENSURE_ATTEMPTS {
            let sent = self.headers_for(&Method::POST, server).await?;
            let FetchResponse { status, headers, .. } = self.checker.ping(&sent).await?;
            if !is_refusal(status) {
                return self.credential().await;
            }
            if !self.answer_challenge(Challenge { status, headers, sent }).await? {
                return Err(AuthError::NotEnough(format!("{shown} answers {status}")));
            }
        }
        Err(AuthError::NotEnough(format!("{shown} refuses every token that it is shown")))
    }

    /// Returns the challenge of the server; an empty one if the endpoints are given.
    async fn challenge(&self) -> Result<BearerChallenge, AuthError> {
        match &self.settings.endpoints {
            Some(_) => Ok(BearerChallenge::default()),
            None => self.checker.challenge().await,
        }
    }

    async fn headers_for(&self, method: &Method, url: &Url) -> Result<HeaderMap, AuthError> {
        // A token is sent only to its server.
        if url.origin() != self.settings.server.origin() {
            return Ok(HeaderMap::new());
        }
        self.renewer.reload_in_background();
        match self.renewer.usable().await? {
            Some(current) => current.headers(method, url, self.settings.now()),
            None => Ok(HeaderMap::new()),
        }
    }

    /// Returns whether the request can be repeated.
    async fn answer_challenge(&self, refusal: Challenge) -> Result<bool, AuthError> {
        let challenge = BearerChallenge::read(&refusal.headers);
        let sent = sent_token(&refusal.sent);
        if challenge.lacks_nonce() && refusal.sent.contains_key("dpop") {
            // The nonce of the refusal was stored when the response was observed.
            return Ok(refusal.headers.contains_key("dpop-nonce"));
        }
        let signer = self.cache.cached().and_then(|current| current.signer.clone());
        let now = self.settings.now();
        if challenge.refuses_proof()
            && signer.is_some_and(|signer| signer.adjust_clock(&refusal.headers, now))
        {
            return Ok(true);
        }
        let reason = match refusal.status {
            StatusCode::UNAUTHORIZED => RenewalReason::Refused(challenge),
            _ if challenge.lacks_scope() => RenewalReason::StepUp(challenge),
            _ => return Ok(false),
        };
        self.renewer.renew(sent, reason).await.map(|_| true)
    }
}

impl Authorize for OAuth {
    fn headers(&self, method: &Method, url: &Url) -> BoxFuture<'_, loggia::Result<HeaderMap>> {
        let (method, url) = (method.clone(), url.clone());
        Box::pin(async move { Ok(self.headers_for(&method, &url).await?) })
    }

    fn handle_challenge(&self, challenge: Challenge) -> BoxFuture<'_, loggia::Result<bool>> {
        Box::pin(async move { Ok(self.answer_challenge(challenge).await?) })
    }

    fn observe_response(&self, sent: &HeaderMap, status: StatusCode, headers: &HeaderMap) {
        self.checker.observe(sent, status, headers);
    }

    fn context(&self) -> Option<String> {
        let current = self.cache.cached();
        let session = current.as_ref().map_or("", |current| current.credential.session.as_str());
        Some(format!("{}#{session}", self.settings.key))
    }
}
