//! Accounts at remote MCP servers: the sign-in of a further account, and the proof with its token.
//!
//! Invariant: the credential of another account is neither used nor changed. An account is saved after its proof.

use loggia::client::Client;
use loggia_auth::client::{Credential, OAuth, OAuthBuilder};
use loggia_auth::error::AuthError;
use loggia_auth::loopback::LoopbackUserAgent;
use loggia_auth::scope::Scopes;
use loggia_connect::config_file::{Backend, Remote};
use loggia_connect::manifest::{ManifestTransport, ResolvedBackend};
use loggia_connect::secret::Secret;

use super::answers::AddAnswers;
use super::check::{ConnectorCheck, failed, upstream_health};
use super::error::AddError;
use super::finish::{ACCOUNT, account_name};
use super::plan::{AddPlan, PlanTarget};
use super::values::values;
use crate::account_record::{account_record, learn, server_credential};
use crate::connection::prepared;
use crate::credentials::Credentials;
use crate::server_accounts::has_authorization;
use crate::server_url::server_url;
use crate::sign_in::SignInOptions;

/// The prefix of the records of sign-ins whose account has no name yet.
const SIGN_INS: &str = "account-sign-in/";

impl AddPlan {
    /// Returns whether its accounts sign in at a remote MCP server.
    pub(super) fn is_server_sign_in(&self) -> bool {
        match (&self.target, self.manifest_backend()) {
            (_, Some((_, backend))) => {
                let is_sign_in = self.credential.as_ref().is_some_and(|credential| credential.is_sign_in);
                is_sign_in && matches!(backend.transport, ManifestTransport::Remote(_))
            }
            (target, None) => matches!(target, PlanTarget::Backend(Backend::Remote(_))),
        }
    }

    /// Signs the user in with a further account, proves it and saves it. Returns its name.
    pub(super) async fn save_server_account(
        &self,
        check: &ConnectorCheck<'_>,
        answers: &AddAnswers,
    ) -> Result<String, AddError> {
        let remote = self.remote(answers)?;
        let credentials = check.context.credentials();
        let browser = check.take_browser().ok_or_else(|| AddError::BrowserNeeded(self.title.clone()))?;
        let url = remote.url.expose();
        let record = format!("{SIGN_INS}{}", self.name);
        let oauth = self.server_oauth(answers, &remote, credentials, &record, browser).await?;
        let signed_in = Box::pin(self.sign_in_and_prove(&oauth, &remote, check, answers)).await;
        // The record is for the proof alone; the account gets one of its own.
        let removed = credentials.remove_record(&record).await;
        let (account, credential) = signed_in?;
        removed?;
        learn(credentials, &self.name, &credential);
        if account != ACCOUNT {
            self.keep_server_credential(credentials, url).await?;
        }
        credentials.save_account(&self.name, &account, account_record(&credential)).await?;
        Ok(account)
    }

    async fn sign_in_and_prove(
        &self,
        oauth: &OAuth,
        remote: &Remote<Secret>,
        check: &ConnectorCheck<'_>,
        answers: &AddAnswers,
    ) -> Result<(String, Credential), AddError> {
        let url = remote.url.expose();
        let refused = |error| AddError::SignIn { url: url.to_owned(), error };
        let first = oauth.sign_in().await.map_err(refused)?;
        let health = self.manifest_backend().and_then(|(_, backend)| upstream_health(backend));
        let mut result = None;
        if answers.is_checked {
            let client = prepared(remote, Client::builder()).map_err(|error| failed(&error))?;
            let client =
                client.authorize(oauth.clone()).connect(url).await.map_err(|error| failed(&error))?;
            let listed = check.list(&client, health.as_ref()).await;
            // A server that does not answer the goodbye changes nothing.
            let _ = client.close().await;
            result = Some(listed?);
        }
        // The proof may have renewed the token.
        let last = oauth.credential().await?.unwrap_or(first);
        Ok((account_name(answers, result.as_ref()), last))
    }

    /// Makes the sign-in of the server's URL an account, if there is one and no account yet: so it stays the default.
    async fn keep_server_credential(&self, credentials: &Credentials, url: &str) -> Result<(), AddError> {
        if !credentials.accounts(Some(&self.name)).await?.is_empty() {
            return Ok(());
        }
        match credentials.oauth(url).await?.credential().await {
            Ok(None) | Err(AuthError::Unreadable(_)) => Ok(()),
            Ok(Some(_)) => Ok(credentials.save_account(&self.name, ACCOUNT, server_credential()).await?),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns the server with the values of the user, but without a credential.
    fn remote(&self, answers: &AddAnswers) -> Result<Remote<Secret>, AddError> {
        let refused = |reason: String| AddError::unusable(format!("an account of {}", self.name), reason);
        let remote = match (&self.target, self.manifest_backend()) {
            (_, Some((manifest, backend))) => {
                let values = values(manifest, &answers.config, None)?;
                match backend.resolve(&values).map_err(|error| refused(error.to_string()))? {
                    ResolvedBackend::Configured(Backend::Remote(remote)) => remote,
                    _ => return Err(refused("it has no URL".to_owned())),
                }
            }
            (PlanTarget::Backend(Backend::Remote(remote)), None) => remote.clone(),
            _ => return Err(refused("it has no URL".to_owned())),
        };
        match has_authorization(&remote) {
            true => Err(refused("its credential is in its definition".to_owned())),
            false => Ok(remote),
        }
    }

    async fn server_oauth(
        &self,
        answers: &AddAnswers,
        remote: &Remote<Secret>,
        credentials: &Credentials,
        record: &str,
        browser: LoopbackUserAgent,
    ) -> Result<OAuth, AddError> {
        let options = match self.manifest_backend() {
            Some((_, backend)) => self.sign_in_options(answers, backend)?,
            None => SignInOptions {
                client: self.given_client(answers)?,
                issuer: remote.issuer.clone(),
                usual_scopes: requested_scopes(credentials, remote.url.expose()).await?,
                ..SignInOptions::default()
            },
        };
        let SignInOptions { client, issuer, resource, register_at, usual_scopes, .. } = options;
        let builder = credentials.account_oauth(record, remote.url.expose())?.user_agent(browser);
        let builder = builder.named(client.map(|client| client.client())).scopes(usual_scopes);
        let builder = issuer.into_iter().fold(builder, OAuthBuilder::issuer);
        let builder = resource.into_iter().fold(builder, OAuthBuilder::resource);
        let register_at = register_at.as_deref().map(server_url).transpose()?;
        Ok(register_at.into_iter().fold(builder, OAuthBuilder::registration_endpoint).build()?)
    }
}

/// Returns the scopes of the sign-in of a server's URL; a further account asks for the same.
async fn requested_scopes(credentials: &Credentials, url: &str) -> Result<Scopes, AuthError> {
    match credentials.oauth(url).await?.credential().await {
        Ok(credential) => Ok(credential.map(|credential| credential.requested).unwrap_or_default()),
        Err(AuthError::Unreadable(_)) => Ok(Scopes::default()),
        Err(error) => Err(error),
    }
}
