//! The accounts of users at connectors to which each user signs in: connections with the credentials of the user, and
//! the one-time links to the page at which the user signs in.
//!
//! Invariant: a link contains the name of the connector and a random code, and nothing about the user. It is valid
//! once, for the user for whom it was made, in a browser in which this user is signed in.

mod api_key_auth;
mod records;
mod step_up_auth;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::HeaderMap;
use loggia::client::ClientBuilder;
use loggia::service::{BoxFuture, Principal};
use loggia::{Error, Result};
use loggia_auth::client::{OAuth, OAuthBuilder};
use loggia_auth::error::AuthError;
use loggia_auth::jose::{random, sha256};
use loggia_auth::registration::{ApplicationType, ClientIdentity, RegisteredClient};
use loggia_auth::restricted_http::is_local;
use loggia_auth::scope::Scopes;
use loggia_auth::secret::Secret;
use loggia_auth::user_agent::AuthorizationRequest;
use loggia_connect::config_file::{KeyHeader, Personal, Remote};
use loggia_connect::secret;
use loggia_hub::{Opened, People};
use loggia_store::{SavedLogin, Vault};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;

use crate::connection::prepared;
use crate::connector::PersonalConnector;
use crate::credentials::Credentials;
use crate::request_header::header;
use crate::server_url::server_url;
use api_key_auth::ApiKeyAuth;
use records::{JsonRecords, SplitStore};
use step_up_auth::StepUpAuth;

/// The lifetime of a link, and the remaining lifetime below which another one is made.
const LINK_LIFE: Duration = Duration::from_secs(10 * 60);
const NEARLY_OVER: Duration = Duration::from_secs(2 * 60);
/// The name of an API key in the credentials of a user for a connector.
pub(crate) const API_KEY: &str = "api-key";
/// The name of tokens in these credentials.
const TOKENS: &str = "default";

/// The accounts of all users at all connectors.
#[derive(Clone)]
pub(crate) struct UserAccounts {
    /// The URL of the gateway without a path, which is also the issuer of its authorization server.
    base: String,
    /// Another issuer whose subjects are the same users.
    same_issuer: Option<String>,
    vault: Vault,
    credentials: Credentials,
}

/// The accounts of all users at one connector.
#[derive(Clone)]
pub(crate) struct ConnectorAccounts {
    accounts: UserAccounts,
    connector: PersonalConnector,
}

/// A link for one user.
#[derive(Serialize, Deserialize)]
struct OneTimeLink {
    code: String,
    /// The end of its validity, in seconds since 1970.
    until: u64,
}

impl UserAccounts {
    pub(crate) fn new(
        base: &str,
        same_issuer: Option<String>,
        vault: &Vault,
        credentials: &Credentials,
    ) -> UserAccounts {
        UserAccounts {
            base: base.to_owned(),
            same_issuer,
            vault: vault.clone(),
            credentials: credentials.clone(),
        }
    }

    /// Returns the accounts at one connector.
    pub(crate) fn at(&self, connector: PersonalConnector) -> ConnectorAccounts {
        ConnectorAccounts { accounts: self.clone(), connector }
    }

    /// Returns the name of a user in the vault: the subject of the sign-in at the gateway, which is also the subject
    /// of an API key. For a user of another issuer it is issuer and subject, so that two users never have the same
    /// name.
    fn owner(&self, issuer: Option<&str>, subject: &str) -> String {
        match issuer.filter(|issuer| *issuer != self.base && Some(*issuer) != self.same_issuer.as_deref()) {
            Some(issuer) => format!("{issuer} {subject}"),
            None if subject.contains("://") => format!("own {subject}"),
            None => subject.to_owned(),
        }
    }

    /// Returns whether other machines can fetch documents at the gateway's URL.
    fn is_public(&self) -> bool {
        self.base.starts_with("https://")
    }

    /// Returns the URL of the Client ID Metadata Document of the gateway, which is its client id.
    pub(crate) fn document_url(&self) -> String {
        format!("{}/connect/client.json", self.base)
    }

    /// Returns the Client ID Metadata Document, with these redirect URIs.
    pub(crate) fn document(&self, callbacks: &[String]) -> Value {
        json!({
            "client_id": self.document_url(),
            "client_name": "Loggia",
            "client_uri": self.base,
            "redirect_uris": callbacks,
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
            "application_type": if self.is_public() { "web" } else { "native" },
        })
    }

    fn records(&self) -> JsonRecords {
        JsonRecords::new(self.vault.internal("connect"))
    }
}

impl ConnectorAccounts {
    pub(crate) fn accounts(&self) -> &UserAccounts {
        &self.accounts
    }

    pub(crate) fn name(&self) -> &str {
        self.connector.name()
    }

    /// Returns the name in the vault of a user who is signed in at the gateway.
    pub(crate) fn owner(&self, subject: &str) -> String {
        self.accounts.owner(None, subject)
    }

    /// Returns the address and the headers of the connector.
    pub(crate) fn remote(&self) -> Result<Remote<secret::Secret>> {
        self.connector.remote()
    }

    /// Returns the authorization of a user at the connector's server.
    pub(crate) fn oauth(&self, remote: &Remote<secret::Secret>, owner: &str) -> Result<OAuth, AuthError> {
        self.oauth_builder(remote, owner)?.build()
    }

    /// Starts a sign-in. It also requests the scopes that the last credential lacked.
    pub(crate) async fn begin(
        &self,
        remote: &Remote<secret::Secret>,
        owner: &str,
    ) -> Result<AuthorizationRequest, AuthError> {
        let scopes = self.wanted(owner).await?;
        self.oauth_builder(remote, owner)?.scopes(scopes).build()?.begin(&self.callback()).await
    }

    fn oauth_builder(&self, remote: &Remote<secret::Secret>, owner: &str) -> Result<OAuthBuilder, AuthError> {
        let url = server_url(remote.url.expose())?;
        let vault = &self.accounts.vault;
        let store = SplitStore::new(vault.scope(owner, self.name()), vault.internal("clients"));
        let mut identity = ClientIdentity::new("Loggia");
        if self.accounts.is_public() {
            identity.application_type = ApplicationType::Web;
            identity.metadata_document = Url::parse(&self.accounts.document_url()).ok();
        }
        if let Some(Personal::SignIn(Some(client))) = &remote.personal {
            let id = client.id.as_str();
            identity = identity.registered(match &client.secret {
                Some(secret) => RegisteredClient::with_secret(id, secret.clone()),
                None => RegisteredClient::public(id),
            });
        }
        let policy = self.accounts.credentials.policy(is_local(&url));
        let builder = OAuth::builder(url, identity).policy(policy).store(Arc::new(store), TOKENS);
        Ok(remote.issuer.iter().fold(builder, |builder, issuer| builder.issuer(issuer)))
    }

    /// Revokes the tokens of a user at the server, if the server supports it, and deletes them.
    pub(crate) async fn sign_out(&self, owner: &str) -> Result<(), AuthError> {
        let remote = self.remote().map_err(|error| AuthError::Configuration(error.to_string()))?;
        match remote.personal {
            Some(Personal::ApiKey(_)) => Ok(()),
            _ => self.oauth(&remote, owner)?.sign_out().await,
        }
    }

    /// Saves the API key of a user.
    pub(crate) async fn keep_key(&self, owner: &str, key: &str) -> Result<(), AuthError> {
        let login = SavedLogin::ApiKey(Secret::new(key));
        Ok(self.accounts.vault.put(owner, self.name(), API_KEY, &login).await?)
    }

    /// Returns the redirect URI of sign-ins.
    pub(crate) fn callback(&self) -> String {
        format!("{}/connect/{}/callback", self.accounts.base, self.name())
    }

    /// Stores the scopes that the credential of a user lacks.
    pub(crate) async fn request_scopes(&self, owner: &str, scopes: &Scopes) -> Result<(), AuthError> {
        let (records, name) = (self.accounts.records(), self.wanted_name(owner));
        let revision = records.load::<String>(&name).await?.map(|(_, revision)| revision);
        let scopes = self.wanted(owner).await?.union(scopes).to_string();
        // If another request wrote meanwhile, it lacked a scope, too. A later sign-in asks for the one that is not
        // stored now.
        records.save(&name, &scopes, revision, SystemTime::now() + LINK_LIFE).await.map(drop)
    }

    /// Returns the scopes that the credential of a user lacked.
    async fn wanted(&self, owner: &str) -> Result<Scopes, AuthError> {
        let found = self.accounts.records().load::<String>(&self.wanted_name(owner)).await?;
        Ok(found.map(|(scopes, _)| scopes.split_whitespace().collect()).unwrap_or_default())
    }

    fn wanted_name(&self, owner: &str) -> String {
        format!("wanted/{}/{}", self.name(), sha256(owner))
    }

    /// Returns whether a code belongs to the link for this user.
    pub(crate) async fn is_link_valid(&self, owner: &str, code: &str) -> Result<bool, AuthError> {
        let found = self.accounts.records().load::<OneTimeLink>(&self.link_name(owner)).await?;
        Ok(found.is_some_and(|(link, _)| link.is_valid(code)))
    }

    /// Invalidates the link; `false` if it is not valid.
    pub(crate) async fn use_link(&self, owner: &str, code: &str) -> Result<bool, AuthError> {
        let (records, name) = (self.accounts.records(), self.link_name(owner));
        match records.load::<OneTimeLink>(&name).await? {
            Some((link, revision)) if link.is_valid(code) => records.remove(&name, revision).await,
            _ => Ok(false),
        }
    }

    /// Remembers the user who was redirected to the sign-in page, until the callback with this state.
    pub(crate) async fn save_redirect(&self, owner: &str, state: &Secret) -> Result<(), AuthError> {
        let until = SystemTime::now() + LINK_LIFE;
        self.accounts.records().save(&self.redirect_name(state), &owner, None, until).await.map(drop)
    }

    /// Returns whether this user was redirected with this state. Each redirect is valid once.
    pub(crate) async fn take_redirect(&self, owner: &str, state: &Secret) -> Result<bool, AuthError> {
        let (records, name) = (self.accounts.records(), self.redirect_name(state));
        match records.load::<String>(&name).await? {
            Some((redirected, revision)) if redirected == owner => records.remove(&name, revision).await,
            _ => Ok(false),
        }
    }

    fn link_name(&self, owner: &str) -> String {
        format!("invitation/{}/{}", self.name(), sha256(owner))
    }

    fn redirect_name(&self, state: &Secret) -> String {
        format!("away/{}/{}", self.name(), sha256(state.expose()))
    }

    /// Returns a link for a user. Returns the last one if it is valid for long enough, so that repeated requests
    /// create no more.
    async fn link(&self, owner: &str) -> Result<String, AuthError> {
        let (records, name) = (self.accounts.records(), self.link_name(owner));
        let now = SystemTime::now();
        let before = records.load::<OneTimeLink>(&name).await?;
        let code = match before {
            Some((link, _)) if link.until > seconds(now + NEARLY_OVER) => link.code,
            before => {
                let until = now + LINK_LIFE;
                let next = OneTimeLink { code: random(24), until: seconds(until) };
                let revision = before.map(|(_, revision)| revision);
                if !records.save(&name, &next, revision, until).await? {
                    return Err(AuthError::StoreUnavailable(
                        "the same link is made by several at once".to_owned(),
                    ));
                }
                next.code
            }
        };
        Ok(format!("{}/connect/{}?invitation={code}", self.accounts.base, self.name()))
    }

    /// Returns the header with the API key of a user, if there is one.
    async fn key_headers(&self, owner: &str, key_header: &KeyHeader) -> Result<Option<HeaderMap>> {
        let login = self.accounts.vault.get(owner, self.name(), API_KEY).await.map_err(AuthError::from)?;
        let Some(SavedLogin::ApiKey(key)) = login else { return Ok(None) };
        let value = key_header.value(key.expose()).map_err(|why| Error::Configuration(why.to_owned()))?;
        Ok(Some(HeaderMap::from_iter([header(&key_header.name, value.expose())?])))
    }

    async fn open_for(&self, client: ClientBuilder, owner: &str) -> Result<Option<Opened>> {
        let remote = self.remote()?;
        let url = remote.url.expose();
        let client = prepared(&remote, self.connector.versioned(client))?;
        let client = match &remote.personal {
            Some(Personal::ApiKey(key_header)) => {
                let Some(shown) = self.key_headers(owner, key_header).await? else { return Ok(None) };
                let server = Url::parse(url).map_err(|error| Error::Configuration(error.to_string()))?;
                client.authorize(ApiKeyAuth::new(self.clone(), owner, key_header.clone(), &server, shown))
            }
            _ => {
                let oauth = self.oauth(&remote, owner)?;
                if oauth.credential().await?.is_none() {
                    return Ok(None);
                }
                let (accounts, owner) = (self.clone(), owner.to_owned());
                client.authorize(StepUpAuth { oauth, accounts, owner })
            }
        };
        client.connect(url).await.map(|client| Some(Opened::Client(client)))
    }
}

impl People for ConnectorAccounts {
    fn person(&self, principal: &Principal) -> String {
        self.accounts.owner(principal.issuer.as_deref(), &principal.subject)
    }

    fn open<'a>(&'a self, client: ClientBuilder, person: &'a str) -> BoxFuture<'a, Result<Option<Opened>>> {
        Box::pin(self.open_for(client, person))
    }

    fn sign_in_url<'a>(&'a self, person: &'a str) -> BoxFuture<'a, Result<String>> {
        Box::pin(async move {
            // A browser session of the gateway never belongs to another issuer.
            if person.contains("://") && !person.starts_with("own ") {
                return Err(Error::Configuration("only those who sign in here can sign in there".to_owned()));
            }
            Ok(self.link(person).await?)
        })
    }
}

impl OneTimeLink {
    fn is_valid(&self, code: &str) -> bool {
        // Digests are compared, so that the time of the comparison reveals nothing about the code.
        sha256(&self.code) == sha256(code) && self.until > seconds(SystemTime::now())
    }
}

fn seconds(time: SystemTime) -> u64 {
    loggia_auth::clock::seconds(time)
}
