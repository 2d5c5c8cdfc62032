//! Manifests that are written from descriptions.

use loggia_openapi::graphql::{GraphqlSchema, SelectionLimits};
use loggia_openapi::{Api, curate, curate_graphql};
use serde_json::{Value, json};

use crate::files::{npm, repository, vendor};

fn written(api: &Api, selection: &[&str]) -> String {
    let base = "https://api.example/v2".parse().expect("a URL");
    curate(api, &base, selection).expect("a manifest")
}

/// Checks a manifest against the format, and returns it as JSON.
fn checked(name: &str, text: &str) -> Value {
    assert!(text.starts_with("#:schema ./connector.schema.json\nname = "), "{name}: {text}");
    let manifest: Value = toml::from_str(text).unwrap_or_else(|error| panic!("{name}: {error}"));
    if let Some(schema) = repository("connectors/connector.schema.json") {
        let schema: Value = serde_json::from_slice(&schema).expect("JSON");
        let validator = jsonschema::validator_for(&schema).expect("a schema");
        let errors: Vec<String> = validator
            .iter_errors(&manifest)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{name}: {errors:#?}");
    }
    manifest
}

#[test]
fn a_manifest_of_the_pet_store() {
    let api = Api::read(include_bytes!("petstore.yaml")).expect("a description");
    let text = written(&api, &[]);
    checked("petstore", &text);
    insta::assert_snapshot!(text);
}

/// An operation, and the lines that its tool has.
#[test]
fn parts_of_a_tool() {
    let page = |names: &[&str]| -> Vec<Value> {
        names
            .iter()
            .map(
                |name| json!({ "name": name, "in": "query", "schema": { "type": "integer", "maximum": 10 } }),
            )
            .collect()
    };
    let ok = |response: Value| json!({ "200": response });
    let schema = |schema: Value| json!({ "content": { "application/json": { "schema": schema } } });
    let body = |media_type: &str, schema: Value| json!({ "required": true, "content": { media_type: { "schema": schema } } });
    let table = [
        (
            "get",
            json!({ "parameters": page(&["cursor", "limit"]), "responses": ok(schema(json!({ "properties": { "response_metadata": { "properties": { "next_cursor": {} } } } }))) }),
            vec![
                r#"paging = { cursor = "cursor", next = ".response_metadata.next_cursor", size = "limit", default_size = 10, max_size = 10 }"#,
            ],
        ),
        (
            "get",
            json!({ "parameters": page(&["page", "per_page"]), "responses": ok(json!({ "headers": { "Link": {} } })) }),
            vec![
                r#"paging = { kind = "link", cursor = "page", size = "per_page", default_size = 10, max_size = 10 }"#,
            ],
        ),
        (
            "get",
            json!({ "parameters": page(&["page"]) }),
            vec![r#"paging = { kind = "page", cursor = "page" }"#],
        ),
        (
            "get",
            json!({ "parameters": page(&["offset"]) }),
            vec![r#"paging = { kind = "offset", cursor = "offset" }"#],
        ),
        (
            "get",
            json!({ "parameters": page(&["starting_after"]) }),
            vec![
                r#"paging = { cursor = "starting_after", next = "if .has_more then .data[-1].id else null end" }"#,
            ],
        ),
        (
            "post",
            json!({ "requestBody": body("application/json", json!({ "type": "array", "items": { "type": "string" } })) }),
            vec![
                r#"body = ".body""#,
                "[backends.tools.input.body]",
                r#"type = "array""#,
                r#"items = { type = "string" }"#,
            ],
        ),
        (
            "post",
            json!({ "requestBody": body("application/x-www-form-urlencoded", json!({ "type": "object", "properties": { "a[]": { "type": ["string", "null"], "enum": ["x", null], "default": null } } })) }),
            vec![
                r#"content_type = "application/x-www-form-urlencoded""#,
                "[backends.tools.input.a]",
                r#"as = "a[]""#,
                r#"enum = ["x"]"#,
                r#"type = "string""#,
            ],
        ),
        (
            "post",
            json!({ "requestBody": body("multipart/form-data", json!({ "type": "object", "properties": { "f": { "type": "string", "format": "binary" } } })) }),
            vec![r#"content_type = "multipart/form-data""#, "[backends.tools.input.f]"],
        ),
        (
            "get",
            json!({ "parameters": [
                { "name": "deep", "in": "query", "style": "deepObject", "schema": { "type": "object" } },
                { "name": "X-Mode", "in": "header", "required": true, "description": "A \"quoted\"\nline", "schema": { "type": "object", "properties": { "a": { "type": "integer" } } } },
            ] }),
            vec![
                "# Left out: deep",
                "[backends.tools.input.X-Mode]",
                r#"in = "header""#,
                "required = true",
                r#"description = 'A "quoted" line'"#,
                r#"schema = { properties = { a = { type = "integer" } }, type = "object" }"#,
            ],
        ),
        (
            "get",
            json!({ "responses": ok(json!({ "content": { "application/pdf": {} } })) }),
            vec![r#"output = "binary""#, r#"accept = "application/pdf""#],
        ),
        (
            "get",
            json!({ "responses": ok(json!({ "content": { "text/csv": {} } })) }),
            vec![r#"output = "text""#, r#"accept = "text/csv""#],
        ),
        (
            "get",
            json!({ "responses": ok(json!({ "content": { "application/vnd.x+json": {} } })) }),
            vec![r#"accept = "application/vnd.x+json""#],
        ),
    ];
    for (method, operation, lines) in table {
        let text = written(&crate::api(&operation.to_string(), method, "/x", json!({})), &[]);
        checked("table", &text);
        let found: Vec<&str> = text.lines().collect();
        for line in lines {
            assert!(found.contains(&line), "{line}\nis not in\n{text}");
        }
    }
}

/// A security scheme, and the table `auth`.
#[test]
fn credentials() {
    let table = [
        (
            json!({ "type": "http", "scheme": "bearer" }),
            json!({ "class": "api_key", "credential": { "title": "Access token" } }),
        ),
        (
            json!({ "type": "oauth2", "flows": {} }),
            json!({ "class": "api_key", "credential": { "title": "Access token" } }),
        ),
        (
            json!({ "type": "apiKey", "in": "query", "name": "key" }),
            json!({ "class": "api_key", "in": "query", "name": "key", "value": "${credential}", "credential": { "title": "API key" } }),
        ),
        (
            json!({ "type": "http", "scheme": "basic" }),
            json!({ "class": "basic", "credential": { "title": "User and password, as user:password" } }),
        ),
        (json!({ "type": "mutualTLS" }), json!({ "class": "none" })),
    ];
    for (scheme, expected) in table {
        let api = crate::api("{}", "get", "/x", json!({ "securitySchemes": { "s": scheme } }));
        assert_eq!(checked("auth", &written(&api, &[]))["backends"][0]["auth"], expected, "{scheme}");
    }
}

#[test]
fn variables_of_a_server_are_values_of_the_user() {
    let description = json!({
        "openapi": "3.1.0", "info": { "title": "Sites" },
        "servers": [{ "url": "https://{siteName}.example/{v}", "variables": {
            "siteName": { "default": "demo", "description": "The site." },
            "v": { "default": "v2", "enum": ["v1", "v2"] },
            "unused": { "default": "x" },
        } }],
        "paths": { "/x": { "get": { "operationId": "x" } } },
    });
    let api = Api::read(description.to_string().as_bytes()).expect("a description");
    let own = api.base_url().expect("a server");
    let read = checked("variables", &curate(&api, &own, &[]).expect("a manifest"));
    assert_eq!(read["backends"][0]["base_url"], "https://${config.site_name}.example/${config.v}");
    assert_eq!(read["backends"][0]["network"]["allow"], json!(["${config.site_name}.example"]));
    assert_eq!(
        read["config"],
        json!({
            "site_name": { "type": "string", "title": "site name", "description": "The site", "required": true, "default": "demo" },
            "v": { "type": "choice", "title": "v", "required": true, "default": "v2", "choices": ["v1", "v2"] },
        })
    );
    // A URL that the caller chose has no values.
    let other = checked("other", &written(&api, &[]));
    assert_eq!(
        (&other["backends"][0]["base_url"], other.get("config")),
        (&json!("https://api.example/v2"), None)
    );
}

#[test]
fn selections() {
    let api = Api::read(include_bytes!("petstore.yaml")).expect("a description");
    let base = "https://api.example".parse().expect("a URL");
    let names = |selection: &[&str]| -> Vec<String> {
        let manifest = checked("selection", &curate(&api, &base, selection).expect("a manifest"));
        let tools = manifest["backends"][0]["tools"].as_array().expect("a list").clone();
        tools.iter().map(|tool| tool["name"].as_str().expect("a text").to_owned()).collect()
    };
    // The order is the caller's, and a deletion may be asked for.
    assert_eq!(
        names(&["get_pet_by_id", "delete_pet", "add_pet"]),
        ["get_pet_by_id", "delete_pet", "add_pet"]
    );
    let error = curate(&api, &base, &["find_pets"]).expect_err("unknown").to_string();
    assert_eq!(error, "the API has no operation find_pets; it has find_pets_by_status, find_pets_by_tags");
    let text = json!({ "requestBody": { "content": { "text/plain": {} } } });
    let api = crate::api(&text.to_string(), "post", "/x", json!({}));
    let error = curate(&api, &base, &["call"]).expect_err("no manifest").to_string();
    assert_eq!(error, "call has a body that a manifest cannot describe (text/plain)");
    let error = curate(&api, &base, &[]).expect_err("no manifest").to_string();
    assert_eq!(error, "the API has no operation that a manifest can describe");
}

/// Each API has a manifest of at most 15 tools, whose requests are those of the description.
#[test]
fn manifests_of_whole_apis() {
    let forge = "@octokit/openapi/generated/api.github.com.json";
    for file in [
        "notion.openapi.json",
        "figma.openapi.yaml",
        "asana.openapi.yaml",
        "sentry.openapi.json",
        "stripe.openapi.json",
        forge,
    ] {
        let Some(text) = (if file == forge { npm(file) } else { vendor(file) }) else { continue };
        let api = Api::read(&text).expect("a description");
        let manifest = written(&api, &[]);
        let read = checked(file, &manifest);
        assert!(manifest.len() < 100_000, "{file}: {} bytes", manifest.len());
        let tools = read["backends"][0]["tools"].as_array().expect("a list");
        assert!((10..=15).contains(&tools.len()), "{file}: {}", tools.len());
        let mut names = Vec::new();
        for tool in tools {
            let name = tool["name"].as_str().expect("a text");
            let operation = api.operation(name).expect(name);
            assert_eq!(tool["request"], format!("{} {}", operation.method(), operation.path()), "{file}");
            assert_eq!(tool["class"], operation.class().to_string(), "{file}");
            for (input, keys) in tool["input"].as_object().into_iter().flatten() {
                assert!(keys["description"].is_string(), "{file}: {name}: {input}");
            }
            names.push(name);
        }
        insta::assert_snapshot!(file.replace(['@', '/', '.'], "_"), names.join("\n"));
        let every: Vec<&str> = api.operations().iter().map(|operation| operation.name()).collect();
        let base = "https://api.example".parse().expect("a URL");
        for name in every.iter().step_by(100) {
            match curate(&api, &base, &[name]) {
                Ok(manifest) => drop(checked(name, &manifest)),
                Err(error) => assert!(error.to_string().contains("cannot describe"), "{error}"),
            }
        }
    }
}

#[test]
fn manifests_of_graphql_schemas() {
    let endpoint = "https://shop.example/graphql".parse().expect("a URL");
    let limits = SelectionLimits { depth: 1, fields: 5 };
    let shop = GraphqlSchema::read(include_bytes!("graphql/shop.graphql")).expect("a schema");
    let text = curate_graphql(&shop, "The Shop", &endpoint, &[], limits).expect("a manifest");
    checked("shop", &text);
    insta::assert_snapshot!("shop", text);
    let error = curate_graphql(&shop, "Shop", &endpoint, &["ordr"], limits).expect_err("unknown");
    assert_eq!(error.to_string(), "the schema has no query or mutation ordr");
    let one = curate_graphql(&shop, "Shop", &endpoint, &["orderArchive"], limits).expect("a manifest");
    assert_eq!(checked("one", &one)["backends"][0]["tools"][0]["class"], "destructive");
    for (file, text) in [
        ("tracker", vendor("linear.schema.graphql")),
        ("forge", npm("@octokit/graphql-schema/schema.graphql")),
    ] {
        let Some(text) = text else { continue };
        let schema = GraphqlSchema::read(&text).expect("a schema");
        let text =
            curate_graphql(&schema, file, &endpoint, &[], SelectionLimits::default()).expect("a manifest");
        let manifest = checked(file, &text);
        let tools = manifest["backends"][0]["tools"].as_array().expect("a list");
        let names: Vec<&str> = tools.iter().map(|tool| tool["name"].as_str().expect("a text")).collect();
        insta::assert_snapshot!(file, names.join("\n"));
        for tool in tools {
            schema.operation(tool["document"].as_str().expect("a text")).expect("a valid document");
        }
    }
}
