//! Bodies of each media type.

use serde_json::{Value, json};

use crate::{api, request, schema};

fn with_body(media_type: &str, schema: &Value) -> String {
    json!({ "requestBody": { "required": true, "content": { media_type: { "schema": schema } } } })
        .to_string()
}

fn sent(operation: &str, arguments: &Value) -> (String, String) {
    let request = request(&api(operation, "post", "/", json!({})), arguments).expect("a request");
    let media_type = request.headers()["content-type"].to_str().expect("text").to_owned();
    (media_type, String::from_utf8_lossy(request.body()).into_owned())
}

#[test]
fn bodies_are_written_in_their_media_type() {
    let object =
        json!({ "type": "object", "properties": { "a": { "type": "integer" }, "b": {} }, "required": ["a"] });
    let open = json!({ "type": "object", "additionalProperties": true });
    let table = [
        ("application/json", &object, json!({ "a": 1, "b": { "c": [null] } }), r#"{"a":1,"b":{"c":[null]}}"#),
        ("application/merge-patch+json", &object, json!({ "a": 1 }), r#"{"a":1}"#),
        ("application/json", &open, json!({ "body": { "x": 1 } }), r#"{"x":1}"#),
        (
            "application/x-www-form-urlencoded",
            &object,
            json!({ "a": 1, "b": { "c": "x y", "d": [1, 2] } }),
            "a=1&b%5Bc%5D=x%20y&b%5Bd%5D%5B%5D=1&b%5Bd%5D%5B%5D=2",
        ),
        (
            "application/x-www-form-urlencoded",
            &object,
            json!({ "a": 1, "b": [{ "c": 2 }] }),
            "a=1&b%5B0%5D%5Bc%5D=2",
        ),
        ("text/plain", &json!({ "type": "string" }), json!({ "body": "hello" }), "hello"),
        ("application/octet-stream", &json!({}), json!({ "body": "aGVsbG8=" }), "hello"),
        ("image/png", &json!({}), json!({ "body": "data:image/png;base64,aGVs\nbG8=" }), "hello"),
    ];
    for (media_type, schema, arguments, expected) in table {
        let (sent_type, body) = sent(&with_body(media_type, schema), &arguments);
        assert_eq!((sent_type.as_str(), body.as_str()), (media_type, expected), "{arguments}");
    }
}

#[test]
fn json_is_preferred_and_numbers_keep_their_spelling() {
    let body = json!({ "type": "object", "properties": { "a": {} } });
    let content = json!({ "text/plain": {}, "multipart/form-data": { "schema": body }, "application/json": { "schema": body } });
    let api = api(&json!({ "requestBody": { "content": content } }).to_string(), "post", "/", json!({}));
    let base = api.base_url().expect("a server");
    let request = api.operations()[0]
        .request(&base, &r#"{"a":1.50e2}"#.parse().expect("an object"))
        .expect("a request");
    assert_eq!(request.body(), &r#"{"a":1.50e2}"#);
    let empty = api.operations()[0].request(&base, &"{}".parse().expect("an object")).expect("a request");
    assert!(empty.body().is_empty() && !empty.headers().contains_key("content-type"));
}

#[test]
fn files_are_parts() {
    let file = json!({ "type": "object", "properties": {
        "title": { "type": "string" },
        "file": { "type": "string", "format": "binary" },
        "more": { "type": "array", "items": { "type": "string", "format": "binary" } },
        "meta": { "type": "object" },
    } });
    let operation = with_body("multipart/form-data", &file);
    let (media_type, body) = sent(
        &operation,
        &json!({
            "title": "A \"b\"",
            "file": { "data": "aGVsbG8=", "filename": "a\"b.png", "content_type": "image/png" },
            "more": ["eA==", { "text": "loggia-part-00000000" }],
            "meta": { "k": 1 },
        }),
    );
    // The first boundary is in a file.
    assert_eq!(media_type, "multipart/form-data; boundary=loggia-part-00000001");
    insta::assert_snapshot!(body.replace("\r\n", "\n"));
    let error = request(&api(&operation, "post", "/", json!({})), &json!({ "file": "not base64!" }))
        .expect_err("wrong");
    assert!(error.contains("file must be bytes in base64"), "{error}");
}

#[test]
fn members_of_a_body_are_arguments_beside_parameters() {
    let operation = json!({
        "parameters": [{ "name": "id", "in": "path", "required": true, "schema": { "type": "string" } }],
        "requestBody": { "required": true, "content": { "application/json": { "schema": { "allOf": [
            { "$ref": "#/components/schemas/Base" },
            { "type": "object", "properties": { "id": { "type": "integer" }, "name": { "type": "string" } }, "required": ["name"] },
        ] } } } },
    });
    let components = json!({ "schemas": { "Base": { "type": "object", "properties": {
        "tags": { "type": "array", "items": { "type": "string" } }, "created": { "type": "string", "readOnly": true },
    } } } });
    let api = api(&operation.to_string(), "put", "/x/{id}", components);
    insta::assert_json_snapshot!(schema(&api));
    let request = request(&api, &json!({ "id_path": "p", "id_body": 7, "name": "n" })).expect("a request");
    assert_eq!(request.uri().path(), "/x/p");
    assert_eq!(request.body(), &r#"{"id":7,"name":"n"}"#);
}
