//! A bare axum handler: it parses the body with serde_json and writes a reply of the same shape.

use axum::http::HeaderMap;
use axum::routing::post;
use axum::serve::ListenerExt;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;

async fn call(headers: HeaderMap, Json(request): Json<Value>) -> Json<Value> {
    let content = json!([{ "type": "text", "text": request["params"]["arguments"]["text"] }]);
    let is_modern = headers.get("mcp-protocol-version").is_some_and(|version| version == "2026-07-28");
    let result = if is_modern {
        let identity = json!({ "name": "bench-axum", "version": "0.1.0" });
        let meta = json!({ "io.modelcontextprotocol/serverInfo": identity });
        json!({ "resultType": "complete", "content": content, "_meta": meta })
    } else {
        json!({ "content": content })
    };
    Json(json!({ "jsonrpc": "2.0", "id": request["id"], "result": result }))
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [flag, address] = arguments.as_slice() else { return Err(std::io::Error::other(USAGE)) };
    if flag != "--listen" {
        return Err(std::io::Error::other(USAGE));
    }
    let listener = TcpListener::bind(address).await?.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, Router::new().route("/mcp", post(call))).await
}

const USAGE: &str = "usage: bench-axum --listen ADDR";
