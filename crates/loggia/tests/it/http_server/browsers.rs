//! The responses to browsers and their pages, on every path and before every layer: `Host` and `Origin` checks, and
//! CORS.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use http::{Request, Response, StatusCode};
use loggia::limits::Limits;
use loggia::service::BoxFuture;
use loggia::transport::http::Body;

use loggia::transport::http::{Http, http};
use loggia::transport::{Serve, Shutdown};
use loggia::wire::Version;
use tokio::task::JoinHandle;

use super::fixture::Fixture;
use super::peer::raw;

/// A layer with two paths of its own: `/open` and `/closed`.
#[derive(Clone)]
struct Paths;

#[derive(Clone)]
struct WithPaths<S>(S);

impl<S> tower_layer::Layer<S> for Paths {
    type Service = WithPaths<S>;

    fn layer(&self, inner: S) -> WithPaths<S> {
        WithPaths(inner)
    }
}

impl<S> tower_service::Service<Request<Body>> for WithPaths<S>
where
    S: tower_service::Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let status = match request.uri().path() {
            "/open" => StatusCode::OK,
            "/closed" => StatusCode::UNAUTHORIZED,
            _ => return Box::pin(self.0.call(request)),
        };
        let mut response = Response::new(Body::empty());
        *response.status_mut() = status;
        Box::pin(std::future::ready(Ok(response)))
    }
}

/// A server with the layer.
struct Server {
    address: SocketAddr,
    shutdown: Shutdown,
    serving: JoinHandle<loggia::Result<()>>,
}

impl Server {
    async fn start(change: impl FnOnce(Http) -> Http) -> Server {
        let (fixture, _) = Fixture::new(&Version::ALL);
        let server = change(http("127.0.0.1:0")).bind().await.expect("a free port");
        let (address, shutdown) = (server.local_addr().expect("bound"), Shutdown::new());
        let serving = tokio::spawn(server.layer(Paths).serve(fixture, Limits::default(), shutdown.clone()));
        Server { address, shutdown, serving }
    }

    async fn stop(self) {
        self.shutdown.begin();
        self.serving.await.expect("no panic").expect("no error");
    }
}

const PAGE: &str = "https://chat.example.com";

/// Sends a request without a body and returns the head of the answer, in small letters.
async fn ask(server: &Server, method: &str, path: &str, host: &str, headers: &str) -> String {
    let host = if host.is_empty() { server.address.to_string() } else { host.to_owned() };
    let request = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n");
    raw(server.address, request.as_bytes()).await.to_ascii_lowercase()
}

#[tokio::test]
async fn host_and_origin_are_checked_on_every_path() {
    let server = Server::start(|http| http).await;
    for (path, status) in [("/open", 200), ("/closed", 401), ("/mcp", 405), ("/elsewhere", 404)] {
        for (host, origin, status) in [
            ("", "", status),
            ("localhost:1", "http://localhost:6274", status),
            ("evil.example", "", 403),
            ("evil.example", "http://evil.example", 403),
            ("", "http://evil.example", 403),
            ("", "null", 403),
        ] {
            let origin = if origin.is_empty() { String::new() } else { format!("Origin: {origin}\r\n") };
            let answer = ask(&server, "GET", path, host, &origin).await;
            assert!(answer.starts_with(&format!("http/1.1 {status} ")), "{path} {host} {origin}: {answer}");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn pages_of_allowed_origins_can_read_every_answer() {
    let server = Server::start(|http| http.allowed_origins([PAGE])).await;
    for (method, path, status) in [
        ("GET", "/open", 200),
        ("GET", "/closed", 401),
        ("GET", "/elsewhere", 404),
        ("POST", "/mcp", 415),
        ("OPTIONS", "/mcp", 405),
    ] {
        let answer = ask(&server, method, path, "", &format!("Origin: {PAGE}\r\n")).await;
        assert!(answer.starts_with(&format!("http/1.1 {status} ")), "{path}: {answer}");
        assert!(answer.contains(&format!("\r\naccess-control-allow-origin: {PAGE}\r\n")), "{path}: {answer}");
        assert!(answer.contains("\r\nvary: origin\r\n"), "{path}: {answer}");
        for name in ["mcp-session-id", "www-authenticate"] {
            let exposed = answer.lines().find(|line| line.starts_with("access-control-expose-headers:"));
            assert!(exposed.is_some_and(|exposed| exposed.contains(name)), "{path} {name}: {answer}");
        }
        let answer = ask(&server, method, path, "", "").await;
        assert!(
            answer.contains("\r\nvary: origin\r\n") && !answer.contains("allow-origin"),
            "{path}: {answer}"
        );
        let answer = ask(&server, method, path, "", "Origin: https://evil.example\r\n").await;
        assert!(answer.starts_with("http/1.1 403 ") && !answer.contains("allow-origin"), "{path}: {answer}");
    }
    server.stop().await;
}

#[tokio::test]
async fn preflights_are_answered() {
    let server = Server::start(|http| http.allowed_origins([PAGE])).await;
    let headers = "authorization,content-type,accept,mcp-session-id,mcp-protocol-version,last-event-id,\
                   mcp-method,mcp-name,mcp-param-region";
    for (path, origin, status) in [
        ("/mcp", PAGE, 204),
        ("/open", PAGE, 204),
        ("/closed", PAGE, 204),
        ("/mcp", "http://localhost:6274", 204),
        ("/mcp", "https://evil.example", 403),
        ("/closed", "https://evil.example", 403),
    ] {
        let asked = format!(
            "Origin: {origin}\r\nAccess-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: {headers}\r\n"
        );
        let answer = ask(&server, "OPTIONS", path, "", &asked).await;
        assert!(answer.starts_with(&format!("http/1.1 {status} ")), "{path} {origin}: {answer}");
        assert_eq!(answer.contains(&format!("allow-origin: {origin}\r\n")), status == 204, "{path} {origin}");
        let line = |name: &str| answer.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        let allowed = line("access-control-allow-headers: ");
        let allows = |name: &str| allowed.split(", ").any(|allowed| allowed == name);
        assert_eq!(headers.split(',').all(allows), status == 204, "{path} {origin}: {allowed}");
        let methods = line("access-control-allow-methods: ");
        assert_eq!(["get", "post", "delete"].iter().all(|method| methods.contains(method)), status == 204);
    }
    server.stop().await;
}
