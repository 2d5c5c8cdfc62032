//! The tools of manifests against the descriptions of their vendors: each operation, parameter and body member exists.
//!
//! The descriptions stand beside the repository, or reduced to facts in `interop/vendors/descriptions/`. Without one the
//! test says so and continues.

use std::path::PathBuf;

use loggia::wire::JsonObject;
use loggia_connect::direct::ManifestApi;
use loggia_connect::manifest::{
    ConnectorManifest, InputPlace, ManifestBackend, ManifestTool, ManifestTransport, ToolRequest,
};
use loggia_connect::secret::Secret;
use loggia_openapi::{Api, Operation};
use serde_json::{Map, Value, json};

use super::files;
use crate::direct::{RecordingApi, answer};

fn vendor(name: &str) -> Option<Vec<u8>> {
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let folders = [own.join("../../../shared/vendors"), own.join("../../interop/vendors/descriptions")];
    let files = folders
        .iter()
        .flat_map(|folder| ["json", "yaml"].map(|kind| folder.join(format!("{name}.openapi.{kind}"))));
    let found = files.into_iter().find_map(|file| std::fs::read(file).ok());
    if found.is_none() {
        eprintln!("skipped: ../shared/vendors/{name}.openapi.json and .yaml are absent");
    }
    found
}

#[tokio::test]
async fn every_tool_exists_at_its_vendor() {
    let mut faults = Vec::new();
    for (name, text) in files() {
        let manifest = ConnectorManifest::parse(&text, &format!("{name}.toml")).unwrap();
        let is_written = |backend: &&ManifestBackend| {
            matches!(backend.transport, ManifestTransport::OpenApi(_)) && !backend.tools.is_empty()
        };
        let backends: Vec<&ManifestBackend> = manifest.backends.iter().filter(is_written).collect();
        let Some(description) = (!backends.is_empty()).then(|| vendor(&name)).flatten() else { continue };
        let api = Api::read(&description).unwrap();
        for backend in backends {
            for tool in &backend.tools {
                for fault in tool_faults(&manifest, backend, tool, &api).await {
                    faults.push(format!("{name}.toml:{}: {}: {fault}", tool.location.line, tool.name));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Returns the differences between a tool and the description of its vendor.
async fn tool_faults(
    manifest: &ConnectorManifest,
    backend: &ManifestBackend,
    tool: &ManifestTool,
    api: &Api,
) -> Vec<String> {
    let Some(request) = &tool.request else { return vec!["it has no request".to_owned()] };
    let Some(operation) = operation(backend, request, api) else {
        return vec![format!("the vendor has no {} {}", request.method, request.path)];
    };
    let mut faults = Vec::new();
    let plain =
        |text: &str| text.to_lowercase().chars().filter(char::is_ascii_alphanumeric).collect::<String>();
    match &request.operation {
        // A name that two operations share, or that is long, has a suffix.
        Some(id) if plain(operation.name()).starts_with(&plain(id)[..plain(id).len().min(34)]) => {}
        Some(id) => faults.push(format!("the operation is {}, not {id}", operation.name())),
        None => faults.push(format!("name the operation: operation = {:?}", operation.name())),
    }
    // The names of variables of a path are not sent.
    let is_named = |place| !matches!(place, InputPlace::Body | InputPlace::Path);
    for input in tool.inputs.iter().filter(|input| is_named(input.place)) {
        if !has_parameter(operation, input.place.as_str(), &input.wire_name) {
            faults.push(format!(
                "the operation has no {} parameter {}",
                input.place.as_str(),
                input.wire_name
            ));
        }
    }
    for arguments in [examples(tool, true), examples(tool, false)] {
        match sent(manifest, backend, tool, &arguments).await {
            Ok(sent) => faults.extend(request_faults(&sent, operation)),
            Err(said) => faults.push(format!("{arguments:?} make no request: {said}")),
        }
    }
    faults.sort();
    faults.dedup();
    faults
}

/// Returns the vendor's operation at the method and the path of a tool.
fn operation<'a>(backend: &ManifestBackend, request: &ToolRequest, api: &'a Api) -> Option<&'a Operation> {
    let ManifestTransport::OpenApi(direct) = &backend.transport else { return None };
    let base = direct.base_url.as_ref()?.to_string();
    let base = base.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map_or("", |(_, path)| path);
    let own = format!("/{}", base.trim_matches('/')).trim_end_matches('/').to_owned() + &request.path;
    let server = api.base_url().map(|url| url.path().trim_end_matches('/').to_owned()).unwrap_or_default();
    let same = |operation: &&Operation| {
        let path = format!("{server}{}", operation.path());
        let (path, own) = (without_names(&path), without_names(&own));
        *operation.method() == request.method && path.trim_end_matches('/') == own.trim_end_matches('/')
    };
    api.operations().iter().find(same)
}

/// Returns a path template without the names of its variables.
fn without_names(path: &str) -> String {
    let mut parts = path.split('{');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |path, part| path + "{}" + part.split_once('}').map_or("", |(_, rest)| rest))
}

fn has_parameter(operation: &Operation, place: &str, name: &str) -> bool {
    let outer = name.split('[').next().unwrap_or(name);
    operation.argument(place, name).or_else(|| operation.argument(place, outer)).is_some()
}

/// Makes arguments of the schemas of a tool: all of them, or those that are required.
fn examples(tool: &ManifestTool, all: bool) -> Map<String, Value> {
    let chosen = tool.open_inputs().filter(|input| all || input.is_required);
    let mut arguments: Map<String, Value> =
        chosen.map(|input| (input.name.clone(), example(&input.schema))).collect();
    if all && tool.paging.is_some() {
        arguments.insert("cursor".to_owned(), json!("2"));
    }
    arguments
}

fn example(schema: &Value) -> Value {
    let first = |key: &str| schema[key].as_array().and_then(|values| values.first());
    if let Some(value) = schema.get("const").or_else(|| schema.get("default")).or_else(|| first("enum")) {
        return value.clone();
    }
    if let Some(branch) = first("anyOf").or_else(|| first("oneOf")) {
        return example(branch);
    }
    match schema["type"].as_str() {
        Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or_else(|| json!(1)),
        Some("boolean") => json!(true),
        Some("array") => json!([example(&schema["items"])]),
        Some("object") => {
            let properties = schema["properties"].as_object().into_iter().flatten();
            Value::Object(properties.map(|(name, schema)| (name.clone(), example(schema))).collect())
        }
        _ => match schema["format"].as_str() {
            Some("date") => json!("2026-01-02"),
            Some("date-time") => json!("2026-01-02T03:04:05Z"),
            _ => json!("eA=="),
        },
    }
}

/// Calls a tool, and returns the request that was sent.
async fn sent(
    manifest: &ConnectorManifest,
    backend: &ManifestBackend,
    tool: &ManifestTool,
    arguments: &Map<String, Value>,
) -> Result<String, String> {
    let mut backend = backend.clone();
    backend.tools = vec![ManifestTool { is_enabled: true, ..tool.clone() }];
    backend.limits.rate = None;
    backend.auth.credential = None;
    let config: Map<String, Value> = manifest
        .config
        .iter()
        .filter(|field| field.default.is_none())
        .map(|field| {
            let choice = field.choices.first().map(|choice| json!(choice.value));
            let value = match field.field_type.as_str() {
                "number" => json!(field.min.unwrap_or(1.0)),
                "boolean" => json!(true),
                _ => choice.unwrap_or_else(|| json!("example")),
            };
            (field.name.clone(), value)
        })
        .collect();
    // A pattern of a value says nothing about its examples.
    let mut open = manifest.clone();
    open.config.iter_mut().for_each(|field| field.pattern = None);
    let values =
        open.values(&config, Some(Secret::new("credential"))).map_err(|problems| format!("{problems:?}"))?;
    let sender = RecordingApi::with([answer(200, "{}")]);
    let api = ManifestApi::new(&backend, &values, sender.clone()).map_err(|error| error.to_string())?;
    let arguments: JsonObject = Value::Object(arguments.clone()).to_string().parse().unwrap();
    let result = api.call(&tool.name, &arguments).await;
    sender.requests().pop().ok_or_else(|| format!("{result:?}"))
}

/// Returns the parts of a request that the vendor's operation does not have.
fn request_faults(request: &str, operation: &Operation) -> Vec<String> {
    let mut faults = Vec::new();
    let (head, body) = request.rsplit_once('\n').unwrap_or((request, ""));
    let url = head.lines().next().unwrap_or_default();
    let query = url.split_once('?').map_or("", |(_, query)| query);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let name = pair.split('=').next().unwrap_or_default().replace("%5B", "[").replace("%5D", "]");
        if !has_parameter(operation, "query", &name) {
            faults.push(format!("the operation has no query parameter {name}"));
        }
    }
    let schema = serde_json::from_str(operation.tool().input_schema.as_str()).unwrap();
    match serde_json::from_str::<Value>(body) {
        Ok(body) => body_faults(&body, operation, &schema, &mut faults),
        Err(_) if head.contains("x-www-form-urlencoded") => {
            for pair in body.split('&').filter(|pair| !pair.is_empty()) {
                let name = pair.split('=').next().unwrap_or_default().replace("%5B", "[").replace("%5D", "]");
                if !has_parameter(operation, "body", &name) && operation.argument("body", "body").is_none() {
                    faults.push(format!("the body has no member {name}"));
                }
            }
        }
        Err(_) => {}
    }
    faults
}

fn body_faults(body: &Value, operation: &Operation, schema: &Value, faults: &mut Vec<String>) {
    let members = body.as_object().cloned().unwrap_or_default();
    for (name, value) in &members {
        let path = format!("/{name}");
        match (operation.argument("body", name), operation.argument("body", "body")) {
            (Some(argument), _) => member_faults(value, &schema["properties"][argument], &path, faults),
            (None, Some(whole)) => {
                let schema = &schema["properties"][whole];
                match member_schemas(schema, name) {
                    Members::Missing => faults.push(format!("the body has no member {path}")),
                    Members::Open => {}
                    Members::Found(found) => {
                        let all: Vec<Vec<String>> =
                            found.iter().map(|inner| collected(value, inner, &path)).collect();
                        faults.extend(all.into_iter().min_by_key(Vec::len).unwrap_or_default());
                    }
                }
            }
            (None, None) => faults.push(format!("the body has no member {path}")),
        }
    }
}

fn collected(value: &Value, schema: &Value, path: &str) -> Vec<String> {
    let mut faults = Vec::new();
    member_faults(value, schema, path, &mut faults);
    faults
}

/// Checks the members of a value against a schema. A schema that says nothing about members allows all.
fn member_faults(value: &Value, schema: &Value, path: &str, faults: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let path = format!("{path}/{name}");
                match member_schemas(schema, name) {
                    Members::Missing => faults.push(format!("the body has no member {path}")),
                    Members::Open => {}
                    Members::Found(found) => {
                        let all: Vec<Vec<String>> =
                            found.iter().map(|inner| collected(value, inner, &path)).collect();
                        faults.extend(all.into_iter().min_by_key(Vec::len).unwrap_or_default());
                    }
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                let branches = branches(schema);
                let lists: Vec<&Value> = branches.iter().filter_map(|branch| branch.get("items")).collect();
                let all: Vec<Vec<String>> =
                    lists.iter().map(|inner| collected(item, inner, &format!("{path}/0"))).collect();
                faults.extend(all.into_iter().min_by_key(Vec::len).unwrap_or_default());
            }
        }
        _ => {}
    }
}

/// The schemas of a member.
enum Members<'s> {
    Found(Vec<&'s Value>),
    /// The schema allows any member.
    Open,
    Missing,
}

fn member_schemas<'s>(schema: &'s Value, name: &str) -> Members<'s> {
    let branches = branches(schema);
    let found: Vec<&Value> = branches.iter().filter_map(|branch| branch["properties"].get(name)).collect();
    if !found.is_empty() {
        return Members::Found(found);
    }
    let is_open = |branch: &&Value| {
        let more = &branch["additionalProperties"];
        let has_members = branch
            .get("properties")
            .is_some_and(|members| members.as_object().is_some_and(|all| !all.is_empty()));
        let is_scalar = matches!(branch["type"].as_str(), Some(kind) if kind != "object");
        !is_scalar && (more.is_object() || *more == json!(true) || !has_members)
    };
    if branches.iter().any(is_open) { Members::Open } else { Members::Missing }
}

/// Returns the leaves of `anyOf`, `oneOf` and `allOf`.
fn branches(schema: &Value) -> Vec<&Value> {
    let inner: Vec<&Value> = ["anyOf", "oneOf", "allOf"]
        .iter()
        .flat_map(|key| schema[*key].as_array().into_iter().flatten())
        .flat_map(branches)
        .collect();
    if inner.is_empty() || schema.get("properties").is_some() {
        return std::iter::once(schema).chain(inner).collect();
    }
    inner
}

const VENDOR: &str = r#"{
    "openapi": "3.1.0", "info": { "title": "Shop", "version": "1" }, "servers": [{ "url": "https://shop.example/v1" }],
    "paths": {
        "/orders/{id}": { "get": { "operationId": "getOrder", "parameters": [
            { "name": "id", "in": "path", "required": true, "schema": { "type": "string" } },
            { "name": "page", "in": "query", "schema": { "type": "integer" } },
            { "name": "filter", "in": "query", "style": "deepObject", "schema": { "type": "object" } }
        ] } },
        "/orders": { "post": { "operationId": "addOrder", "requestBody": { "content": { "application/json": { "schema": {
            "type": "object", "properties": { "name": { "type": "string" }, "price": { "anyOf": [
                { "type": "object", "properties": { "cents": { "type": "integer" } } },
                { "type": "object", "properties": { "lines": { "type": "array", "items": { "type": "object", "properties": { "n": {} } } } } }
            ] } }
        } } } } } }
    }
}"#;

/// The check itself: each difference is found, and a tool without one passes.
#[tokio::test]
async fn differences_from_a_description_are_found() {
    let api = Api::read(VENDOR.as_bytes()).unwrap();
    let string = |name: &str, more: &str| {
        format!("[backends.tools.input.{name}]\ntype = \"string\"\ndescription = \"D\"\n{more}\n")
    };
    let get = "request = \"GET /orders/{id}\"\noperation = \"getOrder\"\n";
    let add = "request = \"POST /orders\"\noperation = \"add-order\"\n";
    for (tool, expected) in [
        (format!("{get}{}", string("id", "")), &[][..]),
        (
            format!(
                "{get}paging = {{ kind = \"page\", cursor = \"page\", next = \".more\" }}\n{}{}",
                string("id", ""),
                string("filter", "as = \"filter[a]\"")
            ),
            &[],
        ),
        (
            format!("request = \"GET /order/{{id}}\"\n{}", string("id", "")),
            &["the vendor has no GET /order/{id}"],
        ),
        (format!("{}{}", get.replace("id}", "order}"), string("order", "")), &[]),
        (
            format!("request = \"GET /orders/{{id}}\"\noperation = \"fetchOrder\"\n{}", string("id", "")),
            &["the operation is get_order, not fetchOrder"],
        ),
        (
            format!("request = \"GET /orders/{{id}}\"\n{}", string("id", "")),
            &["name the operation: operation = \"get_order\""],
        ),
        (
            format!("{get}{}{}", string("id", ""), string("size", "")),
            &["the operation has no query parameter size"],
        ),
        (
            format!("{get}{}{}", string("id", ""), string("size", "in = \"header\"")),
            &["the operation has no header parameter size"],
        ),
        (
            format!("{get}fixed = {{ expand = \"all\" }}\n{}", string("id", "")),
            &["the operation has no query parameter expand"],
        ),
        (
            format!("{get}paging = {{ cursor = \"after\", next = \".n\" }}\n{}", string("id", "")),
            &["the operation has no query parameter after"],
        ),
        (format!("{add}{}{}", string("name", ""), string("cents", "as = \"price.cents\"")), &[]),
        (
            format!("{add}body = \"{{name: .name, price: {{lines: [{{n: 1}}]}}}}\"\n{}", string("name", "")),
            &[],
        ),
        (format!("{add}{}", string("title", "")), &["the body has no member /title"]),
        (
            format!("{add}{}", string("cents", "as = \"price.euros\"")),
            &["the body has no member /price/euros"],
        ),
        (
            format!("{add}body = \"{{name: .name, price: {{lines: [{{m: 1}}]}}}}\"\n{}", string("name", "")),
            &["the body has no member /price/lines/0/m"],
        ),
    ] {
        let text = format!(
            "name = \"shop\"\ntitle = \"Shop\"\nversion = \"1.0.0\"\ndescription = \"D.\"\n[[backends]]\nkind = \"openapi\"\n\
             base_url = \"https://shop.example/v1\"\nauth = {{ class = \"api_key\" }}\n[[backends.tools]]\nname = \"t\"\n\
             description = \"D.\"\nclass = \"read\"\n{tool}"
        );
        let manifest = ConnectorManifest::parse(&text, "shop.toml").unwrap_or_else(|error| panic!("{error}"));
        let backend = &manifest.backends[0];
        let faults = tool_faults(&manifest, backend, &backend.tools[0], &api).await;
        assert_eq!(faults, expected, "{tool}");
    }
}
