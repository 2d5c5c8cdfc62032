//! A REST API as a connector, with a scripted API behind it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use loggia::client::Client;
use loggia::service::BoxFuture;
use loggia_connect::openapi::{ApiOptions, HttpSender, server};
use loggia_connect::secret::Secret;
use loggia_openapi::Api;
use serde_json::{Value, json};

/// Answers each request with the next response, and keeps what it was sent.
#[derive(Default)]
struct ScriptedApi {
    requests: Mutex<Vec<String>>,
    responses: Mutex<VecDeque<Result<Response<Bytes>, String>>>,
}

impl ScriptedApi {
    fn with(responses: impl IntoIterator<Item = Result<Response<Bytes>, String>>) -> Arc<ScriptedApi> {
        Arc::new(ScriptedApi {
            requests: Mutex::default(),
            responses: Mutex::new(responses.into_iter().collect()),
        })
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("not poisoned").clone()
    }
}

impl HttpSender for ScriptedApi {
    fn send(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response<Bytes>, String>> {
        let headers = ["authorization", "x-key", "x-version"].map(|name| {
            request
                .headers()
                .get(name)
                .map(|value| format!(" {name}={}", value.to_str().expect("text")))
                .unwrap_or_default()
        });
        let line = format!("{} {}{}", request.method(), request.uri(), headers.concat());
        self.requests.lock().expect("not poisoned").push(line);
        let response = self.responses.lock().expect("not poisoned").pop_front();
        Box::pin(async move { response.expect("one request more than the test has responses") })
    }
}

fn answer(status: u16, body: &str) -> Result<Response<Bytes>, String> {
    let response = Response::builder().status(status).header("content-type", "application/json");
    Ok(response.body(Bytes::copy_from_slice(body.as_bytes())).expect("a response"))
}

fn waits(seconds: &str) -> Result<Response<Bytes>, String> {
    Ok(Response::builder().status(429).header("retry-after", seconds).body(Bytes::new()).expect("a response"))
}

fn description(security: &Value) -> Api {
    let description = json!({
        "openapi": "3.1.0", "info": { "title": "Pets", "version": "2", "description": "All pets." },
        "servers": [{ "url": "https://pets.example/v1" }],
        "paths": {
            "/pets/{id}": { "get": { "operationId": "getPet", "security": security, "parameters": [{ "name": "id", "in": "path", "required": true, "schema": { "type": "string" } }] } },
            "/pets": { "post": { "operationId": "addPet", "requestBody": { "required": true, "content": { "application/json": { "schema": { "type": "object", "properties": { "name": { "type": "string" } }, "required": ["name"] } } } } } },
        },
        "components": { "securitySchemes": {
            "key": { "type": "apiKey", "in": "header", "name": "X-Key" }, "token": { "type": "http", "scheme": "bearer" },
        } },
    });
    Api::read(description.to_string().as_bytes()).expect("a description")
}

async fn client(api: Api, options: ApiOptions, sender: &Arc<ScriptedApi>) -> Client {
    let base_url = api.base_url().expect("a server");
    let server = server(api, base_url, options, sender.clone()).expect("it builds");
    Client::connect(&server).await.expect("it connects")
}

#[tokio::test]
async fn operations_are_tools_and_calls_are_requests() {
    let sender = ScriptedApi::with([
        answer(200, r#"{"id":"a/b","age":3.50}"#),
        answer(201, r#"{"id":"c"}"#),
        answer(404, r#"{"message":"no such pet"}"#),
    ]);
    let client = client(description(&json!([])), ApiOptions::default(), &sender).await;
    let tools = client.list_all_tools().await.expect("a list");
    let listed: Vec<_> = tools
        .iter()
        .map(|tool| (tool.name.as_str(), tool.annotations.as_ref().and_then(|hints| hints.read_only_hint)))
        .collect();
    assert_eq!(listed, [("add_pet", Some(false)), ("get_pet", Some(true))]);
    let pet = client.call_tool("get_pet", json!({ "id": "a/b" })).await.expect("a result");
    assert_eq!(
        pet.structured_content.map(|content| String::from_utf8_lossy(content.as_bytes()).into_owned()),
        Some(r#"{"id":"a/b","age":3.50}"#.to_owned())
    );
    client.call_tool("add_pet", json!({ "name": "Rex" })).await.expect("a result");
    let missing = client.call_tool("get_pet", json!({ "id": "x" })).await.expect("a result");
    assert_eq!(missing.is_error, Some(true));
    assert_eq!(
        sender.requests(),
        [
            "GET https://pets.example/v1/pets/a%2Fb",
            "POST https://pets.example/v1/pets",
            "GET https://pets.example/v1/pets/x"
        ]
    );
}

#[tokio::test]
async fn the_credential_goes_where_the_operation_wants_it() {
    let table = [
        (json!([{ "key": [] }]), " x-key=s3cret x-version=1"),
        (json!([{ "token": [] }, { "key": [] }]), " authorization=Bearer s3cret x-version=1"),
        (json!([{ "token": [], "key": [] }, { "key": [] }]), " x-key=s3cret x-version=1"),
        (json!([]), " authorization=Bearer s3cret x-version=1"),
    ];
    for (security, expected) in table {
        let sender = ScriptedApi::with([answer(200, "{}")]);
        let mut options = ApiOptions { credential: Some(Secret::new("s3cret")), ..ApiOptions::default() };
        options.headers.insert("x-version", http::HeaderValue::from_static("1"));
        let client = client(description(&security), options, &sender).await;
        client.call_tool("get_pet", json!({ "id": "1" })).await.expect("a result");
        assert_eq!(
            sender.requests(),
            [format!("GET https://pets.example/v1/pets/1{expected}")],
            "{security}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_short_wait_is_taken_and_a_long_one_is_told() {
    let table = [
        (vec![waits("2"), answer(200, "{}")], 2, None),
        (vec![waits("2"), waits("2")], 2, Some("Wait 2 s, then call again.")),
        (vec![waits("60")], 1, Some("Wait 60 s, then call again.")),
        (
            vec![Err("pets.example refused the connection".to_owned())],
            1,
            Some("cannot be reached: pets.example"),
        ),
    ];
    for (responses, requests, expected) in table {
        let sender = ScriptedApi::with(responses);
        let client = client(description(&json!([])), ApiOptions::default(), &sender).await;
        let result = client.call_tool("get_pet", json!({ "id": "1" })).await.expect("a result");
        let text = format!("{:?}", result.content);
        assert_eq!(result.is_error.is_some(), expected.is_some(), "{text}");
        assert!(expected.is_none_or(|expected| text.contains(expected)), "{text}");
        assert_eq!(sender.requests().len(), requests);
    }
}
