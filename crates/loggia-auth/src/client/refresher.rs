//! The refresher: renews a credential with its refresh token (RFC 6749, section 6).
//!
//! Authorization servers rotate refresh tokens and treat an old one as stolen. Invariant: a new refresh token is saved
//! before its access token is used, and a refresh token that was refused is not sent again.

use std::sync::Arc;

use super::active::{ActiveCredential, CredentialSource};
use super::cache::CredentialCache;
use super::credential::{Credential, CredentialParts};
use super::issuer_cache::IssuerCache;
use super::settings::ClientSettings;
use crate::authorization_code::resource_parameter;
use crate::discovery::AuthorizationServerMetadata;
use crate::error::AuthError;
use crate::secret::Secret;
use crate::token_endpoint::{FormParams, TokenResponse};

/// The refresher of one credential.
pub(super) struct Refresher {
    pub(super) settings: Arc<ClientSettings>,
    pub(super) cache: Arc<CredentialCache>,
    pub(super) issuers: Arc<IssuerCache>,
}

impl Refresher {
    /// Renews a credential. The caller holds the lease.
    pub(super) async fn refresh(
        &self,
        current: &ActiveCredential,
    ) -> Result<Arc<ActiveCredential>, AuthError> {
        let credential = &current.credential;
        let Some(refresh_token) = &credential.refresh_token else {
            let issuer = &credential.issuer;
            return Err(AuthError::SignInAgain(format!("{issuer} gave no token that could be renewed")));
        };
        let server = self.issuers.metadata(&credential.issuer, credential.is_2025_03_26).await?;
        let tokens = match self.redeem(current, &server, refresh_token).await {
            Err(AuthError::Refused { error, description }) if is_final(&error) => {
                return self.resolve_refusal(current, &error, description).await;
            }
            other => other?,
        };
        let parts = CredentialParts {
            issuer: &credential.issuer,
            is_2025_03_26: credential.is_2025_03_26,
            resource: &credential.resource,
            is_resource_configured: credential.is_resource_configured,
            client: &credential.client.to_client(),
            requested: &credential.requested,
            dpop_key: credential.dpop_key.clone(),
            session: credential.session.clone(),
        };
        let renewed = Credential {
            client: credential.client.clone(),
            ..parts.into_credential(tokens, self.settings.now())?
        };
        self.cache.save(renewed, CredentialSource::Refresh, Some(current.revision)).await
    }

    async fn redeem(
        &self,
        current: &ActiveCredential,
        server: &AuthorizationServerMetadata,
        refresh_token: &Secret,
    ) -> Result<TokenResponse, AuthError> {
        let credential = &current.credential;
        let client = self.settings.registrar().client_of_record(server, &credential.client);
        let signer = current.signer.as_deref();
        let endpoint = self.settings.endpoint(&server.token_endpoint, server, &client, signer);
        let mut form: FormParams<'_> =
            vec![("grant_type", "refresh_token"), ("refresh_token", refresh_token.expose())];
        form.extend(resource_parameter(credential.is_2025_03_26, &credential.resource));
        let tokens = endpoint.tokens(form).await?;
        // Members that are missing have not changed (RFC 6749, section 6). Some servers send an empty refresh token.
        let refresh_token = tokens.refresh_token.filter(|token| !token.expose().is_empty());
        let refresh_token = refresh_token.or_else(|| credential.refresh_token.clone());
        let scope = tokens.scope.or_else(|| Some(credential.granted.clone()));
        Ok(TokenResponse { refresh_token, scope, ..tokens })
    }

    /// Handles a final refusal of a refresh token. If another process renewed the credential meanwhile, returns that
    /// credential; otherwise deletes the refresh token.
    async fn resolve_refusal(
        &self,
        current: &ActiveCredential,
        error: &str,
        description: Option<String>,
    ) -> Result<Arc<ActiveCredential>, AuthError> {
        let issuer = &current.credential.issuer;
        let stored = self.cache.reload().await?;
        if let Some(newer) = stored.filter(|stored| stored.token() != current.token())
            && !newer.credential.is_expired(self.settings.now())
        {
            return Ok(newer);
        }
        if error != "invalid_grant" {
            self.settings.registrar().forget(issuer).await?;
        }
        self.cache.delete_refresh_token(current).await?;
        let detail = description.map(|text| format!(" ({text})")).unwrap_or_default();
        Err(AuthError::SignInAgain(format!("{issuer} does not renew the token any more: {error}{detail}")))
    }
}

/// Returns whether an error code means that the refresh token or the client is no longer valid.
fn is_final(error: &str) -> bool {
    matches!(error, "invalid_grant" | "invalid_client" | "unauthorized_client")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::testing::credential;
    use crate::client::testing::{ClientParts, authorization_server};
    use crate::scope::Scopes;

    fn exposed(credential: &Credential) -> (&str, Option<&str>) {
        (credential.access_token.expose(), credential.refresh_token.as_ref().map(Secret::expose))
    }

    #[tokio::test]
    async fn a_renewal_replaces_only_what_the_response_has() {
        // The response, then the refresh token and the scopes afterwards.
        let table = [
            (r#"{"access_token":"new"}"#, "old-refresh", "a b"),
            (r#"{"access_token":"new","refresh_token":""}"#, "old-refresh", "a b"),
            (r#"{"access_token":"new","refresh_token":"new-refresh","scope":"a"}"#, "new-refresh", "a"),
        ];
        for (response, refresh_token, granted) in table {
            let server = authorization_server(200, response).await;
            let parts = ClientParts::new(&server);
            let old = Credential {
                issuer: parts.issuer.clone(),
                refresh_token: Some(Secret::new("old-refresh")),
                granted: Scopes::parse("a b"),
                session: "s".to_owned(),
                ..credential("old")
            };
            let old = parts.cache.save(old, CredentialSource::NewGrant, None).await.unwrap();
            let new = parts.refresher().refresh(&old).await.unwrap();
            assert_eq!(exposed(&new.credential), ("new", Some(refresh_token)), "{response}");
            assert_eq!(
                (new.credential.granted.to_string().as_str(), new.source),
                (granted, CredentialSource::Refresh)
            );
            assert_eq!(new.credential.session, "s");
            let stored = parts.cache.reload().await.unwrap().unwrap();
            assert_eq!((stored.token(), stored.revision), (new.token(), new.revision), "it is saved");
        }
    }

    #[tokio::test]
    async fn a_refusal_ends_the_session_unless_another_process_renewed_it() {
        let server =
            authorization_server(400, r#"{"error":"invalid_grant","error_description":"used"}"#).await;
        for is_renewed_elsewhere in [false, true] {
            let parts = ClientParts::new(&server);
            let renewable = |token| Credential {
                issuer: parts.issuer.clone(),
                refresh_token: Some(Secret::new("r")),
                ..credential(token)
            };
            let old = parts.cache.save(renewable("old"), CredentialSource::NewGrant, None).await.unwrap();
            if is_renewed_elsewhere {
                let newer =
                    parts.cache.save(renewable("newer"), CredentialSource::Refresh, Some(old.revision));
                newer.await.unwrap();
            }
            let outcome =
                parts.refresher().refresh(&old).await.map(|active| active.token().expose().to_owned());
            let stored = parts.cache.reload().await.unwrap().unwrap();
            match is_renewed_elsewhere {
                true => assert_eq!(outcome, Ok("newer".to_owned())),
                false => {
                    assert!(matches!(outcome, Err(AuthError::SignInAgain(why)) if why.contains("(used)")));
                }
            }
            assert_eq!(stored.credential.refresh_token.is_some(), is_renewed_elsewhere);
        }
    }

    #[tokio::test]
    async fn a_temporary_refusal_keeps_the_refresh_token() {
        let server = authorization_server(503, "busy").await;
        let parts = ClientParts::new(&server);
        let old = Credential {
            issuer: parts.issuer.clone(),
            refresh_token: Some(Secret::new("r")),
            ..credential("old")
        };
        let old = parts.cache.save(old, CredentialSource::NewGrant, None).await.unwrap();
        let error = parts.refresher().refresh(&old).await.map(drop).unwrap_err();
        assert!(error.is_temporary(), "{error}");
        assert!(parts.cache.reload().await.unwrap().unwrap().credential.refresh_token.is_some());
    }
}
