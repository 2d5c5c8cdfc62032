//! Endpoints whose store fails: the status says whether a retry can help, and no response reveals what failed.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::Request;
use loggia::transport::http::Body;
use loggia_auth::error::AuthError;
use loggia_auth::keys::{ApiKeys, NewApiKey};
use loggia_auth::resource::{ResourceServer, ScopePolicy};
use loggia_auth::restricted_http::{FetchPolicy, RestrictedHttpClient};
use loggia_auth::secret::Secret;
use loggia_auth::server::{AuthorizationServer, OAuthClient, SignInLink, SignInMethod};
use loggia_auth::store::{MemoryStore, StoreFuture, StoredRecord, TokenStore};
use tower_layer::Layer;
use tower_service::Service;

use super::world::{Answer, Behind, CALLBACK, ISSUER, MCP, encoded, redeem, request};

/// A store that fails on demand.
#[derive(Default)]
struct FailingStore {
    inner: MemoryStore,
    error: Mutex<Option<AuthError>>,
    /// The accesses that return the error; all of them by default.
    fails: Option<fn(Access<'_>) -> bool>,
}

enum Access<'a> {
    Load,
    /// Writes the record with this key.
    Save(&'a str),
    Other,
}

impl FailingStore {
    fn check<'a, T: Send + 'a>(&'a self, access: Access<'a>, then: StoreFuture<'a, T>) -> StoreFuture<'a, T> {
        match self.error.lock().unwrap().clone().filter(|_| self.fails.is_none_or(|fails| fails(access))) {
            Some(error) => Box::pin(std::future::ready(Err(error))),
            None => then,
        }
    }
}

impl TokenStore for FailingStore {
    fn load<'a>(&'a self, key: &'a str) -> StoreFuture<'a, Option<StoredRecord>> {
        self.check(Access::Load, self.inner.load(key))
    }

    fn save<'a>(
        &'a self,
        key: &'a str,
        value: Secret,
        expected: Option<u64>,
        until: Option<SystemTime>,
    ) -> StoreFuture<'a, Option<u64>> {
        self.check(Access::Save(key), self.inner.save(key, value, expected, until))
    }

    fn remove<'a>(&'a self, key: &'a str, expected: u64) -> StoreFuture<'a, bool> {
        self.check(Access::Other, self.inner.remove(key, expected))
    }

    fn lease<'a>(&'a self, key: &'a str, holder: &'a str, time: Duration) -> StoreFuture<'a, bool> {
        self.check(Access::Other, self.inner.lease(key, holder, time))
    }

    fn release<'a>(&'a self, key: &'a str, holder: &'a str) -> StoreFuture<'a, ()> {
        self.check(Access::Other, self.inner.release(key, holder))
    }

    fn keys<'a>(&'a self, start: &'a str) -> StoreFuture<'a, Vec<String>> {
        self.check(Access::Other, self.inner.keys(start))
    }
}

/// The errors, and the status that each ends with.
fn errors() -> [(AuthError, u16); 2] {
    let text = || "/secret/place/vault.db: it failed".to_owned();
    [(AuthError::StoreUnavailable(text()), 503), (AuthError::Store(text()), 500)]
}

#[tokio::test]
async fn the_status_says_whether_a_retry_can_help() {
    let store = Arc::new(FailingStore::default());
    let http = RestrictedHttpClient::new(FetchPolicy::development()).unwrap();
    let server = AuthorizationServer::builder(ISSUER, store.clone(), http)
        .resource(MCP, ["mcp"])
        .sign_in(SignInMethod::Link { subject: "ada".to_owned(), show: Arc::new(|_| {}) })
        .client(OAuthClient::new("cli", "The command line", [CALLBACK]))
        .build()
        .unwrap();
    let form = |path: &str| Request::post(path).header("content-type", "application/x-www-form-urlencoded");
    let authorize = format!("/oauth/authorize?{}", encoded(&request()));
    let register = r#"{"client_name": "x", "redirect_uris": ["http://127.0.0.1/cb"]}"#;
    // A token in the form of this server, so that it is read from the store.
    let token = format!("lgr_{}.{}", "a".repeat(22), "b".repeat(43));
    let refresh = [("grant_type", "refresh_token"), ("client_id", "cli"), ("refresh_token", &*token)];
    for (error, status) in errors() {
        *store.error.lock().unwrap() = Some(error);
        let json = Request::post("/oauth/register").header("content-type", "application/json");
        for (what, request, body) in [
            ("authorize", Request::get(&*authorize), String::new()),
            ("register", json, register.to_owned()),
            ("a code", form("/oauth/token"), encoded(&redeem("x.y"))),
            ("a refresh token", form("/oauth/token"), encoded(&refresh)),
            ("revoke", form("/oauth/revoke"), encoded(&[("client_id", "cli"), ("token", &*token)])),
        ] {
            let request = request.body(Body::full(body)).unwrap();
            let answer = Answer::of(server.layer().layer(Behind).call(request).await.unwrap()).await;
            let again = answer.headers.contains_key("retry-after");
            assert_eq!((answer.status, again), (status, status == 503), "{what}: {}", answer.body);
            assert!(!answer.body.contains("vault.db"), "{what}: {}", answer.body);
        }
    }
}

/// The minute between two links begins with a link that was shown.
#[tokio::test]
async fn a_link_that_could_not_be_made_does_not_delay_the_next() {
    let links: fn(Access<'_>) -> bool =
        |access| matches!(access, Access::Save(key) if key.starts_with("link/"));
    let store = Arc::new(FailingStore { fails: Some(links), ..FailingStore::default() });
    // The memory deletes records that are over by the clock of the machine.
    let (start, seconds) = (SystemTime::now(), Arc::new(AtomicU64::new(0)));
    let shown = Arc::new(AtomicUsize::new(0));
    let (now, count) = (seconds.clone(), shown.clone());
    let show = Arc::new(move |_: &SignInLink| {
        count.fetch_add(1, Relaxed);
    });
    let http = RestrictedHttpClient::new(FetchPolicy::development()).unwrap();
    let server = AuthorizationServer::builder(ISSUER, store.clone(), http)
        .resource(MCP, ["mcp"])
        .sign_in(SignInMethod::Link { subject: "ada".to_owned(), show })
        .client(OAuthClient::new("cli", "The command line", [CALLBACK]))
        .clock(Arc::new(move || start + Duration::from_secs(now.load(Relaxed))))
        .build()
        .unwrap();
    let get = async |path: &str| {
        let request = Request::get(path).body(Body::full("")).unwrap();
        Answer::of(server.layer().layer(Behind).call(request).await.unwrap()).await
    };
    let page = get(&format!("/oauth/authorize?{}", encoded(&request()))).await;
    let again = format!("/oauth/continue?request={}", page.field("request").unwrap());
    let [(unavailable, _), _] = errors();
    let rows = [(0, None, 200, 1), (61, Some(unavailable), 503, 1), (0, None, 200, 2), (0, None, 200, 2)];
    for (pause, error, status, links) in rows {
        seconds.fetch_add(pause, Relaxed);
        *store.error.lock().unwrap() = error;
        assert_eq!((get(&again).await.status, shown.load(Relaxed)), (status, links));
    }
}

#[tokio::test]
async fn an_api_key_that_cannot_be_checked_is_not_called_wrong() {
    let loads: fn(Access<'_>) -> bool = |access| matches!(access, Access::Load);
    for fails in [None, Some(loads)] {
        for (error, status) in errors() {
            let store = Arc::new(FailingStore { fails, ..FailingStore::default() });
            let keys = Arc::new(ApiKeys::new(store.clone()));
            let now = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
            let new = NewApiKey {
                subject: "ada".to_owned(),
                scopes: vec!["mcp".to_owned()],
                ..NewApiKey::default()
            };
            let (_, secret) = keys.create(new, now).await.unwrap();
            let resource = ResourceServer::new(MCP.parse().unwrap()).unwrap().api_keys(keys);
            let resource = resource
                .scopes(ScopePolicy::new().always("mcp"))
                .clock(Arc::new(move || now + Duration::from_secs(60)));
            let mut service = resource.layer().layer(Behind);
            *store.error.lock().unwrap() = Some(error);
            let request =
                Request::post("/mcp").header("authorization", format!("Bearer {}", secret.expose()));
            let answer = service.call(request.body(Body::full("{}")).unwrap()).await.unwrap();
            let answer = Answer::of(answer).await;
            let again = answer.headers.contains_key("retry-after");
            assert_eq!(
                (answer.status, again),
                (status, status == 503),
                "{}: {}",
                fails.is_some(),
                answer.body
            );
            assert!(!answer.body.contains("vault.db"), "{}", answer.body);
        }
    }
}
