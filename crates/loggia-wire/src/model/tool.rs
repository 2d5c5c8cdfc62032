//! Tools: functions that a model can call.

use std::sync::Arc;

use super::{ContentBlock, Extra, Icon, InputResponses, JsonObject, Meta, setters};
use crate::json::RawJson;
use crate::json::{FromJson, ToJson};

/// A JSON Schema that is an object. It is shared, because it is sent with every list.
pub type Schema = Arc<JsonObject>;

/// A tool that can be called.
#[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
pub struct Tool {
    /// The identifier, for programs.
    pub name: String,
    /// The name, for display. Since 2025-06-18.
    pub title: Option<String>,
    /// The description, for the model.
    pub description: Option<String>,
    /// The schema of the arguments. Its root is of type `object`.
    pub input_schema: Schema,
    /// The schema of the structured result. Since 2025-06-18.
    pub output_schema: Option<Schema>,
    /// Hints. Since 2025-03-26.
    pub annotations: Option<ToolAnnotations>,
    /// Pictures. Since 2025-11-25.
    pub icons: Option<Vec<Icon>>,
    /// `_meta`. Since 2025-06-18.
    #[json(rename = "_meta")]
    pub meta: Option<Meta>,
    /// Unknown members (among them the experimental `execution` of 2025-11-25).
    #[json(flatten)]
    pub extra: Extra,
}

impl Tool {
    /// Creates a tool with the arguments that `input_schema` describes.
    pub fn new(name: impl Into<String>, input_schema: impl Into<Schema>) -> Tool {
        Tool { name: name.into(), input_schema: input_schema.into(), ..Tool::default() }
    }

    setters! {
        /// Sets the title.
        title: String;
        /// Sets the description.
        description: String;
        /// Sets the schema of the structured result.
        output_schema: Schema;
        /// Sets the hints.
        annotations: ToolAnnotations;
        /// Sets the pictures.
        icons: Vec<Icon>;
        /// Sets `_meta`.
        meta: Meta;
    }
}

/// Hints about a tool. A client must not trust them unless it trusts the server.
#[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
pub struct ToolAnnotations {
    /// The name, for display.
    pub title: Option<String>,
    /// The tool changes nothing.
    pub read_only_hint: Option<bool>,
    /// The tool may destroy data.
    pub destructive_hint: Option<bool>,
    /// Further calls with the same arguments have no further effect.
    pub idempotent_hint: Option<bool>,
    /// The tool interacts with systems outside, for example the web.
    pub open_world_hint: Option<bool>,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}

/// Parameters of `tools/call`.
#[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
pub struct CallToolParams {
    /// The name of the tool.
    pub name: String,
    /// The arguments, in the order and spelling of the caller.
    pub arguments: Option<JsonObject>,
    /// Answers to the questions of the previous round. Since 2026-07-28.
    pub input_responses: Option<InputResponses>,
    /// The state of the previous round. Since 2026-07-28.
    pub request_state: Option<String>,
    /// `_meta`.
    #[json(rename = "_meta")]
    pub meta: Option<Meta>,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}

/// Result of `tools/call`.
#[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
pub struct CallToolResult {
    /// The content for the model.
    #[json(default)]
    pub content: Vec<ContentBlock>,
    /// The structured result, for programs: any JSON (an object before 2026-07-28). Since 2025-06-18.
    pub structured_content: Option<RawJson>,
    /// True if the tool failed. The content then tells the model the reason.
    pub is_error: Option<bool>,
    /// `_meta`.
    #[json(rename = "_meta")]
    pub meta: Option<Meta>,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}

/// A result without `content` is read as one with empty content.
impl CallToolResult {
    /// Returns one text.
    pub fn text(text: impl Into<String>) -> CallToolResult {
        CallToolResult { content: vec![ContentBlock::text(text)], ..CallToolResult::default() }
    }

    /// Creates a failure with a text for the model.
    pub fn error(text: impl Into<String>) -> CallToolResult {
        CallToolResult { is_error: Some(true), ..CallToolResult::text(text) }
    }

    /// Creates a structured result for programs, and a copy of it as text for the model.
    pub fn structured(value: impl ToJson) -> CallToolResult {
        let value = RawJson::of(&value);
        let text = value.to_string();
        CallToolResult { structured_content: Some(value), ..CallToolResult::text(text) }
    }

    /// Returns whether the tool failed.
    pub fn failed(&self) -> bool {
        self.is_error.unwrap_or(false)
    }
}
