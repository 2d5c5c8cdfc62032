//! The connector `fetch`, with servers on this machine.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use loggia_builtin::fetch::{WebLimits, WebOptions, server};
use serde_json::json;

use crate::caller::Caller;

/// A response: the status line and headers, and the body.
type Answer = (String, Vec<u8>);

/// A web server with a function from paths to responses.
struct Site {
    address: SocketAddr,
    requests: Arc<AtomicUsize>,
}

impl Site {
    fn new(answer: impl Fn(&str) -> Answer + Send + 'static) -> Site {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(AtomicUsize::new(0));
        let count = requests.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                count.fetch_add(1, Ordering::SeqCst);
                let _ = respond(stream.unwrap(), &answer);
            }
        });
        Site { address, requests }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

fn respond(mut stream: TcpStream, answer: &impl Fn(&str) -> Answer) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    let (head, body) = answer(first.split(' ').nth(1).unwrap_or_default());
    write!(stream, "HTTP/1.1 {head}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len())?;
    stream.write_all(&body)
}

fn ok(media_type: &str, body: impl Into<Vec<u8>>) -> Answer {
    (format!("200 OK\r\ncontent-type: {media_type}"), body.into())
}

fn not_found() -> Answer {
    ("404 Not Found\r\ncontent-type: text/plain".to_owned(), b"no such page".to_vec())
}

async fn caller(options: WebOptions) -> Caller {
    Caller::new(&server(&options).unwrap()).await
}

fn local() -> WebOptions {
    WebOptions { loopback: true, ..WebOptions::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_become_markdown_in_parts() {
    let site = Site::new(|path| match path {
        "/page" => ok("text/html", "<title>Hello</title><h1>One</h1><p>Two <a href='/x'>three</a></p>"),
        "/cyrillic" => ok("text/html; charset=windows-1251", b"<p>\xcf\xf0\xe8</p>".to_vec()),
        "/json" => ok("application/json", r#"{"a":1}"#),
        "/long" => ok("text/plain; charset=utf-8", "é".repeat(50)),
        "/moved" => ("302 Found\r\nlocation: /page".to_owned(), Vec::new()),
        _ => not_found(),
    });
    let caller = caller(local()).await;
    assert_eq!(caller.tools().await, ["fetch"]);
    let page = caller.call("fetch", json!({ "url": site.url("/page#part") })).await;
    assert_eq!(page["title"], json!("Hello"));
    assert_eq!(page["text"], json!("# One\n\nTwo [three](/x)\n"));
    assert_eq!(page.get("next_offset"), None);
    let raw = caller.call("fetch", json!({ "url": site.url("/page"), "raw": true })).await;
    assert!(raw["text"].as_str().unwrap().starts_with("<title>"));
    for (path, expected) in
        [("/cyrillic", "При\n"), ("/json", "{\"a\":1}"), ("/moved", "# One\n\nTwo [three](/x)\n")]
    {
        let page = caller.call("fetch", json!({ "url": site.url(path) })).await;
        assert_eq!(page["text"], json!(expected), "{path}");
    }
    let moved = caller.call("fetch", json!({ "url": site.url("/moved") })).await;
    assert_eq!(moved["url"], json!(site.url("/page")));
    let before = site.requests.load(Ordering::SeqCst);
    let first = caller.call("fetch", json!({ "url": site.url("/long"), "max_length": 30 })).await;
    assert_eq!((&first["next_offset"], &first["length"]), (&json!(30), &json!(50)));
    let second =
        caller.call("fetch", json!({ "url": site.url("/long"), "offset": 30, "max_length": 30 })).await;
    assert_eq!(
        (second["text"].as_str().unwrap(), second.get("next_offset")),
        ("é".repeat(20).as_str(), None)
    );
    assert_eq!(site.requests.load(Ordering::SeqCst), before + 1, "both parts are of one request");
    let error = caller.error("fetch", json!({ "url": site.url("/long"), "offset": 50 })).await;
    assert!(error.contains("the document has 50 characters"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_shown_says_why() {
    let site = Site::new(|path| match path {
        "/pdf" => ok("application/pdf", "%PDF"),
        "/large" => ok("text/plain", vec![b'a'; 3000]),
        "/deep" => ok("text/html", "<div>".repeat(300)),
        "/loop" => ("302 Found\r\nlocation: /loop".to_owned(), Vec::new()),
        "/broken" => {
            ("500 Internal Server Error\r\ncontent-type: text/html".to_owned(), b"<p>oops</p>".to_vec())
        }
        _ => not_found(),
    });
    let limits = WebLimits { document: 2000, time: Duration::from_millis(500), ..WebLimits::default() };
    let caller = caller(WebOptions { limits, ..local() }).await;
    for (path, expected) in [
        ("/none", "status 404: no such page"),
        ("/broken", "status 500"),
        ("/pdf", "the content is application/pdf, 4 bytes"),
        ("/large", "2000"),
        ("/deep", "too deep"),
        ("/loop", "redirects"),
    ] {
        let error = caller.error("fetch", json!({ "url": site.url(path) })).await;
        assert!(error.contains(expected), "{path}: {error}");
    }
    // The system accepts the connection, and no response comes.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let error = caller.error("fetch", json!({ "url": url })).await;
    assert!(error.contains("did not answer within 0.5 seconds"), "{error}");
}

/// URLs that lead into the machine, its network, or another scheme, also by a redirect.
#[tokio::test(flavor = "multi_thread")]
async fn no_url_leads_to_a_private_address() {
    let inside = Site::new(|_| ok("text/plain", "secret"));
    let inner = inside.url("/");
    let caller_of_public = caller(WebOptions::default()).await;
    for url in [
        inner.as_str(),
        "http://localhost/",
        "https://localhost:8443/",
        "https://127.0.0.1/",
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://0.0.0.0/",
        "https://10.0.0.1/",
        "https://172.16.0.1/",
        "https://192.168.1.1/",
        "https://169.254.169.254/latest/meta-data/",
        "https://[fd00::1]/",
        "https://[fe80::1]/",
        "https://user:password@example.com/",
        "file:///etc/passwd",
        "ftp://example.com/",
        "gopher://example.com/",
        "data:text/plain,x",
        "javascript:alert(1)",
        "example.com",
        "https://",
        "",
    ] {
        let error = caller_of_public.error("fetch", json!({ "url": url })).await;
        assert!(!error.contains("secret") && !error.is_empty(), "{url}: {error}");
    }
    assert_eq!(inside.requests.load(Ordering::SeqCst), 0);
    // A server that an administrator allows must not lead to another one.
    let target = inside.url("/");
    let front = Site::new(move |path| match path {
        "/robots.txt" => not_found(),
        _ => (format!("302 Found\r\nlocation: {target}"), Vec::new()),
    });
    let options = WebOptions::default().allow(&front.url("/")).unwrap();
    let caller = caller(options).await;
    let error = caller.error("fetch", json!({ "url": front.url("/page") })).await;
    assert!(error.contains("points to the machine itself"), "{error}");
    assert_eq!(inside.requests.load(Ordering::SeqCst), 0);
    for text in ["10.0.0.0/8", "https://wiki.example.com", "http://10.0.0.1:8080"] {
        assert!(WebOptions::default().allow(text).is_ok(), "{text}");
    }
    for text in ["10.0.0.0/99", "wiki", "ftp://x", ""] {
        assert!(WebOptions::default().allow(text).is_err(), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rules_of_a_server_are_obeyed() {
    let rules = "User-agent: *\nDisallow: /private\n";
    let site = Site::new(move |path| match path {
        "/robots.txt" => ok("text/plain", rules),
        "/moved" => ("302 Found\r\nlocation: /private/page".to_owned(), Vec::new()),
        _ => ok("text/plain", "text"),
    });
    let obeying = caller(local()).await;
    assert_eq!(obeying.call("fetch", json!({ "url": site.url("/open") })).await["text"], json!("text"));
    for path in ["/private", "/private/page", "/moved"] {
        let error = obeying.error("fetch", json!({ "url": site.url(path) })).await;
        assert!(error.contains("does not allow programs to read this page"), "{path}: {error}");
    }
    let broken = Site::new(|path| match path {
        "/robots.txt" => ("503 Unavailable".to_owned(), Vec::new()),
        _ => ok("text/plain", "text"),
    });
    assert!(obeying.error("fetch", json!({ "url": broken.url("/") })).await.contains("does not allow"));
    let free = caller(WebOptions { robots: false, ..local() }).await;
    assert_eq!(free.call("fetch", json!({ "url": site.url("/private/page") })).await["text"], json!("text"));
}
