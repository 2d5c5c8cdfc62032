//! The definition of a tool that clients list.

use loggia::model::{Tool, ToolAnnotations};
use loggia::wire::JsonObject;
use loggia_openapi::OperationClass;
use serde_json::{Value, json};

use super::is_read;
use crate::manifest::ManifestTool;

/// The argument of paged tools.
pub(super) const CURSOR: &str = "cursor";
const CURSOR_DESCRIPTION: &str = "The cursor that the result before gave, to read the next page";

impl ManifestTool {
    /// Returns the definition that clients of a direct backend list.
    pub fn definition(&self) -> Tool {
        definition(self)
    }
}

/// Writes the definition of a tool.
pub(super) fn definition(tool: &ManifestTool) -> Tool {
    let mut definition = Tool::new(tool.name.clone(), input_schema(tool));
    definition.title = tool.title.clone();
    definition.description = tool.description.clone();
    definition.annotations = Some(annotations(tool));
    definition
}

/// Returns the hints of a tool's class.
pub(crate) fn annotations(tool: &ManifestTool) -> ToolAnnotations {
    let is_read = is_read(tool.class);
    let method = tool.request.as_ref().map(|request| &request.method);
    ToolAnnotations {
        read_only_hint: Some(is_read),
        destructive_hint: (!is_read).then_some(tool.class == Some(OperationClass::Destructive)),
        // RFC 9110, section 9.2.2.
        idempotent_hint: method
            .filter(|_| !is_read)
            .map(|method| *method == http::Method::PUT || *method == http::Method::DELETE),
        open_world_hint: Some(true),
        ..ToolAnnotations::default()
    }
}

/// Writes the schema of the arguments, in the order of the manifest.
fn input_schema(tool: &ManifestTool) -> JsonObject {
    let mut properties = JsonObject::default();
    for input in tool.open_inputs() {
        let mut schema =
            if is_file(tool, &input.schema) { file(&input.schema) } else { input.schema.clone() };
        if let Some(default) = tool.defaults.get(&input.name).filter(|default| !has_placeholder(default)) {
            schema["default"] = default.clone();
        }
        properties.insert(&input.name, super::raw(&schema));
    }
    if tool.paging.is_some() {
        properties
            .insert(CURSOR, super::raw(&json!({ "type": "string", "description": CURSOR_DESCRIPTION })));
    }
    let required: Vec<&str> =
        tool.open_inputs().filter(|input| input.is_required).map(|input| input.name.as_str()).collect();
    let mut schema = JsonObject::default();
    schema.insert("type", super::raw(&json!("object")));
    schema.insert("properties", properties.to_raw());
    if !required.is_empty() {
        schema.insert("required", super::raw(&json!(required)));
    }
    schema.insert("additionalProperties", super::raw(&json!(false)));
    schema
}

fn is_file(tool: &ManifestTool, schema: &Value) -> bool {
    let is_multipart = tool.request.as_ref().is_some_and(super::description::is_multipart);
    is_multipart && schema["format"] == "binary"
}

/// Writes the schema of a file, which callers give in one of several forms.
fn file(schema: &Value) -> Value {
    const FORMS: &str =
        "a file: its bytes in base64, or an object with data (base64) or text, filename and content_type";
    let description = schema["description"].as_str().unwrap_or("The content").trim_end_matches('.');
    json!({ "description": format!("{description}; {FORMS}") })
}

fn has_placeholder(value: &Value) -> bool {
    value.to_string().contains("${")
}
