//! Renewing a token by its refresh token, under rotation: what was given is written down before it is used,
//! and what is refused for good is not shown again.

use std::sync::Arc;

use super::credential;
use super::flow::{self, Given};
use super::token::{Endpoint, Form, Tokens};
use super::{AuthError, Credential, Current, Inner, Source};
use crate::discovery::AuthorizationServer;
use crate::secret::Secret;

impl Inner {
    /// Renews a token by its refresh token.
    pub(super) async fn refreshed(&self, current: &Current) -> Result<Arc<Current>, AuthError> {
        let credential = &current.credential;
        let Some(refresh_token) = &credential.refresh_token else {
            let issuer = &credential.issuer;
            return Err(AuthError::SignInAgain(format!("{issuer} gave no token that could be renewed")));
        };
        let server = self.server_of(&credential.issuer, credential.of_march).await?;
        let tokens = match self.redeem_refresh(current, &server, refresh_token).await {
            Err(AuthError::Refused { error, description }) if is_final(&error) => {
                return self.not_renewed(current, &error, description).await;
            }
            other => other?,
        };
        let given = Given {
            issuer: &credential.issuer,
            of_march: credential.of_march,
            resource: &credential.resource,
            client: &credential.client.known(),
            requested: &credential.requested,
            dpop_key: credential.dpop_key.clone(),
            session: credential.session.clone(),
        };
        let renewed =
            Credential { client: credential.client.clone(), ..given.credential(tokens, self.now())? };
        self.keep(renewed, Source::Refresh, Some(current.revision)).await
    }

    async fn redeem_refresh(
        &self,
        current: &Current,
        server: &AuthorizationServer,
        refresh_token: &Secret,
    ) -> Result<Tokens, AuthError> {
        let credential = &current.credential;
        let endpoint = Endpoint {
            guard: &self.guard,
            url: &server.token_endpoint,
            issuer: &server.issuer,
            client: &self.registrar().known(server, &credential.client),
            prover: current.prover.as_deref(),
            clock: &self.clock,
        };
        let mut form: Form<'_> =
            vec![("grant_type", "refresh_token"), ("refresh_token", refresh_token.expose())];
        form.extend(flow::resource(credential.of_march, &credential.resource));
        let tokens = endpoint.tokens(form).await?;
        // What is not said has not changed (RFC 6749, section 6).
        Ok(Tokens {
            refresh_token: tokens.refresh_token.filter(said).or_else(|| Some(refresh_token.clone())),
            scope: tokens.scope.or_else(|| Some(credential.granted.clone())),
            ..tokens
        })
    }

    /// A refresh token was refused for good. If somebody else has renewed the credential, theirs is what
    /// counts; if not, the refresh token is forgotten.
    async fn not_renewed(
        &self,
        current: &Current,
        error: &str,
        description: Option<String>,
    ) -> Result<Arc<Current>, AuthError> {
        let issuer = &current.credential.issuer;
        let stored = self.reload().await?;
        if let Some(newer) = stored.filter(|stored| stored.token() != current.token())
            && !newer.credential.is_over(self.now())
        {
            return Ok(newer);
        }
        if error != "invalid_grant" {
            self.registrar().forget(issuer).await?;
        }
        let retired = Credential { refresh_token: None, ..current.credential.clone() };
        let value = credential::written(&retired)?;
        if let Some(revision) = self.store.save(&self.key, value, Some(current.revision), None).await? {
            let retired = Arc::new(Current::new(retired, revision, current.source, Some(current))?);
            self.hold(Some(retired));
        }
        let said = description.map(|said| format!(" ({said})")).unwrap_or_default();
        Err(AuthError::SignInAgain(format!("{issuer} does not renew the token any more: {error}{said}")))
    }
}

/// Some write nothing where they mean that nothing has changed.
fn said(token: &Secret) -> bool {
    !token.expose().is_empty()
}

fn is_final(error: &str) -> bool {
    matches!(error, "invalid_grant" | "invalid_client" | "unauthorized_client")
}
