//! One thing at a time for each credential: whoever wants another token waits for whoever is getting one,
//! looks whether that is enough, and only then gets one too.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::credential::{self, Credential};
use super::lease::{Lease, Waiting};
use super::token::Endpoint;
use super::{AuthError, AuthStatus, Current, Inner, Source, detached};
use crate::discovery::{self, AuthorizationServer, BearerChallenge};
use crate::extensions::Grant;
use crate::scope::Scopes;
use crate::secret::Secret;

/// Why another token is wanted.
#[derive(Debug, Clone)]
pub(super) enum Reason {
    /// The present one ends soon.
    Ahead,
    /// Somebody wants it renewed.
    Forced,
    /// Somebody wants to sign in.
    Wanted(BearerChallenge),
    /// The server refused the request.
    Refused(BearerChallenge),
    /// The server wants more scopes.
    StepUp(BearerChallenge),
}

/// How often more scopes are asked for, for the same scopes.
const MOST_STEP_UPS: u32 = 2;
/// For how long step-ups count.
const STEP_UP_MEMORY: Duration = Duration::from_secs(600);
/// How long a renewal that failed is not tried again while the old token still serves.
const RENEWAL_PAUSE: Duration = Duration::from_secs(10);
/// How long a failure is everybody's answer: of those who waited for it too.
const FAILURE_MEMORY: Duration = Duration::from_secs(3);
/// How long an authorization server is what it said it is.
const SERVER_MEMORY: Duration = Duration::from_secs(600);

/// What was tried.
#[derive(Default)]
pub(super) struct Attempts {
    renewal_failed: Option<Instant>,
    failure: Option<(Instant, AuthError)>,
    step_ups: HashMap<Scopes, (u32, Instant)>,
}

impl Attempts {
    pub(super) fn may_renew(&self) -> bool {
        self.renewal_failed.is_none_or(|at| at.elapsed() >= RENEWAL_PAUSE)
    }

    /// Whether the same scopes may be asked for once more.
    fn step_up(&mut self, scopes: &Scopes) -> bool {
        self.step_ups.retain(|_, (_, at)| at.elapsed() < STEP_UP_MEMORY);
        let (count, at) = self.step_ups.entry(scopes.clone()).or_insert((0, Instant::now()));
        *count += 1;
        *at = Instant::now();
        *count <= MOST_STEP_UPS
    }
}

impl Inner {
    /// Another token than the one that was sent.
    pub(super) async fn renewed(
        self: &Arc<Inner>,
        sent: Option<Secret>,
        reason: Reason,
    ) -> Result<Arc<Current>, AuthError> {
        let inner = self.clone();
        detached(async move { inner.renew_alone(sent, reason).await }).await
    }

    async fn renew_alone(&self, sent: Option<Secret>, reason: Reason) -> Result<Arc<Current>, AuthError> {
        let waiting = Instant::now();
        let _flight = self.flight.lock().await;
        if let Some(current) =
            self.present().current.clone().filter(|current| self.serves(current, &sent, &reason))
        {
            return Ok(current);
        }
        if let Some(error) = self.recent_failure(&reason, waiting) {
            return Err(error);
        }
        let outcome = match self.leased(&sent, &reason).await {
            Ok(Some(current)) => Ok(current),
            Ok(None) => {
                let lease = self.lease();
                let outcome = tokio::select! {
                    biased;
                    outcome = self.obtain(&sent, &reason) => outcome,
                    error = lease.keep() => Err(error),
                };
                lease.give_back().await;
                outcome
            }
            Err(error) => Err(error),
        };
        self.note_outcome(&reason, outcome.as_ref().err());
        outcome
    }

    /// Whether a token that somebody else got is what is wanted.
    fn serves(&self, current: &Current, sent: &Option<Secret>, reason: &Reason) -> bool {
        let other = sent.as_ref() != Some(current.token());
        let now = self.now();
        match reason {
            Reason::Ahead => !current.credential.ends_soon(now),
            Reason::Forced | Reason::Refused(_) => other && !current.credential.is_over(now),
            Reason::StepUp(demand) => {
                let enough =
                    demand.scope.as_ref().is_none_or(|scope| scope.is_within(&current.credential.granted));
                other && enough && !current.credential.is_over(now)
            }
            Reason::Wanted(_) => false,
        }
    }

    /// A failure that those who waited for it share: one window that was closed must not open ten more.
    fn recent_failure(&self, reason: &Reason, waiting: Instant) -> Option<AuthError> {
        let attempts = self.attempts();
        let (at, error) = attempts.failure.as_ref()?;
        let shared = match reason {
            Reason::Wanted(_) | Reason::Forced => false,
            _ => *at >= waiting || at.elapsed() < FAILURE_MEMORY,
        };
        shared.then(|| error.clone())
    }

    fn note_outcome(&self, reason: &Reason, error: Option<&AuthError>) {
        let mut attempts = self.attempts();
        let now = Instant::now();
        attempts.renewal_failed = (error.is_some() && matches!(reason, Reason::Ahead)).then_some(now);
        attempts.failure = match (error, reason) {
            (Some(error), Reason::Refused(_) | Reason::StepUp(_) | Reason::Wanted(_)) => {
                Some((now, error.clone()))
            }
            _ => None,
        };
        drop(attempts);
        if let Some(AuthError::SignInAgain(why)) = error {
            self.standing.send_replace(AuthStatus::SignInAgain(why.clone()));
        }
    }

    /// Waits for the right to change the credential. `Some`: somebody else had it and got what is wanted.
    async fn leased(
        &self,
        sent: &Option<Secret>,
        reason: &Reason,
    ) -> Result<Option<Arc<Current>>, AuthError> {
        let waiting = Waiting::begin();
        loop {
            let mine = self.lease().take().await?;
            let current = self.reload().await?;
            if let Some(current) = current.filter(|current| self.serves(current, sent, reason)) {
                if mine {
                    self.lease().give_back().await;
                }
                return Ok(Some(current));
            }
            if mine {
                return Ok(None);
            }
            waiting.a_while().await?;
        }
    }

    fn lease(&self) -> Lease<'_> {
        Lease { store: &*self.store, key: &self.key, holder: &self.holder }
    }

    /// Gets another token, with the right to do so.
    async fn obtain(&self, sent: &Option<Secret>, reason: &Reason) -> Result<Arc<Current>, AuthError> {
        let current = self.present().current.clone();
        match (reason, current) {
            (Reason::Ahead | Reason::Forced, Some(current)) => match self.grant {
                Grant::Person(_) | Grant::Nobody => self.refreshed(&current).await,
                _ if current.credential.refresh_token.is_some() => self.refreshed(&current).await,
                _ => {
                    let demand =
                        BearerChallenge { dpop: current.credential.dpop, ..BearerChallenge::default() };
                    self.granted(&demand, current.credential.requested.clone(), Some(&current)).await
                }
            },
            (Reason::Ahead | Reason::Forced, None) => {
                Err(AuthError::SignInAgain("there is no token any more".to_owned()))
            }
            (Reason::Wanted(demand), current) => {
                self.granted(demand, Scopes::new(), current.as_deref()).await
            }
            (Reason::StepUp(demand), current) => self.stepped_up(demand, current.as_deref()).await,
            (Reason::Refused(demand), Some(current)) => self.replaced(demand, &current, sent).await,
            (Reason::Refused(demand), None) => self.granted(demand, Scopes::new(), None).await,
        }
    }

    /// A token in place of one that the server refuses.
    async fn replaced(
        &self,
        demand: &BearerChallenge,
        current: &Current,
        sent: &Option<Secret>,
    ) -> Result<Arc<Current>, AuthError> {
        let credential = &current.credential;
        let refused = sent.as_ref() == Some(current.token());
        let proved = current.proved.load(Ordering::Relaxed);
        if refused && !proved && current.source == Source::Grant {
            return Err(AuthError::NotEnough(format!(
                "{} does not accept the token that {} just gave for it{}. Whoever runs the server has to look at \
                 which tokens it accepts (issuer, audience '{}')",
                self.server,
                credential.issuer,
                demand
                    .description
                    .as_deref()
                    .map(|said| format!(" ({})", super::plain(said)))
                    .unwrap_or_default(),
                credential.resource,
            )));
        }
        // One that was refreshed a moment ago and is refused too is not worth refreshing again.
        let worth = !(refused && !proved && current.source == Source::Refresh);
        if worth && credential.refresh_token.is_some() && self.still_theirs(demand, credential).await? {
            match self.refreshed(current).await {
                Err(AuthError::SignInAgain(_)) => {}
                other => return other,
            }
        }
        self.granted(demand, credential.granted.union(&credential.requested), Some(current)).await
    }

    /// Whether the server still names the issuer of a credential: one that moved is signed in to anew.
    async fn still_theirs(
        &self,
        demand: &BearerChallenge,
        credential: &Credential,
    ) -> Result<bool, AuthError> {
        let found = discovery::discover(&self.guard, &self.server, demand, Some(&credential.issuer)).await?;
        Ok(found.server.issuer == credential.issuer
            && (found.server.of_march || found.resource_identifier(&self.server) == credential.resource))
    }

    async fn stepped_up(
        &self,
        demand: &BearerChallenge,
        current: Option<&Current>,
    ) -> Result<Arc<Current>, AuthError> {
        let wanted = demand.scope.clone().unwrap_or_default();
        let (granted, before) = match current {
            Some(current) => {
                let credential = &current.credential;
                (credential.granted.clone(), credential.granted.union(&credential.requested))
            }
            None => (Scopes::new(), Scopes::new()),
        };
        if wanted.is_within(&granted) {
            return Err(AuthError::NotEnough(match wanted.is_empty() {
                true => format!("{} wants more rights, and does not say which", self.server),
                false => format!("{} wants the scopes '{wanted}', which the token has already", self.server),
            }));
        }
        if matches!(self.grant, Grant::Nobody) {
            return Err(AuthError::SignInAgain(format!(
                "{} wants the scopes '{}', which nobody has allowed yet",
                self.server,
                wanted.without(&granted)
            )));
        }
        if !self.attempts().step_up(&wanted) {
            return Err(AuthError::NotEnough(format!(
                "{} wants the scopes '{}', which the authorization server does not give",
                self.server,
                wanted.without(&granted)
            )));
        }
        self.granted(demand, before, current).await
    }

    /// The authorization server of an issuer, as it described itself a while ago at most.
    pub(super) async fn server_of(
        &self,
        issuer: &str,
        of_march: bool,
    ) -> Result<AuthorizationServer, AuthError> {
        let known = || self.known_server.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh =
            known().clone().filter(|(at, server)| server.issuer == issuer && at.elapsed() < SERVER_MEMORY);
        if let Some((_, server)) = fresh {
            return Ok(server);
        }
        let server = match of_march {
            true => discovery::of_march(&self.guard, &self.server).await?,
            false => discovery::issuer(&self.guard, issuer).await?,
        };
        *known() = Some((Instant::now(), server.clone()));
        Ok(server)
    }

    /// Writes a credential down, and only then uses it.
    pub(super) async fn keep(
        &self,
        credential: Credential,
        source: Source,
        mut expected: Option<u64>,
    ) -> Result<Arc<Current>, AuthError> {
        let value = credential::written(&credential)?;
        for _ in 0..3 {
            if let Some(revision) = self.store.save(&self.key, value.clone(), expected, None).await? {
                let before = self.present().current.clone();
                let current = Arc::new(Current::new(credential, revision, source, before.as_deref())?);
                self.hold(Some(current.clone()));
                self.standing.send_replace(AuthStatus::SignedIn {
                    until: current.credential.expires_at.map(crate::clock::from_seconds),
                });
                return Ok(current);
            }
            // Somebody wrote without the lease, or the lease ran out. What was given last is what counts.
            expected = self.store.load(&self.key).await?.map(|stored| stored.revision);
        }
        Err(AuthError::Store("the new token cannot be written: others write all the time".to_owned()))
    }

    /// Forgets the credential.
    pub(super) async fn sign_out(&self) -> Result<(), AuthError> {
        let _flight = self.flight.lock().await;
        match self.reload().await {
            Ok(None) => return Ok(()),
            Ok(Some(current)) => {
                if let Err(error) = self.revoke(&current).await {
                    tracing::warn!(%error, "the token is forgotten here, but not revoked there");
                }
                self.store.remove(&self.key, current.revision).await?;
            }
            Err(AuthError::Unreadable(_)) => credential::discard(&*self.store, &self.key).await?,
            Err(error) => return Err(error),
        }
        self.hold(None);
        self.standing.send_replace(AuthStatus::SignedOut);
        Ok(())
    }

    /// Tells the authorization server that a token is not needed any more (RFC 7009).
    async fn revoke(&self, current: &Current) -> Result<(), AuthError> {
        let credential = &current.credential;
        let server = self.server_of(&credential.issuer, credential.of_march).await?;
        let Some(url) = &server.revocation_endpoint else { return Ok(()) };
        let client = self.registrar().known(&server, &credential.client);
        let endpoint = Endpoint {
            guard: &self.guard,
            url,
            issuer: &server.issuer,
            client: &client,
            prover: None,
            clock: &self.clock,
        };
        if let Some(token) = &credential.refresh_token {
            endpoint.request(vec![("token", token.expose()), ("token_type_hint", "refresh_token")]).await?;
        }
        let form = vec![("token", credential.access_token.expose()), ("token_type_hint", "access_token")];
        endpoint.request(form).await.map(drop)
    }
}
