//! Refusals that come before the body was read: clients that send all of it first see the status, too.

use loggia::limits::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::fixture::Server;
use super::peer::raw;

/// More than sockets hold.
const BODY: usize = 24 << 20;

#[tokio::test]
async fn a_refusal_reaches_clients_that_send_the_whole_body_first() {
    let server = Server::start().await;
    let full = Server::with(Limits { requests: 0, ..Limits::default() }, |http| http).await;
    let (here, json) = (server.address.to_string(), "Content-Type: application/json\r\nAccept: */*\r\n");
    let evil = format!("{json}Origin: http://evil.example\r\n");
    let text = "Content-Type: text/plain\r\nAccept: */*\r\n";
    let html = "Content-Type: application/json\r\nAccept: text/html\r\n";
    for (of, method, path, host, headers, status) in [
        (&server, "POST", "/mcp", &*here, json, 413),
        (&server, "POST", "/mcp", "evil.example", json, 403),
        (&server, "POST", "/mcp", &here, &evil, 403),
        (&server, "POST", "/elsewhere", &here, json, 404),
        (&server, "PUT", "/mcp", &here, json, 405),
        (&server, "POST", "/mcp", &here, html, 406),
        (&server, "POST", "/mcp", &here, text, 415),
        (&full, "POST", "/mcp", &here, json, 503),
    ] {
        for chunked in [false, true] {
            let length = match chunked {
                true => "Transfer-Encoding: chunked".to_owned(),
                false => format!("Content-Length: {BODY}"),
            };
            let mut request = format!(
                "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}{length}\r\n\r\n"
            )
            .into_bytes();
            if chunked {
                request.extend(format!("{BODY:x}\r\n").as_bytes());
            }
            request.resize(request.len() + BODY, b' ');
            if chunked {
                request.extend(b"\r\n0\r\n\r\n");
            }
            let answer = raw(of.address, &request).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{status} {chunked}: {answer}");
        }
    }
    server.stop().await;
    full.stop().await;
}

/// A client that asks first whether to send the body is told no, and not `100 Continue`.
#[tokio::test]
async fn a_client_that_waits_to_be_told_sends_nothing() {
    let server = Server::start().await;
    let head = format!(
        "POST /elsewhere HTTP/1.1\r\nHost: {}\r\nExpect: 100-continue\r\nContent-Length: {BODY}\r\n\r\n",
        server.address
    );
    let mut stream = TcpStream::connect(server.address).await.expect("the server listens");
    stream.write_all(head.as_bytes()).await.expect("written");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("the server answers and closes");
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    server.stop().await;
}
