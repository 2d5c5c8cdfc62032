//! Settings of the tools of an MCP server that a manifest describes.

use std::sync::{Arc, Mutex};

use loggia::client::Client;
use loggia::model::ElicitResult;
use loggia::server::{Args, Cx, Server, Tool, ToolError};
use loggia::transport::http::http;
use loggia::transport::{Serve, Shutdown};
use serde_json::{Value, json};

use crate::world::World;

/// The arguments of each call that reached the server, after the name of the tool.
type Calls = Arc<Mutex<Vec<(&'static str, Value)>>>;

fn tool(name: &'static str, calls: &Calls) -> Tool<()> {
    let calls = calls.clone();
    let properties = json!({
        "query": { "type": "string" }, "page_id": { "type": "string" },
        "workspace": { "type": "string" }, "size": { "type": "integer" },
    });
    let schema = json!({ "type": "object", "properties": properties, "required": ["query", "workspace"] });
    Tool::build(name)
        .description("For everyone.")
        .input_schema(serde_json::from_value::<loggia::model::JsonObject>(schema).expect("an object"))
        .handler(move |_: Arc<()>, _: Cx, arguments: Args| {
            let arguments = Value::Object(arguments.into_object().to_map());
            calls.lock().expect("not poisoned").push((name, arguments));
            async move { Ok::<_, ToolError>(r#"{"items": [{"id": 1.50, "noise": "x"}]}"#) }
        })
}

/// Serves an MCP server with the tools `acme-search`, `plain`, `drop` and `send`.
fn upstream() -> (String, Calls) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/mcp", listener.local_addr().expect("it is bound"));
    let calls = Calls::default();
    let tools = ["acme-search", "plain", "drop", "send"].map(|name| tool(name, &calls));
    let service = Server::new("acme", "1.0.0").tools(tools).build().expect("a server").into_service();
    let serving = http("127.0.0.1:0").listener(listener).serve(service, Default::default(), Shutdown::new());
    tokio::spawn(serving);
    (url, calls)
}

fn manifest(url: &str, title: &str) -> String {
    format!(
        r#"
name = "acme"
title = "Acme"
version = "1.0.0"
description = "Pages of an Acme workspace."

[config.team]
type = "string"
title = "Team"
required = true

[[backends]]
kind = "remote"
url = "{url}"
auth = {{ class = "none" }}

[[backends.tools]]
name = "search"
from = "acme-search"
title = "{title}"
description = "Returns pages."
class = "read"
fixed = {{ workspace = "${{config.team}}" }}
rename = {{ page = "page_id" }}
defaults = {{ size = 20 }}
result = ".items | map({{id}})"

[[backends.tools]]
name = "drop"
class = "destructive"

[[backends.tools]]
name = "send"
class = "write"
confirm = true
"#
    )
}

const SECTION: &str =
    "[connectors.acme]\nkind = \"manifest\"\nmanifest = \"acme.toml\"\nconfig = { team = \"blue\" }\n";

fn text(result: &loggia::model::CallToolResult) -> String {
    result.content.iter().filter_map(|block| block.as_text()).collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_of_tools_apply_to_an_mcp_server() {
    let world = World::new();
    let (url, calls) = upstream();
    std::fs::write(world.path().join("acme.toml"), manifest(&url, "Search")).expect("written");
    let server =
        world.builder(SECTION).build().await.expect("built").serve("127.0.0.1:0").await.expect("served");
    let asks = Client::builder().on_elicit(|_| async { Ok(ElicitResult::accept(Default::default())) });
    let client = asks.connect(server.url()).await.expect("connected");
    let mute = Client::connect(server.url()).await.expect("connected");

    let tools = client.list_all_tools().await.expect("a list");
    let names: Vec<&str> = tools.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(names, ["acme_search", "acme_plain", "acme_send"]);
    let shown = serde_json::to_value(&tools[0]).expect("JSON");
    assert_eq!((&shown["title"], &shown["description"]), (&json!("Search"), &json!("Returns pages.")));
    assert_eq!(shown["annotations"]["readOnlyHint"], json!(true));
    let page = json!({ "type": "string" });
    let expected = json!({
        "type": "object", "required": ["query"],
        "properties": { "query": page, "page": page, "size": { "type": "integer", "default": 20 } },
    });
    assert_eq!(shown["inputSchema"], expected);
    assert_eq!(serde_json::to_value(&tools[1]).expect("JSON")["description"], json!("For everyone."));

    let whole = r#"{"items": [{"id": 1.50, "noise": "x"}]}"#;
    let given = json!({ "query": "q", "page": "p" });
    let sent = json!({ "query": "q", "page_id": "p", "size": 20, "workspace": "blue" });
    let plain = json!({ "query": "q", "workspace": "w", "page_id": "p" });
    // Each case: whether the client can ask its user, a tool, its arguments, the text of the result, and the call that reaches
    // the server.
    let cases = [
        (false, "acme_search", given, r#"[{"id":1.50}]"#, Some(("acme-search", sent))),
        (false, "acme_search", json!({ "query": "q", "workspace": "w" }), "takes no argument", None),
        (false, "acme_plain", plain.clone(), whole, Some(("plain", plain.clone()))),
        (true, "acme_send", plain.clone(), whole, Some(("send", plain.clone()))),
        (false, "acme_send", plain.clone(), "this client cannot ask", None),
    ];
    for (can_ask, tool, arguments, expected, call) in cases {
        let client = if can_ask { &client } else { &mute };
        let result = client.call_tool(tool, arguments.clone()).await.expect("a result");
        assert!(text(&result).contains(expected), "{tool} {arguments}: {result:?}");
        let reached: Vec<_> = std::mem::take(&mut *calls.lock().expect("not poisoned"));
        assert_eq!(reached, Vec::from_iter(call), "{tool} {arguments}");
    }
    for hidden in ["acme_drop", "acme_acme-search"] {
        let refused = client.call_tool(hidden, plain.clone()).await.expect_err("not served");
        assert!(refused.to_string().contains("Unknown tool"), "{hidden}: {refused}");
    }
    let status = &server.hub().status()[0];
    assert_eq!(&*status.kind, "remote");
    server.stop().await.expect("stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deferred_tool_is_called_and_not_listed() {
    let world = World::new();
    let (url, calls) = upstream();
    let text = manifest(&url, "Search");
    let deferred = text.replace("result = ", "defer = true\nresult = ");
    assert_ne!(text, deferred);
    std::fs::write(world.path().join("acme.toml"), deferred).expect("written");
    let server =
        world.builder(SECTION).build().await.expect("built").serve("127.0.0.1:0").await.expect("served");
    let client = Client::connect(server.url()).await.expect("connected");
    let tools = client.list_all_tools().await.expect("a list");
    let names: Vec<&str> = tools.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(names, ["acme_plain", "acme_send"]);
    client.call_tool("acme_search", json!({ "query": "q", "page": "p" })).await.expect("a result");
    assert_eq!(calls.lock().expect("not poisoned").len(), 1);
    let report = &server.hub().report()[0];
    assert_eq!(
        (report.deferred_tools, report.to_json(report.status.since)["deferredTools"].as_u64()),
        (1, Some(1))
    );
    server.stop().await.expect("stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_are_chosen_by_the_names_that_clients_see() {
    let world = World::new();
    let (url, _) = upstream();
    std::fs::write(world.path().join("acme.toml"), manifest(&url, "Search")).expect("written");
    for (filter, expected) in [
        ("tools = { allow = [\"search\"] }", vec!["acme_search"]),
        ("tools = { deny = [\"search\"] }", vec!["acme_plain", "acme_send"]),
        ("tools = { allow = [\"drop\", \"send\"] }", vec!["acme_send"]),
    ] {
        let config = format!("{SECTION}{filter}\n");
        let server =
            world.builder(&config).build().await.expect("built").serve("127.0.0.1:0").await.expect("served");
        let client = Client::connect(server.url()).await.expect("connected");
        let tools = client.list_all_tools().await.expect("a list");
        let names: Vec<&str> = tools.iter().map(|tool| tool.name.as_str()).collect();
        assert_eq!(names, expected, "{filter}");
        server.stop().await.expect("stopped");
    }
}
