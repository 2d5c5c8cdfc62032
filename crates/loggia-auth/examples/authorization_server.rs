//! An MCP server with one tool, protected by the embedded authorization server in the same process, on loopback.
//!
//! Without arguments it serves until it is stopped, and prints a link for each sign-in. With a command it runs the
//! command and plays the user: it opens every authorization URL that the command prints, signs in and allows the
//! request. The official conformance suite tests the server in this manner:
//!
//! ```text
//! cargo run -p loggia-auth --example authorization_server -- \
//!     npx @modelcontextprotocol/conformance authorization --url {url} --client-id conformance --port 3000
//! ```

#![allow(clippy::print_stdout, reason = "it is a program")]

use std::error::Error;
use std::net::TcpListener;
use std::process::{ExitCode, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::header::{COOKIE, LOCATION, ORIGIN, SET_COOKIE};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use loggia::server::{Args, Cx, Server, Tool, ToolError};
use loggia::transport::http::http;
use loggia_auth::resource::{ResourceServer, ScopePolicy};
use loggia_auth::restricted_http::{FetchPolicy, RestrictedHttpClient};
use loggia_auth::server::{AuthorizationServer, OAuthClient, SignInLink, SignInMethod};
use loggia_auth::store::MemoryStore;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use url::Url;

type Failure = Box<dyn Error + Send + Sync>;
type Links = Arc<Mutex<Option<Url>>>;

#[tokio::main]
async fn main() -> Result<ExitCode, Failure> {
    let command: Vec<String> = std::env::args().skip(1).collect();
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let issuer = format!("http://{}", listener.local_addr()?);
    let links = Links::default();
    let server = server(&issuer, links.clone())?;
    let serving = tokio::spawn(serve(listener, issuer.clone(), server));
    println!("authorization server: {issuer}\nprotected resource: {issuer}/mcp");
    if command.is_empty() {
        serving.await??;
        return Ok(ExitCode::SUCCESS);
    }
    run(&command, &issuer, &links).await
}

fn server(issuer: &str, links: Links) -> Result<AuthorizationServer, Failure> {
    let show = Arc::new(move |link: &SignInLink| {
        println!("Sign in at {}", link.url());
        *links.lock().expect("nobody panics with it") = Some(link.url().clone());
    });
    let store = Arc::new(MemoryStore::new());
    let server =
        AuthorizationServer::builder(issuer, store, RestrictedHttpClient::new(FetchPolicy::development())?)
            .resource(format!("{issuer}/mcp"), ["mcp"])
            .sign_in(SignInMethod::Link { subject: "me".to_owned(), show })
            .client(OAuthClient::new("conformance", "The conformance suite", ["http://127.0.0.1/callback"]))
            .build()?;
    Ok(server)
}

async fn serve(listener: TcpListener, issuer: String, server: AuthorizationServer) -> loggia::Result<()> {
    let uri = format!("{issuer}/mcp").parse().expect("it is a URL");
    let resource = ResourceServer::new(uri).expect("it has neither query nor fragment");
    let resource = resource.issuer(server.issuer()).scopes(ScopePolicy::new().always("mcp"));
    let whoami = Tool::build("whoami").description("Says who calls.").handler(
        |_: Arc<()>, cx: Cx, _: Args| async move {
            let principal = cx.principal().ok_or_else(|| ToolError::say("nobody"))?;
            Ok::<_, ToolError>(principal.subject.clone())
        },
    );
    let http = http("127.0.0.1:0").listener(listener).layer(resource.layer()).layer(server.layer());
    Server::new("protected", "1.0.0").tool(whoami).build()?.serve(http).await
}

/// Runs the command and opens what it prints.
async fn run(command: &[String], issuer: &str, links: &Links) -> Result<ExitCode, Failure> {
    let words: Vec<String> = command.iter().map(|word| word.replace("{url}", issuer)).collect();
    let mut child =
        Command::new(&words[0]).args(&words[1..]).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
    let stdout = child.stdout.take().ok_or("the command has no output")?;
    let mut lines = BufReader::new(stdout).lines();
    while let Some(line) = lines.next_line().await? {
        println!("{line}");
        if line.starts_with(&format!("{issuer}/oauth/authorize?")) {
            Browser::new(links.clone()).allow(&line.parse()?).await?;
        }
    }
    Ok(if child.wait().await?.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A person with a browser who allows everything.
struct Browser {
    client: HttpClient<HttpConnector, Full<Bytes>>,
    cookies: Vec<String>,
    links: Links,
}

struct Page {
    url: Url,
    text: String,
}

impl Page {
    fn field(&self, name: &str) -> Result<String, Failure> {
        let start = format!("name=\"{name}\" value=\"");
        let rest = self.text.split_once(&start).map(|(_, rest)| rest);
        let value = rest.and_then(|rest| rest.split_once('"')).map(|(value, _)| value.to_owned());
        value.ok_or_else(|| format!("{} has no field {name}: {}", self.url.path(), self.text).into())
    }
}

impl Browser {
    fn new(links: Links) -> Browser {
        let client = HttpClient::builder(TokioExecutor::new()).build_http();
        Browser { client, cookies: Vec::new(), links }
    }

    async fn allow(&mut self, url: &Url) -> Result<(), Failure> {
        self.open(url, None).await?;
        let link = self.links.lock().expect("nobody panics with it").take().ok_or("no link was shown")?;
        let confirm = self.open(&link, None).await?;
        let form = [("code", confirm.field("code")?), ("request", confirm.field("request")?)];
        let asked = self.open(&url.join("/oauth/signin")?, Some(&form)).await?;
        let decision = ("decision", "allow".to_owned());
        let form = [("request", asked.field("request")?), ("ticket", asked.field("ticket")?), decision];
        self.open(&url.join("/oauth/consent")?, Some(&form)).await?;
        Ok(())
    }

    /// Opens a page, or sends a form, and follows redirects.
    async fn open(&mut self, url: &Url, form: Option<&[(&str, String)]>) -> Result<Page, Failure> {
        let mut url = url.clone();
        let mut body =
            form.map(|form| url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish());
        for _ in 0..5 {
            let response = self.request(&url, body.take()).await?;
            for cookie in response.headers().get_all(SET_COOKIE) {
                let pair = cookie.to_str()?.split(';').next().unwrap_or_default();
                self.cookies.push(pair.to_owned());
            }
            if let Some(location) = response.headers().get(LOCATION) {
                url = url.join(location.to_str()?)?;
                continue;
            }
            let text = response.into_body().collect().await?.to_bytes();
            return Ok(Page { url, text: String::from_utf8_lossy(&text).into_owned() });
        }
        Err("there are too many redirects".into())
    }

    /// Makes one request. A program that prints where to go may not be there itself yet: people are slower.
    async fn request(&self, url: &Url, body: Option<String>) -> Result<Response<Incoming>, Failure> {
        let mut tries = 0;
        loop {
            let request = Request::builder()
                .method(if body.is_some() { "POST" } else { "GET" })
                .uri(url.as_str())
                .header(ORIGIN, url.origin().ascii_serialization())
                .header(COOKIE, self.cookies.join("; "))
                .body(Full::new(Bytes::from(body.clone().unwrap_or_default())))?;
            match self.client.request(request).await {
                Err(error) if error.is_connect() && tries < 50 => tries += 1,
                answered => return Ok(answered?),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}
