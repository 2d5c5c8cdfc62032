//! The console and the admin API of a gateway, asked as a browser asks.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use loggia_gateway::GatewayServer;
use serde_json::{Value, json};

use crate::world::{NOTES, World};

/// A response: its status, its head in lower case, and its body.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

/// Sends a request on a connection of its own.
async fn ask(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut text =
        format!("{method} {path} HTTP/1.1\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    if headers.iter().all(|(name, _)| *name != "host") {
        text += &format!("host: {address}\r\n");
    }
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    text += &format!("\r\n{body}");
    let read = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).expect("connected");
        stream.write_all(text.as_bytes()).expect("sent");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("an answer");
        String::from_utf8_lossy(&answer).into_owned()
    });
    let answer = read.await.expect("read");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
}

async fn served(world: &World, console: bool) -> (GatewayServer, SocketAddr) {
    served_with(world, NOTES, console).await
}

async fn served_with(world: &World, config: &str, console: bool) -> (GatewayServer, SocketAddr) {
    std::fs::write(world.path().join("loggia.toml"), config).expect("written");
    let gateway = world.builder(config).console(console).build().await.expect("built");
    let server = gateway.serve("127.0.0.1:0").await.expect("served");
    let address = server.local_addr().expect("an address");
    (server, address)
}

const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test(flavor = "multi_thread")]
async fn pages_and_the_admin_api_are_served() {
    let world = World::new();
    let (server, address) = served(&world, true).await;
    assert_eq!(server.console_url(), Some(format!("http://{address}/").as_str()));
    server.hub().tried().await;
    for path in ["/", "/directory", "/directory/linear", "/connectors/notes", "/settings"] {
        let answer = ask(address, "GET", path, &[], "").await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(
            answer.head.contains("text/html") && answer.body.contains("<html"),
            "{path}: {}",
            answer.head
        );
        assert!(
            answer.head.contains("content-security-policy: default-src 'none'"),
            "{path}: {}",
            answer.head
        );
    }
    let connectors = ask(address, "GET", "/api/v1/connectors", &[], "").await.json();
    let [notes] = connectors["items"].as_array().expect("a list").as_slice() else { panic!("{connectors}") };
    assert_eq!(
        (&notes["name"], &notes["state"], &notes["tools"]["read"]),
        (&json!("notes"), &json!("up"), &json!(5))
    );
    let detail = ask(address, "GET", "/api/v1/connectors/notes", &[], "").await.json();
    assert!(
        detail["toolList"]
            .as_array()
            .is_some_and(|tools| tools.iter().any(|tool| tool["name"] == "notes_read"))
    );
    let directory = ask(address, "GET", "/api/v1/directory", &[], "").await.json();
    assert!(
        directory["items"].as_array().is_some_and(|all| all.iter().any(|entry| entry["name"] == "linear"))
    );
    let plan =
        ask(address, "POST", "/api/v1/plans", &[JSON], r#"{"source":"linear","backend":"api"}"#).await.json();
    assert_eq!((&plan["name"], &plan["credential"]["isRequired"]), (&json!("linear"), &json!(true)));
    assert_eq!(plan["command"], "loggia add linear --backend api");
    server.stop().await.expect("stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_done_says_why() {
    let world = World::new();
    let (server, address) = served(&world, true).await;
    let rows: &[(&str, &str, &str, u16, &str)] = &[
        ("POST", "/api/v1/connectors", r#"{"source":"linear","backend":"api"}"#, 422, "missing"),
        ("POST", "/api/v1/connectors", r#"{"source":"linaer"}"#, 404, "linear"),
        ("POST", "/api/v1/connectors", r#"{"source":1}"#, 400, "expected a string"),
        ("POST", "/api/v1/plans", r#"{"source":"linear","backend":"none"}"#, 422, "backend"),
        ("GET", "/api/v1/connectors/none", "", 404, "none"),
        ("DELETE", "/api/v1/connectors/notes", "", 409, "notes"),
        ("PATCH", "/api/v1/connectors/notes", r#"{"isEnabled":false}"#, 409, "notes"),
        ("GET", "/api/v1/none", "", 404, "openapi.json"),
    ];
    for (method, path, body, status, word) in rows {
        let answer = ask(address, method, path, &[JSON], body).await;
        assert_eq!(answer.status, *status, "{method} {path} {body}: {}", answer.body);
        assert!(answer.head.contains("application/problem+json"), "{method} {path}: {}", answer.head);
        assert!(answer.body.contains(word), "{method} {path}: {}", answer.body);
    }
    server.stop().await.expect("stopped");
}

/// A method, a path, headers, and the status of the refusal.
type OtherSiteRow<'r> = (&'r str, &'r str, &'r [(&'r str, &'r str)], u16);

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_other_sites_get_nothing() {
    let world = World::new();
    let (server, address) = served(&world, true).await;
    let add = r#"{"source":"npm:evil"}"#;
    let rows: &[OtherSiteRow<'_>] = &[
        ("GET", "/api/v1/connectors", &[("host", "evil.example")], 403),
        ("GET", "/", &[("host", "evil.example:4000")], 403),
        ("POST", "/api/v1/connectors", &[JSON, ("origin", "https://evil.example")], 403),
        ("POST", "/api/v1/connectors", &[JSON, ("origin", "null")], 403),
        ("POST", "/api/v1/connectors", &[JSON, ("sec-fetch-site", "cross-site")], 403),
        ("POST", "/api/v1/connectors", &[("content-type", "text/plain")], 415),
        ("OPTIONS", "/api/v1/connectors", &[("origin", "https://evil.example")], 403),
    ];
    for (method, path, headers, status) in rows {
        let answer = ask(address, method, path, headers, add).await;
        assert_eq!(answer.status, *status, "{method} {path} {headers:?}: {}", answer.body);
        assert!(!answer.head.contains("access-control-allow-origin"), "{method} {path} {headers:?}");
    }
    server.stop().await.expect("stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_of_clients_keep_their_meaning() {
    let world = World::new();
    for (console, root) in [(true, 200), (false, 404)] {
        let (server, address) = served(&world, console).await;
        let rows: &[(&str, u16)] = &[
            ("/", root),
            ("/healthz", 200),
            ("/.well-known/oauth-protected-resource", 404),
            ("/.well-known/oauth-authorization-server", 404),
            ("/register", 404),
            ("/sse", 404),
        ];
        for (path, status) in rows {
            assert_eq!(ask(address, "GET", path, &[], "").await.status, *status, "console {console}: {path}");
        }
        server.stop().await.expect("stopped");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_event_stream_does_not_hold_up_a_stop() {
    let world = World::new();
    let (server, address) = served(&world, true).await;
    let (opened, is_open) = tokio::sync::oneshot::channel();
    let stream = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).expect("connected");
        let text = format!("GET /api/v1/events HTTP/1.1\r\nhost: {address}\r\n\r\n");
        stream.write_all(text.as_bytes()).expect("sent");
        let (mut seen, mut part) = (Vec::new(), [0; 1024]);
        let mut opened = Some(opened);
        while let Ok(n @ 1..) = stream.read(&mut part) {
            seen.extend_from_slice(&part[..n]);
            if String::from_utf8_lossy(&seen).contains("event: changed")
                && let Some(opened) = opened.take()
            {
                let _ = opened.send(());
            }
        }
    });
    is_open.await.expect("an event");
    server.stop().await.expect("stopped");
    stream.await.expect("the stream ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn manifests_of_a_folder_are_in_the_directory_and_can_be_planned() {
    let world = World::new();
    let folder = world.path().join("own");
    std::fs::create_dir(&folder).expect("created");
    let manifest = "name = \"acme\"\ntitle = \"Acme\"\nversion = \"1.0.0\"\ndescription = \"Pages.\"\n\
                    [[backends]]\nkind = \"remote\"\nurl = \"https://mcp.acme.example/mcp\"\n";
    std::fs::write(folder.join("acme.toml"), manifest).expect("written");
    let (server, address) = served_with(&world, &format!("manifests = [\"own\"]\n{NOTES}"), true).await;
    let directory = ask(address, "GET", "/api/v1/directory", &[], "").await.json();
    let names: Vec<&Value> =
        directory["items"].as_array().into_iter().flatten().map(|entry| &entry["name"]).collect();
    assert!(names.contains(&&json!("acme")) && names.contains(&&json!("linear")), "{names:?}");
    let plan = ask(address, "POST", "/api/v1/plans", &[JSON], r#"{"source":"acme"}"#).await;
    assert_eq!((plan.status, &plan.json()["title"]), (200, &json!("Acme")), "{}", plan.body);
    server.stop().await.expect("stopped");
}
