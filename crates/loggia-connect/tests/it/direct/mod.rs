//! Tools that a manifest writes, with a scripted API behind them.

mod paging;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use loggia::client::Client;
use loggia::service::BoxFuture;
use loggia_connect::direct::{AccessTokenSource, ManifestApi};
use loggia_connect::manifest::{ConnectorManifest, ConnectorValues};
use loggia_connect::openapi::HttpSender;
use loggia_connect::secret::Secret;
use serde_json::{Map, Value, json};

const SHOP: &str = include_str!("api.toml");

/// Answers each request with the next response, and keeps what it was sent.
#[derive(Default)]
pub(crate) struct RecordingApi {
    requests: Mutex<Vec<String>>,
    responses: Mutex<VecDeque<Response<Bytes>>>,
}

impl RecordingApi {
    pub(crate) fn with(responses: impl IntoIterator<Item = Response<Bytes>>) -> Arc<RecordingApi> {
        let responses = Mutex::new(responses.into_iter().collect());
        Arc::new(RecordingApi { requests: Mutex::default(), responses })
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

impl HttpSender for RecordingApi {
    fn send(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response<Bytes>, String>> {
        let mut lines = vec![format!("{} {}", request.method(), request.uri())];
        let mut headers: Vec<String> = request
            .headers()
            .iter()
            .map(|(name, value)| match name.as_str() {
                "idempotency-key" => format!("{name}: {} characters", value.len()),
                name => format!("{name}: {}", value.to_str().unwrap()),
            })
            .collect();
        headers.sort();
        lines.extend(headers);
        lines.push(String::from_utf8_lossy(request.body()).into_owned());
        self.requests.lock().unwrap().push(lines.join("\n"));
        let response = self.responses.lock().unwrap().pop_front();
        Box::pin(async move { Ok(response.expect("one request more than the test has responses")) })
    }
}

pub(crate) fn answer(status: u16, body: &str) -> Response<Bytes> {
    let response = Response::builder().status(status).header("content-type", "application/json");
    response.body(Bytes::copy_from_slice(body.as_bytes())).unwrap()
}

fn typed(media_type: &str, body: &[u8]) -> Response<Bytes> {
    Response::builder().header("content-type", media_type).body(Bytes::copy_from_slice(body)).unwrap()
}

fn values(manifest: &ConnectorManifest, config: Value) -> ConnectorValues {
    let config: Map<String, Value> = config.as_object().cloned().unwrap();
    manifest.values(&config, Some(Secret::new("s3cret"))).unwrap()
}

pub(crate) fn api(text: &str, config: Value, sender: &Arc<RecordingApi>) -> (ConnectorManifest, ManifestApi) {
    let manifest = ConnectorManifest::parse(text, "shop.toml").unwrap();
    let api = ManifestApi::new(&manifest.backends[0], &values(&manifest, config), sender.clone()).unwrap();
    (manifest, api)
}

async fn shop(responses: impl IntoIterator<Item = Response<Bytes>>) -> (Client, Arc<RecordingApi>) {
    let sender = RecordingApi::with(responses);
    let (manifest, api) = api(SHOP, json!({ "site": "acme" }), &sender);
    let server = api.into_server(&manifest).unwrap();
    (Client::connect(&server).await.unwrap(), sender)
}

/// Returns the content of a result as one text.
pub(crate) fn text(result: &loggia::model::CallToolResult) -> String {
    let mut texts: Vec<String> = result
        .content
        .iter()
        .map(|block| {
            let block = serde_json::to_value(block).unwrap();
            block["text"].as_str().map_or_else(|| block.to_string(), str::to_owned)
        })
        .collect();
    if result.is_error == Some(true) {
        texts.insert(0, "error".to_owned());
    }
    texts.join("\n")
}

#[tokio::test]
async fn tools_are_listed_as_the_manifest_describes_them() {
    let (client, _) = shop([]).await;
    let tools = client.list_all_tools().await.unwrap();
    insta::assert_json_snapshot!(tools);
}

#[tokio::test]
async fn calls_are_requests_and_responses_are_shaped() {
    let long = format!("[{}]", vec!["\"0123456789\""; 500].join(","));
    let table = [
        ("whoami", json!({}), answer(200, r#"{"user":{"id":1,"name":"Ada"}}"#)),
        (
            "get-order",
            json!({ "order": "a/b ä", "fields": ["x", "y"] }),
            answer(200, r#"{"id":"a","amount":{"value":3.50},"more":1}"#),
        ),
        ("get-order", json!({ "order": "x", "fields": null }), answer(404, r#"{"message":"no such order"}"#)),
        ("get-order", json!({ "order": "x", "shelf": 1 }), answer(200, "{}")),
        ("get-order", json!({}), answer(200, "{}")),
        ("get-order", json!({ "order": "x" }), answer(200, "[1]")),
        ("search", json!({ "query": "ab" }), answer(200, r#"{"orders":[{"id":1},{"id":2}],"next":"n1"}"#)),
        (
            "search",
            json!({ "query": "ab", "newest": true, "cursor": "n1" }),
            answer(200, r#"{"orders":[],"next":null}"#),
        ),
        ("add_order", json!({ "name": "N" }), answer(201, r#"{"id":"c"}"#)),
        ("add_order", json!({ "name": "N", "currency": "USD", "trace": "t" }), answer(204, "")),
        ("tag_order", json!({ "id": "a", "tag": "b c" }), answer(200, "{}")),
        (
            "attach",
            json!({ "title": "T", "file": { "text": "hello", "filename": "a.txt" } }),
            answer(200, "{}"),
        ),
        ("delete_order", json!({ "id": "a" }), answer(200, "{}")),
        ("log", json!({}), typed("application/octet-stream", b"line 1\nline 2")),
        ("picture", json!({}), typed("image/png", b"\x89PNG")),
        ("log", json!({}), typed("text/plain", long.as_bytes())),
    ];
    let mut said = Vec::new();
    for (tool, arguments, response) in table {
        let (client, sender) = shop([response]).await;
        let result = client.call_tool(tool, arguments.clone()).await;
        let shown = match &result {
            Ok(result) => text(result),
            Err(error) => format!("refused: {error}"),
        };
        let request = sender.requests().join("\n").replace('\r', "");
        said.push(format!(
            "# {tool} {arguments}\n{request}\n=> {}",
            loggia::wire::text::truncated(&shown, 400)
        ));
    }
    insta::assert_snapshot!(said.join("\n\n"));
}

#[tokio::test]
async fn a_disabled_tool_is_not_served() {
    let (client, sender) = shop([]).await;
    assert!(client.call_tool("purge", json!({})).await.is_err());
    assert_eq!(sender.requests(), [""; 0]);
}

#[tokio::test]
async fn the_credential_goes_where_the_manifest_says() {
    for (auth, expected) in [
        ("class = \"none\"", ""),
        ("class = \"api_key\"", "authorization: Bearer s3cret"),
        ("class = \"api_key\"\nname = \"X-Key\"", "x-key: s3cret"),
        ("class = \"api_key\"\nvalue = \"Token ${credential}\"", "authorization: Token s3cret"),
        ("class = \"api_key\"\nname = \"X-Key\"\nvalue = \"k-${credential}\"", "x-key: k-s3cret"),
        ("class = \"api_key\"\nin = \"query\"\nname = \"key\"", "GET https://shop.example/me?key=s3cret"),
        ("class = \"api_key\"\nin = \"cookie\"\nname = \"key\"", "cookie: key=s3cret"),
        ("class = \"basic\"", "authorization: Basic czNjcmV0"),
        ("class = \"preregistered\"", "authorization: Bearer s3cret"),
    ] {
        let text = format!(
            "name = \"shop\"\ntitle = \"Shop\"\nversion = \"1.0.0\"\ndescription = \"D.\"\n[[backends]]\nkind = \"openapi\"\n\
             base_url = \"https://shop.example\"\n[[backends.tools]]\nname = \"me\"\ndescription = \"D.\"\nclass = \"read\"\n\
             request = \"GET /me\"\n[backends.auth]\n{auth}\n"
        );
        let sender = RecordingApi::with([answer(200, "{}")]);
        let manifest = ConnectorManifest::parse(&text, "shop.toml").unwrap();
        let credential = (auth != "class = \"none\"").then(|| Secret::new("s3cret"));
        let values = manifest.values(&Map::new(), credential).unwrap();
        let api = ManifestApi::new(&manifest.backends[0], &values, sender.clone()).unwrap();
        api.call("me", &loggia::wire::JsonObject::default()).await.unwrap();
        let request = sender.requests().remove(0);
        match expected {
            "" => assert!(!request.contains("s3cret"), "{request}"),
            expected => assert!(request.lines().any(|line| line == expected), "{auth}: {request}"),
        }
    }
}

#[tokio::test]
async fn the_health_check_names_the_account() {
    for (response, expected) in [
        (answer(200, r#"{"user":{"name":"Ada","id":1}}"#), Ok(Some("Ada".to_owned()))),
        (answer(200, r#"{"user":{"id":1}}"#), Ok(Some("1".to_owned()))),
        (answer(200, "{}"), Ok(None)),
        (answer(401, r#"{"message":"bad key"}"#), Err(())),
    ] {
        let sender = RecordingApi::with([response]);
        let (_, api) = api(SHOP, json!({ "site": "acme" }), &sender);
        let result = api.check_health().await;
        if let Err(said) = &result {
            assert!(said.contains("401") && !said.contains("s3cret"), "{said}");
        }
        assert_eq!(result.map_err(|_| ()), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_for_too_many_requests_is_waited_for_and_sent_again() {
    let refused = Response::builder().status(429).header("retry-after", "2").body(Bytes::new()).unwrap();
    let (client, sender) = shop([refused, answer(201, "{}")]).await;
    let result = client.call_tool("add_order", json!({ "name": "N" })).await.unwrap();
    assert_eq!((result.is_error, sender.requests().len()), (None, 2));
}

#[tokio::test]
async fn a_graphql_tool_sends_its_document() {
    let text = r#"
name = "tracker"
title = "Tracker"
version = "1.0.0"
description = "Issues."
[[backends]]
kind = "graphql"
url = "https://api.tracker.example/graphql"
auth = { class = "api_key", value = "${credential}" }
[[backends.tools]]
name = "issues"
description = "Lists issues."
class = "read"
document = "query Issues($term: String!, $after: String) { issues(term: $term, after: $after) { nodes { id } pageInfo { endCursor } } }"
variables = "{term: .query}"
result = ".data.issues.nodes"
paging = { cursor = "after", next = ".data.issues.pageInfo.endCursor", size = "first", default_size = 10 }
[backends.tools.input.query]
type = "string"
description = "Words"
required = true
"#;
    let sender = RecordingApi::with([
        answer(200, r#"{"data":{"issues":{"nodes":[{"id":"1"}],"pageInfo":{"endCursor":"e"}}}}"#),
        answer(200, r#"{"errors":[{"message":"no such term"}],"data":null}"#),
    ]);
    let (manifest, api) = api(text, json!({}), &sender);
    let client = Client::connect(&api.into_server(&manifest).unwrap()).await.unwrap();
    let first = client.call_tool("issues", json!({ "query": "a" })).await.unwrap();
    let second = client.call_tool("issues", json!({ "query": "b", "cursor": "e" })).await.unwrap();
    insta::assert_snapshot!(format!(
        "{}\n=> {}\n=> {}",
        sender.requests().join("\n"),
        text_of(&first),
        text_of(&second)
    ));
}

fn text_of(result: &loggia::model::CallToolResult) -> String {
    text(result)
}

#[tokio::test]
async fn a_failure_with_another_status_is_read_by_the_filter() {
    let text = r#"
name = "chat"
title = "Chat"
version = "1.0.0"
description = "Messages."
[[backends]]
kind = "openapi"
base_url = "https://chat.example"
failure = 'if .ok then null elif .error == "revoked" then 401 elif .error == "odd" then 302 else 404 end'
auth = { class = "api_key" }
health = { request = "POST /me", account = ".name" }
[[backends.tools]]
name = "list"
description = "Lists."
class = "read"
request = "GET /list"
result = ".items"
"#;
    for (response, expected) in [
        (answer(200, r#"{"ok":true,"items":[1]}"#), "[1]"),
        (answer(200, r#"{"ok":false,"error":"revoked"}"#), "the user has to connect the account again"),
        (answer(200, r#"{"ok":false,"error":"no_channel"}"#), "Check the ids in the arguments"),
        // No status of a failure.
        (answer(200, r#"{"ok":false,"error":"odd","items":[2]}"#), "[2]"),
        (answer(200, "no JSON"), "cannot be shown"),
        (answer(403, r#"{"ok":false,"error":"revoked"}"#), "the user has to connect the account again"),
        (answer(401, r#"{"ok":false,"error":"no_channel"}"#), "the user has to connect the account again"),
        (answer(429, r#"{"ok":false,"error":"revoked"}"#), "then call again"),
        (answer(503, r#"{"ok":false,"error":"revoked"}"#), "then call again"),
    ] {
        let sender = RecordingApi::with([response]);
        let (manifest, api) = api(text, json!({}), &sender);
        let client = Client::connect(&api.into_server(&manifest).unwrap()).await.unwrap();
        let said = match client.call_tool("list", json!({})).await {
            Ok(result) => self::text(&result),
            Err(error) => error.to_string(),
        };
        assert!(said.contains(expected), "{said}");
    }
    let sender = RecordingApi::with([answer(200, r#"{"ok":false,"error":"revoked"}"#)]);
    let (_, api) = api(text, json!({}), &sender);
    assert!(api.check_health().await.expect_err("a refusal").contains("401"));
}

/// Some APIs refuse with 400 and a code; the advice is for the code.
#[tokio::test]
async fn errors_of_graphql_are_told_whatever_their_status() {
    let text = r#"
name = "tracker"
title = "Tracker"
version = "1.0.0"
description = "Issues."
[[backends]]
kind = "graphql"
url = "https://api.tracker.example/graphql"
auth = { class = "api_key" }
[[backends.tools]]
name = "me"
description = "The user."
class = "read"
document = "{ me { id } }"
"#;
    for (status, code, expected) in [
        (400, "RATELIMITED", "wait a minute, then call again"),
        (401, "AUTHENTICATION_ERROR", "the user has to connect the account again"),
        (200, "FORBIDDEN", "the user has to grant more scopes or rights"),
    ] {
        let body = json!({ "errors": [{ "message": "refused", "extensions": { "code": code } }] });
        let sender = RecordingApi::with([answer(status, &body.to_string())]);
        let (_, api) = api(text, json!({}), &sender);
        let said =
            api.call("me", &loggia::wire::JsonObject::default()).await.expect_err("a refusal").to_string();
        assert!(said.contains("The API says: refused.") && said.contains(expected), "{said}");
    }
}

/// Hands out `token-1`, `token-2` and so on; a limit is the number of the last.
struct NumberedTokens {
    last: usize,
    used: Mutex<usize>,
}

impl AccessTokenSource for NumberedTokens {
    fn token(&self) -> BoxFuture<'_, Result<Secret, String>> {
        let used = *self.used.lock().unwrap();
        Box::pin(async move { Ok(Secret::new(format!("token-{used}"))) })
    }

    fn replace<'a>(&'a self, refused: &'a Secret) -> BoxFuture<'a, Result<Secret, String>> {
        let mut used = self.used.lock().unwrap();
        assert_eq!(refused.expose(), format!("token-{used}"));
        let next = if *used < self.last { Ok(*used + 1) } else { Err("the account ada is dead".to_owned()) };
        *used = next.as_ref().copied().unwrap_or(*used);
        Box::pin(async move { next.map(|next| Secret::new(format!("token-{next}"))) })
    }

    fn refusal(&self) -> String {
        "the API refuses the account ada".to_owned()
    }
}

/// The statuses of the responses, the number of the last token; the result, and the tokens that were sent.
#[tokio::test]
async fn a_refused_token_is_replaced_once() {
    for (statuses, last, expected, sent) in [
        (vec![200], 1, "a shop", "1"),
        (vec![401, 200], 2, "a shop", "1 2"),
        (vec![401, 401], 2, "error\nthe API refuses the account ada", "1 2"),
        (vec![401], 1, "error\nthe account ada is dead", "1"),
        (vec![403], 2, "error\n", "1"),
    ] {
        let text_of = |status: u16| answer(status, r#""a shop""#);
        let sender = RecordingApi::with(statuses.iter().map(|status| text_of(*status)));
        let manifest = r#"
            name = "shop"
            title = "Shop"
            version = "1.0.0"
            description = "A shop."
            [[backends]]
            kind = "openapi"
            base_url = "https://api.shop.example"
            auth = { class = "preregistered", value = "Token ${credential}" }
            [[backends.tools]]
            name = "whoami"
            description = "Returns the shop."
            class = "read"
            request = "GET /me"
        "#;
        let manifest = ConnectorManifest::parse(manifest, "shop.toml").unwrap();
        let values = manifest.values(&Map::new(), None).unwrap();
        let tokens = Arc::new(NumberedTokens { last, used: Mutex::new(1) });
        let api = ManifestApi::with_tokens(&manifest.backends[0], &values, sender.clone(), tokens).unwrap();
        let client = Client::connect(&api.into_server(&manifest).unwrap()).await.unwrap();
        let result = text(&client.call_tool("whoami", json!({})).await.unwrap());
        assert!(result.starts_with(expected) || result.contains(expected), "{statuses:?}: {result}");
        let requests = sender.requests();
        let tokens = requests.iter().filter_map(|request| request.split_once("Token token-"));
        let tokens: Vec<&str> = tokens.map(|(_, rest)| rest.lines().next().unwrap()).collect();
        assert_eq!(tokens.join(" "), sent, "{statuses:?}");
    }
}
