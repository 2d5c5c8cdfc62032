//! The sign-in of a user while a connector or an account is added: the client that the user registered, the scopes, and the
//! credential.
//!
//! Invariant: a sign-in to an API stores nothing; the caller saves the credential after the proof.

use loggia_auth::client::Credential;
use loggia_auth::registration::RegisteredClient;
use loggia_auth::scope::Scopes;
use loggia_connect::manifest::{BackendAuth, ManifestBackend};
use loggia_connect::secret::Secret;

use super::answers::{AddAnswers, AddCredential, CLIENT_ID, CLIENT_SECRET, ClientSecret, MissingAnswer};
use super::check::ConnectorCheck;
use super::error::AddError;
use super::plan::AddPlan;
use super::values;
use crate::account_oauth::ApiAuthorization;
use crate::account_record::account_record;
use crate::sign_in::SignInOptions;
use crate::token_source::PreregisteredClient;

/// The port at which the answer of a sign-in arrives, if the user registers the redirect URI at the vendor.
const REDIRECT_PORT: u16 = 14000;

/// A credential of a sign-in to an API, which is not saved yet.
pub(super) struct ApiSignIn(Credential);

impl ApiSignIn {
    /// Returns the access token, for the proof.
    pub(super) fn token(&self) -> Secret {
        self.0.access_token.clone()
    }

    /// Returns the record of the account.
    pub(super) fn record(&self) -> Secret {
        account_record(&self.0)
    }

    /// Returns the scopes that the vendor granted.
    pub(super) fn scopes(&self) -> Vec<String> {
        self.0.granted.iter().map(str::to_owned).collect()
    }
}

impl AddPlan {
    /// Returns the port at which a user agent receives the answer of a sign-in: a fixed one if the user registers the
    /// redirect URI at the vendor, otherwise 0 for any free port.
    pub fn redirect_port(&self) -> u16 {
        match self.asks_for_client() {
            true => REDIRECT_PORT,
            false => 0,
        }
    }

    /// Returns whether the user signs in with a client of their own.
    pub(super) fn asks_for_client(&self) -> bool {
        self.credential.as_ref().is_some_and(|credential| credential.needs_client)
    }

    /// Returns what is missing of the client.
    pub(super) fn missing_client(&self, answers: &AddAnswers) -> Vec<MissingAnswer> {
        let has_other = answers.credential.is_some() || !answers.is_checked || !self.known_clients.is_empty();
        if !self.asks_for_client() || (answers.client_id.is_none() && has_other) {
            return Vec::new();
        }
        let missing = |field: &str, title: &str| MissingAnswer {
            field: field.to_owned(),
            title: title.to_owned(),
            description: None,
            is_secret: field == CLIENT_SECRET,
            choices: Vec::new(),
            steps: Vec::new(),
        };
        let mut fields = Vec::new();
        if answers.client_id.is_none() {
            let steps = self.credential.as_ref().map(|credential| credential.steps.clone());
            let redirect = format!("the redirect URL is http://127.0.0.1:{REDIRECT_PORT}/callback");
            let description = Some(redirect);
            let steps = steps.unwrap_or_default();
            fields.push(MissingAnswer { description, steps, ..missing(CLIENT_ID, "Client ID") });
        }
        if answers.client_secret == ClientSecret::Unknown {
            let description = Some("empty if the client has none".to_owned());
            fields.push(MissingAnswer { description, ..missing(CLIENT_SECRET, "Client secret") });
        }
        fields
    }

    /// Returns the scopes that a sign-in asks for.
    pub(super) fn wanted_scopes(&self, answers: &AddAnswers) -> Scopes {
        let write = self.write_scopes.iter().filter(|_| !answers.is_read_only);
        self.read_scopes.iter().chain(write).collect()
    }

    /// Returns the client of the answers.
    pub(super) fn given_client(&self, answers: &AddAnswers) -> Result<Option<PreregisteredClient>, AddError> {
        let Some(id) = answers.client_id.clone() else { return Ok(None) };
        let secret = match &answers.client_secret {
            ClientSecret::Unknown | ClientSecret::None => None,
            ClientSecret::Given(secret) => Some(secret),
        };
        let secret = secret.map(values::current).transpose()?;
        Ok(Some(PreregisteredClient { id, secret }))
    }

    /// Returns the options of a sign-in to an MCP server.
    pub(super) fn sign_in_options(
        &self,
        answers: &AddAnswers,
        backend: &ManifestBackend,
    ) -> Result<SignInOptions, AddError> {
        let BackendAuth { issuer, resource, register_at, .. } = &backend.auth;
        Ok(SignInOptions {
            client: self.given_client(answers)?,
            issuer: issuer.clone(),
            resource: resource.clone(),
            register_at: register_at.clone(),
            usual_scopes: self.wanted_scopes(answers),
            ..SignInOptions::default()
        })
    }

    /// Returns whether the user signs in to an API, and not to an MCP server.
    pub(super) fn is_api_sign_in(&self) -> bool {
        self.manifest_backend().is_some_and(|(_, backend)| ApiAuthorization::is_named_by(backend))
    }

    /// Signs the user in to the API; `None` if the connector has another credential.
    pub(super) async fn sign_in_to_api(
        &self,
        check: &ConnectorCheck<'_>,
        answers: &AddAnswers,
    ) -> Result<Option<ApiSignIn>, AddError> {
        let Some((manifest, backend)) = self.manifest_backend() else { return Ok(None) };
        if answers.credential.is_some() || !ApiAuthorization::is_named_by(backend) {
            return Ok(None);
        }
        let values = values::values(manifest, &answers.config, None)?;
        let Some(authorization) = ApiAuthorization::of(&self.name, backend, &values)? else {
            return Ok(None);
        };
        let Some(browser) = check.take_browser() else {
            return match answers.is_checked {
                true => Err(AddError::BrowserNeeded(self.title.clone())),
                false => Ok(None),
            };
        };
        let client = match self.given_client(answers)? {
            Some(client) => Some(client.client()),
            None => self.known_client(answers.account.as_deref()),
        };
        let Some(client) = client else { return Err(AddError::Missing(self.missing_client(answers))) };
        let (credentials, scopes) = (check.context.credentials(), self.wanted_scopes(answers));
        let signed_in = Box::pin(authorization.sign_in(credentials, client, scopes, browser)).await;
        let url = authorization.server().to_string();
        signed_in
            .map(|credential| Some(ApiSignIn(credential)))
            .map_err(|error| AddError::SignIn { url, error })
    }

    /// Returns the client with which an account was signed in, or that of the default account.
    fn known_client(&self, account: Option<&str>) -> Option<RegisteredClient> {
        let same = self.known_clients.iter().find(|(name, _)| Some(name.as_str()) == account);
        same.or(self.known_clients.first()).map(|(_, client)| client.client())
    }

    /// Reads a value that the user typed for a field of [`MissingAnswer`].
    ///
    /// # Errors
    ///
    /// The reason why the value does not fit, for the user.
    pub fn answer(&self, answers: &mut AddAnswers, field: &str, text: &str) -> Result<(), String> {
        match field {
            "credential" => answers.credential = Some(text.parse().map_err(str::to_owned)?),
            CLIENT_ID if text.trim().is_empty() => return Err("the client ID is empty".to_owned()),
            CLIENT_ID if self.asks_for_client() => answers.client_id = Some(text.trim().to_owned()),
            CLIENT_SECRET if self.asks_for_client() => {
                answers.client_secret = match text.trim().is_empty() {
                    true => ClientSecret::None,
                    false => ClientSecret::Given(text.parse().map_err(str::to_owned)?),
                };
            }
            field => {
                let value = self.read_value(field, text.trim()).map_err(|problem| problem.message)?;
                answers.config.insert(field.to_owned(), value);
            }
        }
        Ok(())
    }
}

/// Returns the credential to save: that of the sign-in, or the one that the user entered.
pub(super) fn saved(answers: &AddAnswers, signed_in: Option<&ApiSignIn>) -> Option<Secret> {
    match (signed_in, &answers.credential) {
        (Some(signed_in), _) => Some(signed_in.record()),
        (None, Some(AddCredential::Saved(secret))) => Some(secret.clone()),
        (None, _) => None,
    }
}
