//! A server over Streamable HTTP, and two clients: one with the newest revision, and one with a legacy revision,
//! which opens a session with `initialize`. One endpoint serves both.

use std::io::Write;
use std::net::TcpListener;

use loggia::client::{Client, Negotiation};
use loggia::prelude::*;
use loggia::transport::Shutdown;
use loggia::transport::http::http;
use serde_json::json;

/// Adds two numbers.
#[tool(read_only)]
fn add(a: f64, b: f64) -> f64 {
    a + b
}

#[tokio::main]
async fn main() -> loggia::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}/mcp", listener.local_addr()?);
    let shutdown = Shutdown::new();
    let server = loggia::server!().tool(add).build()?;
    let serving = tokio::spawn(server.serve_until(http("127.0.0.1:0").listener(listener), shutdown.clone()));

    for negotiation in [Negotiation::Auto, Negotiation::Legacy] {
        let client = Client::builder().negotiation(negotiation).connect(url.as_str()).await?;
        let result = client.call_tool("add", json!({ "a": 2, "b": 3 })).await?;
        let version = client.server().await?.version;
        let text = result.content.first().and_then(|block| block.as_text()).unwrap_or("(nothing)");
        writeln!(std::io::stdout(), "{version}: 2 + 3 = {text}")?;
        client.close().await;
    }

    shutdown.begin();
    serving.await.map_err(|error| loggia::Error::Connection(error.to_string()))?
}
