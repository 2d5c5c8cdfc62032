//! One value of every type with every member filled in, as data. The codec tests write each for every
//! revision; the property tests take members away at random.

use loggia_wire::codec::{self, Downgrade};
use loggia_wire::json::ToJson;
use loggia_wire::jsonrpc;
use loggia_wire::model::*;
use loggia_wire::{Id, Method, RawJson, Version};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// A sample: reads it into the model and writes it for a revision.
pub(crate) struct Sample {
    /// The name of the official definition it must satisfy.
    pub(crate) definition: &'static str,
    /// Every member filled in.
    pub(crate) full: Value,
    /// Reads a value and writes it for the revision; `None` where the revision lacks the type, an error
    /// where the value is not of the type.
    pub(crate) recode: Recode,
}

impl Sample {
    /// The part of a written value that [`Sample::recode`] takes: the params of a message, or all of it.
    pub(crate) fn payload(&self, written: &Value) -> Value {
        let keeps_method = self.full.get("method").is_some();
        match written.get("params") {
            Some(_) | None if keeps_method => written.clone(),
            Some(params) => params.clone(),
            None if written.get("jsonrpc").is_some() => json!({}),
            None => written.clone(),
        }
    }

    /// Returns the object to which an unknown member is added.
    pub(crate) fn payload_mut<'a>(&self, value: &'a mut Value) -> &'a mut Value {
        if self.full.get("method").is_some() { &mut value["params"] } else { value }
    }
}

pub(crate) type Recode = fn(&Value, Version) -> serde_json::Result<Option<Value>>;

pub(crate) fn all() -> Vec<Sample> {
    [results(), items(), requests(), questions(), notifications()].into_iter().flatten().collect()
}

fn identity() -> Implementation {
    serde_json::from_value(implementation()).unwrap()
}

fn result<T: DeserializeOwned + Into<ServerResult>>(
    value: &Value,
    version: Version,
) -> serde_json::Result<Option<Value>> {
    let result: ServerResult = serde_json::from_value::<T>(value.clone())?.into();
    codec::encode_result(result, version, Some(&identity())).decode().map(Some)
}

fn item<T: DeserializeOwned + ToJson + Downgrade>(
    value: &Value,
    version: Version,
) -> serde_json::Result<Option<Value>> {
    let item: T = serde_json::from_value(value.clone())?;
    codec::encode_params(item, version).decode().map(Some)
}

/// Writes the params as a whole request of `method`.
fn request<T: DeserializeOwned + ToJson + Downgrade>(
    method: Method,
    value: &Value,
    version: Version,
) -> serde_json::Result<Option<Value>> {
    let params = serde_json::from_value::<T>(value.clone())?;
    if !method.exists_in(version) {
        return Ok(None);
    }
    let params = codec::encode_params(params, version);
    let mut params = JsonObject::read(params.as_bytes()).expect("params are an object");
    let mut meta = params.get("_meta").and_then(|meta| meta.to_object()).unwrap_or_default();
    modern_meta(version).iter().for_each(|(name, value)| meta.insert_if_absent(&name, value));
    if !meta.is_empty() {
        params.insert("_meta", meta);
    }
    let params = params.to_raw();
    let mut out = Vec::new();
    jsonrpc::write_request(&mut out, &Id::Number(1), &method, Some(params.as_bytes()));
    serde_json::from_slice(&out).map(Some)
}

fn modern_meta(version: Version) -> JsonObject {
    if !version.is_modern() {
        return JsonObject::new();
    }
    let meta = json!({
        loggia_wire::meta::PROTOCOL_VERSION: version,
        loggia_wire::meta::CLIENT_INFO: implementation(),
        loggia_wire::meta::CLIENT_CAPABILITIES: {},
    });
    JsonObject::try_from(meta).unwrap()
}

macro_rules! requests {
    ($($definition:literal, $method:ident, $type:ty, $full:expr;)*) => {
        vec![$(Sample {
            definition: $definition,
            full: $full,
            recode: |value, version| request::<$type>(Method::$method, value, version),
        },)*]
    };
}

fn question(value: &Value, version: Version) -> serde_json::Result<Option<Value>> {
    let request: InputRequest = serde_json::from_value(value.clone())?;
    let Some((method, params)) = codec::encode_input_request(request, version) else { return Ok(None) };
    let mut out = Vec::new();
    jsonrpc::write_request(&mut out, &Id::from("q"), &method, Some(params.as_bytes()));
    serde_json::from_slice(&out).map(Some)
}

fn server_notification(method: Method, value: &Value, version: Version) -> serde_json::Result<Option<Value>> {
    let raw = RawJson::from(value);
    let notification = ServerNotification::decode(&method, Some(&raw))
        .map_err(<serde_json::Error as serde::de::Error>::custom)?;
    Ok(codec::encode_server_notification(
        notification,
        version,
        Some(&Id::Number(7)).filter(|_| version.is_modern()),
    )
    .map(|(method, params)| message(&method, params.as_ref())))
}

fn client_notification(method: Method, value: &Value, version: Version) -> serde_json::Result<Option<Value>> {
    let raw = RawJson::from(value);
    let notification = ClientNotification::decode(&method, Some(&raw))
        .map_err(<serde_json::Error as serde::de::Error>::custom)?;
    Ok(codec::encode_client_notification(notification, version)
        .map(|(m, params)| message(&m, params.as_ref())))
}

fn message(method: &Method, params: Option<&RawJson>) -> Value {
    let mut out = Vec::new();
    jsonrpc::write_notification(&mut out, method, params.map(RawJson::as_bytes));
    serde_json::from_slice(&out).unwrap()
}

pub(crate) fn icons() -> Value {
    json!([{ "src": "https://example.com/i.png", "mimeType": "image/png", "sizes": ["48x48", "any"], "theme": "dark" }])
}

fn annotations() -> Value {
    json!({ "audience": ["user", "assistant"], "priority": 0.5, "lastModified": "2025-01-12T15:00:58Z" })
}

fn meta() -> Value {
    json!({ "com.example/key": { "a": 1 } })
}

pub(crate) fn implementation() -> Value {
    json!({ "name": "sample", "title": "Sample", "version": "1.2.3", "description": "A sample", "websiteUrl": "https://example.com",
            "icons": icons() })
}

pub(crate) fn tool() -> Value {
    json!({
        "name": "add", "title": "Add", "description": "Adds", "icons": icons(), "_meta": meta(),
        "inputSchema": { "type": "object", "properties": { "a": { "type": "number" } }, "required": ["a"] },
        "outputSchema": { "type": "object", "properties": { "sum": { "type": "number" } } },
        "annotations": { "title": "Add!", "readOnlyHint": true, "destructiveHint": false, "idempotentHint": true, "openWorldHint": false },
    })
}

fn resource() -> Value {
    json!({ "uri": "file:///a", "name": "a", "title": "A", "description": "The a", "mimeType": "text/plain", "icons": icons(),
            "annotations": annotations(), "size": 3, "_meta": meta() })
}

fn blocks() -> Value {
    json!([
        { "type": "text", "text": "hello", "annotations": annotations(), "_meta": meta() },
        { "type": "image", "data": "aGk=", "mimeType": "image/png", "annotations": annotations(), "_meta": meta() },
        { "type": "audio", "data": "aGk=", "mimeType": "audio/wav", "annotations": annotations(), "_meta": meta() },
        { "type": "resource_link", "uri": "file:///a", "name": "a", "title": "A", "description": "The a", "mimeType": "text/plain",
          "icons": icons(), "annotations": annotations(), "size": 3, "_meta": meta() },
        { "type": "resource", "resource": { "uri": "file:///a", "mimeType": "text/plain", "text": "hi", "_meta": meta() },
          "annotations": annotations(), "_meta": meta() },
        { "type": "resource", "resource": { "uri": "file:///b", "blob": "aGk=" } },
    ])
}

fn server_capabilities() -> Value {
    json!({ "experimental": { "x": {} }, "logging": {}, "completions": {}, "prompts": { "listChanged": true },
            "resources": { "subscribe": true, "listChanged": true }, "tools": { "listChanged": true },
            "extensions": { "io.modelcontextprotocol/tasks": {} } })
}

fn client_capabilities() -> Value {
    json!({ "experimental": { "x": {} }, "roots": { "listChanged": true }, "sampling": { "context": {}, "tools": {} },
            "elicitation": { "form": {}, "url": {} }, "extensions": { "io.modelcontextprotocol/ui": { "mimeTypes": ["text/html"] } } })
}

fn results() -> Vec<Sample> {
    let sample = |definition, full, recode| Sample { definition, full, recode };
    let list = |member: &str, item: Value| json!({ member: [item], "nextCursor": "c", "ttlMs": 5000, "cacheScope": "public", "_meta": meta() });
    let prompt = json!({ "name": "p", "title": "P", "description": "The p", "icons": icons(), "_meta": meta(),
        "arguments": [{ "name": "a", "title": "A", "description": "an a", "required": true }] });
    let template = json!({ "uriTemplate": "file:///{x}", "name": "t", "title": "T", "description": "The t", "mimeType": "text/plain",
        "icons": icons(), "annotations": annotations(), "_meta": meta() });
    let messages: Vec<Value> = blocks()
        .as_array()
        .unwrap()
        .iter()
        .map(|block| json!({ "role": "user", "content": block }))
        .collect();
    vec![
        sample(
            "InitializeResult",
            json!({ "protocolVersion": "2025-06-18", "capabilities": server_capabilities(),
            "serverInfo": implementation(), "instructions": "use it", "_meta": meta() }),
            |v, r| match r.is_modern() {
                true => Ok(None),
                false => result::<InitializeResult>(v, r),
            },
        ),
        sample(
            "DiscoverResult",
            json!({ "supportedVersions": ["2026-07-28"], "capabilities": server_capabilities(), "instructions": "use it",
            "ttlMs": 1, "cacheScope": "private", "_meta": meta() }),
            |v, r| match r.is_modern() {
                true => result::<DiscoverResult>(v, r),
                false => Ok(None),
            },
        ),
        sample("ListToolsResult", list("tools", tool()), result::<ListToolsResult>),
        sample(
            "CallToolResult",
            json!({ "content": blocks(), "structuredContent": { "sum": 3 }, "isError": false, "_meta": meta() }),
            result::<CallToolResult>,
        ),
        sample(
            "CallToolResult",
            json!({ "content": [], "structuredContent": [1, null] }),
            result::<CallToolResult>,
        ),
        sample("ListResourcesResult", list("resources", resource()), result::<ListResourcesResult>),
        sample(
            "ListResourceTemplatesResult",
            list("resourceTemplates", template),
            result::<ListResourceTemplatesResult>,
        ),
        sample(
            "ReadResourceResult",
            json!({ "contents": [{ "uri": "file:///a", "mimeType": "text/plain", "text": "hi", "_meta": meta() },
            { "uri": "file:///b", "mimeType": "image/png", "blob": "aGk=", "_meta": meta() }], "ttlMs": 1, "cacheScope": "private", "_meta": meta() }),
            result::<ReadResourceResult>,
        ),
        sample("ListPromptsResult", list("prompts", prompt), result::<ListPromptsResult>),
        sample(
            "GetPromptResult",
            json!({ "description": "d", "messages": messages, "_meta": meta() }),
            result::<GetPromptResult>,
        ),
        sample(
            "CompleteResult",
            json!({ "completion": { "values": ["a", "b"], "total": 3, "hasMore": true }, "_meta": meta() }),
            result::<CompleteResult>,
        ),
        sample("EmptyResult", json!({ "_meta": meta() }), result::<EmptyResult>),
        sample(
            "InputRequiredResult",
            json!({ "inputRequests": { "a": form(), "b": url(), "c": create_message(), "d": { "method": "roots/list" } },
            "requestState": "s", "_meta": meta() }),
            |v, r| match r.is_modern() {
                true => result::<InputRequired>(v, r),
                false => Ok(None),
            },
        ),
        sample(
            "ListRootsResult",
            json!({ "roots": [{ "uri": "file:///a", "name": "a", "_meta": meta() }] }),
            item::<ListRootsResult>,
        ),
        sample(
            "ElicitResult",
            json!({ "action": "accept", "content": { "s": "x", "n": 1, "b": true, "m": ["a", "b"] } }),
            |v, r| match r >= Version::V2025_06_18 {
                true => item::<ElicitResult>(v, r),
                false => Ok(None),
            },
        ),
        sample(
            "CreateMessageResult",
            json!({ "role": "assistant", "model": "m", "stopReason": "toolUse", "_meta": meta(),
            "content": sampling_blocks() }),
            item::<CreateMessageResult>,
        ),
    ]
}

fn items() -> Vec<Sample> {
    let sample = |definition, full, recode| Sample { definition, full, recode };
    vec![
        sample("Tool", tool(), item::<Tool>),
        sample("Resource", resource(), item::<Resource>),
        sample("Implementation", implementation(), item::<Implementation>),
        sample("ServerCapabilities", server_capabilities(), item::<ServerCapabilities>),
        sample("ClientCapabilities", client_capabilities(), item::<ClientCapabilities>),
    ]
}

fn requests() -> Vec<Sample> {
    let answers = json!({ "a": { "action": "decline" } });
    requests! {
        "InitializeRequest", Initialize, InitializeParams, json!({ "protocolVersion": "2025-06-18",
            "capabilities": client_capabilities(), "clientInfo": implementation(), "_meta": meta() });
        "DiscoverRequest", Discover, EmptyParams, json!({ "_meta": meta() });
        "ListToolsRequest", ListTools, PageParams, json!({ "cursor": "c", "_meta": meta() });
        "CallToolRequest", CallTool, CallToolParams, json!({ "name": "add", "arguments": { "a": 1 }, "inputResponses": answers,
            "requestState": "s", "_meta": meta() });
        "ListResourcesRequest", ListResources, PageParams, json!({ "cursor": "c", "_meta": meta() });
        "ListResourceTemplatesRequest", ListResourceTemplates, PageParams, json!({ "cursor": "c" });
        "ReadResourceRequest", ReadResource, ReadResourceParams, json!({ "uri": "file:///a", "inputResponses": answers,
            "requestState": "s", "_meta": meta() });
        "ListPromptsRequest", ListPrompts, PageParams, json!({ "cursor": "c" });
        "GetPromptRequest", GetPrompt, GetPromptParams, json!({ "name": "p", "arguments": { "a": "b" }, "inputResponses": answers,
            "requestState": "s", "_meta": meta() });
        "CompleteRequest", Complete, CompleteParams, json!({ "ref": { "type": "ref/prompt", "name": "p", "title": "P" },
            "argument": { "name": "a", "value": "b" }, "context": { "arguments": { "c": "d" } }, "_meta": meta() });
        "CompleteRequest", Complete, CompleteParams, json!({ "ref": { "type": "ref/resource", "uri": "file:///{x}" },
            "argument": { "name": "x", "value": "b" } });
        "SubscribeRequest", Subscribe, SubscribeParams, json!({ "uri": "file:///a", "_meta": meta() });
        "UnsubscribeRequest", Unsubscribe, SubscribeParams, json!({ "uri": "file:///a" });
        "SetLevelRequest", SetLogLevel, SetLevelParams, json!({ "level": "notice", "_meta": meta() });
        "PingRequest", Ping, EmptyParams, json!({ "_meta": meta() });
        "SubscriptionsListenRequest", Listen, ListenParams, json!({ "notifications": { "toolsListChanged": true,
            "promptsListChanged": false, "resourcesListChanged": true, "resourceSubscriptions": ["file:///a"] }, "_meta": meta() });
    }
}

fn form() -> Value {
    json!({ "method": "elicitation/create", "params": {
        "mode": "form", "message": "Tell me",
        "requestedSchema": { "$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "required": ["s"], "properties": {
            "s": { "type": "string", "title": "S", "description": "an s", "minLength": 1, "maxLength": 9, "format": "date-time", "default": "x" },
            "n": { "type": "number", "title": "N", "description": "an n", "minimum": 0.5, "maximum": 9, "default": 1.5 },
            "i": { "type": "integer", "minimum": 0, "maximum": 9, "default": 1 },
            "b": { "type": "boolean", "title": "B", "description": "a b", "default": true },
            "e": { "type": "string", "title": "E", "description": "an e", "enum": ["a", "b"], "default": "a" },
            "l": { "type": "string", "enum": ["a", "b"], "enumNames": ["A", "B"], "default": "a" },
            "t": { "type": "string", "title": "T", "oneOf": [{ "const": "a", "title": "A" }], "default": "a" },
            "m": { "type": "array", "title": "M", "minItems": 1, "maxItems": 2, "items": { "type": "string", "enum": ["a", "b"] }, "default": ["a"] },
            "u": { "type": "array", "items": { "anyOf": [{ "const": "a", "title": "A" }] } },
        } } } })
}

fn url() -> Value {
    json!({ "method": "elicitation/create", "params": { "mode": "url", "message": "Go", "url": "https://example.com", "elicitationId": "e" } })
}

fn sampling_blocks() -> Value {
    json!([
        { "type": "text", "text": "hi", "annotations": annotations(), "_meta": meta() },
        { "type": "image", "data": "aGk=", "mimeType": "image/png" },
        { "type": "audio", "data": "aGk=", "mimeType": "audio/wav" },
        { "type": "tool_use", "id": "1", "name": "add", "input": { "a": 1 }, "_meta": meta() },
        { "type": "tool_result", "toolUseId": "1", "content": blocks(), "structuredContent": { "a": 1 }, "isError": false, "_meta": meta() },
    ])
}

fn create_message() -> Value {
    json!({ "method": "sampling/createMessage", "params": {
        "messages": [{ "role": "user", "content": sampling_blocks(), "_meta": meta() }, { "role": "assistant", "content": { "type": "text", "text": "hi" } }],
        "modelPreferences": { "hints": [{ "name": "sonnet" }], "costPriority": 0.1, "speedPriority": 0.2, "intelligencePriority": 0.3 },
        "systemPrompt": "Be kind", "includeContext": "none", "temperature": 0.5, "maxTokens": 10, "stopSequences": ["."], "metadata": { "a": 1 },
        "tools": [tool()], "toolChoice": { "mode": "auto" } } })
}

fn questions() -> Vec<Sample> {
    let sample = |definition, full| Sample { definition, full, recode: question };
    vec![
        sample("ElicitRequest", form()),
        sample("ElicitRequest", url()),
        sample("CreateMessageRequest", create_message()),
        sample("ListRootsRequest", json!({ "method": "roots/list", "params": { "_meta": meta() } })),
    ]
}

macro_rules! notifications {
    ($($definition:literal, $read:ident, $method:ident, $full:expr;)*) => {
        vec![$(Sample { definition: $definition, full: $full, recode: |v, r| $read(Method::$method, v, r) },)*]
    };
}

fn notifications() -> Vec<Sample> {
    notifications! {
        "ProgressNotification", server_notification, Progress,
            json!({ "progressToken": "t", "progress": 0.5, "total": 1.5, "message": "half", "_meta": meta() });
        "ProgressNotification", client_notification, Progress, json!({ "progressToken": 1, "progress": 1 });
        "LoggingMessageNotification", server_notification, Log,
            json!({ "level": "error", "logger": "db", "data": { "a": [1] }, "_meta": meta() });
        "CancelledNotification", server_notification, Cancelled, json!({ "requestId": 1, "reason": "no", "_meta": meta() });
        "CancelledNotification", client_notification, Cancelled, json!({ "requestId": "a", "reason": "no" });
        "ResourceUpdatedNotification", server_notification, ResourceUpdated, json!({ "uri": "file:///a", "_meta": meta() });
        "ResourceListChangedNotification", server_notification, ResourcesListChanged, json!({ "_meta": meta() });
        "ToolListChangedNotification", server_notification, ToolsListChanged, json!({ "_meta": meta() });
        "PromptListChangedNotification", server_notification, PromptsListChanged, json!({});
        "ElicitationCompleteNotification", server_notification, ElicitationComplete, json!({ "elicitationId": "e" });
        "SubscriptionsAcknowledgedNotification", server_notification, SubscriptionsAcknowledged,
            json!({ "notifications": { "toolsListChanged": true, "resourceSubscriptions": ["file:///a"] } });
        "InitializedNotification", client_notification, Initialized, json!({ "_meta": meta() });
        "RootsListChangedNotification", client_notification, RootsListChanged, json!({ "_meta": meta() });
    }
}
