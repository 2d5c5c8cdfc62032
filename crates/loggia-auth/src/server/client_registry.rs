//! The clients of the authorization server: entered by an administrator, described at the URL that is their identifier
//! (Client ID Metadata Documents), or registered (RFC 7591).
//!
//! Other parties control documents and registrations, so the size, the number and the age of documents are bounded,
//! and so is the number of registrations.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use http::header::CACHE_CONTROL;
use tokio::sync::Semaphore;
use url::Url;

use super::client_metadata::{ClientMetadata, ClientRejection};
use super::clients::{ClientOrigin, OAuthClient};
use super::pending::PendingRecords;
use super::records::RecordStore;
use crate::error::AuthError;
use crate::jose::{JwkSet, KeySource, RemoteKeys, random};
use crate::restricted_http::{FetchRequest, FetchResponse, RestrictedHttpClient};
use crate::secret::Secret;

/// The maximum length of a document, in bytes.
const MAX_BYTES: usize = 32 << 10;
/// The maximum number of cached documents, and of cached sets of keys.
const MAX_CACHED: usize = 1000;
/// The maximum number of documents that are fetched at the same time.
const MAX_FETCHES: usize = 16;
/// Age up to which a document is cached: its `max-age` within these bounds, or the default.
const MIN_AGE: Duration = Duration::from_secs(30);
const DEFAULT_AGE: Duration = Duration::from_secs(10 * 60);
const MAX_AGE: Duration = Duration::from_secs(24 * 60 * 60);
/// The maximum number of registered clients.
const MAX_REGISTERED: usize = 10_000;
/// Lifetime of a registration before the first sign-in with it, and after.
const UNUSED_LIFETIME: Duration = Duration::from_secs(8 * 60 * 60);
const USED_LIFETIME: Duration = Duration::from_secs(180 * 24 * 60 * 60);

/// Finds and registers clients.
pub(super) struct ClientRegistry {
    entered: HashMap<String, OAuthClient>,
    records: RecordStore,
    registrations: PendingRecords,
    http: RestrictedHttpClient,
    documents: Mutex<HashMap<String, (OAuthClient, SystemTime)>>,
    keys: Mutex<HashMap<Url, Arc<RemoteKeys>>>,
    fetches: Semaphore,
}

impl ClientRegistry {
    pub(super) fn new(
        entered: Vec<OAuthClient>,
        records: RecordStore,
        http: RestrictedHttpClient,
    ) -> ClientRegistry {
        ClientRegistry {
            entered: entered.into_iter().map(|client| (client.id.clone(), client)).collect(),
            registrations: PendingRecords::new(records.clone(), "client", MAX_REGISTERED),
            records,
            http,
            documents: Mutex::default(),
            keys: Mutex::default(),
            fetches: Semaphore::new(MAX_FETCHES),
        }
    }

    /// Returns the client with an identifier.
    pub(super) async fn find(&self, id: &str) -> Result<Result<OAuthClient, ClientRejection>, AuthError> {
        if let Some(client) = self.entered.get(id) {
            return Ok(Ok(client.clone()));
        }
        if id.starts_with("https://") || id.starts_with("http://") {
            return Ok(self.find_document(id).await);
        }
        let unknown =
            || ClientRejection::new("invalid_client", "There is no such client: it has to register again");
        let found = self.records.get::<OAuthClient>(&RecordStore::hashed_name("client", id)).await?;
        Ok(found.map(|found| found.value).ok_or_else(unknown))
    }

    /// Registers a client. Returns it, and its secret if it has one.
    pub(super) async fn register(
        &self,
        metadata: ClientMetadata<'_>,
        source: Option<IpAddr>,
    ) -> Result<Result<(OAuthClient, Option<Secret>), ClientRejection>, AuthError> {
        let id = format!("lgc_{}", random(16));
        let made = metadata.into_client(id, "client_secret_basic", ClientOrigin::Registration);
        let (client, secret) = match made {
            Ok(made) => made,
            Err(rejection) => return Ok(Err(rejection)),
        };
        let now = self.records.now();
        if self.registrations.add(&client.id, &client, source, (now, now + UNUSED_LIFETIME)).await? {
            return Ok(Ok((client, secret)));
        }
        let reason = "Too many registered clients are in use";
        Ok(Err(ClientRejection::new("temporarily_unavailable", reason)))
    }

    /// Extends a registered client's expiry after a sign-in with it.
    pub(super) async fn extend(&self, client: &OAuthClient) -> Result<(), AuthError> {
        if client.origin != ClientOrigin::Registration {
            return Ok(());
        }
        let name = RecordStore::hashed_name("client", &client.id);
        self.registrations.finish(&name).await?;
        if let Some(found) = self.records.get::<OAuthClient>(&name).await? {
            let expires = Some(self.records.now() + USED_LIFETIME);
            self.records.replace(&name, &found.value, found.revision, expires).await?;
        }
        Ok(())
    }

    /// Returns the source of a client's keys: those in its metadata, or those at a URL.
    pub(super) fn keys(&self, inline: Option<&str>, url: Option<&Url>) -> Arc<dyn KeySource> {
        if let Some(set) = inline.and_then(|text| JwkSet::parse(text.as_bytes()).ok()) {
            return Arc::new(set);
        }
        let Some(url) = url else { return Arc::new(JwkSet::default()) };
        let mut known = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_CACHED {
            known.clear();
        }
        let keys = known.entry(url.clone());
        keys.or_insert_with(|| Arc::new(RemoteKeys::new(url.clone(), self.http.clone()))).clone()
    }

    /// Returns the client of a Client ID Metadata Document.
    async fn find_document(&self, id: &str) -> Result<OAuthClient, ClientRejection> {
        let now = self.records.now();
        let cached = self.documents.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned();
        if let Some((client, expires)) = cached
            && now < expires
        {
            return Ok(client);
        }
        let url = self.check_document_url(id)?;
        let _permit = self.fetches.acquire().await.expect("the semaphore is never closed");
        let reply = self.http.send(FetchRequest::get(url).redirects(0).most_bytes(MAX_BYTES)).await;
        // The cause is only logged: from it, a client that names an address would learn about the server's network.
        let reply = reply.map_err(|error| {
            tracing::info!(%error, "a client's document could not be fetched");
            ClientRejection::new("invalid_client", "The client's metadata cannot be had at its client_id")
        })?;
        let client = read_document(id, &reply)?;
        let mut documents = self.documents.lock().unwrap_or_else(PoisonError::into_inner);
        if documents.len() >= MAX_CACHED {
            documents.retain(|_, (_, expires)| now < *expires);
        }
        if documents.len() < MAX_CACHED {
            documents.insert(id.to_owned(), (client.clone(), now + cache_age(&reply)));
        }
        Ok(client)
    }

    /// Checks the form of an identifier that is a URL (draft-ietf-oauth-client-id-metadata-document-00, section 3).
    /// Plain `http` is for development, and then the HTTP client allows it too.
    fn check_document_url(&self, id: &str) -> Result<Url, ClientRejection> {
        let wrong = |why: &str| {
            ClientRejection::new("invalid_client", format!("The client_id cannot be used: {why}"))
        };
        let url = Url::parse(id).map_err(|_| wrong("it is not a URL"))?;
        if url.scheme() != "https" && !self.http.policy().loopback {
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
        let is_dots =
            |segment: &str| matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..");
        if path.split(['?', '#']).next().unwrap_or_default().split('/').any(is_dots) {
            return Err(wrong("its path has dots"));
        }
        Ok(url)
    }
}

/// Reads a Client ID Metadata Document (the same draft, sections 4 and 5).
fn read_document(id: &str, reply: &FetchResponse) -> Result<OAuthClient, ClientRejection> {
    let wrong = |why: &str| {
        ClientRejection::new("invalid_client", format!("The client's metadata cannot be used: {why}"))
    };
    if reply.status != http::StatusCode::OK {
        return Err(wrong(&format!("its server answers {}", reply.status)));
    }
    let metadata: ClientMetadata<'_> =
        serde_json::from_slice(&reply.body).map_err(|_| wrong("it cannot be read"))?;
    if metadata.client_id.as_deref() != Some(id) {
        return Err(wrong("it describes another client_id"));
    }
    if metadata.has_secret() {
        return Err(wrong("it holds a secret"));
    }
    if metadata.client_name.as_deref().is_none_or(|name| name.trim().is_empty()) {
        return Err(wrong("it has no client_name"));
    }
    let method = metadata.token_endpoint_auth_method.as_deref();
    if method.is_some_and(|method| method.starts_with("client_secret")) {
        return Err(wrong("a client that describes itself has no secret to share"));
    }
    let made = metadata.into_client(id.to_owned(), "none", ClientOrigin::Document);
    made.map(|(client, _)| client).map_err(|rejection| wrong(&rejection.reason))
}

/// Returns the time that a document may be cached (RFC 9111), within the bounds.
fn cache_age(reply: &FetchResponse) -> Duration {
    let control = reply.headers.get(CACHE_CONTROL).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut directives = control.split(',').map(|directive| directive.trim().to_ascii_lowercase());
    if directives.clone().any(|directive| matches!(directive.as_str(), "no-store" | "no-cache" | "private")) {
        return MIN_AGE;
    }
    let age = directives.find_map(|directive| directive.strip_prefix("max-age=")?.parse().ok());
    age.map_or(DEFAULT_AGE, |age| Duration::from_secs(age).clamp(MIN_AGE, MAX_AGE))
}
