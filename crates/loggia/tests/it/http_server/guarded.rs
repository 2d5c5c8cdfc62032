//! A relayed result keeps its guard until the client has taken the response, whatever form it has.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Weak};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::Body as _;
use loggia::Service;
use loggia::changes::{ChangeSubscription, Changes};
use loggia::exchange::Exchange;
use loggia::model::{
    Implementation, LogParams, LoggingLevel, ServerCapabilities, ServerNotification, SubscriptionFilter,
};
use loggia::service::{BoxFuture, Description, Outcome, Principal, Relayed, Reply};
use loggia::transport::http::{Body, Endpoint, http};
use loggia::wire::{RawJson, RpcError, Version};
use serde_json::{Value, json};

/// Longer than what a guard is kept for.
const LONG: usize = 64 << 10;

struct Relaying {
    description: Arc<Description>,
    guard: std::sync::Mutex<Option<Arc<()>>>,
    /// True if the client gets a notification before the result.
    speaks: bool,
}

impl Service for Relaying {
    fn describe(&self) -> Arc<Description> {
        self.description.clone()
    }

    fn call(&self, request: loggia::service::Request, exchange: Exchange) -> BoxFuture<'_, Outcome> {
        Box::pin(async move {
            if self.speaks {
                exchange.notify(ServerNotification::Log(LogParams::new(LoggingLevel::Error, "begun")));
            }
            let text = "x".repeat(LONG);
            let result = json!({ "resultType": "complete", "content": [{ "type": "text", "text": text }] });
            let guard = self.guard.lock().expect("not poisoned").take();
            let relayed = Relayed::new(request.meta.version, RawJson::from(&result)).with_guard(guard);
            Ok(Reply::from(relayed))
        })
    }

    fn listen(
        &self,
        filter: SubscriptionFilter,
        _: Option<Arc<Principal>>,
    ) -> BoxFuture<'_, Result<ChangeSubscription, RpcError>> {
        Box::pin(async move { Ok(Changes::new().listen(filter)) })
    }
}

fn endpoint(speaks: bool) -> (Endpoint, Weak<()>) {
    let guard = Arc::new(());
    let watched = Arc::downgrade(&guard);
    let description = Description {
        identity: Implementation::new("relay", "1"),
        capabilities: ServerCapabilities {
            tools: Some(Default::default()),
            logging: Some(Default::default()),
            ..ServerCapabilities::default()
        },
        instructions: None,
        versions: Version::ALL.to_vec(),
    };
    let guard = std::sync::Mutex::new(Some(guard));
    let service = Arc::new(Relaying { description: Arc::new(description), guard, speaks });
    (http("127.0.0.1:0").endpoint(service), watched)
}

async fn post(endpoint: &Endpoint, headers: &[(&str, &str)], body: &Value) -> Response<Body> {
    let mut request = Request::post("/mcp")
        .header("host", "127.0.0.1")
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::full(body.to_string())).expect("a request");
    let mut endpoint = endpoint.clone();
    let answered = tower_service::Service::call(&mut endpoint, request).await;
    answered.unwrap_or_else(|never| match never {})
}

async fn frame(body: &mut Body) -> Option<Bytes> {
    let frame = poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await?;
    frame.expect("it can be read").into_data().ok()
}

/// The response to a call, in one form of the protocol.
async fn respond(endpoint: &Endpoint, version: &str) -> Response<Body> {
    let log_level = "io.modelcontextprotocol/logLevel";
    if version == "2026-07-28" {
        let meta = json!({
            "io.modelcontextprotocol/protocolVersion": version,
            "io.modelcontextprotocol/clientCapabilities": {},
            log_level: "debug",
        });
        let params = json!({ "name": "t", "arguments": {}, "_meta": meta });
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
        let headers = [("mcp-protocol-version", version), ("mcp-method", "tools/call"), ("mcp-name", "t")];
        return post(endpoint, &headers, &body).await;
    }
    let client = json!({ "name": "c", "version": "1" });
    let params = json!({ "protocolVersion": version, "capabilities": {}, "clientInfo": client });
    let opening = json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params });
    let opened = post(endpoint, &[], &opening).await;
    let headers: HeaderMap = opened.headers().clone();
    let session = headers["mcp-session-id"].to_str().expect("text");
    let headers = [("mcp-session-id", session), ("mcp-protocol-version", version)];
    let params = json!({ "level": "debug" });
    let level = json!({ "jsonrpc": "2.0", "id": 1, "method": "logging/setLevel", "params": params });
    post(endpoint, &headers, &level).await;
    let params = json!({ "name": "t", "arguments": {} });
    let body = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params });
    post(endpoint, &headers, &body).await
}

#[tokio::test]
async fn a_result_keeps_its_guard_until_it_was_taken_or_cannot_be() {
    for version in ["2026-07-28", "2025-11-25", "2025-03-26"] {
        for speaks in [false, true] {
            let (served, guard) = endpoint(speaks);
            let mut body = respond(&served, version).await.into_body();
            let mut read = frame(&mut body).await.expect("the first bytes").len();
            assert!(guard.upgrade().is_some(), "{version}, speaks: {speaks}: most of it is not taken");
            while let Some(more) = frame(&mut body).await {
                read += more.len();
                if read > LONG {
                    break;
                }
            }
            drop(body);
            assert!(guard.upgrade().is_none(), "{version}, speaks: {speaks}: it was taken");
            drop(served);

            let (served, guard) = endpoint(speaks);
            drop(respond(&served, version).await);
            drop(served);
            assert!(guard.upgrade().is_none(), "{version}, speaks: {speaks}: the client is gone");
        }
    }
}
