//! Lists: order, pages, cursors, change while the server runs; and what a server refuses to be built with.

use loggia::changes::Change;
use loggia::model::{CacheScope, SubscriptionFilter};
use loggia::prelude::*;
use loggia::server::{Args, StringArgs};
use loggia::wire::{JsonObject, Version};
use serde_json::{Value, json};
use std::time::Duration;

use super::harness::{BOTH, Caller};

fn tool(name: &str) -> Tool<()> {
    Tool::build(name).handler(|_: Arc<()>, _: Cx, _: Args| async move { "ok" })
}

fn prompt(name: &str) -> Prompt<()> {
    Prompt::build(name).handler(|_: Arc<()>, _: Cx, _: StringArgs| async move { "ok" })
}

fn resource(uri: &str) -> Resource<()> {
    Resource::build(uri, "r").handler(|_: Arc<()>, _: Cx, _: StringArgs| async move { "ok" })
}

fn names(list: &Value) -> Vec<&str> {
    list["tools"].as_array().expect("a list").iter().filter_map(|tool| tool["name"].as_str()).collect()
}

fn numbered(count: usize) -> Server {
    let tools = (0..count).map(|n| tool(&format!("t{n}")));
    Server::new("s", "1").tools(tools).page_size(2).build().expect("it is well made")
}

#[tokio::test]
async fn pages_follow_the_order_of_registration() {
    for version in BOTH {
        let caller = Caller::new(&numbered(5), version);
        let mut pages = Vec::new();
        let mut params = json!({});
        loop {
            let page = caller.once("tools/list", params).await.expect("a page");
            pages.push(names(&page).join(" "));
            match page.get("nextCursor") {
                Some(cursor) => params = json!({ "cursor": cursor }),
                None => break,
            }
        }
        assert_eq!(pages, ["t0 t1", "t2 t3", "t4"]);
    }
}

#[tokio::test]
async fn a_full_last_page_is_the_last() {
    let caller = Caller::new(&numbered(2), BOTH[1]);
    let page = caller.once("tools/list", json!({})).await.expect("a page");
    assert_eq!((names(&page), page.get("nextCursor")), (vec!["t0", "t1"], None));
}

#[tokio::test]
async fn a_cursor_keeps_its_place_when_the_list_changes() {
    let server = numbered(5);
    let caller = Caller::new(&server, BOTH[1]);
    let first = caller.once("tools/list", json!({})).await.expect("a page");
    server.registry().remove_tool("t1");
    server.registry().remove_tool("t2");
    server.registry().add_tool(tool("t5")).expect("it is well made");
    let cursor = json!({ "cursor": first["nextCursor"] });
    let second = caller.once("tools/list", cursor).await.expect("a page");
    assert_eq!(names(&second), ["t3", "t4"]);
    let third = caller.once("tools/list", json!({ "cursor": second["nextCursor"] })).await.expect("a page");
    assert_eq!(names(&third), ["t5"]);
}

#[tokio::test]
async fn a_cursor_of_something_else_is_refused() {
    let server = Server::new("s", "1")
        .tools([tool("a"), tool("b"), tool("c")])
        .prompts([prompt("p")])
        .page_size(1)
        .build();
    let caller = Caller::new(&server.expect("it is well made"), BOTH[1]);
    let cursor = caller.once("tools/list", json!({})).await.expect("a page")["nextCursor"].clone();
    let table = [
        ("prompts/list", json!({ "cursor": cursor })),
        ("tools/list", json!({ "cursor": "" })),
        ("tools/list", json!({ "cursor": "dDk5" })),
        ("tools/list", json!({ "cursor": "!" })),
        ("tools/list", json!({ "cursor": 7 })),
    ];
    for (method, params) in table {
        let error = caller.once(method, params.clone()).await.expect_err("no such page");
        assert_eq!(error["code"], -32602, "{method} {params}: {error}");
    }
}

#[tokio::test]
async fn what_is_not_offered_does_not_exist() {
    let server = Server::new("s", "1").tools([]).build().expect("it is well made");
    let caller = Caller::new(&server, BOTH[1]);
    assert_eq!(names(&caller.once("tools/list", json!({})).await.expect("a list")), Vec::<&str>::new());
    for method in
        ["prompts/list", "prompts/get", "resources/list", "resources/read", "completion/complete", "x/y"]
    {
        let error = caller.once(method, json!({})).await.expect_err("it does not exist");
        assert_eq!(error["code"], -32601, "{method}");
    }
}

#[test]
fn capabilities_follow_from_what_is_registered() {
    use loggia::Service as _;
    let of = |builder: loggia::server::ServerBuilder<()>| {
        let server = builder.build().expect("it is well made");
        json!(server.describe().capabilities)
    };
    let start = || Server::new("s", "1");
    let completing = Prompt::build("p")
        .argument("a", "", true)
        .complete("a", |_: Arc<()>, _: Cx, _| async move { vec!["x"] })
        .handler(|_: Arc<()>, _: Cx, _: StringArgs| async move { "ok" });
    let table = [
        (of(start()), json!({})),
        (of(start().tool(tool("t"))), json!({ "tools": { "listChanged": true }, "logging": {} })),
        (of(start().tools([])), json!({ "tools": { "listChanged": true }, "logging": {} })),
        (
            of(start().prompt(completing)),
            json!({ "prompts": { "listChanged": true }, "completions": {}, "logging": {} }),
        ),
        (
            of(start().resource(resource("a://b"))),
            json!({ "resources": { "listChanged": true, "subscribe": true }, "logging": {} }),
        ),
    ];
    for (found, expected) in table {
        assert_eq!(found, expected);
    }
}

#[tokio::test]
async fn caching_hints_come_with_the_modern_era_alone() {
    let server =
        Server::new("s", "1").tool(tool("t")).cache(Duration::from_secs(5), CacheScope::Public).build();
    let server = server.expect("it is well made");
    let list =
        Caller::new(&server, Version::V2026_07_28).once("tools/list", json!({})).await.expect("a list");
    assert_eq!((&list["ttlMs"], &list["cacheScope"]), (&json!(5000), &json!("public")));
    let list =
        Caller::new(&server, Version::V2025_11_25).once("tools/list", json!({})).await.expect("a list");
    assert_eq!((list.get("ttlMs"), list.get("cacheScope")), (None, None));
}

#[tokio::test]
async fn changes_while_it_runs_are_announced_to_those_who_listen() {
    use loggia::Service as _;
    let server = Server::new("s", "1").tools([]).prompts([]).resources([]).build().expect("it is well made");
    let filter = SubscriptionFilter {
        tools_list_changed: Some(true),
        resources_list_changed: Some(true),
        resource_subscriptions: Some(vec!["a://b".to_owned()]),
        ..SubscriptionFilter::default()
    };
    let listening = server.listen(filter.clone(), None).await.expect("it listens");
    assert_eq!(listening.accepted(), &filter);
    let registry = server.registry();
    registry.add_prompt(prompt("p")).expect("it is well made");
    registry.add_tool(tool("t")).expect("it is well made");
    registry.add_resource(resource("a://b")).expect("it is well made");
    server.changes().resource("a://b");
    server.changes().resource("a://other");
    let mut heard = Vec::new();
    for _ in 0..3 {
        heard.push(listening.next().await);
    }
    let expected = [Change::Tools, Change::Resources, Change::Resource("a://b".to_owned())];
    assert_eq!(heard, expected.map(Some));
    assert!(registry.remove_tool("t") && !registry.remove_tool("t"));
    assert_eq!(listening.next().await, Some(Change::Tools));
}

#[tokio::test]
async fn what_was_not_declared_cannot_come_later() {
    let server = Server::new("s", "1").tools([]).build().expect("it is well made");
    let error = server.registry().add_prompt(prompt("p")).expect_err("it has no prompts");
    assert!(error.to_string().contains("call `.prompts([])` before it is built"), "{error}");
    use loggia::Service as _;
    let all = SubscriptionFilter {
        prompts_list_changed: Some(true),
        tools_list_changed: Some(true),
        ..Default::default()
    };
    let listening = server.listen(all, None).await.expect("it listens");
    let expected = SubscriptionFilter { tools_list_changed: Some(true), ..Default::default() };
    assert_eq!(listening.accepted(), &expected);
}

#[test]
fn a_server_tells_all_that_is_wrong_with_it_at_once() {
    let with_schema = |name: &str, schema: Value| {
        Tool::build(name).input_schema(schema).handler(|_: Arc<()>, _: Cx, _: Args| async move { "ok" })
    };
    let header = |name: &str, kind: &str| json!({ "type": "object", "properties": { "a": { "type": kind, "x-mcp-header": name } } });
    let completing = Prompt::build("p")
        .argument("a", "", true)
        .argument("a", "", true)
        .complete("b", |_: Arc<()>, _: Cx, _| async move { vec!["x"] })
        .handler(|_: Arc<()>, _: Cx, _: StringArgs| async move { "ok" });
    let fixed = Resource::build("a://fixed", "f")
        .complete("c", |_: Arc<()>, _: Cx, _| async move { vec!["x"] })
        .handler(|_: Arc<()>, _: Cx, _: StringArgs| async move { "ok" });
    let error = Server::new("s", "1")
        .tools([tool("a"), tool("a"), tool("no spaces"), tool("")])
        .tools([
            with_schema("array", json!({ "type": "array" })),
            with_schema(
                "reference",
                json!({ "type": "object", "properties": { "a": { "$ref": "https://example.com/a" } } }),
            ),
            with_schema("pattern", json!({ "type": "object", "properties": { "a": { "pattern": "(" } } })),
            with_schema("header", header("Re gion", "string")),
            with_schema("number", header("Region", "number")),
        ])
        .tool(
            tool("output")
                .map(|definition| definition.output_schema = Some(Arc::new(JsonObject::from([("type", 5)])))),
        )
        .prompts([completing, prompt("q"), prompt("q")])
        .resources([resource("a://b"), resource("a://b"), resource("no-scheme"), resource("a://{"), fixed])
        .build()
        .map(drop)
        .expect_err("nearly everything is wrong");
    insta::assert_snapshot!(error);
}

#[test]
fn the_default_identity_is_the_crate() {
    use loggia::Service as _;
    let server = loggia::server!().build().expect("it is well made");
    let identity = server.describe().identity.clone();
    assert_eq!((identity.name.as_str(), identity.version.as_str()), ("loggia", env!("CARGO_PKG_VERSION")));
}
