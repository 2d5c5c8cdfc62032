//! The OpenAPI description of one tool. `loggia-openapi` writes the requests and reads the responses from it.

use loggia_openapi::Api;
use serde_json::{Map, Value, json};

use crate::manifest::{InputPlace, ManifestTool, ToolOutput, ToolRequest};

/// A parameter of a request: its place and its name there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WireParameter {
    pub(super) place: InputPlace,
    pub(super) name: String,
    pub(super) schema: Value,
}

/// Returns the API with the one operation of a tool.
pub(super) fn api(
    tool: &ManifestTool,
    request: &ToolRequest,
    parameters: &[WireParameter],
    has_body: bool,
) -> Result<Api, String> {
    let written: Vec<Value> = parameters
        .iter()
        .filter(|parameter| parameter.place != InputPlace::Body)
        .map(|parameter| {
            json!({
                "name": parameter.name, "in": parameter.place.as_str(), "schema": parameter.schema,
                "required": parameter.place == InputPlace::Path,
            })
        })
        .collect();
    let mut operation = json!({
        "operationId": tool.name,
        "x-loggia-paging": false,
        "parameters": written,
        "responses": { "200": { "description": "", "content": { accept(request): {} } } },
    });
    if has_body {
        operation["requestBody"] = json!({
            "content": { request.content_type.clone(): { "schema": body_schema(request, parameters) } }
        });
    }
    let method = request.method.as_str().to_ascii_lowercase();
    let description = json!({
        "openapi": "3.1.0",
        "info": { "title": tool.name, "version": "1" },
        "paths": { request.path.clone(): { method: operation } },
    });
    let api = Api::read(description.to_string().as_bytes()).map_err(|error| error.to_string())?;
    match api.problems().first() {
        Some(problem) => Err(problem.reason.clone()),
        None => Ok(api),
    }
}

fn accept(request: &ToolRequest) -> String {
    let default = match request.output {
        ToolOutput::Json => "application/json",
        ToolOutput::Text => "text/plain, text/*;q=0.9, */*;q=0.5",
        ToolOutput::Binary => "*/*",
    };
    request.accept.clone().unwrap_or_else(|| default.to_owned())
}

/// A multipart body has its members, since some of them are files. Any other body is one value.
fn body_schema(request: &ToolRequest, parameters: &[WireParameter]) -> Value {
    if !is_multipart(request) {
        return json!({});
    }
    let members = parameters.iter().filter(|parameter| parameter.place == InputPlace::Body);
    let members: Map<String, Value> =
        members.map(|parameter| (parameter.name.clone(), parameter.schema.clone())).collect();
    json!({ "type": "object", "properties": members })
}

pub(super) fn is_multipart(request: &ToolRequest) -> bool {
    request.content_type == "multipart/form-data"
}
