//! Tools: functions that a model can call.

use std::sync::Arc;

use super::{ContentBlock, Extra, Icon, InputResponses, JsonObject, Meta, setters};
use crate::json::RawJson;
use crate::json::{FromJson, ToJson};

/// A JSON Schema that is an object. Shared, because every list sends it again.
pub type Schema = Arc<JsonObject>;

/// A tool that can be called.
#[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
pub struct Tool {
    /// For programs.
    pub name: String,
    /// For people. Since 2025-06-18.
    pub title: Option<String>,
    /// For the model.
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
    /// Creates a tool that takes what `input_schema` describes.
    pub fn new(name: impl Into<String>, input_schema: impl Into<Schema>) -> Tool {
        Tool { name: name.into(), input_schema: input_schema.into(), ..Tool::default() }
    }

    setters! {
        /// Sets the title.
        title: String;
        /// Sets the description.
        description: String;
        /// Sets what the structured result looks like.
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
    /// For people.
    pub title: Option<String>,
    /// It changes nothing.
    pub read_only_hint: Option<bool>,
    /// It may destroy something.
    pub destructive_hint: Option<bool>,
    /// Calling it again with the same arguments changes nothing more.
    pub idempotent_hint: Option<bool>,
    /// It reaches beyond what it knows: the web, say.
    pub open_world_hint: Option<bool>,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}

/// Parameters of `tools/call`.
#[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
pub struct CallToolParams {
    /// Which tool.
    pub name: String,
    /// With what, in the order and spelling of the caller.
    pub arguments: Option<JsonObject>,
    /// Answers to the questions of the round before. Since 2026-07-28.
    pub input_responses: Option<InputResponses>,
    /// The state of the round before. Since 2026-07-28.
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
    /// For the model.
    #[json(default)]
    pub content: Vec<ContentBlock>,
    /// For programs: any JSON (an object before 2026-07-28). Since 2025-06-18.
    pub structured_content: Option<RawJson>,
    /// Whether the tool failed. The content then tells the model why.
    pub is_error: Option<bool>,
    /// `_meta`.
    #[json(rename = "_meta")]
    pub meta: Option<Meta>,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}

/// A result without content is read as one with none.
impl CallToolResult {
    /// Returns one text.
    pub fn text(text: impl Into<String>) -> CallToolResult {
        CallToolResult { content: vec![ContentBlock::text(text)], ..CallToolResult::default() }
    }

    /// Creates a failure that the model should read.
    pub fn error(text: impl Into<String>) -> CallToolResult {
        CallToolResult { is_error: Some(true), ..CallToolResult::text(text) }
    }

    /// Creates a value for programs, and the same as text for models.
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
