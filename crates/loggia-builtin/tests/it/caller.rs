//! A client of a server under test, and its results.

use loggia::Server;
use loggia::client::Client;
use loggia::model::{CallToolResult, ContentBlock};
use loggia::wire::Version;
use serde_json::Value;

/// One of each era, and an old one without structured output.
pub(crate) const VERSIONS: [Version; 3] = [Version::V2025_03_26, Version::V2025_11_25, Version::V2026_07_28];

/// A client of one server.
pub(crate) struct Caller(pub(crate) Client);

impl Caller {
    pub(crate) async fn new(server: &Server) -> Caller {
        Caller::of_version(server, Version::V2026_07_28).await
    }

    pub(crate) async fn of_version(server: &Server, version: Version) -> Caller {
        let client = Client::builder().version(version).connect(server).await;
        let client = client.expect("the server is in this process");
        // The client checks results against the schemas of the list.
        client.list_all_tools().await.expect("the tools are listed");
        Caller(client)
    }

    /// The names of the tools; each has a title, hints, and descriptions.
    pub(crate) async fn tools(&self) -> Vec<String> {
        let tools = self.0.list_all_tools().await.expect("the tools are listed");
        for tool in &tools {
            let hints = tool.annotations.as_ref().expect("it has hints");
            assert!(hints.read_only_hint == Some(true) || hints.destructive_hint.is_some(), "{}", tool.name);
            assert!(tool.title.is_some() && tool.description.is_some(), "{}", tool.name);
            assert!(tool.output_schema.is_some(), "{}", tool.name);
        }
        tools.into_iter().map(|tool| tool.name).collect()
    }

    async fn result(&self, tool: &str, args: Value) -> CallToolResult {
        self.0.call(tool).args(args).send().await.expect("the call is answered")
    }

    /// The structured result of a call that succeeds.
    pub(crate) async fn call(&self, tool: &str, args: Value) -> Value {
        let result = self.result(tool, args.clone()).await;
        assert!(!result.failed(), "{tool} {args}: {}", text(&result));
        match &result.structured_content {
            Some(value) => value.to_value(),
            None => serde_json::from_str(text(&result)).expect("it is JSON"),
        }
    }

    /// The message of a call that fails.
    pub(crate) async fn error(&self, tool: &str, args: Value) -> String {
        let result = self.result(tool, args.clone()).await;
        assert!(result.failed(), "{tool} {args}: {result:?}");
        text(&result).to_owned()
    }
}

fn text(result: &CallToolResult) -> &str {
    result.content.first().and_then(ContentBlock::as_text).unwrap_or_default()
}
