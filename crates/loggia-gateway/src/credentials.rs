//! The credentials of the user who runs the program, for servers at URLs. Connections of the gateway and of commands
//! read and renew the same ones. Invariant: a credential belongs to the URL of its server, not to a connector's name.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use loggia::Error;
use loggia::client::ClientBuilder;
use loggia_auth::client::{OAuth, OAuthBuilder};
use loggia_auth::error::AuthError;
use loggia_auth::loopback::LoopbackUserAgent;
use loggia_auth::registration::ClientIdentity;
use loggia_auth::restricted_http::{FetchPolicy, IpNetwork, is_local};
use loggia_auth::secret::Secret;
use loggia_auth::store::{FileStore, StoredRecord, TokenStore};
use loggia_connect::redact::Redactor;

use crate::server_url::server_url;
use crate::token_source::TokenSource;

/// The prefix of the names of credentials in the store.
const RECORDS: &str = "credential/";
/// The prefix of the names of token sources in the store.
const SOURCES: &str = "way/";

/// The name of the folder with manifests of the user.
const MANIFESTS: &str = "connectors";

/// The credentials of the user who runs the program.
#[derive(Debug, Clone)]
pub struct Credentials {
    folder: Option<PathBuf>,
    /// The folder with manifests of the user.
    manifests: Option<PathBuf>,
    networks: Vec<IpNetwork>,
    redactor: Redactor,
}

impl Credentials {
    /// Uses the credentials in `folder`, or without it those in the data folder of the user. During a sign-in,
    /// addresses in `networks` may be fetched although they are not public.
    ///
    /// `redactor` removes secrets from texts that are shown.
    pub fn new(folder: Option<PathBuf>, networks: Vec<IpNetwork>, redactor: Redactor) -> Credentials {
        let usual = || dirs::data_local_dir().map(|data| data.join("loggia"));
        let manifests = folder.clone().or_else(usual).map(|data| data.join(MANIFESTS));
        let folder = folder.or_else(|| usual().map(|data| data.join("credentials")));
        Credentials { folder, manifests, networks, redactor }
    }

    /// Returns the same without any credentials.
    pub fn without_any(&self) -> Credentials {
        let (manifests, redactor) = (self.manifests.clone(), self.redactor.clone());
        Credentials { folder: None, manifests, networks: Vec::new(), redactor }
    }

    /// Returns the folder `connectors/` with manifests of the user: in the data folder, or in the folder that was given for
    /// credentials. It need not exist.
    pub fn manifest_folder(&self) -> Option<&Path> {
        self.manifests.as_deref()
    }

    /// Returns the redactor, which removes secrets from texts that are shown.
    pub fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    /// Returns the folder, which may not exist.
    pub(crate) fn path(&self) -> Result<&Path, AuthError> {
        self.folder.as_deref().ok_or_else(|| {
            AuthError::Configuration(
                "this system has no folder for credentials; name one with --credentials".to_owned(),
            )
        })
    }

    /// Returns the folder; creates it if there is none.
    pub(crate) fn folder(&self) -> Result<&Path, AuthError> {
        let folder = self.path()?;
        FileStore::open(folder)?;
        Ok(folder)
    }

    /// Returns the authorization for the server at `url`, with the token source that is stored for it. The user is
    /// not asked to sign in.
    ///
    /// # Errors
    ///
    /// [`AuthError`] if the URL cannot be a server's, or the store cannot be read.
    pub async fn oauth(&self, url: &str) -> Result<OAuth, AuthError> {
        let source = self.token_source(url).await?;
        self.oauth_builder(url, source.as_ref(), None)?.build()
    }

    /// Creates the authorization for the server at `url`, with a token source or, without one, with the sign-in page
    /// of the server. `browser` is the user agent for the sign-in; without it, no sign-in starts.
    ///
    /// # Errors
    ///
    /// [`AuthError`] if the URL cannot be a server's, or the store cannot be opened.
    pub fn oauth_builder(
        &self,
        url: &str,
        source: Option<&TokenSource>,
        browser: Option<LoopbackUserAgent>,
    ) -> Result<OAuthBuilder, AuthError> {
        let url = server_url(url)?;
        let (key, policy) = (url.to_string(), self.policy(is_local(&url)));
        let store = Arc::new(self.store()?);
        let builder = OAuth::builder(url, ClientIdentity::new("Loggia")).store(store.clone(), key);
        Ok(match (source, browser) {
            (Some(source), browser) => {
                let policy = source.widened(policy)?;
                builder.grant(source.grant(store, &policy, browser)?).policy(policy)
            }
            (None, Some(browser)) => builder.policy(policy).user_agent(browser),
            (None, None) => builder.policy(policy),
        })
    }

    /// Returns the token source that is stored for the server at `url`.
    ///
    /// # Errors
    ///
    /// [`AuthError`] if the URL cannot be a server's, or the store cannot be read.
    pub async fn token_source(&self, url: &str) -> Result<Option<TokenSource>, AuthError> {
        Ok(load_source(&self.store()?, &source_key(url)?).await?.map(|(source, _)| source))
    }

    /// Stores a token source for the server at `url`. With `None`, deletes the stored one, and also the sign-in at
    /// the identity provider if no other server needs it.
    ///
    /// # Errors
    ///
    /// [`AuthError`] if the URL cannot be a server's, the store cannot be written, or another process signs in there.
    pub async fn keep_token_source(&self, url: &str, next: Option<&TokenSource>) -> Result<(), AuthError> {
        let (store, key) = (self.store()?, source_key(url)?);
        let before = load_source(&store, &key).await?;
        let revision = before.as_ref().map(|(_, revision)| *revision);
        match (next, revision) {
            (Some(next), revision) => {
                let text = serde_json::to_string(next).expect("texts can be written");
                let kept = store.save(&key, Secret::new(text), revision, None).await?;
                kept.ok_or_else(|| {
                    AuthError::Store("another process is signing in to the same server".to_owned())
                })?;
            }
            (None, Some(revision)) => drop(store.remove(&key, revision).await?),
            (None, None) => {}
        }
        let Some((before, _)) = before else { return Ok(()) };
        for key in store.keys(SOURCES).await? {
            if load_source(&store, &key).await?.is_some_and(|(other, _)| other.shares_sign_in(&before)) {
                return Ok(());
            }
        }
        before.sign_out(Arc::new(store)).await
    }

    fn store(&self) -> Result<FileStore, AuthError> {
        FileStore::open(self.folder()?)
    }

    /// Returns the URLs of the servers with credentials, sorted.
    ///
    /// # Errors
    ///
    /// [`AuthError`] if the store cannot be read.
    pub async fn servers(&self) -> Result<Vec<String>, AuthError> {
        let Some(folder) = self.existing_folder() else { return Ok(Vec::new()) };
        let keys = FileStore::open(folder)?.keys(RECORDS).await?;
        let mut urls: Vec<String> =
            keys.iter().filter_map(|key| key.strip_prefix(RECORDS)).map(str::to_owned).collect();
        urls.sort();
        Ok(urls)
    }

    /// Adds the credential for `url` to `client`, if there is one.
    ///
    /// # Errors
    ///
    /// [`Error`] if the store cannot be read.
    pub async fn authorize(&self, client: ClientBuilder, url: &str) -> loggia::Result<ClientBuilder> {
        if self.existing_folder().is_none() || server_url(url).is_err() {
            return Ok(client);
        }
        let oauth = self.oauth(url).await.map_err(Error::from)?;
        Ok(match oauth.credential().await.map_err(Error::from)? {
            Some(_) => client.authorize(oauth),
            None => client,
        })
    }

    /// Returns the addresses that may be fetched although other parties chose them. With `local`, this includes this
    /// machine, because then only this machine reaches the gateway.
    pub(crate) fn policy(&self, local: bool) -> FetchPolicy {
        FetchPolicy { loopback: local, networks: self.networks.clone(), ..FetchPolicy::default() }
    }

    /// Returns the folder, if it exists.
    pub(crate) fn existing_folder(&self) -> Option<&PathBuf> {
        self.folder.as_ref().filter(|folder| folder.is_dir())
    }
}

fn source_key(url: &str) -> Result<String, AuthError> {
    Ok(format!("{SOURCES}{}", server_url(url)?))
}

/// Loads a token source and its revision. An unreadable one is deleted; the next sign-in saves it again.
async fn load_source(store: &FileStore, key: &str) -> Result<Option<(TokenSource, u64)>, AuthError> {
    let Some(StoredRecord { value, revision }) = store.load(key).await? else { return Ok(None) };
    match serde_json::from_str(value.expose()) {
        Ok(source) => Ok(Some((source, revision))),
        Err(_) => store.remove(key, revision).await.map(|_| None),
    }
}
