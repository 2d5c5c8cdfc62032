//! Tests of the crate through its public API.

mod bodies;
mod curate;
mod descriptions;
mod echo;
mod files;
mod graphql;
mod paging;
mod parameters;
mod petstore;
mod responses;
mod schemas;
mod security;
mod vendors;

use bytes::Bytes;
use http::Request;
use loggia_openapi::{Api, Operation};
use loggia_wire::JsonObject;
use serde_json::{Value, json};

/// An API with one operation, `call`.
fn api(operation: &str, method: &str, path: &str, components: Value) -> Api {
    let mut operation: Value = serde_json::from_str(operation).expect("the test's text is JSON");
    operation["operationId"] = json!("call");
    let description = json!({
        "openapi": "3.1.0",
        "info": { "title": "Test", "version": "1" },
        "servers": [{ "url": "https://api.example" }],
        "paths": { path: { method: operation } },
        "components": components,
    });
    let api = Api::read(description.to_string().as_bytes()).expect("it is a description");
    assert_eq!(api.problems(), [], "{description}");
    api
}

fn operation(api: &Api) -> &Operation {
    api.operation("call").expect("it is described")
}

fn arguments(value: &Value) -> JsonObject {
    value.to_string().parse().expect("an object")
}

fn request(api: &Api, value: &Value) -> Result<Request<Bytes>, String> {
    let base = api.base_url().expect("a server");
    operation(api).request(&base, &arguments(value)).map_err(|error| error.to_string())
}

fn schema(api: &Api) -> Value {
    serde_json::from_str(operation(api).tool().input_schema.as_str()).expect("JSON")
}
