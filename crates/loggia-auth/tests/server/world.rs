//! A server, a browser that keeps cookies, and a client that does everything right.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use loggia::transport::http::Body;
use loggia_auth::clock::Clock;
use loggia_auth::jose::sha256;
use loggia_auth::resource::{ProtectedService, ResourceServer, ScopePolicy};
use loggia_auth::restricted_http::{FetchPolicy, RestrictedHttpClient};
use loggia_auth::secret::Secret;
use loggia_auth::server::{
    AuthorizationServer, AuthorizationServerBuilder, OAuthClient, SignInLink, SignInMethod,
};
use loggia_auth::store::MemoryStore;
use serde_json::Value;
use tower_layer::Layer;
use tower_service::Service;
use url::Url;

pub(crate) const ISSUER: &str = "https://hub.example";
pub(crate) const MCP: &str = "https://hub.example/mcp";
pub(crate) const CALLBACK: &str = "http://127.0.0.1/callback";
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// A time that begins now and moves when it is told to.
#[derive(Clone)]
pub(crate) struct Time(SystemTime, Arc<AtomicU64>);

impl Time {
    pub(crate) fn new() -> Time {
        Time(SystemTime::now(), Arc::default())
    }

    pub(crate) fn now(&self) -> SystemTime {
        self.0 + Duration::from_secs(self.1.load(Ordering::SeqCst))
    }

    pub(crate) fn seconds(&self) -> u64 {
        loggia_auth::clock::seconds(self.now())
    }

    pub(crate) fn pass(&self, seconds: u64) {
        self.1.fetch_add(seconds, Ordering::SeqCst);
    }

    pub(crate) fn clock(&self) -> Clock {
        let time = self.clone();
        Arc::new(move || time.now())
    }
}

/// The service behind the layers. Its response shows that a request was passed on.
#[derive(Clone)]
pub(crate) struct Behind;

impl Service<Request<Body>> for Behind {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        ready(Ok(Response::new(Body::full("through"))))
    }
}

#[derive(Clone)]
pub(crate) struct World {
    pub(crate) server: AuthorizationServer,
    pub(crate) time: Time,
    pub(crate) links: Arc<Mutex<Vec<SignInLink>>>,
    pub(crate) store: Arc<MemoryStore>,
    protected: ProtectedService<Behind>,
}

/// An answer that was read.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) async fn of(response: Response<Body>) -> Answer {
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub(crate) fn location(&self) -> &str {
        self.headers.get("location").map_or("", |value| value.to_str().unwrap())
    }

    /// Returns the parameters of a redirect.
    pub(crate) fn told(&self) -> BTreeMap<String, String> {
        let url = Url::parse(self.location())
            .unwrap_or_else(|_| panic!("no redirect: {} {}", self.status, self.body));
        url.query_pairs().into_owned().collect()
    }

    /// A hidden field of a page.
    pub(crate) fn field(&self, name: &str) -> Option<String> {
        let (_, rest) = self.body.split_once(&format!("name=\"{name}\" value=\""))?;
        Some(rest.split_once('"')?.0.to_owned())
    }

    pub(crate) fn error(&self) -> String {
        self.json()["error"].as_str().unwrap_or_default().to_owned()
    }
}

pub(crate) fn encoded(pairs: &[(&str, &str)]) -> String {
    let mut text = url::form_urlencoded::Serializer::new(String::new());
    text.extend_pairs(pairs).finish()
}

impl World {
    pub(crate) fn new() -> World {
        World::with(|builder| builder)
    }

    pub(crate) fn with(
        change: impl FnOnce(AuthorizationServerBuilder) -> AuthorizationServerBuilder,
    ) -> World {
        World::timed(|builder, _| change(builder))
    }

    pub(crate) fn timed(
        change: impl FnOnce(AuthorizationServerBuilder, &Time) -> AuthorizationServerBuilder,
    ) -> World {
        let time = Time::new();
        let links = Arc::new(Mutex::new(Vec::new()));
        let shown = links.clone();
        let show = Arc::new(move |link: &SignInLink| shown.lock().unwrap().push(link.clone()));
        let http = RestrictedHttpClient::new(FetchPolicy::development()).unwrap();
        let store = Arc::new(MemoryStore::new());
        let builder = AuthorizationServer::builder(ISSUER, store.clone(), http)
            .resource(MCP, ["mcp", "mcp:write"])
            .resource("https://hub.example/other", ["other"])
            .sign_in(SignInMethod::Link { subject: "ada".to_owned(), show })
            .client(OAuthClient::new("cli", "The command line", [CALLBACK, "https://app.example/cb"]))
            .client(
                OAuthClient::new("web", "A web service", ["https://web.example/cb"])
                    .secret(&Secret::new("s&cret")),
            )
            .clock(time.clock());
        let server = change(builder, &time).build().unwrap();
        let resource = ResourceServer::new(MCP.parse().unwrap()).unwrap();
        let resource = resource.issuer(server.issuer()).scopes(ScopePolicy::new().always("mcp"));
        let resource = resource.dpop(loggia_auth::resource::DpopPolicy::accepted()).clock(time.clock());
        World { protected: resource.layer().layer(Behind), server, time, links, store }
    }

    pub(crate) async fn send(&self, request: http::request::Builder, body: &str) -> Answer {
        let request = request.body(Body::full(body.to_owned())).unwrap();
        let mut service = self.server.layer().layer(self.protected.clone());
        Answer::of(service.call(request).await.unwrap()).await
    }

    /// A request of a program: a form to an endpoint.
    pub(crate) async fn post(&self, path: &str, pairs: &[(&str, &str)]) -> Answer {
        self.post_with(path, pairs, &[]).await
    }

    pub(crate) async fn post_with(
        &self,
        path: &str,
        pairs: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Answer {
        let request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        self.send(request, &encoded(pairs)).await
    }

    /// Signs the user in and allows the request. Returns the parameters that the client gets.
    pub(crate) async fn allowed(
        &self,
        browser: &Browser,
        pairs: &[(&str, &str)],
    ) -> BTreeMap<String, String> {
        self.decided(browser, pairs, "allow").await.told()
    }

    pub(crate) async fn decided(&self, browser: &Browser, pairs: &[(&str, &str)], decision: &str) -> Answer {
        let asked = browser.get(self, &format!("/oauth/authorize?{}", encoded(pairs))).await;
        let asked = match asked.field("ticket") {
            Some(_) => asked,
            None if asked.body.contains("name=\"code\"") => browser.sign_in(self, &asked).await,
            None => return asked,
        };
        let request = asked.field("request").unwrap_or_else(|| panic!("not asked: {}", asked.body));
        let ticket = asked.field("ticket").unwrap();
        let form = [("request", request.as_str()), ("ticket", &ticket), ("decision", decision)];
        browser.post(self, "/oauth/consent", &form).await
    }

    /// The whole flow for the command line; the answer of the token endpoint.
    pub(crate) async fn tokens(&self) -> Value {
        let told = self.allowed(&Browser::new(), &request()).await;
        let answer = self.post("/oauth/token", &redeem(&told["code"])).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    }

    pub(crate) async fn refresh(&self, token: &str) -> Answer {
        let form = [("grant_type", "refresh_token"), ("client_id", "cli"), ("refresh_token", token)];
        self.post("/oauth/token", &form).await
    }

    /// Returns whether an access token is accepted at the resource.
    pub(crate) async fn is_accepted(&self, token: &str) -> bool {
        let request = Request::post("/mcp").header("authorization", format!("Bearer {token}"));
        self.send(request, "{}").await.status == 200
    }
}

/// The authorization request of the client `cli`.
pub(crate) fn request() -> Vec<(&'static str, &'static str)> {
    vec![
        ("response_type", "code"),
        ("client_id", "cli"),
        ("redirect_uri", "http://127.0.0.1:50123/callback"),
        ("state", "s t&te"),
        ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
        ("code_challenge_method", "S256"),
        ("resource", MCP),
        ("scope", "mcp"),
    ]
}

/// The same, with parameters changed (`""` takes one away).
pub(crate) fn request_with(changes: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    let mut request = request();
    for (name, value) in changes {
        request.retain(|(known, _)| known != name);
        if !value.is_empty() {
            request.push((name, value));
        }
    }
    request
}

/// The token request of the client `cli`, with a code.
pub(crate) fn redeem(code: &str) -> Vec<(&str, &str)> {
    assert_eq!(sha256(VERIFIER), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    vec![
        ("grant_type", "authorization_code"),
        ("client_id", "cli"),
        ("code", code),
        ("redirect_uri", "http://127.0.0.1:50123/callback"),
        ("code_verifier", VERIFIER),
        ("resource", MCP),
    ]
}

/// A browser with its cookies.
#[derive(Default)]
pub(crate) struct Browser {
    pub(crate) cookies: Mutex<BTreeMap<String, String>>,
}

impl Browser {
    pub(crate) fn new() -> Browser {
        Browser::default()
    }

    pub(crate) fn cookie(&self) -> String {
        let cookies = self.cookies.lock().unwrap();
        cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    pub(crate) async fn send(&self, world: &World, request: http::request::Builder, body: &str) -> Answer {
        let answer = world.send(request.header("cookie", self.cookie()), body).await;
        self.keep(answer)
    }

    /// Takes an answer in: its cookies, and what every page must say.
    pub(crate) fn keep(&self, answer: Answer) -> Answer {
        for cookie in answer.headers.get_all("set-cookie") {
            let (pair, attributes) = cookie.to_str().unwrap().split_once(';').unwrap();
            assert!(
                attributes.contains("HttpOnly")
                    && attributes.contains("SameSite=Lax")
                    && attributes.contains("Secure"),
                "{attributes}"
            );
            let (name, value) = pair.split_once('=').unwrap();
            assert!(name.starts_with("__Host-"), "{name}");
            self.cookies.lock().unwrap().insert(name.to_owned(), value.to_owned());
        }
        if answer
            .headers
            .get("content-type")
            .is_some_and(|kind| kind.to_str().unwrap().starts_with("text/html"))
        {
            let policy = answer.headers["content-security-policy"].to_str().unwrap();
            assert!(
                policy.starts_with("default-src 'none';") && policy.contains("frame-ancestors 'none'"),
                "{policy}"
            );
            assert!(!answer.body.contains("<script") && answer.headers["x-frame-options"] == "DENY");
        }
        answer
    }

    pub(crate) async fn get(&self, world: &World, path: &str) -> Answer {
        self.send(world, Request::get(path), "").await
    }

    pub(crate) async fn post(&self, world: &World, path: &str, pairs: &[(&str, &str)]) -> Answer {
        let request = Request::post(path).header("origin", ISSUER).header("sec-fetch-site", "same-origin");
        self.send(world, request, &encoded(pairs)).await
    }

    /// Opens the link that was shown, confirms it, and goes on.
    pub(crate) async fn sign_in(&self, world: &World, page: &Answer) -> Answer {
        assert!(page.body.contains("Sign in"), "{}", page.body);
        // The user asks for a link unless one was shown for this sign-in.
        let shown = world.links.lock().unwrap().pop();
        let link = match shown {
            Some(link) => link.url().clone(),
            None => {
                let mut link = world.server.sign_in_link().await.unwrap();
                link.query_pairs_mut().append_pair("request", &page.field("request").unwrap());
                link
            }
        };
        let confirm = self.get(world, &link[url::Position::BeforePath..]).await;
        let (code, request) = (confirm.field("code").unwrap(), confirm.field("request").unwrap());
        let entered = self.post(world, "/oauth/signin", &[("code", &code), ("request", &request)]).await;
        assert_eq!(entered.status, 303, "{}", entered.body);
        self.get(world, entered.location()).await
    }
}
