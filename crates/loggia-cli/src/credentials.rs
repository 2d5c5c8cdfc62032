//! Where this person's credentials are, and how connections come by them. A credential belongs to the URL of its
//! server, however the server was named on the line.

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
use url::Url;

use crate::token_source::TokenSource;

/// What the names of the records of credentials begin with.
const RECORDS: &str = "credential/";
/// What those of the ways to them begin with.
const WAYS: &str = "way/";

/// The credentials of the person who runs the program.
#[derive(Debug, Clone)]
pub(crate) struct Credentials {
    folder: Option<PathBuf>,
    networks: Vec<IpNetwork>,
    redactor: Redactor,
}

impl Credentials {
    /// Those in `folder`; without one, those in the person's own data folder. On the way to them `networks` may be
    /// reached, too.
    ///
    /// `redactor` takes out of texts what must not be shown.
    pub(crate) fn new(folder: Option<PathBuf>, networks: Vec<IpNetwork>, redactor: Redactor) -> Credentials {
        let usual = || dirs::data_local_dir().map(|data| data.join("loggia").join("credentials"));
        Credentials { folder: folder.or_else(usual), networks, redactor }
    }

    /// The same without any credential.
    pub(crate) fn none(&self) -> Credentials {
        Credentials { folder: None, networks: Vec::new(), redactor: self.redactor.clone() }
    }

    /// Takes out of texts what must not be shown.
    pub(crate) fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    /// The folder, which is made where there is none.
    pub(crate) fn folder(&self) -> Result<&Path, AuthError> {
        let folder = self.folder.as_ref().ok_or_else(|| {
            AuthError::Configuration(
                "this system has no folder for credentials; name one with --credentials".to_owned(),
            )
        })?;
        FileStore::open(folder)?;
        Ok(folder)
    }

    /// Authorization for the server at `url`, by the way that is kept for it. Nobody is asked to sign in.
    pub(crate) async fn oauth(&self, url: &str) -> Result<OAuth, AuthError> {
        let way = self.way(url).await?;
        self.builder(url, way.as_ref(), None)?.build()
    }

    /// Authorization for the server at `url`, by a way or, without one, at the server's own sign-in page. Whoever has to
    /// sign in is `person`, if they are there.
    pub(crate) fn builder(
        &self,
        url: &str,
        way: Option<&TokenSource>,
        person: Option<LoopbackUserAgent>,
    ) -> Result<OAuthBuilder, AuthError> {
        let url = server(url)?;
        let (key, policy) = (url.to_string(), self.policy(is_local(&url)));
        let store = Arc::new(self.store()?);
        let builder = OAuth::builder(url, ClientIdentity::new("Loggia")).store(store.clone(), key);
        Ok(match (way, person) {
            (Some(way), person) => {
                let policy = way.widened(policy)?;
                builder.grant(way.grant(store, &policy, person)?).policy(policy)
            }
            (None, Some(person)) => builder.policy(policy).user_agent(person),
            (None, None) => builder.policy(policy),
        })
    }

    /// The way that is kept for the server at `url`.
    pub(crate) async fn way(&self, url: &str) -> Result<Option<TokenSource>, AuthError> {
        Ok(way(&self.store()?, &way_key(url)?).await?.map(|(way, _)| way))
    }

    /// Keeps a way for the server at `url`; without one, forgets what was kept, with a sign-in that nobody else needs.
    pub(crate) async fn keep_way(&self, url: &str, next: Option<&TokenSource>) -> Result<(), AuthError> {
        let (store, key) = (self.store()?, way_key(url)?);
        let before = way(&store, &key).await?;
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
        for key in store.keys(WAYS).await? {
            if way(&store, &key).await?.is_some_and(|(other, _)| other.shares_sign_in(&before)) {
                return Ok(());
            }
        }
        before.sign_out(Arc::new(store)).await
    }

    fn store(&self) -> Result<FileStore, AuthError> {
        FileStore::open(self.folder()?)
    }

    /// The URLs of the servers that there are credentials for.
    pub(crate) async fn servers(&self) -> Result<Vec<String>, AuthError> {
        let Some(folder) = self.there() else { return Ok(Vec::new()) };
        let keys = FileStore::open(folder)?.keys(RECORDS).await?;
        let mut urls: Vec<String> =
            keys.iter().filter_map(|key| key.strip_prefix(RECORDS)).map(str::to_owned).collect();
        urls.sort();
        Ok(urls)
    }

    /// Lets `client` use the credential for `url`, if there is one.
    pub(crate) async fn authorize(&self, client: ClientBuilder, url: &str) -> loggia::Result<ClientBuilder> {
        if self.there().is_none() || server(url).is_err() {
            return Ok(client);
        }
        let oauth = self.oauth(url).await.map_err(Error::from)?;
        Ok(match oauth.credential().await.map_err(Error::from)? {
            Some(_) => client.authorize(oauth),
            None => client,
        })
    }

    /// What may be fetched that others name: on this machine too, where `local` is all that they know us by.
    pub(crate) fn policy(&self, local: bool) -> FetchPolicy {
        FetchPolicy { loopback: local, networks: self.networks.clone(), ..FetchPolicy::default() }
    }

    /// The folder, if anything was ever kept in it.
    fn there(&self) -> Option<&PathBuf> {
        self.folder.as_ref().filter(|folder| folder.is_dir())
    }
}

fn way_key(url: &str) -> Result<String, AuthError> {
    Ok(format!("{WAYS}{}", server(url)?))
}

/// A way, and its revision. One that makes no sense is none: whoever signs in anew says it again.
async fn way(store: &FileStore, key: &str) -> Result<Option<(TokenSource, u64)>, AuthError> {
    let Some(StoredRecord { value, revision }) = store.load(key).await? else { return Ok(None) };
    match serde_json::from_str(value.expose()) {
        Ok(way) => Ok(Some((way, revision))),
        Err(_) => store.remove(key, revision).await.map(|_| None),
    }
}

/// The URL of a server that can be signed in to.
pub(crate) fn server(text: &str) -> Result<Url, AuthError> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let wrong = |why: &str| AuthError::Configuration(format!("cannot sign in to {text:?}: {why}"));
    match url {
        Some(url) if url.scheme() == "https" || is_local(&url) => Ok(url),
        Some(_) => Err(wrong("the token would be sent unencrypted. Use https")),
        None => Err(wrong("it is not the URL of a server")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_servers_at_urls_are_signed_in_to() {
        for (text, expected, here) in [
            ("https://Example.com", Some("https://example.com/"), false),
            ("http://127.0.0.1:4000/mcp", Some("http://127.0.0.1:4000/mcp"), true),
            ("http://[::1]/mcp", Some("http://[::1]/mcp"), true),
            ("http://localhost/mcp", Some("http://localhost/mcp"), true),
            ("http://localhost.example/mcp", None, false),
            ("http://10.0.0.1/mcp", None, false),
            ("unix:/run/s", None, false),
            ("file:///etc/passwd", None, false),
            ("files", None, false),
        ] {
            let url = server(text).ok();
            assert_eq!(url.as_ref().map(Url::as_str), expected, "{text}");
            assert_eq!(url.as_ref().is_some_and(is_local), here, "{text}");
        }
    }
}
