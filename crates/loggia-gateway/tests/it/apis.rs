//! REST APIs as connectors: a real API on loopback, described by a file and by a URL.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use loggia::client::Client;
use serde_json::{Value, json};

use crate::world::World;

const TOKEN: &str = "s3cret-token";

/// Requests as the API saw them: method, path, and the headers that may hold a credential.
type Seen = Arc<Mutex<Vec<String>>>;

fn note(seen: &Seen, line: &str, headers: &HeaderMap) {
    let header =
        |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("-").to_owned();
    let line = format!("{line} {} {}", header("authorization"), header("x-team"));
    seen.lock().expect("not poisoned").push(line);
}

async fn pet(State(seen): State<Seen>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    note(&seen, &format!("GET /v1/pets/{id}"), &headers);
    match id.as_str() {
        "away" => Redirect::temporary("http://localhost:1/elsewhere").into_response(),
        "none" => (StatusCode::NOT_FOUND, axum::Json(json!({ "message": "no such pet" }))).into_response(),
        id => axum::Json(json!({ "id": id })).into_response(),
    }
}

async fn add(State(seen): State<Seen>, headers: HeaderMap, body: String) -> Response {
    note(&seen, &format!("POST /v1/pets {body}"), &headers);
    (StatusCode::CREATED, axum::Json(json!({ "id": "new" }))).into_response()
}

fn description(server: &str) -> Value {
    let id = json!({ "name": "id", "in": "path", "required": true, "schema": { "type": "string" } });
    let body =
        json!({ "type": "object", "properties": { "name": { "type": "string" } }, "required": ["name"] });
    json!({
        "openapi": "3.1.0",
        "info": { "title": "Pets", "version": "1" },
        "servers": [{ "url": server }],
        "paths": {
            "/pets/{id}": { "get": { "operationId": "getPet", "parameters": [id] } },
            "/pets": { "post": { "operationId": "addPet", "requestBody": {
                "required": true, "content": { "application/json": { "schema": body } },
            } } },
        },
        "components": { "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } } },
    })
}

/// Serves the API, and returns its URL.
async fn serve(seen: &Seen) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    let document = description("/v1").to_string();
    let private = description("http://127.0.0.2:9/v1").to_string();
    let router = Router::new()
        .route("/v1/pets/{id}", get(pet))
        .route("/v1/pets", axum::routing::post(add))
        .route("/openapi.json", get(move || std::future::ready(document.clone())))
        .route("/private.json", get(move || std::future::ready(private.clone())))
        .with_state(seen.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

fn text(result: &loggia::model::CallToolResult) -> String {
    format!("{:?}", result.content)
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_are_tools_whether_a_file_or_a_url_describes_them() {
    let world = World::new();
    let seen = Seen::default();
    let url = serve(&seen).await;
    std::fs::write(world.path().join("pets.json"), description(&format!("{url}/v1")).to_string())
        .expect("written");
    let config = format!(
        r#"
        [connectors.file]
        kind = "openapi"
        description = "pets.json"
        credential = "{TOKEN}"
        headers = {{ x-team = "blue" }}

        [connectors.url]
        kind = "openapi"
        description = "{url}/openapi.json"
        tools = {{ deny = ["add_*"] }}
        "#
    );
    let server =
        world.builder(&config).build().await.expect("built").serve("127.0.0.1:0").await.expect("served");
    let client = Client::connect(server.url()).await.expect("it connects");
    let tools: Vec<String> =
        client.list_all_tools().await.expect("a list").into_iter().map(|tool| tool.name).collect();
    assert_eq!(tools, ["file_add_pet", "file_get_pet", "url_get_pet"]);

    let found = client.call_tool("file_get_pet", json!({ "id": "a/b" })).await.expect("a result");
    assert_eq!(found.structured_content.map(|content| content.to_value()), Some(json!({ "id": "a/b" })));
    client.call_tool("file_add_pet", json!({ "name": "Rex" })).await.expect("a result");
    client.call_tool("url_get_pet", json!({ "id": "1" })).await.expect("a result");
    let missing = client.call_tool("file_get_pet", json!({ "id": "none" })).await.expect("a result");
    assert!(missing.is_error == Some(true) && text(&missing).contains("no such pet"), "{missing:?}");
    let wrong = client.call_tool("file_get_pet", json!({ "ID": "1" })).await.expect("a result");
    assert!(wrong.is_error == Some(true) && text(&wrong).contains("id"), "{wrong:?}");
    // The target of the redirect is not the API: the request fails, and nothing is sent there.
    let away = client.call_tool("file_get_pet", json!({ "id": "away" })).await.expect("a result");
    assert!(away.is_error == Some(true) && text(&away).contains("cannot be reached"), "{away:?}");

    let seen = seen.lock().expect("not poisoned").clone();
    assert_eq!(
        seen,
        [
            format!("GET /v1/pets/a/b Bearer {TOKEN} blue"),
            format!("POST /v1/pets {{\"name\":\"Rex\"}} Bearer {TOKEN} blue"),
            "GET /v1/pets/1 - -".to_owned(),
            format!("GET /v1/pets/none Bearer {TOKEN} blue"),
            format!("GET /v1/pets/away Bearer {TOKEN} blue"),
        ]
    );
    server.stop().await.expect("stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_description_that_cannot_be_used_says_why() {
    let world = World::new();
    let url = serve(&Seen::default()).await;
    let private = format!("{url}/private.json");
    std::fs::write(world.path().join("no.yaml"), "title: no description").expect("written");
    std::fs::write(world.path().join("relative.json"), description("/v1").to_string()).expect("written");
    std::fs::write(world.path().join("open.json"), description("http://203.0.113.7/v1").to_string())
        .expect("written");
    let table = [
        ("none.yaml", "none.yaml cannot be read"),
        ("no.yaml", "neither the member openapi nor swagger"),
        ("relative.json", "Set base_url"),
        ("open.json", "would be sent unencrypted"),
        // Another origin than that of the description, on this machine.
        (&private, "the API cannot be used"),
    ];
    for (file, expected) in table {
        let config = format!("[connectors.api]\nkind = \"openapi\"\ndescription = \"{file}\"\n");
        let server =
            world.builder(&config).build().await.expect("built").serve("127.0.0.1:0").await.expect("served");
        let client = Client::connect(server.url()).await.expect("it connects");
        // The list waits until the connector was tried.
        client.list_all_tools().await.expect("a list");
        let status = server.hub().status();
        let reason = format!("{:?}", status[0]);
        assert!(reason.contains(expected), "{file}: {reason}");
        server.stop().await.expect("stopped");
    }
}
