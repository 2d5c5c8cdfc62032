//! Descriptions: versions, servers, names, and faults of their authors.

use loggia_openapi::{Api, OperationClass};
use serde_json::{Value, json};

fn read(description: &Value) -> Api {
    Api::read(description.to_string().as_bytes()).expect("a description")
}

#[test]
fn versions_and_syntax() {
    let table: [(&str, Result<(), &str>); 8] = [
        ("swagger: 2.0\ninfo: {}\npaths: {}", Ok(())),
        ("{\"openapi\":\"3.0.3\",\"info\":{},\"paths\":{}}", Ok(())),
        ("\u{feff}openapi: 3.1.1\ninfo: {}", Ok(())),
        ("openapi: 4.0.0", Err("openapi: 4.0.0")),
        ("swagger: '1.2'", Err("swagger: 1.2")),
        ("{}", Err("neither the member openapi nor swagger")),
        ("<html>", Err("neither the member")),
        ("{\"openapi\": ", Err("neither JSON nor YAML")),
    ];
    for (text, expected) in table {
        match (Api::read(text.as_bytes()), expected) {
            (Ok(_), Ok(())) => {}
            (Err(error), Err(expected)) => assert!(error.to_string().contains(expected), "{text}: {error}"),
            (outcome, _) => panic!("{text}: {outcome:?}"),
        }
    }
}

#[test]
fn servers() {
    let page = "https://pages.example/docs/api.json".parse().expect("a URL");
    let table = [
        (
            json!({ "openapi": "3.1.0", "servers": [{ "url": "https://{region}.example/{v}", "variables": { "region": { "default": "eu" }, "v": { "default": "v2" } } }] }),
            Ok("https://eu.example/v2"),
        ),
        (json!({ "openapi": "3.1.0", "servers": [{ "url": "/v1" }] }), Ok("https://pages.example/v1")),
        (json!({ "openapi": "3.1.0" }), Ok("https://pages.example/")),
        (json!({ "openapi": "3.1.0", "servers": [{ "url": "ftp://x.example" }] }), Err("absolute http")),
        (
            json!({ "swagger": "2.0", "host": "a.example", "basePath": "/b", "schemes": ["http", "https"] }),
            Ok("https://a.example/b"),
        ),
        (json!({ "swagger": "2.0", "host": "a.example", "schemes": ["http"] }), Ok("http://a.example/")),
        (json!({ "swagger": "2.0", "basePath": "/b" }), Ok("https://pages.example/b")),
    ];
    for (description, expected) in table {
        match (read(&description).base_url_from(Some(&page)), expected) {
            (Ok(url), Ok(expected)) => assert_eq!(url.to_string(), expected),
            (Err(error), Err(expected)) => assert!(error.to_string().contains(expected), "{error}"),
            (outcome, _) => panic!("{description}: {outcome:?}"),
        }
    }
    assert!(read(&json!({ "openapi": "3.1.0" })).base_url().is_err());
}

#[test]
fn operations_may_have_servers_of_their_own() {
    let upload =
        json!([{ "url": "https://{host}.example/v2", "variables": { "host": { "default": "upload" } } }]);
    let api = read(&json!({
        "openapi": "3.1.0", "info": {}, "servers": [{ "url": "https://api.example" }],
        "paths": {
            "/a": { "get": { "operationId": "of_the_api" }, "put": { "operationId": "own", "servers": upload } },
            "/b": { "servers": [{ "url": "https://path.example" }], "get": { "operationId": "of_the_path" }, "put": { "operationId": "both", "servers": upload } },
        },
    }));
    for (name, expected) in [
        ("of_the_api", None),
        ("own", Some("https://upload.example/v2")),
        ("of_the_path", Some("https://path.example")),
        ("both", Some("https://upload.example/v2")),
    ] {
        assert_eq!(api.operation(name).expect(name).server(), expected, "{name}");
    }
    assert_eq!(api.base_url().expect("a server"), "https://api.example/");
}

#[test]
fn operations_get_names_classes_and_reasons() {
    let api = read(&json!({
        "openapi": "3.0.0",
        "info": { "title": "Pets", "version": "2" },
        "paths": {
            "/pets": {
                "parameters": [{ "name": "trace", "in": "header", "schema": {} }],
                "get": { "operationId": "listPets", "tags": ["pets"] },
                "post": { "summary": "Add a pet" },
                "x-note": {},
            },
            "/pets/{id}": {
                "get": { "operationId": "get-pet" },
                "delete": { "operationId": "same", "parameters": [{ "$ref": "#/components/parameters/Id" }] },
            },
            "/other": { "get": { "operationId": "same", "deprecated": true } },
            "/external": { "$ref": "paths.yaml#/x" },
        },
        "components": { "parameters": { "Id": { "name": "id", "in": "path", "required": true, "schema": {} } } },
    }));
    let mut listed: Vec<(&str, OperationClass)> =
        api.operations().iter().map(|operation| (operation.name(), operation.class())).collect();
    listed.sort_unstable();
    let names: Vec<&str> = listed.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["list_pets", "post_pets", names[2], names[3]]);
    assert!(names[2].starts_with("same_") && names[3].starts_with("same_"), "{names:?}");
    assert_eq!(api.operation("list_pets").map(|pets| pets.tags().to_vec()), Some(vec!["pets".to_owned()]));
    let problems: Vec<String> =
        api.problems().iter().map(|problem| format!("{}: {}", problem.operation, problem.reason)).collect();
    insta::assert_snapshot!(problems.join("\n"));
}

#[test]
fn a_tool_says_what_it_does() {
    let api = read(&json!({ "openapi": "3.0.0", "info": {}, "paths": { "/pets/{id}": { "delete": {
        "operationId": "deletePet", "summary": "Delete a pet.", "description": "It is gone.",
        "parameters": [{ "name": "id", "in": "path", "required": true, "description": "The pet", "schema": { "type": "integer" } }],
    } } } }));
    let tool = loggia_wire::RawJson::of(&api.operations()[0].tool());
    insta::assert_json_snapshot!(tool.to_value());
}

#[test]
fn swagger_bodies_forms_and_lists() {
    let api = read(&json!({
        "swagger": "2.0", "info": {}, "host": "a.example",
        "paths": {
            "/json": { "post": { "operationId": "json", "parameters": [
                { "name": "any", "in": "body", "required": true, "schema": { "$ref": "#/definitions/Pet" } },
                { "name": "tags", "in": "query", "type": "array", "items": { "type": "string" }, "collectionFormat": "pipes" },
            ] } },
            "/form": { "post": { "operationId": "form", "consumes": ["application/x-www-form-urlencoded"], "parameters": [
                { "name": "a", "in": "formData", "type": "string", "required": true },
            ] } },
            "/file": { "post": { "operationId": "file", "parameters": [
                { "name": "f", "in": "formData", "type": "file" }, { "name": "ids", "in": "query", "type": "array", "collectionFormat": "multi" },
            ] } },
        },
        "definitions": { "Pet": { "type": "object", "properties": { "name": { "type": "string" } } } },
    }));
    let base = api.base_url().expect("a server");
    let table = [
        (
            "json",
            json!({ "name": "x", "tags": ["a", "b"] }),
            "/json?tags=a%7Cb",
            "application/json",
            r#"{"name":"x"}"#,
        ),
        ("form", json!({ "a": "x y" }), "/form", "application/x-www-form-urlencoded", "a=x%20y"),
        (
            "file",
            json!({ "f": "eA==", "ids": [1, 2] }),
            "/file?ids=1&ids=2",
            "multipart/form-data; boundary=loggia-part-00000000",
            "",
        ),
    ];
    for (name, arguments, path, media_type, body) in table {
        let arguments = arguments.to_string().parse().expect("an object");
        let request =
            api.operation(name).expect("it is there").request(&base, &arguments).expect("a request");
        assert_eq!(request.uri().path_and_query().expect("a path").as_str(), path);
        assert_eq!(request.headers()["content-type"], media_type);
        assert!(body.is_empty() || request.body() == body, "{name}: {:?}", request.body());
    }
}
