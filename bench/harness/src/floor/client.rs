//! A bare hyper client that writes and reads the same bodies, with a keep-alive connection for each caller.

use std::borrow::Cow;

use bench_harness::Failure;
use bench_harness::caller::{self, TEXT};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;

#[derive(Serialize)]
struct Call<'a> {
    jsonrpc: &'a str,
    id: u64,
    method: &'a str,
    params: Params<'a>,
}

#[derive(Serialize)]
struct Params<'a> {
    name: &'a str,
    arguments: Arguments<'a>,
    _meta: Meta<'a>,
}

#[derive(Serialize)]
struct Arguments<'a> {
    text: &'a str,
}

#[derive(Serialize)]
struct Meta<'a> {
    #[serde(rename = "io.modelcontextprotocol/protocolVersion")]
    version: &'a str,
    #[serde(rename = "io.modelcontextprotocol/clientInfo")]
    client: Identity<'a>,
    #[serde(rename = "io.modelcontextprotocol/clientCapabilities")]
    capabilities: Capabilities,
}

#[derive(Serialize)]
struct Identity<'a> {
    name: &'a str,
    version: &'a str,
}

#[derive(Serialize)]
struct Capabilities {}

#[derive(Deserialize)]
struct Answer<'a> {
    id: u64,
    #[serde(borrow)]
    result: Content<'a>,
}

#[derive(Deserialize)]
struct Content<'a> {
    #[serde(borrow)]
    content: Vec<Text<'a>>,
}

#[derive(Deserialize)]
struct Text<'a> {
    #[serde(borrow)]
    text: Cow<'a, str>,
}

struct Caller {
    sender: SendRequest<Full<Bytes>>,
    host: String,
    next: u64,
}

#[tokio::main]
pub(crate) async fn run(arguments: &[String]) -> Result<(), Failure> {
    let plan = caller::Plan::parse(arguments).ok_or(crate::USAGE)?;
    let host = plan.url.trim_start_matches("http://").split('/').next().unwrap_or_default();
    let mut callers = Vec::new();
    for _ in 0..plan.concurrency {
        let stream = TcpStream::connect(host).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        callers.push(Caller { sender, host: host.to_owned(), next: 0 });
    }
    caller::run(&plan, callers, call).await
}

async fn call(mut caller: Caller) -> Result<Caller, Failure> {
    caller.next += 1;
    let id = caller.next;
    let request = Request::post("/mcp")
        .header("host", &caller.host)
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", "tools/call")
        .header("mcp-name", "echo")
        .body(Full::new(body(id)?.into()))?;
    caller.sender.ready().await?;
    let response = caller.sender.send_request(request).await?;
    let body = response.into_body().collect().await?.to_bytes();
    let answer: Answer<'_> = serde_json::from_slice(&body)?;
    if answer.id == id && answer.result.content.first().is_some_and(|content| content.text == TEXT) {
        Ok(caller)
    } else {
        Err(format!("wrong answer: {}", String::from_utf8_lossy(&body)).into())
    }
}

fn body(id: u64) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&Call {
        jsonrpc: "2.0",
        id,
        method: "tools/call",
        params: Params {
            name: "echo",
            arguments: Arguments { text: TEXT },
            _meta: Meta {
                version: "2026-07-28",
                client: Identity { name: "bench", version: "1" },
                capabilities: Capabilities {},
            },
        },
    })
}
