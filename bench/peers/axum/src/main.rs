//! A bare axum handler: it parses the body with serde_json and writes a reply with the same members.

use axum::Router;
use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::serve::ListenerExt;
use serde_json::Value;
use tokio::net::TcpListener;

async fn call(headers: HeaderMap, body: Bytes) -> Response {
    let Ok(request) = serde_json::from_slice::<Value>(&body) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let (id, text) = (&request["id"], &request["params"]["arguments"]["text"]);
    let is_modern = headers.get("mcp-protocol-version").is_some_and(|version| version == "2026-07-28");
    let reply = if is_modern {
        format!(
            r#"{{"jsonrpc":"2.0","id":{id},"result":{{"resultType":"complete","content":[{{"type":"text","text":{text}}}],"_meta":{{"io.modelcontextprotocol/serverInfo":{{"name":"bench-axum","version":"0.1.0"}}}}}}}}"#
        )
    } else {
        format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"content":[{{"type":"text","text":{text}}}]}}}}"#)
    };
    ([(CONTENT_TYPE, "application/json")], reply).into_response()
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [flag, address] = arguments.as_slice() else {
        return Err(std::io::Error::other(USAGE));
    };
    if flag != "--listen" {
        return Err(std::io::Error::other(USAGE));
    }
    let listener = TcpListener::bind(address).await?.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, Router::new().route("/mcp", post(call))).await
}

const USAGE: &str = "usage: bench-axum --listen ADDR";
