//! The client and a server of this very program, in every revision: nothing but the protocol between them.

use std::sync::Arc;
use std::time::Duration;

use loggia::changes::{Change, Changes, Listening};
use loggia::client::{Client, Status};
use loggia::error::Error;
use loggia::exchange::Exchange;
use loggia::model::{
    CallToolResult, ElicitAction, ElicitResult, Implementation, InputRequest, InputRequired, ListToolsResult,
    ProgressParams, ServerCapabilities, ServerNotification, ServerResult, SubscriptionFilter, Tool,
};
use loggia::service::{BoxFuture, Description, Outcome, Principal, Reply, Request, Service};
use loggia::wire::{Method, RawJson, RpcError, Version};
use serde_json::{Value, json};

/// Lists one tool; calls of any name do what the name says.
struct Fixture {
    changes: Changes,
}

impl Service for Fixture {
    fn describe(&self) -> Arc<Description> {
        let capabilities = json!({
            "tools": { "listChanged": true }, "resources": { "subscribe": true }, "logging": {},
        });
        let capabilities: ServerCapabilities = serde_json::from_value(capabilities).expect("capabilities");
        Arc::new(Description {
            identity: Implementation::new("fixture", "1"),
            capabilities,
            instructions: Some("try it".to_owned()),
            versions: Version::ALL.to_vec(),
        })
    }

    fn call(&self, request: Request, exchange: Exchange) -> BoxFuture<'_, Outcome> {
        Box::pin(async move {
            match request.method {
                Method::ListTools => {
                    let tool: Tool =
                        serde_json::from_value(json!({ "name": "t", "inputSchema": { "type": "object" } }))
                            .expect("a tool");
                    let list = ListToolsResult { tools: vec![tool], ..ListToolsResult::default() };
                    Ok(Reply::from(ServerResult::from(list)))
                }
                Method::CallTool => call(request, exchange).await,
                other => Err(RpcError::method_not_found(other.as_str())),
            }
        })
    }

    fn listen(
        &self,
        filter: SubscriptionFilter,
        _: Option<Arc<Principal>>,
    ) -> BoxFuture<'_, Result<Listening, RpcError>> {
        let listening = self.changes.listen(filter);
        Box::pin(async { Ok(listening) })
    }
}

async fn call(request: Request, exchange: Exchange) -> Outcome {
    let params: Value = request.params.decode().expect("the edge checked it");
    match params["name"].as_str() {
        Some("count") => {
            for step in 1..=3 {
                if let Some(token) = request.meta.progress_token.clone() {
                    let progress = json!({ "progressToken": token, "progress": step, "total": 3 });
                    let progress: ProgressParams = serde_json::from_value(progress).expect("progress");
                    exchange.notify(ServerNotification::Progress(progress));
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            text("counted")
        }
        Some("ask") => match params["inputResponses"].get("q") {
            Some(answer) => text(&format!("{} {}", answer["action"], params["requestState"])),
            None => {
                let question = json!({ "method": "elicitation/create", "params": {
                    "message": "?", "requestedSchema": { "type": "object", "properties": {} } } });
                let question: InputRequest = serde_json::from_value(question).expect("a question");
                let input = InputRequired {
                    input_requests: Some([("q".to_owned(), question)].into()),
                    request_state: Some("state".to_owned()),
                    ..InputRequired::default()
                };
                Ok(Reply::from(ServerResult::from(input)))
            }
        },
        Some("never") => std::future::pending().await,
        Some("panic") => panic!("on purpose"),
        _ => Err(RpcError::invalid_params("Unknown tool")),
    }
}

fn text(text: &str) -> Outcome {
    Ok(Reply::from(ServerResult::from(CallToolResult::text(text))))
}

async fn connect(version: Version) -> (Client, Changes) {
    let service = Arc::new(Fixture { changes: Changes::new() });
    let changes = service.changes.clone();
    let builder = Client::builder().version(version).on_elicit(|_| async { Ok(ElicitResult::decline()) });
    (builder.connect(&service).await.unwrap_or_else(|error| panic!("{version}: {error}")), changes)
}

fn said(result: Result<CallToolResult, Error>) -> String {
    result.expect("it answers").content[0].as_text().expect("text").to_owned()
}

#[tokio::test(start_paused = true)]
async fn by_default_the_newest_revision_is_spoken() {
    let service = Arc::new(Fixture { changes: Changes::new() });
    let client = Client::connect(&service).await.expect("it opens");
    assert_eq!(client.version(), Some(Version::LATEST));
}

#[tokio::test(start_paused = true)]
async fn every_revision() {
    for version in Version::ALL {
        let (client, changes) = connect(version).await;
        assert_eq!(client.version(), Some(version));
        assert_eq!(client.server_info().map(|info| info.name), Some("fixture".to_owned()), "{version}");
        assert_eq!(client.list_all_tools().await.expect("it lists").len(), 1, "{version}");
        client.ping().await.unwrap_or_else(|error| panic!("{version}: {error}"));

        let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
        let count = client.call("count").on_progress(move |progress| _ = told.send(progress.progress)).send();
        assert_eq!(said(count.await), "counted", "{version}");
        assert_eq!(heard.recv().await, Some(1.0), "{version}");

        assert!(client.call_tool("panic", json!({})).await.is_err(), "{version}");
        match client.call_tool("nothing", json!({})).await {
            Err(Error::Rpc(error)) => assert_eq!(error.code.0, -32602, "{version}"),
            other => panic!("{version}: {other:?}"),
        }
        let never = client.call("never").timeout(Duration::from_secs(3)).send().await;
        assert!(matches!(never, Err(Error::Timeout(_))), "{version}: {never:?}");

        let mut subscription = client
            .listen(SubscriptionFilter {
                tools_list_changed: Some(true),
                resource_subscriptions: Some(vec!["a".to_owned()]),
                ..SubscriptionFilter::default()
            })
            .await
            .unwrap_or_else(|error| panic!("{version}: {error}"));
        changes.resource("b");
        changes.resource("a");
        assert_eq!(subscription.next().await, Some(Change::Resource("a".to_owned())), "{version}");
        changes.tools();
        assert_eq!(subscription.next().await, Some(Change::Tools), "{version}");

        client.close().await;
        assert!(matches!(client.status(), Status::Closed(_)));
    }
}

/// The same service asks, whether the answer comes live or with the next request.
#[tokio::test(start_paused = true)]
async fn questions_are_answered_in_every_revision_that_has_them() {
    for version in Version::ALL.into_iter().filter(|version| Method::Elicit.exists_in(*version)) {
        let (client, _) = connect(version).await;
        let expected = format!("{} \"state\"", json!(ElicitAction::Decline));
        assert_eq!(said(client.call_tool("ask", json!({})).await), expected, "{version}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_raw_request_returns_what_the_server_wrote() {
    let (client, _) = connect(Version::LATEST).await;
    let reply = client.request(Method::ListTools, RawJson::empty_object(), Default::default()).await;
    let reply = reply.expect("it answers");
    let result: Value = reply.result.decode().expect("JSON");
    assert_eq!((reply.version, &result["resultType"]), (Version::LATEST, &json!("complete")));
}
