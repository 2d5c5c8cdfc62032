//! A server that wants people to sign in, its authorization server, and a person with a browser.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use loggia::server::{Args, Cx, Server, Tool, ToolError};
use loggia::transport::{Serve, Shutdown, http::http};
use loggia_auth::resource::{ResourceServer, ScopePolicy};
use loggia_auth::restricted_http::{FetchPolicy, RestrictedHttpClient};
use loggia_auth::secret::Secret;
use loggia_auth::server::{AuthorizationServer, OAuthClient, SignInMethod};
use loggia_auth::store::{MemoryStore, TokenStore};
use tokio::runtime::{Handle, Runtime};

type Links = Arc<Mutex<Option<String>>>;

/// The server, as long as this is kept.
pub(crate) struct Protected {
    pub(crate) url: String,
    pub(crate) issuer: String,
    links: Links,
    server: AuthorizationServer,
    records: Arc<MemoryStore>,
    runtime: Handle,
    shutdown: Shutdown,
    thread: Option<JoinHandle<()>>,
}

/// Starts it on a free port.
pub(crate) fn start() -> Protected {
    start_with(true)
}

/// Starts one whose authorization server admits only clients that it has listed, unless it `registers` others.
pub(crate) fn start_with(registers: bool) -> Protected {
    let runtime = Runtime::new().expect("a runtime");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let issuer = format!("http://{}", listener.local_addr().expect("it is bound"));
    let url = format!("{issuer}/mcp");
    let (links, records) = (Links::default(), Arc::new(MemoryStore::new()));
    let shown = links.clone();
    let show: loggia_auth::server::ShowLinkFn =
        Arc::new(move |link| *shown.lock().expect("no panic") = Some(link.url().to_string()));
    let guard = RestrictedHttpClient::new(FetchPolicy::development()).expect("a guard");
    let server = AuthorizationServer::builder(&issuer, records.clone(), guard)
        .resource(&url, ["mcp", "mcp:write"])
        .sign_in(SignInMethod::Link { subject: "me".to_owned(), show })
        .registration(registers)
        .client(
            OAuthClient::new("by-hand", "By hand", ["http://127.0.0.1/callback"])
                .secret(&Secret::new("sesame")),
        )
        .build()
        .expect("an authorization server");
    let resource = ResourceServer::new(url.parse().expect("a URL"))
        .expect("a resource")
        .issuer(server.issuer())
        .scopes(ScopePolicy::new().always("mcp").tool("write", "mcp:write"));
    let whoami = Tool::build("whoami").handler(|_: Arc<()>, cx: Cx, _: Args| async move {
        let principal = cx.principal().ok_or_else(|| ToolError::say("nobody"))?;
        Ok::<_, ToolError>(format!("{}: {}", principal.subject, principal.scopes.join(" ")))
    });
    let write =
        Tool::build("write").handler(|_: Arc<()>, _: Cx, _: Args| async { Ok::<_, ToolError>("written") });
    let mcp = Server::new("safe", "1.0.0").tool(whoami).tool(write).build().expect("a server").into_service();
    let (shutdown, handle) = (Shutdown::new(), runtime.handle().clone());
    let (stop, layer) = (shutdown.clone(), server.layer());
    let thread = std::thread::spawn(move || {
        runtime.block_on(async {
            let http = http("127.0.0.1:0").listener(listener).layer(resource.layer()).layer(layer);
            let limits =
                loggia::limits::Limits { drain: std::time::Duration::from_millis(100), ..Default::default() };
            http.serve(mcp, limits, stop).await.expect("served");
        });
    });
    Protected { url, issuer, links, server, records, runtime: handle, shutdown, thread: Some(thread) }
}

impl Protected {
    pub(crate) fn browser(&self) -> Browser<'_> {
        Browser::new(&self.issuer, || self.links.lock().expect("no panic").take().expect("a link was shown"))
    }

    /// Takes back the access tokens that were given, and nothing else.
    pub(crate) fn replace_keys(&self) {
        self.runtime.block_on(self.server.replace_keys()).expect("replaced");
    }

    /// Takes back everything.
    pub(crate) fn forget(&self) {
        self.runtime.block_on(async {
            for key in self.records.keys("").await.expect("keys") {
                if let Some(record) = self.records.load(&key).await.expect("loaded") {
                    self.records.remove(&key, record.revision).await.expect("removed");
                }
            }
        });
        self.replace_keys();
    }
}

impl Drop for Protected {
    fn drop(&mut self) {
        self.shutdown.begin();
        if let Some(thread) = self.thread.take() {
            // A panic over there has been printed already.
            let _ = thread.join();
        }
    }
}

/// A person with a browser who allows everything.
pub(crate) struct Browser<'a> {
    issuer: String,
    cookies: Vec<String>,
    /// The link that was shown last.
    link: Box<dyn FnMut() -> String + 'a>,
}

/// Where a browser ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// At a page.
    Page(String),
    /// On the way to somebody else than the authorization server.
    Away(String),
}

impl<'a> Browser<'a> {
    pub(crate) fn new(issuer: &str, link: impl FnMut() -> String + 'a) -> Browser<'a> {
        Browser { issuer: issuer.to_owned(), cookies: Vec::new(), link: Box::new(link) }
    }

    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Signs in and allows, and gives the address to which the browser is sent at the end.
    pub(crate) fn allow(&mut self, page: &str) -> String {
        let page = self.see(page);
        let form = [
            ("request", field(&page, "request")),
            ("ticket", field(&page, "ticket")),
            ("decision", "allow".to_owned()),
        ];
        match self.open(&format!("{}/oauth/consent", self.issuer), Some(&form)) {
            Ended::Away(address) => address,
            Ended::Page(page) => panic!("the sign-in does not end: {page}"),
        }
    }

    /// Opens a page, and signs in where that is needed first.
    pub(crate) fn see(&mut self, url: &str) -> String {
        let page = self.page(url, None);
        if !page.contains("name=\"code\"") {
            return page;
        }
        let link = (self.link)();
        let confirm = self.page(&link, None);
        let form = [("code", field(&confirm, "code")), ("request", field(&confirm, "request"))];
        self.page(&format!("{}/oauth/signin", self.issuer), Some(&form))
    }

    pub(crate) fn page(&mut self, url: &str, form: Option<&[(&str, String)]>) -> String {
        match self.open(url, form) {
            Ended::Page(page) => page,
            Ended::Away(address) => panic!("{url} leads to {address}"),
        }
    }

    pub(crate) fn open(&mut self, url: &str, form: Option<&[(&str, String)]>) -> Ended {
        let (mut url, mut form) = (url.to_owned(), form);
        loop {
            let cookies = format!("Origin: {}\r\nCookie: {}\r\n", self.issuer, self.cookies.join("; "));
            let (headers, body) = send(&url, &cookies, form.take());
            for (_, cookie) in headers.iter().filter(|(name, _)| name == "set-cookie") {
                let pair = cookie.split(';').next().unwrap_or_default();
                let name = pair.split('=').next().unwrap_or_default();
                self.cookies.retain(|known| known.split('=').next() != Some(name));
                self.cookies.push(pair.to_owned());
            }
            url = match headers.into_iter().find(|(name, _)| name == "location") {
                None => return Ended::Page(body),
                Some((_, to)) if to.starts_with('/') => format!("{}{to}", self.issuer),
                Some((_, to)) if to.starts_with(&format!("{}/", self.issuer)) => to,
                Some((_, to)) => return Ended::Away(to),
            };
        }
    }
}

/// What is behind a URL.
pub(crate) fn get(url: &str) -> String {
    send(url, "", None).1
}

/// One HTTP request without a library: the headers and the body of the answer.
pub(crate) fn send(
    url: &str,
    headers: &str,
    form: Option<&[(&str, String)]>,
) -> (Vec<(String, String)>, String) {
    let rest = url.strip_prefix("http://").expect("http");
    let (address, path) = rest.split_once('/').expect("a path");
    let method = if form.is_some() { "POST" } else { "GET" };
    let pairs = form.unwrap_or_default().iter().map(|(name, value)| format!("{name}={}", encoded(value)));
    let body = pairs.collect::<Vec<_>>().join("&");
    let length = body.len();
    let mut stream = TcpStream::connect(address).expect("it listens");
    write!(
        stream,
        "{method} /{path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a response");
    let headers = head.lines().filter_map(|line| line.split_once(": "));
    (headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect(), body.to_owned())
}

/// A JSON document to a URL: the head and the body of the answer.
pub(crate) fn post_json(url: &str, headers: &str, body: &serde_json::Value) -> (String, String) {
    let rest = url.strip_prefix("http://").expect("http");
    let (address, path) = rest.split_once('/').expect("a path");
    let (body, mut stream) = (body.to_string(), TcpStream::connect(address).expect("it listens"));
    write!(
        stream,
        "POST /{path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}Accept: application/json, \
         text/event-stream\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a response");
    (head.to_owned(), body.to_owned())
}

fn encoded(text: &str) -> String {
    let encode = |byte: u8| match byte.is_ascii_alphanumeric() {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

pub(crate) fn field(page: &str, name: &str) -> String {
    let start = format!("name=\"{name}\" value=\"");
    let rest = page.split_once(&start).unwrap_or_else(|| panic!("no {name}: {page}")).1;
    rest.split('"').next().unwrap_or_default().to_owned()
}
