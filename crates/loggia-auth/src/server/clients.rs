//! Clients, and who they are: those that an administrator entered, those that describe themselves at the URL
//! that is their name (Client ID Metadata Documents), and those that registered themselves (RFC 7591).

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use http::header::CACHE_CONTROL;
use loggia::wire::text::is_unsafe;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::Semaphore;
use url::Url;

use super::pending::PendingRecords;
use super::records::Records;
use super::redirect_uri;
use crate::clock;
use crate::error::AuthError;
use crate::jose::{JwkSet, KeySource, RemoteKeys, random, sha256};
use crate::restricted_http::{FetchRequest, FetchResponse, RestrictedHttpClient};
use crate::secret::Secret;

/// Longest document that is read.
const MOST_BYTES: usize = 32 << 10;
/// Most documents, and most sets of keys, that are kept.
const MOST_KEPT: usize = 1000;
/// How long a document is kept: what its server says, within these bounds.
const LEAST_KEPT: Duration = Duration::from_secs(30);
const USUALLY_KEPT: Duration = Duration::from_secs(10 * 60);
const MOST_KEPT_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// Most clients that registered themselves.
const MOST_REGISTERED: usize = 10_000;
/// Lifetime of a registration before the first sign-in with it, and after.
const UNUSED: Duration = Duration::from_secs(8 * 60 * 60);
const USED: Duration = Duration::from_secs(180 * 24 * 60 * 60);

/// Where a client comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Origin {
    Entered,
    Document,
    Registered,
}

/// How a client shows who it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Proves {
    /// It cannot: it runs where everybody can look into it.
    Nothing,
    /// By a secret; here is its digest.
    Secret(String),
    /// By a signature with keys that it published.
    Keys { published: Option<String>, at: Option<Url> },
}

/// A client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) redirect_uris: Vec<String>,
    pub(super) proves: Proves,
    pub(super) grants: Vec<String>,
    pub(super) always_bound: bool,
    pub(super) origin: Origin,
}

impl Client {
    /// A client that an administrator enters. It may use every grant.
    pub fn new(
        id: impl Into<String>,
        name: impl Into<String>,
        redirect_uris: impl IntoIterator<Item = impl Into<String>>,
    ) -> Client {
        let grants = ["authorization_code", "refresh_token", JWT_BEARER];
        Client {
            id: id.into(),
            name: name.into(),
            redirect_uris: redirect_uris.into_iter().map(Into::into).collect(),
            proves: Proves::Nothing,
            grants: grants.map(str::to_owned).to_vec(),
            always_bound: false,
            origin: Origin::Entered,
        }
    }

    /// The client shows who it is by a secret.
    pub fn secret(mut self, secret: &Secret) -> Client {
        self.proves = Proves::Secret(sha256(secret.expose()));
        self
    }

    pub(super) fn may(&self, grant: &str) -> bool {
        self.grants.iter().any(|known| known == grant)
    }

    pub(super) fn is_public(&self) -> bool {
        self.proves == Proves::Nothing
    }

    /// The host that vouches for what a client says of itself.
    pub(super) fn vouched(&self) -> Option<String> {
        let host = || Url::parse(&self.id).ok()?.host_str().map(str::to_owned);
        if self.origin == Origin::Document { host() } else { None }
    }

    /// Whether somebody vouched for where it sends people.
    pub(super) fn is_trusted(&self) -> bool {
        self.origin == Origin::Entered
    }
}

/// The grant by which an assertion of an identity provider becomes a token.
pub(super) const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// What a client says of itself, in a document or a registration (RFC 7591, section 2).
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Described<'a> {
    pub(super) client_id: Option<String>,
    pub(super) client_name: Option<String>,
    pub(super) redirect_uris: Option<Vec<String>>,
    pub(super) grant_types: Option<Vec<String>>,
    pub(super) response_types: Option<Vec<String>>,
    pub(super) token_endpoint_auth_method: Option<String>,
    pub(super) dpop_bound_access_tokens: bool,
    #[serde(borrow)]
    pub(super) jwks: Option<&'a RawValue>,
    pub(super) jwks_uri: Option<Url>,
    client_secret: Option<serde::de::IgnoredAny>,
    client_secret_expires_at: Option<serde::de::IgnoredAny>,
}

/// Why a client is not known or not taken, as an error code and for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused(pub(super) &'static str, pub(super) String);

fn metadata(why: impl Into<String>) -> Refused {
    Refused("invalid_client_metadata", why.into())
}

impl Described<'_> {
    /// The client that is described. `usual` is the way to show who it is where the description names none;
    /// a new secret is for a client that is to have one.
    pub(super) fn client(
        self,
        id: String,
        usual: &str,
        origin: Origin,
    ) -> Result<(Client, Option<Secret>), Refused> {
        let redirect_uris = self.redirect_uris.unwrap_or_default();
        let grants = self.grant_types.unwrap_or_else(|| vec!["authorization_code".to_owned()]);
        if redirect_uris.is_empty() && grants.iter().any(|grant| grant == "authorization_code") {
            return Err(Refused("invalid_redirect_uri", "There must be a redirect_uri".to_owned()));
        }
        if redirect_uris.len() > 20 {
            return Err(Refused("invalid_redirect_uri", "There may be 20 redirect_uris at most".to_owned()));
        }
        for uri in &redirect_uris {
            redirect_uri::check(uri).map_err(|why| {
                let uri: String = uri.chars().filter(|c| c.is_ascii_graphic()).take(100).collect();
                Refused("invalid_redirect_uri", format!("The redirect_uri '{uri}' cannot be used: {why}"))
            })?;
        }
        if self
            .response_types
            .is_some_and(|types| !types.is_empty() && types.iter().all(|kind| kind != "code"))
        {
            return Err(metadata("The only response_type is code"));
        }
        let mut secret = None;
        let proves = match self.token_endpoint_auth_method.as_deref().unwrap_or(usual) {
            "none" => Proves::Nothing,
            "client_secret_basic" | "client_secret_post" => {
                let made = Secret::new(random(32));
                let digest = sha256(made.expose());
                secret = Some(made);
                Proves::Secret(digest)
            }
            "private_key_jwt" => keys(self.jwks, self.jwks_uri)?,
            _ => return Err(metadata("The token_endpoint_auth_method is not one that is supported")),
        };
        let name = self.client_name.unwrap_or_default();
        let name: String = name.chars().filter(|c| !is_unsafe(*c)).take(120).collect();
        let name = match name.trim() {
            "" => "A program without a name".to_owned(),
            name => name.to_owned(),
        };
        Ok((
            Client {
                id,
                name,
                redirect_uris,
                proves,
                grants,
                always_bound: self.dpop_bound_access_tokens,
                origin,
            },
            secret,
        ))
    }
}

fn keys(published: Option<&RawValue>, at: Option<Url>) -> Result<Proves, Refused> {
    let published = published.map(|raw| raw.get().to_owned());
    match (&published, &at) {
        (Some(text), None) if JwkSet::parse(text.as_bytes()).is_ok_and(|set| !set.keys.is_empty()) => {}
        (None, Some(_)) => {}
        _ => {
            return Err(metadata("private_key_jwt needs either jwks with a key for signatures, or jwks_uri"));
        }
    }
    Ok(Proves::Keys { published, at })
}

/// Finds clients.
pub(super) struct Clients {
    entered: HashMap<String, Client>,
    records: Records,
    registrations: PendingRecords,
    guard: RestrictedHttpClient,
    documents: Mutex<HashMap<String, (Client, SystemTime)>>,
    keys: Mutex<HashMap<Url, Arc<RemoteKeys>>>,
    fetching: Semaphore,
}

impl Clients {
    pub(super) fn new(entered: Vec<Client>, records: Records, guard: RestrictedHttpClient) -> Clients {
        Clients {
            entered: entered.into_iter().map(|client| (client.id.clone(), client)).collect(),
            registrations: PendingRecords::new(records.clone(), "client", MOST_REGISTERED),
            records,
            guard,
            documents: Mutex::default(),
            keys: Mutex::default(),
            fetching: Semaphore::new(16),
        }
    }

    /// The client of a name.
    pub(super) async fn find(&self, id: &str, now: SystemTime) -> Result<Result<Client, Refused>, AuthError> {
        if let Some(client) = self.entered.get(id) {
            return Ok(Ok(client.clone()));
        }
        if id.starts_with("https://") || id.starts_with("http://") {
            return Ok(self.described(id, now).await);
        }
        let unknown =
            || Refused("invalid_client", "There is no such client: it has to register again".to_owned());
        let found = self.records.get::<Client>(&Records::named("client", id)).await?;
        Ok(found.map(|found| found.value).ok_or_else(unknown))
    }

    /// Registers a client; its secret, where it has one.
    pub(super) async fn register(
        &self,
        described: Described<'_>,
        source: Option<IpAddr>,
        now: SystemTime,
    ) -> Result<Result<(Client, Option<Secret>), Refused>, AuthError> {
        let id = format!("lgc_{}", random(16));
        let (client, secret) = match described.client(id, "client_secret_basic", Origin::Registered) {
            Ok(made) => made,
            Err(refused) => return Ok(Err(refused)),
        };
        if self.registrations.add(&client.id, &client, source, (now, now + UNUSED)).await? {
            return Ok(Ok((client, secret)));
        }
        Ok(Err(Refused("temporarily_unavailable", "Too many registered clients are in use".to_owned())))
    }

    /// Extends the registration of a client with which a person signed in.
    pub(super) async fn used(&self, client: &Client, now: SystemTime) -> Result<(), AuthError> {
        if client.origin != Origin::Registered {
            return Ok(());
        }
        let name = Records::named("client", &client.id);
        self.registrations.finish(&name).await?;
        if let Some(found) = self.records.get::<Client>(&name).await? {
            self.records.replace(&name, &found.value, found.revision, Some(now + USED)).await?;
        }
        Ok(())
    }

    /// The keys that a client signs with.
    pub(super) fn keys(&self, published: Option<&str>, at: Option<&Url>) -> Arc<dyn KeySource> {
        if let Some(set) = published.and_then(|text| JwkSet::parse(text.as_bytes()).ok()) {
            return Arc::new(set);
        }
        let Some(at) = at else { return Arc::new(JwkSet::default()) };
        let mut known = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST_KEPT {
            known.clear();
        }
        known
            .entry(at.clone())
            .or_insert_with(|| Arc::new(RemoteKeys::new(at.clone(), self.guard.clone())))
            .clone()
    }

    /// A client that describes itself at the URL that is its name.
    async fn described(&self, id: &str, now: SystemTime) -> Result<Client, Refused> {
        let kept = self.documents.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned();
        if let Some((client, until)) = kept
            && now < until
        {
            return Ok(client);
        }
        let url = self.check_name(id)?;
        let _place = self.fetching.acquire().await.expect("it is never closed");
        let reply = self.guard.send(FetchRequest::get(url).redirects(0).most_bytes(MOST_BYTES)).await;
        // Why it failed stays here: whoever names an address would learn from it what our network is like.
        let reply = reply.map_err(|error| {
            tracing::info!(%error, "a client's document could not be fetched");
            Refused("invalid_client", "The client's metadata cannot be had at its client_id".to_owned())
        })?;
        let client = read(id, &reply)?;
        let mut documents = self.documents.lock().unwrap_or_else(PoisonError::into_inner);
        if documents.len() >= MOST_KEPT {
            documents.retain(|_, (_, until)| now < *until);
        }
        if documents.len() < MOST_KEPT {
            documents.insert(id.to_owned(), (client.clone(), now + kept_for(&reply)));
        }
        Ok(client)
    }

    /// What a name has to look like (draft-ietf-oauth-client-id-metadata-document-00, section 3). Plain http
    /// is for development, and then the guard allows it too.
    fn check_name(&self, id: &str) -> Result<Url, Refused> {
        let wrong = |why: &str| Refused("invalid_client", format!("The client_id cannot be used: {why}"));
        let url = Url::parse(id).map_err(|_| wrong("it is not a URL"))?;
        if url.scheme() != "https" && !self.guard.policy().loopback {
            return Err(wrong("it is not an https URL"));
        }
        if id.len() > 1024 || !id.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(wrong("it is too long or holds characters that belong in no URL"));
        }
        let authority = id.split("//").nth(1).unwrap_or_default();
        let path = authority.find('/').map_or("", |at| &authority[at..]);
        if path.len() < 2 {
            return Err(wrong("it has no path"));
        }
        if id.contains('#') || !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("it has a fragment, a user name or a password"));
        }
        let dots =
            |segment: &str| matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..");
        if path.split(['?', '#']).next().unwrap_or_default().split('/').any(dots) {
            return Err(wrong("its path has dots"));
        }
        Ok(url)
    }
}

/// Reads a document (the same draft, sections 4 and 5).
fn read(id: &str, reply: &FetchResponse) -> Result<Client, Refused> {
    let wrong = |why: &str| Refused("invalid_client", format!("The client's metadata cannot be used: {why}"));
    if reply.status != http::StatusCode::OK {
        return Err(wrong(&format!("its server answers {}", reply.status)));
    }
    let described: Described<'_> =
        serde_json::from_slice(&reply.body).map_err(|_| wrong("it cannot be read"))?;
    if described.client_id.as_deref() != Some(id) {
        return Err(wrong("it describes another client_id"));
    }
    if described.client_secret.is_some() || described.client_secret_expires_at.is_some() {
        return Err(wrong("it holds a secret"));
    }
    if described.client_name.as_deref().is_none_or(|name| name.trim().is_empty()) {
        return Err(wrong("it has no client_name"));
    }
    if described
        .token_endpoint_auth_method
        .as_deref()
        .is_some_and(|method| method.starts_with("client_secret"))
    {
        return Err(wrong("a client that describes itself has no secret to share"));
    }
    let made = described.client(id.to_owned(), "none", Origin::Document);
    made.map(|(client, _)| client).map_err(|Refused(_, why)| wrong(&why))
}

/// How long a document may be kept (RFC 9111), within our bounds.
fn kept_for(reply: &FetchResponse) -> Duration {
    let control = reply.headers.get(CACHE_CONTROL).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut directives = control.split(',').map(|directive| directive.trim().to_ascii_lowercase());
    if directives.clone().any(|directive| matches!(directive.as_str(), "no-store" | "no-cache" | "private")) {
        return LEAST_KEPT;
    }
    let age = directives.find_map(|directive| directive.strip_prefix("max-age=")?.parse().ok());
    age.map_or(USUALLY_KEPT, |age| Duration::from_secs(age).clamp(LEAST_KEPT, MOST_KEPT_FOR))
}

/// The answer to a registration (RFC 7591, section 3.2.1).
pub(super) fn registered(
    client: &Client,
    secret: Option<&Secret>,
    method: &str,
    now: SystemTime,
) -> serde_json::Value {
    let mut document = serde_json::json!({
        "client_id": client.id,
        "client_id_issued_at": clock::seconds(now),
        "client_name": client.name,
        "redirect_uris": client.redirect_uris,
        "grant_types": client.grants,
        "response_types": ["code"],
        "token_endpoint_auth_method": method,
        "dpop_bound_access_tokens": client.always_bound,
    });
    if let Some(secret) = secret {
        document["client_secret"] = secret.expose().into();
        document["client_secret_expires_at"] = 0.into();
    }
    document
}
