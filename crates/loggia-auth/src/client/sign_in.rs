//! Coming by a token when there is none to renew: by the person, or by what else the grant names.

use std::sync::Arc;

use super::flow::{self, AuthorizationRequest, Beginning, Given};
use super::person::{Answer, Person};
use super::token::{Endpoint, KnownClient};
use super::{AuthError, Current, DpopUse, Inner, Source};
use crate::discovery::{self, BearerChallenge, Discovered};
use crate::dpop::DpopSigner;
use crate::extensions::{Asking, Grant};
use crate::jose;
use crate::scope::Scopes;

const OFFLINE: &str = "offline_access";

impl Inner {
    /// A token by the grant, for what the server demands and what was asked for before.
    pub(super) async fn granted(
        &self,
        demand: &BearerChallenge,
        before: Scopes,
        current: Option<&Current>,
    ) -> Result<Arc<Current>, AuthError> {
        let person = match &self.grant {
            Grant::Person(person) => Some(person.clone()),
            Grant::Nobody => return Err(self.nobody()),
            _ => None,
        };
        let discovered = self.discovered(demand, current).await?;
        let scopes = self.scopes(demand, &discovered, before, person.is_some());
        let prover = self.prover(demand, &discovered)?;
        let expected = current.map(|current| current.revision);
        match person {
            Some(person) => self.by_person(&*person, &discovered, scopes, prover, expected).await,
            None => self.by_extension(&discovered, scopes, prover, expected).await,
        }
    }

    fn nobody(&self) -> AuthError {
        AuthError::SignInAgain(format!("{} wants somebody to sign in", self.server))
    }

    async fn discovered(
        &self,
        demand: &BearerChallenge,
        current: Option<&Current>,
    ) -> Result<Discovered, AuthError> {
        let by_hand = self.identity.by_hand().find_map(|client| client.issuer.as_deref());
        let known = current.map(|current| current.credential.issuer.as_str());
        let wanted = self.issuer.as_deref().or(known).or(by_hand);
        discovery::discover(&self.guard, &self.server, demand, wanted).await
    }

    /// The scopes to ask for ("Scope Selection Strategy").
    fn scopes(
        &self,
        demand: &BearerChallenge,
        discovered: &Discovered,
        before: Scopes,
        person: bool,
    ) -> Scopes {
        let metadata = || discovered.resource.as_ref().and_then(|resource| resource.scopes());
        let wanted = match &demand.scope {
            Some(scope) => scope.clone(),
            None if before.is_empty() => metadata().unwrap_or_default(),
            None => Scopes::new(),
        };
        let scopes = wanted.union(&before).union(&self.extra_scopes);
        let known = discovered.server.features.scopes_supported.iter().any(|scope| scope == OFFLINE);
        let offline: Scopes = [OFFLINE].into_iter().collect();
        match (known && person && !scopes.is_empty(), before.contains(OFFLINE)) {
            (true, _) => scopes.union(&offline),
            // It was asked for at another authorization server.
            (false, true) if !known => scopes.without(&offline),
            _ => scopes,
        }
    }

    fn prover(
        &self,
        demand: &BearerChallenge,
        discovered: &Discovered,
    ) -> Result<Option<DpopSigner>, AuthError> {
        let resource = discovered.resource.as_ref();
        let asked = demand.dpop || resource.is_some_and(|resource| resource.reads_proofs());
        let must = resource.is_some_and(|resource| resource.dpop_bound_access_tokens_required);
        let wanted = match self.dpop {
            DpopUse::Never => false,
            DpopUse::WhenAsked => must || (asked && discovered.server.binds_tokens()),
            DpopUse::Always => true,
        };
        Ok(wanted.then(DpopSigner::generate).transpose()?)
    }

    async fn by_person(
        &self,
        person: &dyn Person,
        discovered: &Discovered,
        scopes: Scopes,
        prover: Option<DpopSigner>,
        expected: Option<u64>,
    ) -> Result<Arc<Current>, AuthError> {
        let registrar = self.registrar();
        let before = registrar.redirect_before(&discovered.server.issuer).await?;
        let visit = person.prepare(before.as_deref()).await?;
        let issuer = &discovered.server.issuer;
        let (client, named) = match registrar.client(&discovered.server, visit.redirect_uri()).await? {
            Some(client) => (client, self.identity.named.is_some()),
            None => (self.asked_for(person, discovered).await?, true),
        };
        let begun = self.begun(discovered, &client, visit.redirect_uri(), scopes, prover.as_ref()).await?;
        let answered = match visit.show(begun).await {
            Err(AuthError::Declined(why)) => {
                // A server that has forgotten us shows its page to nobody: the next time we register anew.
                registrar.forget(issuer).await?;
                return Err(AuthError::Declined(why));
            }
            other => other?,
        };
        let outcome = self.redeemed(&answered.answer, expected).await;
        if named && outcome.is_ok() {
            registrar.keep_named(issuer, &client).await?;
        }
        if let Some(told) = answered.told {
            // Whoever waited may have gone.
            let _ = told.send(outcome.as_ref().map(drop).map_err(ToString::to_string));
        }
        outcome
    }

    /// The client that the person has registered, where nothing else is possible.
    async fn asked_for(
        &self,
        person: &dyn Person,
        discovered: &Discovered,
    ) -> Result<KnownClient, AuthError> {
        let issuer = &discovered.server.issuer;
        match person.client(issuer).await {
            Some(client) => {
                self.registrar().admit(&client, issuer).await?;
                Ok(client.known_to(&discovered.server))
            }
            None => Err(AuthError::Registration(format!(
                "{issuer} has no way for a program to register itself. Register a client in the vendor's own \
                 settings and configure its client id here, or use an API key if the vendor gives one"
            ))),
        }
    }

    async fn begun(
        &self,
        discovered: &Discovered,
        client: &KnownClient,
        redirect_uri: &str,
        scopes: Scopes,
        prover: Option<&DpopSigner>,
    ) -> Result<AuthorizationRequest, AuthError> {
        let beginning = Beginning {
            key: &self.key,
            guard: &self.guard,
            store: &*self.store,
            clock: &self.clock,
            discovered,
            client,
            redirect_uri,
            resource: discovered.resource_identifier(&self.server),
            scopes,
            prover,
            nonce: None,
        };
        beginning.begin().await
    }

    /// The page of a sign-in whose answer is heard elsewhere.
    pub(super) async fn begin(
        &self,
        redirect_uri: &str,
        demand: &BearerChallenge,
    ) -> Result<AuthorizationRequest, AuthError> {
        let current = self.load().await?;
        let before = current.as_ref().map(|current| current.credential.requested.clone()).unwrap_or_default();
        let discovered = self.discovered(demand, current.as_deref()).await?;
        let scopes = self.scopes(demand, &discovered, before, true);
        let prover = self.prover(demand, &discovered)?;
        let client = self.registrar().client(&discovered.server, redirect_uri).await?;
        let client = client.ok_or_else(|| {
            AuthError::Registration(format!(
                "{} has no way for a program to register itself. Register a client with the redirect URI {redirect_uri} \
                 in the vendor's own settings and configure its client id here",
                discovered.server.issuer
            ))
        })?;
        self.begun(&discovered, &client, redirect_uri, scopes, prover.as_ref()).await
    }

    /// Takes the answer of a sign-in that was begun elsewhere.
    pub(super) async fn finish(&self, answer: &Answer) -> Result<Arc<Current>, AuthError> {
        let _flight = self.flight.lock().await;
        let expected = self.reload().await?.map(|current| current.revision);
        self.redeemed(answer, expected).await
    }

    /// Exchanges an answer for a token.
    async fn redeemed(&self, answer: &Answer, expected: Option<u64>) -> Result<Arc<Current>, AuthError> {
        let pending = flow::take(&*self.store, &self.clock, answer).await?;
        if pending.key != self.key {
            return Err(AuthError::Answer("this answer belongs to another sign-in".to_owned()));
        }
        let code = pending.code(answer)?;
        let server = self.server_of(&pending.issuer, pending.of_march).await?;
        let client = self.registrar().known(&server, &pending.client);
        let prover = pending.dpop_key.as_ref().map(DpopSigner::restore).transpose()?;
        let endpoint = self.endpoint(&server, &client, prover.as_ref());
        let tokens = match pending.redeem(&endpoint, code).await {
            Err(AuthError::Refused { error, description }) if error == "invalid_client" => {
                self.registrar().forget(&server.issuer).await?;
                return Err(AuthError::Refused { error, description });
            }
            other => other?,
        };
        self.require_binding(&tokens.token_type)?;
        let given = Given {
            issuer: &server.issuer,
            of_march: server.of_march,
            resource: &pending.resource,
            client: &client,
            requested: &pending.requested,
            dpop_key: pending.dpop_key.clone(),
            session: jose::random(12),
        };
        self.keep(given.credential(tokens, self.now())?, Source::Grant, expected).await
    }

    fn endpoint<'a>(
        &'a self,
        server: &'a discovery::AuthorizationServer,
        client: &'a KnownClient,
        prover: Option<&'a DpopSigner>,
    ) -> Endpoint<'a> {
        Endpoint {
            guard: &self.guard,
            url: &server.token_endpoint,
            issuer: &server.issuer,
            client,
            prover,
            clock: &self.clock,
        }
    }

    fn require_binding(&self, token_type: &str) -> Result<(), AuthError> {
        if self.dpop == DpopUse::Always && !token_type.eq_ignore_ascii_case("dpop") {
            return Err(AuthError::Discovery(format!(
                "a token that is bound to a key was asked for, and one of the type '{}' was given",
                super::plain(token_type)
            )));
        }
        Ok(())
    }

    async fn by_extension(
        &self,
        discovered: &Discovered,
        scopes: Scopes,
        prover: Option<DpopSigner>,
        expected: Option<u64>,
    ) -> Result<Arc<Current>, AuthError> {
        let server = &discovered.server;
        let resource = discovered.resource_identifier(&self.server);
        let (guard, clock) = (&self.guard, &self.clock);
        let asking = Asking { guard, clock, discovered, resource: &resource, scopes: &scopes };
        let prepared = self.grant.prepare(&asking, &self.registrar()).await?.ok_or_else(|| self.nobody())?;
        let endpoint = self.endpoint(server, &prepared.client, prover.as_ref());
        let tokens = endpoint.tokens(prepared.form(server, &resource)).await?;
        self.require_binding(&tokens.token_type)?;
        let given = Given {
            issuer: &server.issuer,
            of_march: server.of_march,
            resource: &resource,
            client: &prepared.client,
            requested: &scopes,
            dpop_key: prover.as_ref().map(DpopSigner::keep),
            session: jose::random(12),
        };
        self.keep(given.credential(tokens, self.now())?, Source::Grant, expected).await
    }
}
