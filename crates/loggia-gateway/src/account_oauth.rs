//! OAuth for the accounts of direct backends: the sign-in at the authorization server of an API, and its tokens.
//!
//! An API has no metadata that leads to its authorization server; the manifest names the endpoints. Invariant: the record of
//! an account holds one credential, of one connector, and is renewed in place.

use std::sync::{Arc, Mutex, PoisonError};

use loggia::service::BoxFuture;
use loggia_auth::client::{AuthorizationEndpoints, Credential, OAuth, OAuthBuilder};
use loggia_auth::error::AuthError;
use loggia_auth::loopback::LoopbackUserAgent;
use loggia_auth::registration::{ClientIdentity, RegisteredClient};
use loggia_auth::restricted_http::is_local;
use loggia_auth::scope::Scopes;
use loggia_auth::secret::Secret;
use loggia_auth::store::FileStore;
use loggia_connect::direct::AccessTokenSource;
use loggia_connect::manifest::{ConnectorValues, ManifestBackend, ManifestTransport};
use url::Url;

use crate::account_record::{account_key, learn};
use crate::credentials::Credentials;
use crate::server_url::server_url;

/// The authorization server of an API, as the manifest of a connector names it.
pub(crate) struct ApiAuthorization {
    connector: String,
    /// The URL of the API.
    server: Url,
    endpoints: AuthorizationEndpoints,
    resource: Option<String>,
}

impl ApiAuthorization {
    /// Returns whether users of a backend sign in at endpoints that its manifest names.
    pub(crate) fn is_named_by(backend: &ManifestBackend) -> bool {
        let auth = &backend.auth;
        backend.kind().is_direct() && auth.class.is_oauth() && auth.token_endpoint.is_some()
    }

    /// Returns the authorization server of a backend; `None` if its users do not sign in at endpoints that it names.
    ///
    /// # Errors
    ///
    /// [`AuthError::Configuration`] if the manifest is wrong, or a value is missing.
    pub(crate) fn of(
        connector: &str,
        backend: &ManifestBackend,
        values: &ConnectorValues,
    ) -> Result<Option<ApiAuthorization>, AuthError> {
        let auth = &backend.auth;
        let endpoints = auth.authorization_endpoint.as_deref().zip(auth.token_endpoint.as_deref());
        let Some((page, token)) = endpoints.filter(|_| ApiAuthorization::is_named_by(backend)) else {
            return Ok(None);
        };
        let base_url = match &backend.transport {
            ManifestTransport::OpenApi(api) => api.base_url.as_ref(),
            ManifestTransport::GraphQl(api) => Some(&api.url),
            _ => None,
        };
        let wrong = |reason: String| AuthError::Configuration(format!("{connector}: {reason}"));
        let base_url = base_url.ok_or_else(|| wrong("its API has no URL".to_owned()))?;
        let base_url = values.text(base_url).map_err(|missing| wrong(missing.to_string()))?;
        let authorization_endpoint = server_url(page)?;
        let issuer = auth.issuer.clone();
        let issuer = issuer.unwrap_or_else(|| authorization_endpoint.origin().ascii_serialization());
        Ok(Some(ApiAuthorization {
            connector: connector.to_owned(),
            server: server_url(base_url.expose())?,
            endpoints: AuthorizationEndpoints {
                issuer,
                authorization_endpoint,
                token_endpoint: server_url(token)?,
                authorize_params: auth.authorize_params.clone().into_iter().collect(),
            },
            resource: auth.resource.clone(),
        }))
    }

    /// Returns the URL of the API.
    pub(crate) fn server(&self) -> &Url {
        &self.server
    }

    /// Signs the user in with a client that the user registered. The caller saves the credential.
    ///
    /// # Errors
    ///
    /// [`AuthError`] if the user does not sign in, or the authorization server refuses.
    pub(crate) async fn sign_in(
        &self,
        credentials: &Credentials,
        client: RegisteredClient,
        scopes: Scopes,
        browser: LoopbackUserAgent,
    ) -> Result<Credential, AuthError> {
        let client = client.at(&self.endpoints.issuer);
        let builder = self.builder(credentials, Some(client)).scopes(scopes).user_agent(browser);
        let credential = builder.build()?.sign_in().await?;
        learn(credentials, &self.connector, &credential);
        Ok(credential)
    }

    /// Returns the tokens of an account.
    ///
    /// # Errors
    ///
    /// [`AuthError`] if the store cannot be opened.
    pub(crate) fn tokens(
        &self,
        credentials: &Credentials,
        account: &str,
    ) -> Result<AccountTokens, AuthError> {
        let store = Arc::new(FileStore::open(credentials.folder()?)?);
        let key = account_key(&self.connector, account);
        let oauth = self.builder(credentials, None).store(store, key.clone()).record_name(key).build()?;
        Ok(AccountTokens {
            oauth,
            connector: self.connector.clone(),
            account: account.to_owned(),
            credentials: credentials.clone(),
            last: Mutex::default(),
        })
    }

    fn builder(&self, credentials: &Credentials, client: Option<RegisteredClient>) -> OAuthBuilder {
        let mut identity = ClientIdentity::new("Loggia");
        identity.dynamic = false;
        identity.registered.extend(client);
        let policy = credentials.policy(is_local(&self.server));
        let builder = OAuth::builder(self.server.clone(), identity).policy(policy);
        let builder = builder.endpoints(self.endpoints.clone());
        self.resource.iter().fold(builder, OAuthBuilder::resource)
    }
}

/// The access tokens of one account.
pub(crate) struct AccountTokens {
    oauth: OAuth,
    connector: String,
    account: String,
    credentials: Credentials,
    /// The token that the redactor learned last.
    last: Mutex<Option<Secret>>,
}

impl AccountTokens {
    /// Returns the token, and lets the redactor learn one that is new.
    fn learned(&self, credential: &Credential) -> Secret {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.as_ref() != Some(&credential.access_token) {
            learn(&self.credentials, &self.connector, credential);
            *last = Some(credential.access_token.clone());
        }
        credential.access_token.clone()
    }

    fn reconnect(&self) -> String {
        let AccountTokens { connector, account, .. } = self;
        format!("the user signs in again with `loggia accounts reconnect {connector} --account {account:?}`")
    }

    fn ended(&self, reason: &str) -> String {
        let AccountTokens { connector, account, .. } = self;
        let next = self.reconnect();
        format!("The sign-in of the account {account:?} of {connector} has ended{reason}: {next}.")
    }

    fn failed(&self, error: &AuthError) -> String {
        let AccountTokens { connector, account, .. } = self;
        match error {
            AuthError::SignInAgain(reason) => self.ended(&format!(" ({reason})")),
            error if error.is_temporary() => format!(
                "The token of the account {account:?} of {connector} cannot be renewed now: {error}. Call again later."
            ),
            error => format!(
                "The token of the account {account:?} of {connector} cannot be renewed: {error}; {}.",
                self.reconnect()
            ),
        }
    }
}

impl AccessTokenSource for AccountTokens {
    fn token(&self) -> BoxFuture<'_, Result<Secret, String>> {
        Box::pin(async move {
            match self.oauth.valid_credential().await {
                Ok(Some(credential)) => Ok(self.learned(&credential)),
                Ok(None) => Err(self.ended("")),
                Err(error) => Err(self.failed(&error)),
            }
        })
    }

    fn replace<'a>(&'a self, refused: &'a Secret) -> BoxFuture<'a, Result<Secret, String>> {
        Box::pin(async move {
            let renewed = self.oauth.replace_refused(refused).await;
            renewed.map(|credential| self.learned(&credential)).map_err(|error| self.failed(&error))
        })
    }

    fn refusal(&self) -> String {
        let AccountTokens { connector, account, .. } = self;
        format!(
            "The API refuses the account {account:?} of {connector}, also with a new token: {}.",
            self.reconnect()
        )
    }
}
