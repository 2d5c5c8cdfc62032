//! The renewer: decides when a credential needs another token and by which flow to get it.
//!
//! Many tasks, processes and replicas use one credential, and a rotated refresh token may be used only once.
//! Invariant: the credential changes only under the lock of this process and the lease of the store, and each change
//! is completed even if the request that caused it was cancelled.

use loggia::wire::text::redact_url;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use tokio::time::Instant;

use super::active::{ActiveCredential, CredentialSource};
use super::cache::CredentialCache;
use super::code_flow::CodeFlow;
use super::credential::Credential;
use super::grant_flow::GrantFlow;
use super::history::RenewalHistory;
use super::plan::TokenRequestPlan;
use super::refresher::Refresher;
use super::revoker::Revoker;
use super::settings::ClientSettings;
use crate::discovery::BearerChallenge;
use crate::error::{AuthError, printable};
use crate::extensions::GrantType;
use crate::scope::Scopes;
use crate::secret::Secret;
use crate::store::lease::{LeaseWait, RecordLease};
use crate::user_agent::{AuthorizationRequest, AuthorizationResponse};

/// The reason for requesting another token.
#[derive(Debug, Clone)]
pub(super) enum RenewalReason {
    /// The token expires soon.
    Expiry,
    /// The caller asked for a renewal.
    Forced,
    /// The caller asked for a new sign-in.
    SignIn(BearerChallenge),
    /// The server refused the token.
    Refused(BearerChallenge),
    /// The server requires more scopes.
    StepUp(BearerChallenge),
}

impl RenewalReason {
    /// Returns whether a credential of another task or process is sufficient. `sent` is the token that was refused.
    fn is_satisfied_by(&self, active: &ActiveCredential, sent: Option<&Secret>, now: SystemTime) -> bool {
        let credential = &active.credential;
        let is_other = sent != Some(active.token());
        match self {
            RenewalReason::Expiry => !credential.expires_soon(now),
            RenewalReason::Forced | RenewalReason::Refused(_) => is_other && !credential.is_expired(now),
            RenewalReason::StepUp(challenge) => {
                let wanted = challenge.scope.as_ref();
                let is_enough = wanted.is_none_or(|scope| scope.is_within(&credential.granted));
                is_other && is_enough && !credential.is_expired(now)
            }
            RenewalReason::SignIn(_) => false,
        }
    }
}

/// The renewer of one credential.
pub(super) struct Renewer {
    settings: Arc<ClientSettings>,
    cache: Arc<CredentialCache>,
    refresher: Refresher,
    code_flow: CodeFlow,
    grant_flow: GrantFlow,
    revoker: Revoker,
    /// The name of this instance as a holder of the lease.
    holder: String,
    /// Held while the credential changes.
    changing: tokio::sync::Mutex<()>,
    history: Mutex<RenewalHistory>,
}

impl Renewer {
    pub(super) fn new(
        settings: Arc<ClientSettings>,
        cache: Arc<CredentialCache>,
        refresher: Refresher,
        code_flow: CodeFlow,
        grant_flow: GrantFlow,
        revoker: Revoker,
    ) -> Renewer {
        Renewer {
            settings,
            cache,
            refresher,
            code_flow,
            grant_flow,
            revoker,
            holder: crate::jose::random(12),
            changing: tokio::sync::Mutex::new(()),
            history: Mutex::default(),
        }
    }

    /// Compares the credential with the store in the background, if that is due, because other processes sign in and
    /// out, too.
    pub(super) fn reload_in_background(self: &Arc<Renewer>) {
        if !self.cache.take_due_reload() {
            return;
        }
        let renewer = self.clone();
        tokio::spawn(async move {
            // A task that changes the credential reloads it first.
            let Ok(_changing) = renewer.changing.try_lock() else { return };
            if let Err(error) = renewer.cache.reload().await {
                tracing::warn!(%error, "a credential cannot be compared with the store");
            }
        });
    }

    /// Returns a credential that can be sent now, renewed if it expires soon; `None` if there is none.
    pub(super) async fn usable(self: &Arc<Renewer>) -> Result<Option<Arc<ActiveCredential>>, AuthError> {
        let Some(current) = self.cache.get().await? else { return Ok(None) };
        let now = self.settings.now();
        let is_expired = current.credential.is_expired(now);
        let can_renew = !self.settings.needs_user() || current.credential.refresh_token.is_some();
        if !current.credential.expires_soon(now) || !can_renew {
            return Ok(Some(current).filter(|_| !is_expired));
        }
        if !is_expired && !self.history().may_renew() {
            return Ok(Some(current));
        }
        match self.renew(Some(current.token().clone()), RenewalReason::Expiry).await {
            Ok(renewed) => Ok(Some(renewed)),
            Err(error) if !is_expired => {
                tracing::warn!(%error, "a token is not renewed yet");
                Ok(Some(current))
            }
            Err(error) if error.is_temporary() => Err(error),
            // The request is sent without a token, so that the server returns its challenge.
            Err(_) => Ok(None),
        }
    }

    /// Requests a token that replaces the one that was sent.
    pub(super) async fn renew(
        self: &Arc<Renewer>,
        sent: Option<Secret>,
        reason: RenewalReason,
    ) -> Result<Arc<ActiveCredential>, AuthError> {
        let renewer = self.clone();
        run_to_end(async move { renewer.renew_exclusively(sent.as_ref(), &reason).await }).await
    }

    /// Starts a sign-in whose response arrives at `redirect_uri`.
    pub(super) async fn start_sign_in(
        &self,
        redirect_uri: &str,
        challenge: &BearerChallenge,
    ) -> Result<AuthorizationRequest, AuthError> {
        let current = self.cache.get().await?;
        let current = current.as_ref().map(|current| &current.credential);
        let earlier = current.map(|credential| credential.requested.clone()).unwrap_or_default();
        let plan = TokenRequestPlan::new(&self.settings, challenge, &earlier, current, true).await?;
        self.code_flow.start(redirect_uri, plan).await
    }

    /// Finishes a sign-in that was started here or in another process.
    pub(super) async fn finish_sign_in(
        self: &Arc<Renewer>,
        response: AuthorizationResponse,
    ) -> Result<Arc<ActiveCredential>, AuthError> {
        let renewer = self.clone();
        run_to_end(async move {
            let _changing = renewer.changing.lock().await;
            let expected = renewer.cache.reload().await?.map(|current| current.revision);
            renewer.code_flow.redeem(&response, expected).await
        })
        .await
    }

    /// Revokes and deletes the credential. An unreadable one is only deleted.
    pub(super) async fn sign_out(self: &Arc<Renewer>) -> Result<(), AuthError> {
        let renewer = self.clone();
        run_to_end(async move {
            let _changing = renewer.changing.lock().await;
            match renewer.cache.reload().await {
                Ok(None) => Ok(()),
                Ok(Some(current)) => {
                    if let Err(error) = renewer.revoker.revoke(&current.credential).await {
                        tracing::warn!(%error, "the token is deleted here, but not revoked at its issuer");
                    }
                    renewer.cache.delete(Some(current.revision)).await
                }
                Err(AuthError::Unreadable(_)) => renewer.cache.delete(None).await,
                Err(error) => Err(error),
            }
        })
        .await
    }

    fn history(&self) -> MutexGuard<'_, RenewalHistory> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Renews under the lock of this process.
    async fn renew_exclusively(
        &self,
        sent: Option<&Secret>,
        reason: &RenewalReason,
    ) -> Result<Arc<ActiveCredential>, AuthError> {
        let waiting_since = Instant::now();
        let _changing = self.changing.lock().await;
        let now = self.settings.now();
        if let Some(current) =
            self.cache.cached().filter(|current| reason.is_satisfied_by(current, sent, now))
        {
            return Ok(current);
        }
        let is_explicit = matches!(reason, RenewalReason::SignIn(_) | RenewalReason::Forced);
        if !is_explicit && let Some(error) = self.history().shared_failure(waiting_since) {
            return Err(error);
        }
        let outcome = self.renew_with_lease(sent, reason).await;
        self.record_outcome(reason, outcome.as_ref().err());
        outcome
    }

    /// Renews under the lease of the store, unless the last holder of the lease saved a sufficient credential.
    async fn renew_with_lease(
        &self,
        sent: Option<&Secret>,
        reason: &RenewalReason,
    ) -> Result<Arc<ActiveCredential>, AuthError> {
        let settings = &self.settings;
        let lease = RecordLease { store: &*settings.store, key: &settings.key, holder: &self.holder };
        let wait = LeaseWait::start();
        loop {
            let is_held = lease.take().await?;
            let current = self.cache.reload().await?;
            let now = settings.now();
            if let Some(current) = current.filter(|current| reason.is_satisfied_by(current, sent, now)) {
                if is_held {
                    lease.release().await;
                }
                return Ok(current);
            }
            if is_held {
                return lease.hold(self.obtain(sent, reason)).await;
            }
            wait.pause().await?;
        }
    }

    fn record_outcome(&self, reason: &RenewalReason, error: Option<&AuthError>) {
        match reason {
            RenewalReason::Expiry => self.history().record_renewal(error),
            RenewalReason::Forced => self.history().record_renewal(None),
            _ => self.history().record_request(error),
        }
        if let Some(AuthError::SignInAgain(why)) = error {
            self.cache.require_sign_in(why);
        }
    }

    /// Requests a token with the flow for the reason.
    async fn obtain(
        &self,
        sent: Option<&Secret>,
        reason: &RenewalReason,
    ) -> Result<Arc<ActiveCredential>, AuthError> {
        let current = self.cache.cached();
        match (reason, current) {
            (RenewalReason::Expiry | RenewalReason::Forced, Some(current)) => self.extend(&current).await,
            (RenewalReason::Expiry | RenewalReason::Forced, None) => {
                Err(AuthError::SignInAgain("there is no token any more".to_owned()))
            }
            (RenewalReason::SignIn(challenge), current) => {
                self.authorize(challenge, &Scopes::new(), current.as_deref()).await
            }
            (RenewalReason::StepUp(challenge), current) => self.step_up(challenge, current.as_deref()).await,
            (RenewalReason::Refused(challenge), Some(current)) => {
                self.replace(challenge, &current, sent).await
            }
            (RenewalReason::Refused(challenge), None) => {
                self.authorize(challenge, &Scopes::new(), None).await
            }
        }
    }

    /// Requests a token with the same rights as the current one.
    async fn extend(&self, current: &ActiveCredential) -> Result<Arc<ActiveCredential>, AuthError> {
        let credential = &current.credential;
        if self.settings.needs_user() || credential.refresh_token.is_some() {
            return self.refresher.refresh(current).await;
        }
        let challenge = BearerChallenge { dpop: credential.dpop, ..BearerChallenge::default() };
        self.authorize(&challenge, &credential.requested, Some(current)).await
    }

    /// Requests a token that replaces one that the server refused.
    async fn replace(
        &self,
        challenge: &BearerChallenge,
        current: &ActiveCredential,
        sent: Option<&Secret>,
    ) -> Result<Arc<ActiveCredential>, AuthError> {
        let credential = &current.credential;
        // The server never accepted the token that it refuses.
        let is_useless = sent == Some(current.token()) && !current.is_accepted();
        if is_useless && current.source == CredentialSource::NewGrant {
            return Err(self.not_accepted(challenge, credential));
        }
        // A token that was just refreshed and is refused, too, is not refreshed again.
        let may_refresh = !(is_useless && current.source == CredentialSource::Refresh);
        if may_refresh
            && credential.refresh_token.is_some()
            && self.is_issuer_unchanged(challenge, credential).await?
        {
            match self.refresher.refresh(current).await {
                Err(AuthError::SignInAgain(_)) => {}
                other => return other,
            }
        }
        self.authorize(challenge, &credential.granted.union(&credential.requested), Some(current)).await
    }

    fn not_accepted(&self, challenge: &BearerChallenge, credential: &Credential) -> AuthError {
        let detail = challenge.description.as_deref().map(|text| format!(" ({})", printable(text)));
        AuthError::NotEnough(format!(
            "{} does not accept the token that {} just gave for it{}. The operator of the server has to check which \
             tokens it accepts (issuer, audience '{}')",
            self.settings.server,
            credential.issuer,
            detail.unwrap_or_default(),
            credential.resource,
        ))
    }

    /// Returns whether the server still names the issuer of a credential. If it names another one, the user has to
    /// sign in again.
    async fn is_issuer_unchanged(
        &self,
        challenge: &BearerChallenge,
        credential: &Credential,
    ) -> Result<bool, AuthError> {
        // A server that names no authorization server keeps the one that was configured.
        let configured = Some(credential.issuer.as_str()).filter(|_| !credential.is_2025_03_26);
        let found = self.settings.discover(challenge, Some(&credential.issuer), configured).await?;
        let is_same_resource = found.server.is_2025_03_26
            || credential.is_resource_configured
            || self.settings.resource_of(&found) == credential.resource;
        Ok(found.server.issuer == credential.issuer && is_same_resource)
    }

    /// Requests a token with more scopes.
    async fn step_up(
        &self,
        challenge: &BearerChallenge,
        current: Option<&ActiveCredential>,
    ) -> Result<Arc<ActiveCredential>, AuthError> {
        let server = redact_url(self.settings.server.as_str());
        let wanted = challenge.scope.clone().unwrap_or_default();
        let (granted, earlier) = match current.map(|current| &current.credential) {
            Some(credential) => (credential.granted.clone(), credential.granted.union(&credential.requested)),
            None => (Scopes::new(), Scopes::new()),
        };
        if wanted.is_within(&granted) {
            return Err(AuthError::NotEnough(if wanted.is_empty() {
                format!("{server} wants more rights, and does not say which")
            } else {
                format!("{server} wants the scopes '{wanted}', which the token has already")
            }));
        }
        let missing = wanted.without(&granted);
        if matches!(self.settings.grant, GrantType::RefreshOnly) {
            let text = format!("{server} wants the scopes '{missing}', which the user has not allowed yet");
            return Err(AuthError::SignInAgain(text));
        }
        if !self.history().count_step_up(&wanted) {
            let text = format!(
                "{server} wants the scopes '{missing}', which the authorization server does not give"
            );
            return Err(AuthError::NotEnough(text));
        }
        self.authorize(challenge, &earlier, current).await
    }

    /// Requests a token with a new grant.
    async fn authorize(
        &self,
        challenge: &BearerChallenge,
        earlier_scopes: &Scopes,
        current: Option<&ActiveCredential>,
    ) -> Result<Arc<ActiveCredential>, AuthError> {
        let settings = &*self.settings;
        let user_required =
            || AuthError::SignInAgain(format!("{} wants the user to sign in", settings.server));
        let user_agent = match &settings.grant {
            GrantType::AuthorizationCode(user_agent) => Some(user_agent),
            GrantType::RefreshOnly => return Err(user_required()),
            _ => None,
        };
        let expected = current.map(|current| current.revision);
        let credential = current.map(|current| &current.credential);
        let has_user = user_agent.is_some();
        let plan = TokenRequestPlan::new(settings, challenge, earlier_scopes, credential, has_user).await?;
        match user_agent {
            Some(user_agent) => self.code_flow.sign_in(&**user_agent, plan, expected).await,
            None => self.grant_flow.request(plan, expected).await?.ok_or_else(user_required),
        }
    }
}

/// Completes work even if the caller is cancelled, because a rotated token must be saved.
async fn run_to_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, AuthError>> + Send + 'static,
) -> Result<T, AuthError> {
    let done = tokio::spawn(work).await;
    done.unwrap_or_else(|_| Err(AuthError::Store("the work on a token was aborted".to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::cache::AuthStatus;
    use crate::client::testing::{ClientParts, authorization_server, credential};
    use crate::clock;

    #[test]
    fn a_reason_is_satisfied_by_a_credential_that_is_enough() {
        let expires_at = |expires_at: Option<u64>| {
            let credential = Credential { expires_at, granted: Scopes::parse("a b"), ..credential("new") };
            ActiveCredential::new(credential, 1, CredentialSource::Store, None).unwrap()
        };
        let wants = |scope: &str| {
            let scope = Some(Scopes::parse(scope)).filter(|scope| !scope.is_empty());
            BearerChallenge { scope, ..BearerChallenge::default() }
        };
        let (expiry, forced) = (RenewalReason::Expiry, RenewalReason::Forced);
        let (sign_in, refused) = (RenewalReason::SignIn(wants("")), RenewalReason::Refused(wants("c")));
        let step_up = |scope| RenewalReason::StepUp(wants(scope));
        let (none, soon, past) = (None, Some(2010), Some(1999));
        // The reason, the token that was sent, the expiry of the credential at 2000, and whether it is enough.
        let table = [
            (&expiry, "new", none, true),
            (&expiry, "old", soon, false),
            (&forced, "old", soon, true),
            (&forced, "new", soon, false),
            (&forced, "old", past, false),
            (&refused, "old", none, true),
            (&refused, "new", none, false),
            (&step_up("a"), "old", none, true),
            (&step_up(""), "old", none, true),
            (&step_up("a"), "new", none, false),
            (&step_up("a c"), "old", none, false),
            (&step_up("a"), "old", past, false),
            (&sign_in, "old", none, false),
        ];
        for (reason, sent, expiry, expected) in table {
            let (active, sent) = (expires_at(expiry), Secret::new(sent));
            let is_enough = reason.is_satisfied_by(&active, Some(&sent), clock::from_seconds(2000));
            assert_eq!(is_enough, expected, "{reason:?} {} {expiry:?}", sent.expose());
        }
    }

    fn renewer(parts: &ClientParts) -> Arc<Renewer> {
        let (settings, cache) = (parts.settings.clone(), parts.cache.clone());
        let grant_flow = GrantFlow { settings: settings.clone(), cache: cache.clone() };
        let revoker = Revoker { settings: settings.clone(), issuers: parts.issuers.clone() };
        Arc::new(Renewer::new(settings, cache, parts.refresher(), parts.code_flow(), grant_flow, revoker))
    }

    /// A credential that expires in `lifetime` seconds, with or without a refresh token.
    fn expiring(parts: &ClientParts, lifetime: i64, refresh_token: Option<&str>) -> Credential {
        let now = clock::seconds(SystemTime::now());
        Credential {
            issuer: parts.issuer.clone(),
            obtained_at: now - 3600,
            expires_at: Some(now.saturating_add_signed(lifetime)),
            refresh_token: refresh_token.map(Secret::new),
            ..credential("old")
        }
    }

    #[tokio::test]
    async fn a_credential_is_usable_while_it_is_valid_and_renewed_before_it_expires() {
        let (renews, refuses) = (r#"{"access_token":"new"}"#, r#"{"error":"invalid_grant"}"#);
        // The seconds until the expiry, the refresh token, the response of the token endpoint, and the usable token.
        let table = [
            (3600, Some("r"), (200, renews), Ok(Some("old"))),
            (10, Some("r"), (200, renews), Ok(Some("new"))),
            (10, None, (200, renews), Ok(Some("old"))),
            (10, Some("r"), (400, refuses), Ok(Some("old"))),
            (10, Some("r"), (503, "busy"), Ok(Some("old"))),
            (-10, Some("r"), (200, renews), Ok(Some("new"))),
            (-10, None, (200, renews), Ok(None)),
            (-10, Some("r"), (400, refuses), Ok(None)),
            (-10, Some("r"), (503, "busy"), Err(())),
        ];
        for (lifetime, refresh_token, (status, response), expected) in table {
            let server = authorization_server(status, response).await;
            let parts = ClientParts::new(&server);
            let old = expiring(&parts, lifetime, refresh_token);
            parts.cache.save(old, CredentialSource::NewGrant, None).await.unwrap();
            let usable = renewer(&parts).usable().await;
            let token = usable.map(|active| active.map(|active| active.token().expose().to_owned()));
            let expected = expected.map(|token: Option<&str>| token.map(str::to_owned));
            assert_eq!(token.map_err(drop), expected, "{lifetime} {refresh_token:?} {response}");
        }
    }

    #[tokio::test]
    async fn tasks_that_want_the_same_renewal_share_one() {
        let server = authorization_server(200, r#"{"access_token":"new"}"#).await;
        let parts = ClientParts::new(&server);
        let old = expiring(&parts, 10, Some("r"));
        let old = parts.cache.save(old, CredentialSource::NewGrant, None).await.unwrap();
        let renewer = renewer(&parts);
        let renew = || renewer.renew(Some(old.token().clone()), RenewalReason::Forced);
        let (one, other, third) = tokio::join!(renew(), renew(), renew());
        let revisions = [one, other, third].map(|active| active.unwrap().revision);
        assert_eq!(revisions, [revisions[0]; 3]);
    }

    #[tokio::test]
    async fn without_a_user_the_status_asks_for_a_sign_in() {
        let server = authorization_server(200, "{}").await;
        let parts = ClientParts::new(&server);
        let active = parts.cache.save(credential("t"), CredentialSource::NewGrant, None).await.unwrap();
        let scope = Some(Scopes::parse("write"));
        let challenge = BearerChallenge { scope, ..BearerChallenge::default() };
        let reason = RenewalReason::StepUp(challenge);
        let outcome = renewer(&parts).renew(Some(active.token().clone()), reason).await.map(drop);
        let Err(AuthError::SignInAgain(why)) = outcome else { panic!("{outcome:?}") };
        assert!(why.contains("wants the scopes 'write', which the user has not allowed yet"), "{why}");
        assert_eq!(*parts.cache.status().borrow(), AuthStatus::SignInAgain(why));
    }
}
