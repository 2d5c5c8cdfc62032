//! The three roles together, over real connections: the client, the authorization server, and a protected server of the
//! SDK.

use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::Request;
use http::header::{COOKIE, LOCATION, ORIGIN, SET_COOKIE};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use loggia::client::{Client, Negotiation};
use loggia::server::{Args, Cx, Server, Tool, ToolError};
use loggia::transport::Shutdown;
use loggia::transport::http::http;
use loggia_auth::client::{DpopUse, OAuth};
use loggia_auth::clock::Clock;
use loggia_auth::error::AuthError;
use loggia_auth::jose::{Algorithm, SigningKey};
use loggia_auth::loopback::LoopbackUserAgent;
use loggia_auth::registration::ClientIdentity;
use loggia_auth::resource::{DpopPolicy, NonceKey, ResourceServer, ScopePolicy};
use loggia_auth::restricted_http::{FetchPolicy, RestrictedHttpClient};
use loggia_auth::server::{AuthorizationServer, SignInLink, SignInMethod};
use loggia_auth::store::MemoryStore;
use serde_json::json;
use url::Url;

use super::world::{Time, encoded};
use crate::testing::{answer, serve};

pub(crate) type Links = Arc<Mutex<Option<Url>>>;

/// A user with a browser who allows each request. Cookies are kept.
#[derive(Clone)]
pub(crate) struct Person {
    client: HttpClient<HttpConnector, Full<Bytes>>,
    cookies: Arc<Mutex<Vec<String>>>,
    links: Links,
    asked: Arc<AtomicUsize>,
}

impl Person {
    pub(crate) fn new(links: Links) -> Person {
        let client = HttpClient::builder(TokioExecutor::new()).build_http();
        Person { client, cookies: Arc::default(), links, asked: Arc::default() }
    }

    async fn allow(&self, url: Url) {
        let mut page = self.open(&url, None).await;
        if page.contains("name=\"code\"") {
            let link = self.links.lock().unwrap().take().expect("a link was shown");
            let confirm = self.open(&link, None).await;
            let form = [("code", field(&confirm, "code")), ("request", field(&confirm, "request"))];
            page = self.open(&url.join("/oauth/signin").unwrap(), Some(&form)).await;
        }
        self.asked.fetch_add(1, Ordering::SeqCst);
        let form = [
            ("request", field(&page, "request")),
            ("ticket", field(&page, "ticket")),
            ("decision", "allow".to_owned()),
        ];
        let back = self.open(&url.join("/oauth/consent").unwrap(), Some(&form)).await;
        assert!(back.contains("Signed in"), "{back}");
    }

    pub(crate) async fn open(&self, url: &Url, form: Option<&[(&str, String)]>) -> String {
        let mut url = url.clone();
        let pairs =
            form.map(|form| form.iter().map(|(name, value)| (*name, value.as_str())).collect::<Vec<_>>());
        let mut body = pairs.map(|pairs| encoded(&pairs));
        loop {
            let request = Request::builder()
                .method(if body.is_some() { "POST" } else { "GET" })
                .uri(url.as_str())
                .header(ORIGIN, url.origin().ascii_serialization())
                .header(COOKIE, self.cookies.lock().unwrap().join("; "))
                .body(Full::new(Bytes::from(body.take().unwrap_or_default())))
                .unwrap();
            let response = self.client.request(request).await.unwrap();
            for cookie in response.headers().get_all(SET_COOKIE) {
                let pair = cookie.to_str().unwrap().split(';').next().unwrap().to_owned();
                let name = pair.split_once('=').unwrap().0.to_owned() + "=";
                let mut cookies = self.cookies.lock().unwrap();
                cookies.retain(|known| !known.starts_with(&name));
                cookies.push(pair);
            }
            match response.headers().get(LOCATION) {
                Some(location) => url = url.join(location.to_str().unwrap()).unwrap(),
                None => {
                    let text = response.into_body().collect().await.unwrap().to_bytes();
                    return String::from_utf8(text.to_vec()).unwrap();
                }
            }
        }
    }
}

pub(crate) fn field(page: &str, name: &str) -> String {
    let rest = page
        .split_once(&format!("name=\"{name}\" value=\""))
        .unwrap_or_else(|| panic!("no {name}: {page}"))
        .1;
    rest.split_once('"').unwrap().0.to_owned()
}

struct Running {
    url: Url,
    person: Person,
    time: Time,
    server: AuthorizationServer,
    shutdown: Shutdown,
}

impl Running {
    async fn start(dpop: Option<DpopPolicy>) -> Running {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let (links, time) = (Links::default(), Time::new());
        let shown = links.clone();
        let show = Arc::new(move |link: &SignInLink| *shown.lock().unwrap() = Some(link.url().clone()));
        let http_client = RestrictedHttpClient::new(FetchPolicy::development()).unwrap();
        let server = AuthorizationServer::builder(&issuer, Arc::new(MemoryStore::new()), http_client)
            .resource(format!("{issuer}/mcp"), ["mcp", "mcp:write"])
            .sign_in(SignInMethod::Link { subject: "me".to_owned(), show })
            .clock(time.clock())
            .build()
            .unwrap();
        let url: Url = format!("{issuer}/mcp").parse().unwrap();
        let scopes = ScopePolicy::new().always("mcp").tool("drop", "mcp:write");
        let mut resource = ResourceServer::new(url.clone())
            .unwrap()
            .issuer(server.issuer())
            .scopes(scopes)
            .clock(time.clock());
        if let Some(dpop) = dpop {
            resource = resource.dpop(dpop);
        }
        let tool = |name: &str| {
            Tool::build(name).handler(|_: Arc<()>, cx: Cx, _: Args| async move {
                let principal = cx.principal().ok_or_else(|| ToolError::say("nobody"))?;
                Ok::<_, ToolError>(format!("{}: {}", principal.subject, principal.scopes.join(" ")))
            })
        };
        let mcp = Server::new("test", "1").tool(tool("whoami")).tool(tool("drop")).build().unwrap();
        let shutdown = Shutdown::new();
        let http = http("127.0.0.1:0").listener(listener).layer(resource.layer()).layer(server.layer());
        tokio::spawn(mcp.serve_until(http, shutdown.clone()));
        Running { url, person: Person::new(links), time, server, shutdown }
    }

    fn oauth(&self, identity: ClientIdentity, dpop: DpopUse) -> OAuth {
        let person = self.person.clone();
        let loopback = LoopbackUserAgent::new(move |page| {
            let (person, page) = (person.clone(), page.clone());
            tokio::spawn(async move { person.allow(page).await });
            Ok(())
        });
        let oauth = OAuth::builder(self.url.clone(), identity)
            .policy(FetchPolicy::development())
            .user_agent(loopback);
        oauth.dpop(dpop).clock(self.time.clock()).build().unwrap()
    }

    async fn client(&self, negotiation: Negotiation, dpop: DpopUse) -> Client {
        let oauth = self.oauth(ClientIdentity::new("Ours"), dpop);
        Client::builder().negotiation(negotiation).authorize(oauth).connect(self.url.as_str()).await.unwrap()
    }
}

async fn call(client: &Client, tool: &str) -> String {
    let result = client.call_tool(tool, json!({})).await.unwrap_or_else(|error| panic!("{tool}: {error}"));
    result.content[0].as_text().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_client_signs_in_steps_up_and_renews() {
    let nonces = || DpopPolicy::required().nonces(NonceKey::random());
    for (what, negotiation, dpop, used) in [
        ("modern", Negotiation::Auto, None, DpopUse::WhenAsked),
        ("legacy", Negotiation::Legacy, None, DpopUse::WhenAsked),
        ("bound where asked", Negotiation::Auto, Some(DpopPolicy::required()), DpopUse::WhenAsked),
        ("bound, with nonces", Negotiation::Auto, Some(nonces()), DpopUse::Always),
    ] {
        let running = Running::start(dpop).await;
        let asked = || running.person.asked.load(Ordering::SeqCst);
        let client = running.client(negotiation, used).await;
        assert_eq!((call(&client, "whoami").await.as_str(), asked()), ("me: mcp", 1), "{what}");
        assert_eq!(
            (call(&client, "drop").await.as_str(), asked()),
            ("me: mcp mcp:write", 2),
            "{what}: stepped up"
        );
        for _ in 0..3 {
            running.time.pass(16 * 60);
            assert_eq!(
                (call(&client, "whoami").await.as_str(), asked()),
                ("me: mcp mcp:write", 2),
                "{what}: renewed"
            );
        }
        // A key leaked: its tokens become invalid, and the user is not asked again.
        running.server.replace_keys().await.unwrap();
        assert_eq!(
            (call(&client, "drop").await.as_str(), asked()),
            ("me: mcp mcp:write", 2),
            "{what}: renewed when refused"
        );
        client.close().await;
        running.shutdown.begin();
    }
}

/// A clock that is wrong spoils proofs, until a server says what the time is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_clock_does_not_prevent_a_sign_in() {
    let day = Duration::from_secs(24 * 60 * 60);
    let early: Clock = Arc::new(move || SystemTime::now() - day);
    let late: Clock = Arc::new(move || SystemTime::now() + day);
    for (what, clock) in [("early", early), ("late", late)] {
        let running = Running::start(Some(DpopPolicy::required())).await;
        let (store, mut tokens) = (Arc::new(MemoryStore::new()), Vec::new());
        // The second one is another process: it has the token, and does not know yet that its clock is wrong.
        for _ in 0..2 {
            let person = running.person.clone();
            let loopback = LoopbackUserAgent::new(move |page| {
                let (person, page) = (person.clone(), page.clone());
                tokio::spawn(async move { person.allow(page).await });
                Ok(())
            });
            let oauth = OAuth::builder(running.url.clone(), ClientIdentity::new("Ours")).user_agent(loopback);
            let oauth = oauth
                .policy(FetchPolicy::development())
                .store(store.clone(), "me")
                .clock(clock.clone())
                .build()
                .unwrap();
            let client = Client::builder().authorize(oauth.clone()).connect(running.url.as_str());
            let client = client.await.unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(call(&client, "whoami").await, "me: mcp", "{what}");
            client.close().await;
            tokens.push(oauth.credential().await.unwrap().unwrap().access_token);
        }
        assert_eq!(tokens[0], tokens[1], "{what}: a token is not renewed for its proof");
        assert_eq!(running.person.asked.load(Ordering::SeqCst), 1, "{what}");
        running.shutdown.begin();
    }
}

/// Client ID Metadata Documents with `private_key_jwt`, end to end: an attacker who knows the name of a program
/// is not that program.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_proves_itself_by_the_key_in_its_document() {
    let running = Running::start(None).await;
    let document = Arc::new(Mutex::new(serde_json::Value::Null));
    let served = document.clone();
    let web = serve(move |_| answer(200, &served.lock().unwrap().to_string())).await;
    let described = ClientIdentity::new("Ours").described_by(web.url("/client.json"));
    let key = || Arc::new(SigningKey::generate(Algorithm::Es256).unwrap());
    let own = described.clone().signing(key());
    *document.lock().unwrap() = own.document(&["http://127.0.0.1/callback"]).unwrap();

    let oauth = running.oauth(own, DpopUse::Never);
    let client = Client::builder().authorize(oauth.clone()).connect(running.url.as_str()).await.unwrap();
    assert_eq!(call(&client, "whoami").await, "me: mcp");
    let credential = oauth.credential().await.unwrap().unwrap();
    assert_eq!(credential.client.client_id, web.url("/client.json").as_str());
    running.time.pass(16 * 60);
    assert_eq!(call(&client, "whoami").await, "me: mcp", "renewed");
    assert_eq!(running.person.asked.load(Ordering::SeqCst), 1);
    client.close().await;

    for (what, thief) in [("another key", described.clone().signing(key())), ("no key", described)] {
        let error = running.oauth(thief, DpopUse::Never).sign_in().await.unwrap_err();
        assert!(
            matches!(&error, AuthError::Refused { error, .. } if error == "invalid_client"),
            "{what}: {error}"
        );
    }
    running.shutdown.begin();
}
