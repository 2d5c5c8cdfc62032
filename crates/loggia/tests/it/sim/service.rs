//! A service written by hand: one tool for each thing a service can do to its connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use loggia::changes::{ChangeSubscription, Changes};
use loggia::exchange::Exchange;
use loggia::model::{
    CallToolParams, CallToolResult, InputRequired, LogParams, LoggingLevel, ProgressParams,
    ServerNotification, ServerResult, SubscriptionFilter,
};
use loggia::service::{BoxFuture, Description, Outcome, Principal, Relayed, Reply, Request, Service};
use loggia::wire::{Id, Method, RawJson, RpcError};

use super::machine::{everything, form};

#[derive(Default)]
pub struct Script {
    pub changes: Changes,
    /// The number of calls that were dropped before they ended.
    pub dropped: Arc<AtomicUsize>,
    pub started: Arc<AtomicUsize>,
}

/// Counts a call that does not get to its end.
struct Unfinished(Arc<AtomicUsize>);

impl Drop for Unfinished {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Service for Script {
    fn describe(&self) -> Arc<Description> {
        Arc::new(everything())
    }

    fn call(&self, request: Request, exchange: Exchange) -> BoxFuture<'_, Outcome> {
        Box::pin(async move {
            if request.method != Method::CallTool {
                return Err(RpcError::method_not_found(request.method.as_str()));
            }
            let params: CallToolParams =
                request.params.decode().map_err(|error| RpcError::invalid_params(error.to_string()))?;
            self.started.fetch_add(1, Ordering::SeqCst);
            let text = match params.name.as_str() {
                "echo" => params.arguments.map(|arguments| format!("{arguments:?}")).unwrap_or_default(),
                "yield" => {
                    tokio::task::yield_now().await;
                    "later".to_owned()
                }
                "hang" => {
                    let _unfinished = Unfinished(Arc::clone(&self.dropped));
                    std::future::pending().await
                }
                "panic" => panic!("on purpose"),
                "noise" => noise(&exchange).await,
                "big" => "x".repeat(100_000),
                "lines" => return Ok(raw_with_lines(&request)),
                "change" => {
                    self.changes.tools();
                    self.changes.resource("a:1");
                    "changed".to_owned()
                }
                "ask" => live(&exchange).await?,
                "input" => match params.input_responses.as_ref().and_then(|answers| answers.get("city")) {
                    None => return Ok(question(params.request_state)),
                    Some(answer) => format!("{answer:?} {}", params.request_state.unwrap_or_default()),
                },
                "for ever" => return Ok(question(params.request_state)),
                _ => return Err(RpcError::invalid_params("no such tool")),
            };
            Ok(ServerResult::from(CallToolResult::text(text)).into())
        })
    }

    fn listen(
        &self,
        filter: SubscriptionFilter,
        _: Option<Arc<Principal>>,
    ) -> BoxFuture<'_, Result<ChangeSubscription, RpcError>> {
        let uris = filter.resource_subscriptions.as_deref().unwrap_or_default();
        assert!(uris.iter().all(|uri| uri != "a:panic"), "on purpose");
        Box::pin(async move { Ok(self.changes.listen(filter)) })
    }
}

async fn noise(exchange: &Exchange) -> String {
    for step in 1..=3 {
        let params = ProgressParams {
            progress_token: Id::Number(0),
            progress: f64::from(step),
            total: None,
            message: None,
            meta: None,
            extra: Default::default(),
        };
        exchange.notify(ServerNotification::Progress(params));
        exchange.notify(ServerNotification::Log(LogParams::new(LoggingLevel::Info, step)));
        tokio::task::yield_now().await;
    }
    "quiet".to_owned()
}

async fn live(exchange: &Exchange) -> Result<String, RpcError> {
    match exchange.client() {
        Some(client) => Ok(format!("{:?}", client.ask(form()).await?)),
        None => Ok("nobody to ask".to_owned()),
    }
}

fn question(state: Option<String>) -> Reply {
    let request_state = Some(format!("{}+", state.unwrap_or_default()));
    let input_requests = Some([("city".to_owned(), form())].into());
    ServerResult::from(InputRequired { input_requests, request_state, ..InputRequired::default() }).into()
}

/// A relayed result that is written on several lines.
fn raw_with_lines(request: &Request) -> Reply {
    let text = "{\r\n  \"content\": [\n    { \"type\": \"text\", \"text\": \"a\\nb\" }\n  ],\n  \"resultType\": \"complete\"\n}";
    let result = RawJson::parse(text.as_bytes().to_vec()).expect("JSON");
    Relayed::new(request.meta.version, result).into()
}
