//! Connectors that a manifest describes: an API on loopback, with tools that the manifest writes.

use std::path::Path;

use axum::Router;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use loggia::client::{Client, Negotiation};
use loggia::model::{ContentBlock, ResourceBody};
use loggia_gateway::{Credentials, DescribedApi, draft_manifest};
use serde_json::{Value, json};

use crate::world::World;

const KEY: &str = "key_s3cret";

/// Pages of the API: the second one ends.
async fn pages(headers: HeaderMap, url: Uri) -> Response {
    let authorization =
        headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if authorization != format!("Bearer {KEY}") {
        return (StatusCode::UNAUTHORIZED, axum::Json(json!({ "message": "no such key" }))).into_response();
    }
    let query = |name: &str| {
        let pairs = url.query().unwrap_or_default().split('&');
        pairs
            .filter_map(|pair| pair.split_once('='))
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value)
    };
    let next = if query("after") == Some("2") { Value::Null } else { json!("2") };
    let page = json!({ "id": 1, "secret_score": 7, "properties": { "title": query("q") } });
    axum::Json(json!({ "results": [page], "next": next, "me": "Ada" })).into_response()
}

/// A response that is longer than the results of its tool.
fn large() -> Value {
    (0..2000).map(|id| json!({ "id": id, "title": "A page" })).collect()
}

async fn serve() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    let moved = |to: &'static str| get(move || std::future::ready(Redirect::temporary(to)));
    let router = Router::new()
        .route("/v1/pages", get(pages))
        .route("/v1/large", get(|| std::future::ready(axum::Json(large()))))
        .route("/v1/moved", moved("/v1/pages?after=2"))
        .route("/v1/away", moved("http://localhost:1/elsewhere?token=s3cret"));
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// Writes the manifest of an API at this URL.
fn write_manifest(folder: &Path, url: &str) {
    let text = format!(
        r#"
name = "acme"
title = "Acme"
version = "1.0.0"
description = "Pages of an Acme workspace."

[config.team]
type = "string"
title = "Team"
required = true
pattern = "^[a-z]+$"

[[backends]]
name = "remote"
kind = "remote"
url = "http://127.0.0.1:9/mcp"

[[backends]]
name = "api"
kind = "openapi"
base_url = "{url}/v1"
headers = {{ X-Team = "${{config.team}}" }}
auth = {{ class = "api_key", credential = {{ title = "API key", pattern = "^key_" }} }}

[[backends.tools]]
name = "search"
title = "Search pages"
description = "Returns pages by their title."
class = "read"
request = "GET /pages"
result = ".results | map({{id, title: .properties.title}})"
paging = {{ cursor = "after", next = ".next" }}

[backends.tools.input.query]
type = "string"
description = "A part of the title"
required = true
as = "q"
"#
    );
    std::fs::write(folder.join("acme.toml"), text).expect("written");
}

fn section(more: &str) -> String {
    format!("[connectors.acme]\nkind = \"manifest\"\nmanifest = \"acme.toml\"\nbackend = \"api\"\n{more}")
}

fn text(result: &loggia::model::CallToolResult) -> String {
    result.content.iter().filter_map(|block| block.as_text()).collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_makes_an_api_a_connector() {
    let world = World::new();
    write_manifest(world.path(), &serve().await);
    let config = section(&format!("credential = \"{KEY}\"\nconfig = {{ team = \"blue\" }}\n"));
    let server =
        world.builder(&config).build().await.expect("built").serve("127.0.0.1:0").await.expect("served");
    let client = Client::connect(server.url()).await.expect("it connects");
    let tools = client.list_all_tools().await.expect("a list");
    let [tool] = &tools[..] else { panic!("{tools:?}") };
    assert_eq!((tool.name.as_str(), tool.title.as_deref()), ("acme_search", Some("Search pages")));
    let first = client.call_tool("acme_search", json!({ "query": "plan" })).await.expect("a result");
    let shown = text(&first);
    assert!(shown.contains(r#"{"id":1,"title":"plan"}"#) && !shown.contains("secret_score"), "{shown}");
    assert!(shown.contains("cursor"), "{shown}");
    let second =
        client.call_tool("acme_search", json!({ "query": "plan", "cursor": "2" })).await.expect("a result");
    assert!(!text(&second).contains("next cursor"), "{second:?}");
    server.stop().await.expect("stopped");
}

/// A result that is too long is cut, and the client reads the whole of it as a resource.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_result_is_a_resource() {
    let world = World::new();
    write_manifest(world.path(), &serve().await);
    let file = world.path().join("acme.toml");
    let manifest = std::fs::read_to_string(&file).expect("it was written");
    let limits = "\n[backends.limits]\nmax_result = \"4KiB\"\n\n[[backends.tools]]";
    let tool = "\n[[backends.tools]]\nname = \"large\"\ntitle = \"T\"\ndescription = \"D.\"\nclass = \"read\"\n\
                request = \"GET /large\"\n";
    std::fs::write(&file, manifest.replacen("\n[[backends.tools]]", limits, 1) + tool).expect("written");
    let config = section(&format!("credential = \"{KEY}\"\nconfig = {{ team = \"blue\" }}\n"));
    let server = world.builder(&config).build().await.expect("built");
    let server = server.serve("127.0.0.1:0").await.expect("served");
    for negotiation in [Negotiation::Auto, Negotiation::Legacy] {
        let client =
            Client::builder().negotiation(negotiation).connect(server.url()).await.expect("connected");
        let result = client.call_tool("acme_large", json!({})).await.expect("a result");
        let shown = text(&result);
        assert!(shown.starts_with("[{\"id\":0,") && shown.len() < 5000, "{shown}");
        let link = result.content.iter().find_map(|block| match block {
            ContentBlock::ResourceLink(link) => Some(link.clone()),
            _ => None,
        });
        let link = link.expect("a link");
        assert!(
            shown.contains(&link.uri) && link.mime_type.as_deref() == Some("application/json"),
            "{link:?}"
        );
        let whole = client.read_resource(link.uri.clone()).await.expect("the result");
        let ResourceBody::Text(whole) = &whole.contents[0].body else { panic!("{whole:?}") };
        assert_eq!(serde_json::from_str::<Value>(whole).ok(), Some(large()));
        let part = client.read_resource(format!("{}?offset=10&length=20", link.uri)).await.expect("a part");
        assert_eq!(part.contents[0].body, ResourceBody::Text(whole[10..30].to_owned()));
        assert!(client.read_resource("loggia://results/absent").await.is_err());
        let short = client.call_tool("acme_search", json!({ "query": "plan" })).await.expect("a result");
        assert!(!text(&short).contains("[Cut"), "{short:?}");
        client.close().await;
    }
    server.stop().await.expect("stopped");
}

/// A redirect to a host that the manifest does not allow is not followed; one to the same host is.
#[tokio::test(flavor = "multi_thread")]
async fn redirects_stay_at_the_hosts_of_the_manifest() {
    let world = World::new();
    write_manifest(world.path(), &serve().await);
    let file = world.path().join("acme.toml");
    let manifest = std::fs::read_to_string(&file).expect("it was written");
    let tool = |name: &str| {
        format!(
            "\n[[backends.tools]]\nname = \"{name}\"\ntitle = \"T\"\ndescription = \"D.\"\nclass = \"read\"\n\
             request = \"GET /{name}\"\n"
        )
    };
    let (tools, before) = (tool("moved") + &tool("away"), "\n[[backends.tools]]");
    let network = format!("\n[backends.network]\nallow = [\"127.0.0.1\"]\n{before}");
    std::fs::write(&file, manifest.replacen(before, &network, 1) + &tools).expect("written");
    let config = section(&format!("credential = \"{KEY}\"\nconfig = {{ team = \"blue\" }}\n"));
    let server = world.builder(&config).build().await.expect("built");
    let server = server.serve("127.0.0.1:0").await.expect("served");
    let client = Client::connect(server.url()).await.expect("it connects");
    let moved = client.call_tool("acme_moved", json!({})).await.expect("a result");
    assert!(text(&moved).contains("\"me\""), "{moved:?}");
    let away = client.call_tool("acme_away", json!({})).await.expect("a result");
    let said = text(&away);
    let reason = "127.0.0.1 redirects to localhost, which is not in network.allow of the manifest";
    assert!(said.contains(reason) && !said.contains("s3cret"), "{said}");
    server.stop().await.expect("stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_credential_of_the_saved_account_is_used() {
    let world = World::new();
    write_manifest(world.path(), &serve().await);
    let credentials: Credentials = world.credentials("gateway");
    let secret = loggia_auth::secret::Secret::new(KEY);
    credentials.save_account("acme", "work", secret).await.expect("saved");
    let server = world.builder(&section("config = { team = \"blue\" }\n"));
    let server = server.build().await.expect("built").serve("127.0.0.1:0").await.expect("served");
    let client = Client::connect(server.url()).await.expect("it connects");
    let found = client.call_tool("acme_search", json!({ "query": "plan" })).await.expect("a result");
    assert_ne!(found.is_error, Some(true), "{found:?}");
    let [tool] = &client.list_all_tools().await.expect("a list")[..] else { panic!("one tool") };
    assert!(!tool.input_schema.to_raw().to_string().contains("account"), "{tool:?}");
    server.stop().await.expect("stopped");
}

/// With several accounts, each tool takes the account, and a change of the accounts applies while the gateway runs.
#[tokio::test(flavor = "multi_thread")]
async fn each_account_is_an_argument() {
    let world = World::new();
    write_manifest(world.path(), &serve().await);
    let credentials: Credentials = world.credentials("gateway");
    let save = |account: &'static str, key: &str| {
        let (credentials, secret) = (credentials.clone(), loggia_auth::secret::Secret::new(key));
        async move { credentials.save_account("acme", account, secret).await.expect("saved") }
    };
    save("work", KEY).await;
    save("home", "key_old").await;
    let server = world.builder(&section("config = { team = \"blue\" }\n")).serve_added(true);
    let server = server.build().await.expect("built").serve("127.0.0.1:0").await.expect("served");
    let client = Client::connect(server.url()).await.expect("it connects");
    let [tool] = &client.list_all_tools().await.expect("a list")[..] else { panic!("one tool") };
    let schema = tool.input_schema.to_raw().to_string();
    let property = r#""account":{"default":"work","description":"The account to use: work (default), home","enum":["work","home",null],"type":["string","null"]}"#;
    assert!(schema.contains(property), "{schema}");
    // Each case: the account, and a part of the answer.
    let call = |arguments: Value| {
        let client = client.clone();
        async move { text(&client.call_tool("acme_search", arguments).await.expect("a result")) }
    };
    for (account, expected) in [
        (json!("work"), "plan"),
        (json!("home"), "no such key"),
        (Value::Null, "plan"),
        (json!("other"), "expected one of \"work\", \"home\""),
    ] {
        let answer = call(json!({ "query": "plan", "account": account })).await;
        assert!(answer.contains(expected), "{account}: {answer}");
    }
    assert!(call(json!({ "query": "plan" })).await.contains("plan"));
    // A new credential is used without a restart.
    save("home", KEY).await;
    let renewed = async {
        while !call(json!({ "query": "plan", "account": "home" })).await.contains("\"title\"") {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), renewed).await.expect("it is used");
    server.stop().await.expect("stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_that_cannot_be_used_says_why() {
    let world = World::new();
    write_manifest(world.path(), &serve().await);
    let key = format!("credential = \"{KEY}\"\n");
    // Each case: the section, and a part of the reason.
    let cases = [
        (section(&key), "team: a value is needed: Team"),
        (section(&format!("{key}config = {{ team = \"BLUE\" }}\n")), "team: it must match"),
        (section(&format!("{key}config = {{ taem = \"x\" }}\n")), "taem: there is no such value"),
        (section("config = { team = \"blue\" }\n"), "the value 'credential' is missing"),
        (
            section("config = { team = \"blue\" }\ncredential = \"wrong\"\n"),
            "this does not look like API key",
        ),
        (section(&key).replace("\"api\"", "\"apo\""), "but remote, api"),
        (section(&key).replace("acme.toml", "none.toml"), "none.toml cannot be read"),
        (section(&key).replace("acme.toml", "notoin"), "there is no manifest"),
    ];
    for (config, expected) in cases {
        let server =
            world.builder(&config).build().await.expect("built").serve("127.0.0.1:0").await.expect("served");
        let client = Client::connect(server.url()).await.expect("it connects");
        client.list_all_tools().await.expect("a list");
        let reason = format!("{:?}", server.hub().status()[0]);
        assert!(reason.contains(expected) && !reason.contains(KEY), "{config}: {reason}");
        server.stop().await.expect("stopped");
    }
}

/// A manifest that is written from a description is read, and its tools reach the API.
#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_is_drafted_from_a_description() {
    let world = World::new();
    let url = serve().await;
    let query = json!({ "name": "q", "in": "query", "schema": { "type": "string" } });
    let description = json!({
        "openapi": "3.1.0",
        "info": { "title": "Acme", "version": "1" },
        "servers": [{ "url": format!("{url}/v1") }],
        "paths": { "/pages": { "get": {
            "operationId": "listPages", "summary": "Lists pages", "parameters": [query],
            "responses": { "200": { "description": "Pages" } },
        } } },
        "components": { "securitySchemes": { "key": { "type": "http", "scheme": "bearer" } } },
        "security": [{ "key": [] }],
    });
    let file = world.path().join("acme.json");
    std::fs::write(&file, description.to_string()).expect("written");
    let credentials = world.credentials("gateway");
    let file = file.to_string_lossy();
    let described = DescribedApi::OpenApi { description: &file, base_url: None };
    let text = draft_manifest(described, &[], &credentials).await.expect("a manifest");
    std::fs::write(world.path().join("acme.toml"), &text).expect("written");
    let config =
        format!("[connectors.acme]\nkind = \"manifest\"\nmanifest = \"acme.toml\"\ncredential = \"{KEY}\"\n");
    let server =
        world.builder(&config).build().await.expect("built").serve("127.0.0.1:0").await.expect("served");
    let client = Client::connect(server.url()).await.expect("it connects");
    let found = client.call_tool("acme_list_pages", json!({ "q": "plan" })).await.expect("a result");
    assert!(self::text(&found).contains("plan"), "{text}\n{found:?}");
    server.stop().await.expect("stopped");
    let unknown = draft_manifest(described, &["list_users"], &credentials).await.expect_err("refused");
    assert!(unknown.to_string().contains("list_users"), "{unknown}");
}
