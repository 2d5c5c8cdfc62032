//! Connectors to which everybody signs in for themselves: whose connection is opened with which credential, and
//! the links by which people are sent to the page where they sign in.
//!
//! A link names the connector and holds a random code, and nothing of the person. It counts for the person it was
//! made for, in a browser where that person is signed in, once.

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
use loggia_auth::store::{StoreFuture, StoredRecord, TokenStore};
use loggia_auth::user_agent::AuthorizationRequest;
use loggia_connect::manifest::{KeyHeader, Personal, Remote};
use loggia_connect::secret;
use loggia_hub::{Opened, People};
use loggia_store::{Namespace, SavedLogin, Vault};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;

use super::api_key_auth::ApiKeyAuth;
use super::step_up_auth::StepUpAuth;
use crate::config::{self, Own};
use crate::credentials::{self, Credentials};

/// How long a link counts, and how soon before its end another one is made.
const INVITATION: Duration = Duration::from_secs(10 * 60);
const NEARLY_OVER: Duration = Duration::from_secs(2 * 60);
/// The name of an API key among a person's credentials for a connector.
pub(crate) const API_KEY: &str = "api-key";
/// The name of tokens among them.
const TOKENS: &str = "default";

/// Where everybody's own credentials are, for all connectors.
#[derive(Clone)]
pub(crate) struct Accounts {
    /// The URL of the hub without a path, which is also the name of its authorization server.
    base: String,
    /// Another issuer whose people are the same.
    same: Option<String>,
    vault: Vault,
    credentials: Credentials,
}

/// One connector to which everybody signs in for themselves.
#[derive(Clone)]
pub(crate) struct Account {
    accounts: Accounts,
    own: Own,
}

/// A link that was made for somebody.
#[derive(Serialize, Deserialize)]
struct Invitation {
    code: String,
    /// In seconds since 1970.
    until: u64,
}

impl Accounts {
    pub(crate) fn new(
        base: &str,
        same: Option<String>,
        vault: &Vault,
        credentials: &Credentials,
    ) -> Accounts {
        Accounts { base: base.to_owned(), same, vault: vault.clone(), credentials: credentials.clone() }
    }

    pub(crate) fn of(&self, own: Own) -> Account {
        Account { accounts: self.clone(), own }
    }

    /// The name under which somebody's credentials are kept: that of sign-in here, which API keys share; and for
    /// those whom another issuer vouches for, both names, so that nobody is taken for another.
    fn owner(&self, issuer: Option<&str>, subject: &str) -> String {
        match issuer.filter(|issuer| *issuer != self.base && Some(*issuer) != self.same.as_deref()) {
            Some(issuer) => format!("{issuer} {subject}"),
            None if subject.contains("://") => format!("own {subject}"),
            None => subject.to_owned(),
        }
    }

    /// Whether others than this machine can see what is at the hub's URL.
    fn is_public(&self) -> bool {
        self.base.starts_with("https://")
    }

    /// Where the document is that describes Loggia as a client (Client ID Metadata Documents). The URL is its name.
    pub(crate) fn document_url(&self) -> String {
        format!("{}/connect/client.json", self.base)
    }

    /// The document, for a client that is sent back to these places.
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

    fn notes(&self) -> Notes {
        Notes(self.vault.internal("connect"))
    }
}

impl Account {
    pub(crate) fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    pub(crate) fn name(&self) -> &str {
        self.own.name()
    }

    /// Whose credentials those of somebody are who is signed in here.
    pub(crate) fn owner(&self, subject: &str) -> String {
        self.accounts.owner(None, subject)
    }

    /// What everybody is given, and by whom.
    pub(crate) fn remote(&self) -> Result<Remote<secret::Secret>> {
        self.own.remote()
    }

    /// The sign-in of somebody at the connector's server.
    pub(crate) fn oauth(&self, remote: &Remote<secret::Secret>, owner: &str) -> Result<OAuth, AuthError> {
        self.oauth_builder(remote, owner)?.build()
    }

    /// The sign-in of somebody who may have found that they were allowed too little.
    pub(crate) async fn begin(
        &self,
        remote: &Remote<secret::Secret>,
        owner: &str,
    ) -> Result<AuthorizationRequest, AuthError> {
        let scopes = self.wanted(owner).await?;
        self.oauth_builder(remote, owner)?.scopes(scopes).build()?.begin(&self.callback()).await
    }

    fn oauth_builder(&self, remote: &Remote<secret::Secret>, owner: &str) -> Result<OAuthBuilder, AuthError> {
        let url = credentials::server(remote.url.expose())?;
        let vault = &self.accounts.vault;
        let store = SplitStore { own: vault.scope(owner, self.name()), clients: vault.internal("clients") };
        let mut identity = ClientIdentity::new("Loggia");
        if self.accounts.is_public() {
            identity.application_type = ApplicationType::Web;
            identity.metadata_document = Url::parse(&self.accounts.document_url()).ok();
        }
        if let Some(Personal::SignIn(Some(client))) = &remote.personal {
            let id = client.id.as_str();
            identity = identity.registered(match &client.secret {
                Some(secret) => RegisteredClient::with_secret(id, Secret::new(secret.expose())),
                None => RegisteredClient::public(id),
            });
        }
        let policy = self.accounts.credentials.policy(is_local(&url));
        let builder = OAuth::builder(url, identity).policy(policy).store(Arc::new(store), TOKENS);
        Ok(remote.issuer.iter().fold(builder, |builder, issuer| builder.issuer(issuer)))
    }

    /// Takes back what somebody was given there, where that is possible, and forgets it.
    pub(crate) async fn sign_out(&self, owner: &str) -> Result<(), AuthError> {
        let remote = self.remote().map_err(|error| AuthError::Configuration(error.to_string()))?;
        match remote.personal {
            Some(Personal::ApiKey(_)) => Ok(()),
            _ => self.oauth(&remote, owner)?.sign_out().await,
        }
    }

    /// Keeps an API key of somebody.
    pub(crate) async fn keep_key(&self, owner: &str, key: &str) -> Result<(), AuthError> {
        let login = SavedLogin::ApiKey(Secret::new(key));
        Ok(self.accounts.vault.put(owner, self.name(), API_KEY, &login).await?)
    }

    /// Where the answer of a sign-in arrives.
    pub(crate) fn callback(&self) -> String {
        format!("{}/connect/{}/callback", self.accounts.base, self.name())
    }

    /// Remembers what somebody's credential lacks.
    pub(crate) async fn want(&self, owner: &str, scopes: &Scopes) -> Result<(), AuthError> {
        let (notes, name) = (self.accounts.notes(), self.wanted_name(owner));
        let revision = notes.load::<String>(&name).await?.map(|(_, revision)| revision);
        let scopes = self.wanted(owner).await?.union(scopes).to_string();
        // Who wrote in between lacked something too: it is asked for the time after.
        notes.save(&name, &scopes, revision, SystemTime::now() + INVITATION).await.map(drop)
    }

    /// What somebody's credential was found to lack.
    async fn wanted(&self, owner: &str) -> Result<Scopes, AuthError> {
        let found = self.accounts.notes().load::<String>(&self.wanted_name(owner)).await?;
        Ok(found.map(|(scopes, _)| scopes.split_whitespace().collect()).unwrap_or_default())
    }

    fn wanted_name(&self, owner: &str) -> String {
        format!("wanted/{}/{}", self.name(), sha256(owner))
    }

    /// Whether a code is that of the link that was made for somebody.
    pub(crate) async fn is_invited(&self, owner: &str, code: &str) -> Result<bool, AuthError> {
        let found = self.accounts.notes().load::<Invitation>(&self.invitation(owner)).await?;
        Ok(found.is_some_and(|(invitation, _)| invitation.is(code)))
    }

    /// Uses the link up; `false` where it does not count.
    pub(crate) async fn accept(&self, owner: &str, code: &str) -> Result<bool, AuthError> {
        let (notes, name) = (self.accounts.notes(), self.invitation(owner));
        match notes.load::<Invitation>(&name).await? {
            Some((invitation, revision)) if invitation.is(code) => notes.0.remove(&name, revision).await,
            _ => Ok(false),
        }
    }

    /// Remembers who is away to sign in, until they come back with this state.
    pub(crate) async fn away(&self, owner: &str, state: &Secret) -> Result<(), AuthError> {
        let until = SystemTime::now() + INVITATION;
        self.accounts.notes().save(&self.trip(state), &owner, None, until).await.map(drop)
    }

    /// Whether it is this person who was away with this state. They come back once.
    pub(crate) async fn is_back(&self, owner: &str, state: &Secret) -> Result<bool, AuthError> {
        let (notes, name) = (self.accounts.notes(), self.trip(state));
        match notes.load::<String>(&name).await? {
            Some((away, revision)) if away == owner => notes.0.remove(&name, revision).await,
            _ => Ok(false),
        }
    }

    fn invitation(&self, owner: &str) -> String {
        format!("invitation/{}/{}", self.name(), sha256(owner))
    }

    fn trip(&self, state: &Secret) -> String {
        format!("away/{}/{}", self.name(), sha256(state.expose()))
    }

    /// A link for somebody. The last one, where it counts for long enough: who asks often makes no more.
    async fn link(&self, owner: &str) -> Result<String, AuthError> {
        let (notes, name) = (self.accounts.notes(), self.invitation(owner));
        let now = SystemTime::now();
        let before = notes.load::<Invitation>(&name).await?;
        let code = match before {
            Some((invitation, _)) if invitation.until > seconds(now + NEARLY_OVER) => invitation.code,
            before => {
                let until = now + INVITATION;
                let next = Invitation { code: random(24), until: seconds(until) };
                let revision = before.map(|(_, revision)| revision);
                if !notes.save(&name, &next, revision, until).await? {
                    return Err(AuthError::StoreUnavailable(
                        "the same link is made by several at once".to_owned(),
                    ));
                }
                next.code
            }
        };
        Ok(format!("{}/connect/{}?invitation={code}", self.accounts.base, self.name()))
    }

    /// What shows the API key of somebody, if they have one.
    pub(super) async fn key_headers(&self, owner: &str, header: &KeyHeader) -> Result<Option<HeaderMap>> {
        let login = self.accounts.vault.get(owner, self.name(), API_KEY).await.map_err(AuthError::from)?;
        let Some(SavedLogin::ApiKey(key)) = login else { return Ok(None) };
        let value = header.value(key.expose()).map_err(|why| Error::Configuration(why.to_owned()))?;
        Ok(Some(HeaderMap::from_iter([config::header(&header.name, value.expose())?])))
    }

    async fn open_for(&self, client: ClientBuilder, owner: &str) -> Result<Option<Opened>> {
        let remote = self.remote()?;
        let url = remote.url.expose();
        let client = config::prepared(&remote, self.own.versioned(client))?;
        let client = match &remote.personal {
            Some(Personal::ApiKey(header)) => {
                let Some(shown) = self.key_headers(owner, header).await? else { return Ok(None) };
                let server = Url::parse(url).map_err(|error| Error::Configuration(error.to_string()))?;
                client.authorize(ApiKeyAuth::new(self.clone(), owner, header.clone(), &server, shown))
            }
            _ => {
                let oauth = self.oauth(&remote, owner)?;
                if oauth.credential().await?.is_none() {
                    return Ok(None);
                }
                let (account, owner) = (self.clone(), owner.to_owned());
                client.authorize(StepUpAuth { oauth, account, owner })
            }
        };
        client.connect(url).await.map(|client| Some(Opened::Client(client)))
    }
}

impl People for Account {
    fn person(&self, principal: &Principal) -> String {
        self.accounts.owner(principal.issuer.as_deref(), &principal.subject)
    }

    fn open<'a>(&'a self, client: ClientBuilder, person: &'a str) -> BoxFuture<'a, Result<Option<Opened>>> {
        Box::pin(self.open_for(client, person))
    }

    fn sign_in_url<'a>(&'a self, person: &'a str) -> BoxFuture<'a, Result<String>> {
        Box::pin(async move {
            // Somebody of another issuer cannot be recognised in a browser.
            if person.contains("://") && !person.starts_with("own ") {
                return Err(Error::Configuration("only those who sign in here can sign in there".to_owned()));
            }
            Ok(self.link(person).await?)
        })
    }
}

impl Invitation {
    fn is(&self, code: &str) -> bool {
        // Digests are compared: how long that takes says nothing.
        sha256(&self.code) == sha256(code) && self.until > seconds(SystemTime::now())
    }
}

fn seconds(time: SystemTime) -> u64 {
    loggia_auth::clock::seconds(time)
}

/// Records of our own, as JSON.
struct Notes(Namespace);

impl Notes {
    async fn load<T: DeserializeOwned>(&self, name: &str) -> Result<Option<(T, u64)>, AuthError> {
        let Some(stored) = self.0.load(name).await? else { return Ok(None) };
        let note = serde_json::from_str(stored.value.expose())
            .map_err(|_| AuthError::Store(format!("the record {name} cannot be read")))?;
        Ok(Some((note, stored.revision)))
    }

    async fn save<T: Serialize>(
        &self,
        name: &str,
        note: &T,
        expected: Option<u64>,
        until: SystemTime,
    ) -> Result<bool, AuthError> {
        let text = serde_json::to_string(note).map_err(|error| AuthError::Store(error.to_string()))?;
        Ok(self.0.save(name, Secret::new(text), expected, Some(until)).await?.is_some())
    }
}

/// One person's records for one connector; but what authorization servers know Loggia as is the same for
/// everybody, so that it registers once.
struct SplitStore {
    own: Namespace,
    clients: Namespace,
}

impl SplitStore {
    fn of(&self, key: &str) -> &Namespace {
        match key.starts_with("client/") || key.starts_with("bound/") {
            true => &self.clients,
            false => &self.own,
        }
    }
}

impl TokenStore for SplitStore {
    fn load<'a>(&'a self, key: &'a str) -> StoreFuture<'a, Option<StoredRecord>> {
        self.of(key).load(key)
    }

    fn save<'a>(
        &'a self,
        key: &'a str,
        value: Secret,
        expected: Option<u64>,
        until: Option<SystemTime>,
    ) -> StoreFuture<'a, Option<u64>> {
        self.of(key).save(key, value, expected, until)
    }

    fn remove<'a>(&'a self, key: &'a str, expected: u64) -> StoreFuture<'a, bool> {
        self.of(key).remove(key, expected)
    }

    fn lease<'a>(&'a self, key: &'a str, holder: &'a str, time: Duration) -> StoreFuture<'a, bool> {
        self.of(key).lease(key, holder, time)
    }

    fn release<'a>(&'a self, key: &'a str, holder: &'a str) -> StoreFuture<'a, ()> {
        self.of(key).release(key, holder)
    }

    fn keys<'a>(&'a self, start: &'a str) -> StoreFuture<'a, Vec<String>> {
        self.of(start).keys(start)
    }
}
