//! The sign-in of the user who runs the program to a server at a URL. Invariant: a token source is kept only after a sign-in
//! with it has succeeded.

use loggia_auth::client::{Credential, OAuthBuilder};
use loggia_auth::error::AuthError;
use loggia_auth::loopback::LoopbackUserAgent;
use loggia_auth::scope::Scopes;

use crate::credential_report::{CredentialReport, SignInState};
use crate::credentials::Credentials;
use crate::server_url::server_url;
use crate::token_source::{PreregisteredClient, TokenSource};

/// The choices of a user for a sign-in. The default needs no choice.
#[derive(Debug, Clone, Default)]
pub struct SignInOptions {
    /// A client that was registered by hand; it is kept for later sign-ins.
    pub client: Option<PreregisteredClient>,
    /// A source of tokens in place of the server's sign-in page, for `client`.
    pub source: Option<TokenSource>,
    /// An issuer to accept although the server lists it with another slash at its end.
    pub issuer: Option<String>,
    /// A resource indicator (RFC 8707) in place of the published one.
    pub resource: Option<String>,
    /// A registration endpoint in place of the published one.
    pub register_at: Option<String>,
    /// Further scopes. A user who has them not signs in again.
    pub scopes: Scopes,
    /// Scopes that a sign-in asks for, too. A user who is signed in already does not sign in again for them.
    pub usual_scopes: Scopes,
}

impl Credentials {
    /// Returns the reason why the saved credential for the server at `url` cannot be read. A sign-in replaces it.
    ///
    /// # Errors
    ///
    /// [`AuthError`] where the URL is no server's, or the store cannot be read.
    pub async fn unreadable(&self, url: &str) -> Result<Option<String>, AuthError> {
        match self.oauth(url).await?.credential().await {
            Err(AuthError::Unreadable(why)) => Ok(Some(why)),
            other => other.map(|_| None),
        }
    }

    /// Signs in to the server at `url`, and reports. A user who is signed in already signs in again only for another client
    /// or for further scopes.
    ///
    /// # Errors
    ///
    /// [`AuthError`] where the sign-in fails.
    pub async fn sign_in(
        &self,
        url: &str,
        options: SignInOptions,
        browser: LoopbackUserAgent,
    ) -> Result<CredentialReport, AuthError> {
        let SignInOptions { client, source, issuer, resource, register_at, scopes, usual_scopes } = options;
        let before = match self.oauth(url).await?.credential().await {
            Err(AuthError::Unreadable(_)) => None,
            other => other?,
        };
        let anew = client.is_some() || !scopes.is_empty();
        let scopes = scopes.union(&usual_scopes);
        // A server that wanted more after all has to be asked for what there was, too.
        let scopes = before.as_ref().map_or(scopes.clone(), |before| scopes.union(&before.requested));
        let source = match client {
            Some(_) => source,
            None => self.token_source(url).await?,
        };
        let named = client.as_ref().filter(|_| source.is_none()).map(PreregisteredClient::client);
        let builder = self.oauth_builder(url, source.as_ref(), Some(browser))?.named(named).scopes(scopes);
        let builder = issuer.iter().fold(builder, |builder, issuer| builder.issuer(issuer));
        let builder = resource.iter().fold(builder, |builder, resource| builder.resource(resource));
        let register_at = register_at.as_deref().map(server_url).transpose()?;
        let builder = register_at.into_iter().fold(builder, OAuthBuilder::registration_endpoint);
        let oauth = builder.build()?;
        let credential = match anew {
            true => Some(oauth.sign_in().await?),
            false => oauth.ensure().await?,
        };
        if anew {
            self.keep_token_source(url, source.as_ref()).await?;
        }
        let report = |now: &Credential| CredentialReport::of(url, now, source.is_some());
        Ok(match (credential, before) {
            (None, _) => CredentialReport::new(url, SignInState::NotNeeded),
            (Some(now), Some(before)) if now.access_token == before.access_token => {
                report(&now).note("you were signed in already")
            }
            (Some(now), _) => report(&now),
        })
    }
}
