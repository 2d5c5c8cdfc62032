//! A gateway that the program serves on a listener.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use loggia::client::Client;
use loggia::server::{Args, Cx, Server, Tool, ToolError};
use loggia::transport::http::http;
use loggia::transport::{Serve, Shutdown};
use serde_json::json;
use tokio::sync::Notify;

use crate::world::{NOTES, World, reads_note};

#[tokio::test(flavor = "multi_thread")]
async fn it_listens_on_an_address_or_on_a_listener() {
    let world = World::new();
    let own = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let own_address = own.local_addr().expect("it is bound");
    let by_text =
        world.builder(NOTES).build().await.expect("built").serve("127.0.0.1:0").await.expect("served");
    let by_listener = world.builder(NOTES).build().await.expect("built").serve(own).await.expect("served");
    assert_eq!(by_listener.local_addr(), Some(own_address));
    for server in [by_text, by_listener] {
        let address = server.local_addr().expect("an address");
        assert_eq!(server.url(), format!("http://{address}/mcp"));
        assert!(!server.access().expect("HTTP").is_protected());
        reads_note(server.url(), |client| client).await;
        let status = server.hub().status();
        assert_eq!(status.iter().map(|status| status.state_name()).collect::<Vec<_>>(), ["up"]);
        server.stop().await.expect("stopped");
        assert!(TcpListener::bind(address).is_ok(), "the address is free again");
    }
}

/// A server whose tool says when it begins, and ends when it may.
fn upstream(begun: &Arc<Notify>, may_end: &Arc<Notify>) -> (String, Shutdown) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/mcp", listener.local_addr().expect("it is bound"));
    let (begun, may_end) = (begun.clone(), may_end.clone());
    let wait = Tool::build("wait").handler(move |_: Arc<()>, _: Cx, _: Args| {
        let (begun, may_end) = (begun.clone(), may_end.clone());
        async move {
            begun.notify_one();
            may_end.notified().await;
            Ok::<_, ToolError>("done")
        }
    });
    let service = Server::new("upstream", "1.0.0").tool(wait).build().expect("a server").into_service();
    let shutdown = Shutdown::new();
    let serving = http("127.0.0.1:0").listener(listener).serve(service, Default::default(), shutdown.clone());
    tokio::spawn(serving);
    (url, shutdown)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_lets_running_calls_finish() {
    let world = World::new();
    let (begun, may_end) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (upstream, stop_upstream) = upstream(&begun, &may_end);
    let config = format!("[connectors.slow]\nkind = \"remote\"\nurl = \"{upstream}\"\n");
    let gateway = world.builder(&config).build().await.expect("built");
    let server = gateway.serve("127.0.0.1:0").await.expect("served");
    let client = Client::builder().connect(server.url()).await.expect("connected");
    let call = tokio::spawn(async move { client.call_tool("slow_wait", json!({})).await });
    begun.notified().await;
    let shutdown = server.shutdown();
    let stopped = tokio::spawn(server.stop());
    shutdown.begun().await;
    may_end.notify_one();
    let result = call.await.expect("no panic").expect("an answer");
    assert_eq!(result.content.first().and_then(|block| block.as_text()), Some("done"));
    stopped.await.expect("no panic").expect("stopped");
    stop_upstream.begin();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_dropped_stops() {
    let world = World::new();
    let server =
        world.builder(NOTES).build().await.expect("built").serve("127.0.0.1:0").await.expect("served");
    let shutdown = server.shutdown();
    drop(server);
    assert!(shutdown.is_begun());
}

/// The SDK takes a long event stream from hyper, writes it itself and closes its connection afterwards: hyper's buffers
/// would cost 16 KiB for each listener. That works only where the gateway passes the response on with its extensions.
#[tokio::test(flavor = "multi_thread")]
async fn event_streams_are_detached_from_hyper() {
    let world = World::new();
    let server =
        world.builder(NOTES).build().await.expect("built").serve("127.0.0.1:0").await.expect("served");
    let address = server.local_addr().expect("an address");
    let head = tokio::task::spawn_blocking(move || listener_head(address)).await.expect("no panic");
    assert!(head.contains("text/event-stream") && head.contains("connection: close"), "{head}");
    server.stop().await.expect("stopped");
}

/// Opens a session and listens on it; returns the head of the event stream.
fn listener_head(address: SocketAddr) -> String {
    let params = json!({ "protocolVersion": "2025-06-18", "capabilities": {},
        "clientInfo": { "name": "test", "version": "0" } });
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params }).to_string();
    let accept = "Accept: application/json, text/event-stream\r\n";
    let length = body.len();
    let opened = exchange_head(
        address,
        &format!(
            "POST /mcp HTTP/1.1\r\n{accept}Content-Type: application/json\r\nContent-Length: {length}\r\n"
        ),
        &body,
    );
    let session = opened.lines().find_map(|line| line.strip_prefix("mcp-session-id: ")).expect("a session");
    let version = "MCP-Protocol-Version: 2025-06-18\r\n";
    exchange_head(
        address,
        &format!("GET /mcp HTTP/1.1\r\n{accept}{version}Mcp-Session-Id: {session}\r\n"),
        "",
    )
}

/// Sends a request on a connection of its own, and reads the head of the response.
fn exchange_head(address: SocketAddr, head: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    write!(stream, "{head}Host: {address}\r\n\r\n{body}").expect("sent");
    let mut lines = BufReader::new(stream).lines().map(|line| line.expect("a line"));
    lines.by_ref().take_while(|line| !line.is_empty()).map(|line| line + "\n").collect()
}
