//! Single sign-on: the user signs in once at the organisation's identity provider, with OpenID Connect.
//!
//! The ID token is stored and renewed, so that it can be exchanged for access to several servers. Invariant: an ID
//! token is stored only after it was verified, and a renewed one belongs to the same user.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use loggia::service::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::assertion::AssertionSource;
use super::enterprise::IdentityProvider;
use crate::authorization_code::{self, AuthorizationRequestParts};
use crate::clock::{self, Clock};
use crate::discovery::{self, AuthorizationServerMetadata, DiscoveryResult};
use crate::error::AuthError;
use crate::jose;
use crate::openid::IdTokenRules;
use crate::registration::KnownClient;
use crate::remote_issuer::RemoteIssuer;
use crate::restricted_http::RestrictedHttpClient;
use crate::scope::Scopes;
use crate::secret::Secret;
use crate::store::TokenStore;
use crate::store::lease::{LeaseWait, RecordLease};
use crate::store::record::{self, VersionedRecord};
use crate::token_endpoint::{EndpointClient, FormParams, TokenResponse};
use crate::user_agent::{AuthorizationResponse, UserAgent};

const OFFLINE: &str = "offline_access";
/// The least remaining lifetime, in seconds, of an ID token that is sent to another server.
const MIN_LIFETIME: u64 = 30;
/// The allowed clock difference.
const SKEW: Duration = Duration::from_secs(60);

/// A user's sign-in at an identity provider. Instances that share a store share the sign-in.
pub struct SingleSignOn {
    provider: IdentityProvider,
    keys: RemoteIssuer,
    user_agent: Option<Arc<dyn UserAgent>>,
    store: Arc<dyn TokenStore>,
    key: String,
    holder: String,
    http: RestrictedHttpClient,
    clock: Clock,
    flight: tokio::sync::Mutex<()>,
}

/// The stored ID token.
#[derive(Serialize, Deserialize)]
struct IdTokenRecord {
    #[serde(serialize_with = "Secret::reveal")]
    id_token: Secret,
    subject: String,
    until: u64,
    #[serde(default, serialize_with = "Secret::reveal_option", skip_serializing_if = "Option::is_none")]
    refresh_token: Option<Secret>,
}

impl fmt::Debug for SingleSignOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SingleSignOn").field("provider", &self.provider).finish_non_exhaustive()
    }
}

impl SingleSignOn {
    /// Creates a sign-in at a provider, stored in `store`. Without a [`user_agent`](SingleSignOn::user_agent) it only
    /// uses and renews the stored sign-in.
    pub fn new(
        provider: IdentityProvider,
        store: Arc<dyn TokenStore>,
        http: RestrictedHttpClient,
    ) -> Result<SingleSignOn, AuthError> {
        let wrong = |_| AuthError::Configuration(format!("the issuer {:?} is not a URL", provider.issuer));
        Ok(SingleSignOn {
            keys: RemoteIssuer::new(&provider.issuer, http.clone()).map_err(wrong)?,
            key: format!("identity/{}/{}", provider.issuer, provider.client.client_id),
            provider,
            user_agent: None,
            store,
            holder: jose::random(12),
            http,
            clock: clock::system(),
            flight: tokio::sync::Mutex::default(),
        })
    }

    /// Sets the user agent of the sign-in.
    #[must_use]
    pub fn user_agent(mut self, user_agent: impl UserAgent) -> SingleSignOn {
        self.user_agent = Some(Arc::new(user_agent));
        self
    }

    /// Sets the clock.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> SingleSignOn {
        self.clock = clock;
        self
    }

    /// Deletes the stored ID token.
    pub async fn sign_out(&self) -> Result<(), AuthError> {
        if let Some(before) = self.load().await? {
            self.store.remove(&self.key, before.revision).await?;
        }
        Ok(())
    }
}

/// A renewal that is dropped before its end can end the sign-in.
/// [`GrantType::Enterprise`](super::GrantType::Enterprise) completes each renewal.
impl AssertionSource for SingleSignOn {
    fn assertion<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Secret, AuthError>> {
        Box::pin(self.id_token())
    }

    fn refused<'a>(&'a self, assertion: &'a Secret) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            if let Err(error) = self.retire(assertion).await {
                tracing::warn!(%error, "an ID token that was refused is still stored");
            }
        })
    }
}

impl SingleSignOn {
    async fn load(&self) -> Result<Option<VersionedRecord<IdTokenRecord>>, AuthError> {
        record::load_or_discard(&*self.store, &self.key).await
    }

    fn is_usable(&self, record: &IdTokenRecord) -> bool {
        record.until > clock::seconds((self.clock)()) + MIN_LIFETIME
    }

    /// Returns an ID token that can be sent. If necessary, renews it or asks the user to sign in.
    async fn id_token(&self) -> Result<Secret, AuthError> {
        let _flight = self.flight.lock().await;
        let lease = RecordLease { store: &*self.store, key: &self.key, holder: &self.holder };
        let waiting = LeaseWait::start();
        loop {
            let before = self.load().await?;
            if let Some(stored) = before.as_ref().filter(|stored| self.is_usable(&stored.record)) {
                return Ok(stored.record.id_token.clone());
            }
            if lease.take().await? {
                return lease.hold(self.obtain()).await;
            }
            waiting.pause().await?;
        }
    }

    /// Gets another ID token. The caller holds the lease.
    async fn obtain(&self) -> Result<Secret, AuthError> {
        // The last holder of the lease may have saved one.
        let before = self.load().await?;
        if let Some(stored) = before.as_ref().filter(|stored| self.is_usable(&stored.record)) {
            return Ok(stored.record.id_token.clone());
        }
        let mut server = discovery::discover_issuer(&self.http, &self.provider.issuer).await?;
        if let Some(endpoint) = &self.provider.token_endpoint {
            server.token_endpoint = endpoint.clone();
        }
        let client = self.provider.client.to_client_of(&server);
        let revision = before.as_ref().map(|before| before.revision);
        let before = before.map(|before| before.record);
        let record = match self.refresh(&server, &client, before).await? {
            Some(renewed) => renewed,
            None => self.sign_in(&server, &client).await?,
        };
        let saved = self.store.save(&self.key, record::encode(&record)?, revision, None).await?;
        saved.ok_or_else(|| AuthError::Store("another process changed the sign-in meanwhile".to_owned()))?;
        Ok(record.id_token)
    }

    fn endpoint<'a>(
        &'a self,
        server: &'a AuthorizationServerMetadata,
        client: &'a KnownClient,
    ) -> EndpointClient<'a> {
        let (http, clock) = (&self.http, &self.clock);
        EndpointClient {
            http,
            url: &server.token_endpoint,
            issuer: &server.issuer,
            client,
            signer: None,
            clock,
        }
    }

    /// Renews the ID token with the refresh token (OpenID Connect Core, section 12). Returns `None` if that is not
    /// possible and the user has to sign in.
    async fn refresh(
        &self,
        server: &AuthorizationServerMetadata,
        client: &KnownClient,
        before: Option<IdTokenRecord>,
    ) -> Result<Option<IdTokenRecord>, AuthError> {
        let Some(IdTokenRecord { subject, refresh_token: Some(refresh), .. }) = before else {
            return Ok(None);
        };
        let form: FormParams<'_> = vec![("grant_type", "refresh_token"), ("refresh_token", refresh.expose())];
        let tokens = match self.endpoint(server, client).tokens(form).await {
            Err(AuthError::Refused { error, .. }) if error == "invalid_grant" => return Ok(None),
            other => other?,
        };
        if tokens.id_token.is_none() {
            return Ok(None);
        }
        let next = self.verified_record(tokens, client, None).await?;
        if next.subject != subject {
            return Err(AuthError::AuthorizationResponse(format!(
                "the identity provider {} renewed the sign-in of one user with that of another",
                self.provider.issuer
            )));
        }
        Ok(Some(IdTokenRecord { refresh_token: next.refresh_token.or(Some(refresh)), ..next }))
    }

    /// Asks the user to sign in.
    async fn sign_in(
        &self,
        server: &AuthorizationServerMetadata,
        client: &KnownClient,
    ) -> Result<IdTokenRecord, AuthError> {
        let user_agent = self.user_agent.as_ref().ok_or_else(|| {
            AuthError::SignInAgain(format!("{} wants the user to sign in", self.provider.issuer))
        })?;
        let redirect = user_agent.prepare(None).await?;
        let offline = server.features.scopes_supported.iter().any(|scope| scope == OFFLINE);
        let parts = AuthorizationRequestParts {
            key: &self.key,
            http: &self.http,
            store: &*self.store,
            clock: &self.clock,
            discovered: &DiscoveryResult { resource: None, server: server.clone() },
            client,
            redirect_uri: redirect.redirect_uri(),
            resource: String::new(),
            scopes: ["openid"].into_iter().chain(offline.then_some(OFFLINE)).collect::<Scopes>(),
            signer: None,
            authorize_params: &[],
            nonce: Some(Secret::new(jose::random(32))),
        };
        let request = parts.start().await?;
        let delivered = redirect.show(request).await?;
        let outcome = self.redeem(&delivered.response, server, client).await;
        delivered.report(&outcome);
        outcome
    }

    /// Exchanges the code of a response for an ID token.
    async fn redeem(
        &self,
        response: &AuthorizationResponse,
        server: &AuthorizationServerMetadata,
        client: &KnownClient,
    ) -> Result<IdTokenRecord, AuthError> {
        let pending = authorization_code::take_pending(&*self.store, &self.clock, response).await?;
        if pending.key != self.key {
            return Err(AuthError::AuthorizationResponse(
                "this answer belongs to another sign-in".to_owned(),
            ));
        }
        let tokens = pending.redeem(&self.endpoint(server, client), pending.code(response)?).await?;
        self.verified_record(tokens, client, pending.nonce.as_ref()).await
    }

    /// Verifies the ID token of a response and returns it as a record.
    async fn verified_record(
        &self,
        tokens: TokenResponse,
        client: &KnownClient,
        nonce: Option<&Secret>,
    ) -> Result<IdTokenRecord, AuthError> {
        let issuer = &self.provider.issuer;
        let wrong = |why: String| {
            AuthError::AuthorizationResponse(format!("the ID token of {issuer} is not valid: {why}"))
        };
        let id_token = tokens.id_token.ok_or_else(|| wrong("it is missing".to_owned()))?;
        let rules = IdTokenRules {
            provider: &self.keys,
            client_id: &client.client_id,
            nonce: nonce.map(Secret::expose),
            now: (self.clock)(),
            skew: SKEW,
        };
        let claims = rules.verify(id_token.expose()).await.map_err(|error| wrong(error.to_string()))?;
        let subject = claims.get("sub").and_then(Value::as_str);
        let subject = subject.ok_or_else(|| wrong("it has no subject".to_owned()))?.to_owned();
        let until = claims.get("exp").and_then(Value::as_f64).unwrap_or_default() as u64;
        let refresh_token = tokens.refresh_token.filter(|token| !token.expose().is_empty());
        Ok(IdTokenRecord { id_token, subject, until, refresh_token })
    }

    /// Marks an ID token as expired.
    async fn retire(&self, assertion: &Secret) -> Result<(), AuthError> {
        let Some(before) = self.load().await? else { return Ok(()) };
        if before.record.id_token != *assertion {
            return Ok(());
        }
        let retired = IdTokenRecord { until: 0, ..before.record };
        self.store.save(&self.key, record::encode(&retired)?, Some(before.revision), None).await.map(drop)
    }
}
