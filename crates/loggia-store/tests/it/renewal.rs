//! Two clients with one credential, on two connections to one database, and a strict authorization server: if one
//! client renews the token, the other one uses the new token, and the user is asked once.

use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use loggia::client::Client;
use loggia::server::{Args, Cx, Server, Tool, ToolError};
use loggia::transport::Shutdown;
use loggia::transport::http::http;
use loggia_auth::client::OAuth;
use loggia_auth::loopback::LoopbackUserAgent;
use loggia_auth::registration::ClientIdentity;
use loggia_auth::resource::{ResourceServer, ScopePolicy};
use loggia_auth::restricted_http::{FetchPolicy, RestrictedHttpClient};
use loggia_auth::server::{AuthorizationServer, SignInLink, SignInMethod};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use url::Url;

use crate::{Place, places};

type Links = Arc<Mutex<Option<Url>>>;

/// A person who allows what is asked.
#[derive(Clone)]
struct Person {
    links: Links,
    cookie: Arc<Mutex<String>>,
    asked: Arc<AtomicUsize>,
}

impl Person {
    async fn allow(&self, page: Url) {
        self.open(page.clone(), None).await;
        let link = self.links.lock().unwrap().take().unwrap();
        let confirm = self.open(link, None).await;
        let entered = form(&[("code", &field(&confirm, "code")), ("request", &field(&confirm, "request"))]);
        let asked = self.open(page.join("/oauth/signin").unwrap(), Some(entered)).await;
        self.asked.fetch_add(1, Ordering::SeqCst);
        let (request, ticket) = (field(&asked, "request"), field(&asked, "ticket"));
        let decided = form(&[("request", &request), ("ticket", &ticket), ("decision", "allow")]);
        self.open(page.join("/oauth/consent").unwrap(), Some(decided)).await;
    }

    /// The page at a URL, after redirects.
    async fn open(&self, mut url: Url, mut form: Option<String>) -> String {
        loop {
            let body = form.take();
            let method = if body.is_some() { "POST" } else { "GET" };
            let text = format!(
                "{method} {} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncookie: {}\r\ncontent-length: {}\r\n\r\n{}",
                &url[url::Position::BeforePath..],
                url.authority(),
                self.cookie.lock().unwrap(),
                body.as_ref().map_or(0, String::len),
                body.unwrap_or_default(),
            );
            let address = (url.host_str().unwrap(), url.port().unwrap());
            let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
            stream.write_all(text.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            let header = |name: &str| {
                let lines = answer.lines().take_while(|line| !line.is_empty());
                lines
                    .filter_map(|line| line.split_once(": "))
                    .find(|(known, _)| known.eq_ignore_ascii_case(name))
            };
            if let Some((_, cookie)) = header("set-cookie") {
                *self.cookie.lock().unwrap() = cookie.split(';').next().unwrap().to_owned();
            }
            match header("location") {
                Some((_, location)) => url = url.join(location).unwrap(),
                None => return answer,
            }
        }
    }
}

fn form(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

fn field(page: &str, name: &str) -> String {
    let rest = page
        .split_once(&format!("name=\"{name}\" value=\""))
        .unwrap_or_else(|| panic!("no {name}: {page}"))
        .1;
    rest.split_once('"').unwrap().0.to_owned()
}

/// A protected server with its authorization server.
async fn start(place: &Place, links: Links, shutdown: Shutdown) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let issuer = format!("http://{}", listener.local_addr().unwrap());
    let show = Arc::new(move |link: &SignInLink| *links.lock().unwrap() = Some(link.url().clone()));
    let store = Arc::new(place.vault().await.internal("authorization-server"));
    let server = AuthorizationServer::builder(
        &issuer,
        store,
        RestrictedHttpClient::new(FetchPolicy::development()).unwrap(),
    )
    .resource(format!("{issuer}/mcp"), ["mcp"])
    .sign_in(SignInMethod::Link { subject: "ada".to_owned(), show })
    .refresh_grace(Duration::ZERO)
    .clock(place.time.clock())
    .build()
    .unwrap();
    let url: Url = format!("{issuer}/mcp").parse().unwrap();
    let resource =
        ResourceServer::new(url.clone()).unwrap().issuer(server.issuer()).clock(place.time.clock());
    let resource = resource.scopes(ScopePolicy::new().always("mcp"));
    let whoami = Tool::build("whoami").handler(|_: Arc<()>, cx: Cx, _: Args| async move {
        Ok::<_, ToolError>(cx.principal().map(|principal| principal.subject.clone()).unwrap_or_default())
    });
    let http = http("127.0.0.1:0").listener(listener).layer(resource.layer()).layer(server.layer());
    tokio::spawn(Server::new("test", "1").tool(whoami).build().unwrap().serve_until(http, shutdown));
    url
}

async fn client(place: &Place, url: &Url, person: &Person) -> Client {
    let person = person.clone();
    let loopback = LoopbackUserAgent::new(move |page| {
        let (person, page) = (person.clone(), page.clone());
        tokio::spawn(async move { person.allow(page).await });
        Ok(())
    });
    let store = Arc::new(place.vault().await.scope("ada", "hub"));
    let oauth = OAuth::builder(url.clone(), ClientIdentity::new("Ours"))
        .policy(FetchPolicy::development())
        .user_agent(loopback)
        .store(store, "hub")
        .clock(place.time.clock())
        .build()
        .unwrap();
    Client::builder().authorize(oauth).connect(url.as_str()).await.unwrap()
}

async fn whoami(client: &Client) -> String {
    let result = client.call_tool("whoami", json!({})).await.unwrap();
    result.content[0].as_text().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_renews_the_person_is_asked_once() {
    for place in places("renewed").await {
        let (kind, shutdown) = (place.kind, Shutdown::new());
        let person = Person { links: Links::default(), cookie: Arc::default(), asked: Arc::default() };
        let url = start(&place, person.links.clone(), shutdown.clone()).await;
        let one = client(&place, &url, &person).await;
        assert_eq!(whoami(&one).await, "ada", "{kind}");
        let other = client(&place, &url, &person).await;
        for round in 0..10 {
            place.time.pass(16 * 60);
            let (first, second) = tokio::join!(whoami(&one), whoami(&other));
            assert_eq!((first.as_str(), second.as_str()), ("ada", "ada"), "{kind}, round {round}");
        }
        assert_eq!(person.asked.load(Ordering::SeqCst), 1, "{kind}");
        let listed = place.vault().await.list(Some("ada")).await.unwrap();
        assert!(
            !listed.is_empty() && listed.iter().all(|entry| entry.connector == "hub"),
            "{kind}: {listed:?}"
        );
        shutdown.begin();
    }
}
