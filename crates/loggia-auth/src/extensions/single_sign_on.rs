//! Single sign-on: a person signs in once at the organisation's identity provider, by OpenID Connect, and what it
//! says of them is kept and renewed, so that it can be exchanged for access to one server after another.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use loggia::service::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{AssertionSource, IdentityProvider};
use crate::client::credential::{self, Versioned};
use crate::client::flow::{self, Beginning};
use crate::client::lease::{Lease, Waiting};
use crate::client::token::{Endpoint, Form, KnownClient, Tokens};
use crate::client::{Answer, AuthError, Person, TokenStore};
use crate::clock::{self, Clock};
use crate::discovery::{self, AuthorizationServer, Discovered};
use crate::guard::RestrictedHttpClient;
use crate::jose;
use crate::openid::Expected;
use crate::provider::Provider;
use crate::scope::Scopes;
use crate::secret::Secret;

const OFFLINE: &str = "offline_access";
/// How long an ID token has to last yet: it is on its way to somebody who checks it.
const LEAST: u64 = 30;
/// How far another clock may be off.
const SKEW: Duration = Duration::from_secs(60);

/// A person's sign-in at an identity provider. All who share the store share it.
pub struct SingleSignOn {
    provider: IdentityProvider,
    keys: Provider,
    person: Option<Arc<dyn Person>>,
    store: Arc<dyn TokenStore>,
    key: String,
    holder: String,
    guard: RestrictedHttpClient,
    clock: Clock,
    flight: tokio::sync::Mutex<()>,
}

/// What the provider said of a person.
#[derive(Serialize, Deserialize)]
struct SignedIn {
    #[serde(serialize_with = "Secret::reveal")]
    id_token: Secret,
    subject: String,
    until: u64,
    #[serde(default, serialize_with = "Secret::reveal_option", skip_serializing_if = "Option::is_none")]
    refresh_token: Option<Secret>,
}

type Before = Option<Versioned<SignedIn>>;

impl fmt::Debug for SingleSignOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SingleSignOn").field("provider", &self.provider).finish_non_exhaustive()
    }
}

impl SingleSignOn {
    /// A sign-in at a provider, kept in `store`. Nobody is asked unless [`person`](SingleSignOn::person) says whom.
    pub fn new(
        provider: IdentityProvider,
        store: Arc<dyn TokenStore>,
        guard: RestrictedHttpClient,
    ) -> Result<SingleSignOn, AuthError> {
        let wrong = |_| AuthError::Configuration(format!("the issuer {:?} is not a URL", provider.issuer));
        Ok(SingleSignOn {
            keys: Provider::new(&provider.issuer, guard.clone()).map_err(wrong)?,
            key: format!("identity/{}/{}", provider.issuer, provider.client.client_id),
            provider,
            person: None,
            store,
            holder: jose::random(12),
            guard,
            clock: clock::system(),
            flight: tokio::sync::Mutex::default(),
        })
    }

    /// The person who signs in.
    #[must_use]
    pub fn person(mut self, person: impl Person) -> SingleSignOn {
        self.person = Some(Arc::new(person));
        self
    }

    /// Tells the time.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> SingleSignOn {
        self.clock = clock;
        self
    }

    /// Forgets what the provider said, here.
    pub async fn sign_out(&self) -> Result<(), AuthError> {
        if let Some(before) = self.load().await? {
            self.store.remove(&self.key, before.revision).await?;
        }
        Ok(())
    }
}

/// A renewal that is dropped half-way can cost the sign-in; [`Grant::Enterprise`](super::Grant::Enterprise) carries
/// each to its end.
impl AssertionSource for SingleSignOn {
    fn assertion<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Secret, AuthError>> {
        Box::pin(self.id_token())
    }

    fn refused<'a>(&'a self, assertion: &'a Secret) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            if let Err(error) = self.retire(assertion).await {
                tracing::warn!(%error, "an ID token that was refused is still kept");
            }
        })
    }
}

impl SingleSignOn {
    async fn load(&self) -> Result<Before, AuthError> {
        credential::load_or_discard(&*self.store, &self.key).await
    }

    fn is_fresh(&self, signed_in: &SignedIn) -> bool {
        signed_in.until > clock::seconds((self.clock)()) + LEAST
    }

    async fn id_token(&self) -> Result<Secret, AuthError> {
        let _flight = self.flight.lock().await;
        let lease = Lease { store: &*self.store, key: &self.key, holder: &self.holder };
        let waiting = Waiting::begin();
        loop {
            let before = self.load().await?;
            if let Some(kept) = before.as_ref().filter(|kept| self.is_fresh(&kept.record)) {
                return Ok(kept.record.id_token.clone());
            }
            if lease.take().await? {
                let outcome = tokio::select! {
                    biased;
                    outcome = self.obtain() => outcome,
                    error = lease.keep() => Err(error),
                };
                lease.give_back().await;
                return outcome;
            }
            waiting.a_while().await?;
        }
    }

    /// Gets another ID token, with the right to do so.
    async fn obtain(&self) -> Result<Secret, AuthError> {
        // Somebody else may have had the right just before.
        let before = self.load().await?;
        if let Some(kept) = before.as_ref().filter(|kept| self.is_fresh(&kept.record)) {
            return Ok(kept.record.id_token.clone());
        }
        let mut server = discovery::issuer(&self.guard, &self.provider.issuer).await?;
        if let Some(endpoint) = &self.provider.token_endpoint {
            server.token_endpoint = endpoint.clone();
        }
        let client = self.provider.client.known_to(&server);
        let revision = before.as_ref().map(|before| before.revision);
        let signed_in = match self.renewed(&server, &client, before).await? {
            Some(renewed) => renewed,
            None => self.asked(&server, &client).await?,
        };
        let kept = self.store.save(&self.key, credential::written(&signed_in)?, revision, None).await?;
        kept.ok_or_else(|| AuthError::Store("somebody else changed the sign-in meanwhile".to_owned()))?;
        Ok(signed_in.id_token)
    }

    fn endpoint<'a>(&'a self, server: &'a AuthorizationServer, client: &'a KnownClient) -> Endpoint<'a> {
        let (guard, clock) = (&self.guard, &self.clock);
        Endpoint { guard, url: &server.token_endpoint, issuer: &server.issuer, client, prover: None, clock }
    }

    /// By the refresh token, if there is one and it still leads to an ID token (OpenID Connect Core, section 12).
    async fn renewed(
        &self,
        server: &AuthorizationServer,
        client: &KnownClient,
        before: Before,
    ) -> Result<Option<SignedIn>, AuthError> {
        let Some(SignedIn { subject, refresh_token: Some(refresh), .. }) = before.map(|before| before.record)
        else {
            return Ok(None);
        };
        let form: Form<'_> = vec![("grant_type", "refresh_token"), ("refresh_token", refresh.expose())];
        let tokens = match self.endpoint(server, client).tokens(form).await {
            Err(AuthError::Refused { error, .. }) if error == "invalid_grant" => return Ok(None),
            other => other?,
        };
        if tokens.id_token.is_none() {
            return Ok(None);
        }
        let next = self.signed_in(tokens, client, None).await?;
        if next.subject != subject {
            return Err(AuthError::Answer(format!(
                "the identity provider {} was asked about one person and speaks of another",
                self.provider.issuer
            )));
        }
        Ok(Some(SignedIn { refresh_token: next.refresh_token.or(Some(refresh)), ..next }))
    }

    /// By the person.
    async fn asked(&self, server: &AuthorizationServer, client: &KnownClient) -> Result<SignedIn, AuthError> {
        let person = self.person.as_ref().ok_or_else(|| {
            AuthError::SignInAgain(format!("{} wants somebody to sign in", self.provider.issuer))
        })?;
        let visit = person.prepare(None).await?;
        let offline = server.features.scopes_supported.iter().any(|scope| scope == OFFLINE);
        let beginning = Beginning {
            key: &self.key,
            guard: &self.guard,
            store: &*self.store,
            clock: &self.clock,
            discovered: &Discovered { resource: None, server: server.clone() },
            client,
            redirect_uri: visit.redirect_uri(),
            resource: String::new(),
            scopes: ["openid"].into_iter().chain(offline.then_some(OFFLINE)).collect::<Scopes>(),
            prover: None,
            nonce: Some(Secret::new(jose::random(32))),
        };
        let begun = beginning.begin().await?;
        let answered = visit.show(begun).await?;
        let outcome = self.redeemed(&answered.answer, server, client).await;
        if let Some(told) = answered.told {
            // Whoever waited may have gone.
            let _ = told.send(outcome.as_ref().map(drop).map_err(ToString::to_string));
        }
        outcome
    }

    async fn redeemed(
        &self,
        answer: &Answer,
        server: &AuthorizationServer,
        client: &KnownClient,
    ) -> Result<SignedIn, AuthError> {
        let pending = flow::take(&*self.store, &self.clock, answer).await?;
        if pending.key != self.key {
            return Err(AuthError::Answer("this answer belongs to another sign-in".to_owned()));
        }
        let tokens = pending.redeem(&self.endpoint(server, client), pending.code(answer)?).await?;
        self.signed_in(tokens, client, pending.nonce.as_ref()).await
    }

    /// What the provider's tokens say, once it is certain that they are the provider's.
    async fn signed_in(
        &self,
        tokens: Tokens,
        client: &KnownClient,
        nonce: Option<&Secret>,
    ) -> Result<SignedIn, AuthError> {
        let issuer = &self.provider.issuer;
        let wrong =
            |why: String| AuthError::Answer(format!("the ID token of {issuer} is not believed: {why}"));
        let id_token = tokens.id_token.ok_or_else(|| wrong("there is none".to_owned()))?;
        let expected = Expected {
            provider: &self.keys,
            client_id: &client.client_id,
            nonce: nonce.map(Secret::expose),
            now: (self.clock)(),
            skew: SKEW,
        };
        let claims = expected.claims(id_token.expose()).await.map_err(|error| wrong(error.to_string()))?;
        let subject = claims.get("sub").and_then(Value::as_str);
        let subject = subject.ok_or_else(|| wrong("it names nobody".to_owned()))?.to_owned();
        let until = claims.get("exp").and_then(Value::as_f64).unwrap_or_default() as u64;
        let refresh_token = tokens.refresh_token.filter(|token| !token.expose().is_empty());
        Ok(SignedIn { id_token, subject, until, refresh_token })
    }

    /// Has an ID token count as over.
    async fn retire(&self, assertion: &Secret) -> Result<(), AuthError> {
        let Some(before) = self.load().await? else { return Ok(()) };
        if before.record.id_token != *assertion {
            return Ok(());
        }
        let retired = SignedIn { until: 0, ..before.record };
        self.store
            .save(&self.key, credential::written(&retired)?, Some(before.revision), None)
            .await
            .map(drop)
    }
}
