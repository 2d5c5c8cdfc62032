//! A clock, and stores, for the unit tests of the server's parts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use super::client_registry::ClientRegistry;
use super::clients::OAuthClient;
use super::composition::ServerStores;
use super::http::ServerCookies;
use super::pending_authorizations::PendingAuthorizations;
use super::rate::RateLimiter;
use super::records::RecordStore;
use super::refresh_tokens::{RefreshTokens, TokenLifetimes};
use super::resources::{ProtectedResource, ProtectedResources};
use super::return_pages::ReturnPages;
use super::sessions::Sessions;
use super::signing_keys::SigningKeys;
use super::urls::ServerUrls;
use crate::clock::Clock;
use crate::restricted_http::{FetchPolicy, RestrictedHttpClient};
use crate::store::MemoryStore;

/// A clock that starts now and advances on demand.
#[derive(Clone)]
pub(super) struct TestClock {
    start: SystemTime,
    seconds: Arc<AtomicU64>,
}

impl TestClock {
    pub(super) fn new() -> TestClock {
        TestClock { start: SystemTime::now(), seconds: Arc::default() }
    }

    pub(super) fn now(&self) -> SystemTime {
        self.start + Duration::from_secs(self.seconds.load(Ordering::SeqCst))
    }

    pub(super) fn advance(&self, seconds: u64) {
        self.seconds.fetch_add(seconds, Ordering::SeqCst);
    }

    pub(super) fn clock(&self) -> Clock {
        let clock = self.clone();
        Arc::new(move || clock.now())
    }

    /// Returns an empty store of records that expire by this clock.
    pub(super) fn records(&self) -> RecordStore {
        RecordStore::new(Arc::new(MemoryStore::new()), self.clock())
    }
}

/// Returns the stores of the server `https://hub.example`, with one resource and the public clients `cli` and `web`.
pub(super) fn stores(clock: &TestClock) -> ServerStores {
    let records = clock.records();
    let http = RestrictedHttpClient::new(FetchPolicy::development()).expect("a client");
    let clients = ["cli", "web"].map(|id| OAuthClient::new(id, id, ["https://app.example/cb"])).to_vec();
    let resource = ProtectedResource {
        identifier: "https://hub.example/mcp".to_owned(),
        scopes: vec!["mcp".to_owned()],
    };
    let cookies = ServerCookies { secure: true, port: None };
    ServerStores {
        urls: Arc::new(ServerUrls::new("https://hub.example".to_owned()).expect("an issuer")),
        cookies,
        resources: Arc::new(ProtectedResources::new(vec![resource])),
        clients: Arc::new(ClientRegistry::new(clients, records.clone(), http)),
        limiter: Arc::new(RateLimiter::new(None)),
        sessions: Sessions::new(records.clone(), cookies, Duration::from_secs(60 * 60)),
        pending: PendingAuthorizations::new(records.clone()),
        return_pages: ReturnPages::new(records.clone()),
        refresh_tokens: RefreshTokens::new(records.clone(), TokenLifetimes::default()),
        signing_keys: Arc::new(SigningKeys::new(records.clone())),
        records,
    }
}
