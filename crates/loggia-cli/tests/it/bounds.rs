//! The bounds of `loggia up`, seen from outside.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc;
use std::time::Duration;

use serde_json::json;

use crate::program::run;
use crate::server;
use crate::up::{get, up};

/// Sends one `tools/call` of the stateless form; the answer is read by whoever takes the stream.
fn begin_call(url: &str, tool: &str) -> TcpStream {
    let address = url.trim_start_matches("http://").split('/').next().expect("an address").to_owned();
    let mut stream = TcpStream::connect(&address).expect("it listens");
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let params = json!({ "name": tool, "arguments": {}, "_meta": meta });
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params }).to_string();
    write!(
        stream,
        "POST /mcp HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: 2026-07-28\r\n\
         Mcp-Method: tools/call\r\nMcp-Name: {tool}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .expect("sent");
    stream
}

#[cfg(unix)]
#[test]
fn calls_that_hang_in_one_connector_leave_the_others_and_the_health_pages_alone() {
    const CALLS: usize = 40;
    let kitchen = server::start();
    let folder = tempfile::tempdir().expect("a folder");
    let config = format!(
        "[server.limits]\nrequests = {CALLS}\n\
         [connectors.slow]\nkind = \"remote\"\nurl = \"{0}\"\n\
         [connectors.good]\nkind = \"remote\"\nurl = \"{0}\"\n",
        kitchen.url
    );
    std::fs::write(folder.path().join("loggia.toml"), config).expect("written");
    let mut up = up(folder.path(), &[]);
    up.until("✓ slow");
    let calls: Vec<TcpStream> = (0..CALLS).map(|_| begin_call(&up.url, "slow_hang")).collect();
    let (tell, answers) = mpsc::channel();
    for call in &calls {
        let (mut call, tell) = (call.try_clone().expect("a second handle"), tell.clone());
        std::thread::spawn(move || {
            let mut answer = String::new();
            // The end of the test ends those that hang.
            let _ = call.read_to_string(&mut answer);
            let _ = tell.send(answer);
        });
    }
    for _ in 0..CALLS / 2 {
        let answer =
            answers.recv_timeout(Duration::from_secs(60)).expect("what is over the share is answered");
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("which is its share"), "{answer}");
    }
    let called = run(&["call", &up.url, "good_echo", "text=hi"]);
    assert_eq!(called.stdout, "hi\n", "{called}");
    for page in ["/healthz", "/readyz"] {
        assert_eq!(get(&up.url, page).0, "HTTP/1.1 200 OK", "{page}");
    }
    for call in &calls {
        // Some are closed already.
        let _ = call.shutdown(std::net::Shutdown::Both);
    }
}
