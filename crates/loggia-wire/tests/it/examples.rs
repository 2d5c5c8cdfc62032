//! Every official example is read into its type and written again without loss.

use loggia_wire::jsonrpc;
use loggia_wire::model::*;
use loggia_wire::{Message, RawJson, RpcError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::official::spec;

/// Reads an example as its type and writes it.
type Recode = fn(&Value) -> Result<Value, String>;

fn typed<T: DeserializeOwned + Serialize>(value: &Value) -> Result<Value, String> {
    let read: T = serde_json::from_value(value.clone()).map_err(|e| e.to_string())?;
    serde_json::to_value(read).map_err(|e| e.to_string())
}

/// A whole message: through the envelope, then its payload as a `T`.
fn message<T: DeserializeOwned + Serialize>(value: &Value) -> Result<Value, String> {
    let text = RawJson::from(value).into_bytes();
    let mut out = Vec::new();
    match jsonrpc::decode(&text).map_err(|e| e.to_string())? {
        Message::Request { id, method, params } => {
            jsonrpc::write_request(
                &mut out,
                &id,
                &method,
                payload::<T>(params.map(RawJson::from))?.as_ref().map(RawJson::as_bytes),
            );
        }
        Message::Notification { method, params } => {
            jsonrpc::write_notification(
                &mut out,
                &method,
                payload::<T>(params)?.as_ref().map(RawJson::as_bytes),
            );
        }
        Message::Response { id: Some(id), outcome: Ok(result) } => {
            let result = payload::<T>(Some(result))?.unwrap_or(RawJson::empty_object());
            jsonrpc::write_result(&mut out, &id, result.as_bytes());
        }
        Message::Response { id: Some(id), outcome: Err(error) } => {
            jsonrpc::write_error(&mut out, Some(&id), &error)
        }
        Message::Response { id: None, outcome: Err(error) } => {
            jsonrpc::write_error_without_id(&mut out, &error)
        }
        Message::Response { id: None, outcome: Ok(_) } => return Err("a result without an id".into()),
    }
    serde_json::from_slice(&out).map_err(|e| e.to_string())
}

/// The one example that still carries the id which questions had when they were requests.
fn question_with_id(value: &Value) -> Result<Value, String> {
    let mut again = typed::<InputRequest>(value)?;
    again["id"] = value["id"].clone();
    if let Some(object) = again.as_object_mut().filter(|object| object["params"] == serde_json::json!({})) {
        object.remove("params");
    }
    Ok(again)
}

fn payload<T: DeserializeOwned + Serialize>(raw: Option<RawJson>) -> Result<Option<RawJson>, String> {
    let Some(raw) = raw else { return Ok(None) };
    let read: T = raw.decode().map_err(|e| e.to_string())?;
    RawJson::encode(&read).map(Some).map_err(|e| e.to_string())
}

fn recode(folder: &str) -> Option<Recode> {
    Some(match folder {
        "AudioContent" | "EmbeddedResource" | "ImageContent" | "ResourceLink" | "TextContent" => {
            typed::<ContentBlock>
        }
        "ToolResultContent" | "ToolUseContent" => typed::<SamplingContentBlock>,
        "BlobResourceContents" | "TextResourceContents" => typed::<ResourceContents>,
        "BooleanSchema"
        | "NumberSchema"
        | "StringSchema"
        | "TitledMultiSelectEnumSchema"
        | "TitledSingleSelectEnumSchema"
        | "UntitledMultiSelectEnumSchema"
        | "UntitledSingleSelectEnumSchema" => typed::<PrimitiveSchema>,
        "CallToolRequest" => message::<CallToolParams>,
        "CallToolRequestParams" => typed::<CallToolParams>,
        "CallToolResult" => typed::<CallToolResult>,
        "CallToolResultResponse" => message::<CallToolResult>,
        "CancelledNotification" => message::<CancelledParams>,
        "CancelledNotificationParams" => typed::<CancelledParams>,
        "ClientCapabilities" => typed::<ClientCapabilities>,
        "CompleteRequest" => message::<CompleteParams>,
        "CompleteRequestParams" => typed::<CompleteParams>,
        "CompleteResult" => typed::<CompleteResult>,
        "CompleteResultResponse" => message::<CompleteResult>,
        "CreateMessageRequest" | "ElicitRequest" => typed::<InputRequest>,
        "ListRootsRequest" => question_with_id,
        "CreateMessageRequestParams" => typed::<CreateMessageParams>,
        "CreateMessageResult" => typed::<CreateMessageResult>,
        "DiscoverRequest" => message::<EmptyParams>,
        "DiscoverResult" => typed::<DiscoverResult>,
        "DiscoverResultResponse" => message::<DiscoverResult>,
        "ElicitRequestFormParams" | "ElicitRequestURLParams" => typed::<ElicitParams>,
        "ElicitResult" => typed::<ElicitResult>,
        "GetPromptRequest" => message::<GetPromptParams>,
        "GetPromptRequestParams" => typed::<GetPromptParams>,
        "GetPromptResult" => typed::<GetPromptResult>,
        "GetPromptResultResponse" => message::<GetPromptResult>,
        "HeaderMismatchError"
        | "MissingRequiredClientCapabilityError"
        | "UnsupportedProtocolVersionError" => message::<EmptyResult>,
        "InternalError" | "InvalidParamsError" | "MethodNotFoundError" | "ParseError" => typed::<RpcError>,
        "InputRequests" => typed::<InputRequests>,
        "InputRequiredResult" => typed::<InputRequired>,
        "InputResponses" => typed::<InputResponses>,
        "ListPromptsRequest"
        | "ListResourceTemplatesRequest"
        | "ListResourcesRequest"
        | "ListToolsRequest" => message::<PageParams>,
        "ListPromptsResult" => typed::<ListPromptsResult>,
        "ListPromptsResultResponse" => message::<ListPromptsResult>,
        "ListResourceTemplatesResult" => typed::<ListResourceTemplatesResult>,
        "ListResourceTemplatesResultResponse" => message::<ListResourceTemplatesResult>,
        "ListResourcesResult" => typed::<ListResourcesResult>,
        "ListResourcesResultResponse" => message::<ListResourcesResult>,
        "ListRootsResult" => typed::<ListRootsResult>,
        "ListToolsResult" => typed::<ListToolsResult>,
        "ListToolsResultResponse" => message::<ListToolsResult>,
        "LoggingMessageNotification" => message::<LogParams>,
        "LoggingMessageNotificationParams" => typed::<LogParams>,
        "ModelPreferences" => typed::<ModelPreferences>,
        "PaginatedRequestParams" => typed::<PageParams>,
        "ProgressNotification" => message::<ProgressParams>,
        "ProgressNotificationParams" => typed::<ProgressParams>,
        "PromptListChangedNotification"
        | "ResourceListChangedNotification"
        | "ToolListChangedNotification" => message::<EmptyParams>,
        "ReadResourceRequest" => message::<ReadResourceParams>,
        "ReadResourceResult" => typed::<ReadResourceResult>,
        "ReadResourceResultResponse" => message::<ReadResourceResult>,
        "Resource" => typed::<Resource>,
        "ResourceUpdatedNotification" => message::<ResourceUpdatedParams>,
        "ResourceUpdatedNotificationParams" => typed::<ResourceUpdatedParams>,
        "Root" => typed::<Root>,
        "SamplingMessage" => typed::<SamplingMessage>,
        "ServerCapabilities" => typed::<ServerCapabilities>,
        "SubscriptionsAcknowledgedNotification" => message::<SubscriptionsAcknowledgedParams>,
        "SubscriptionsListenRequest" => message::<ListenParams>,
        "SubscriptionsListenResult" => typed::<EmptyResult>,
        "SubscriptionsListenResultResponse" => message::<EmptyResult>,
        "Tool" => typed::<Tool>,
        _ => return None,
    })
}

#[test]
fn every_example_survives_a_round_trip() {
    let Some(spec) = spec() else { return };
    let mut wrong = Vec::new();
    let mut read = 0;
    for folder in std::fs::read_dir(spec.join("2026-07-28/examples")).unwrap() {
        let folder = folder.unwrap().path();
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let Some(recode) = recode(&name) else {
            wrong.push(format!("{name}: no type is named for these examples"));
            continue;
        };
        for file in std::fs::read_dir(&folder).unwrap() {
            let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
            let example: Value = serde_json::from_str(&text).unwrap();
            match recode(&example) {
                Ok(again) if same(&again, &example) => read += 1,
                Ok(again) => wrong.push(format!("{name}: {example} became {again}")),
                Err(error) => wrong.push(format!("{name}: {error}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(read > 90, "only {read} examples were read");
}

/// Equal as JSON: a number is its value, however it is written.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}
