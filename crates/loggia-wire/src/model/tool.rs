//! Tools: what a model can call.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ContentBlock, Extra, Icon, InputResponses, JsonObject, Meta, setters};
use crate::raw::RawJson;

/// A JSON Schema that is an object. Shared, because every list sends it again.
pub type Schema = Arc<JsonObject>;

/// A tool that can be called.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tool {
    /// For programs.
    pub name: String,
    /// For people. Since 2025-06-18.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// For the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What it takes. Its root is of type `object`.
    #[serde(with = "shared")]
    pub input_schema: Schema,
    /// What its structured result looks like. Since 2025-06-18.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "optional")]
    pub output_schema: Option<Schema>,
    /// Hints. Since 2025-03-26.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<ToolAnnotations>,
    /// Pictures. Since 2025-11-25.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icons: Option<Vec<Icon>>,
    /// `_meta`. Since 2025-06-18.
    #[serde(rename = "_meta", default, skip_serializing_if = "Option::is_none")]
    pub meta: Option<Meta>,
    /// Members we do not know (among them the experimental `execution` of 2025-11-25).
    #[serde(flatten)]
    pub extra: Extra,
}

impl Tool {
    /// A tool that takes what `input_schema` describes.
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
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ToolAnnotations {
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// It changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_only_hint: Option<bool>,
    /// It may destroy something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destructive_hint: Option<bool>,
    /// Calling it again with the same arguments changes nothing more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotent_hint: Option<bool>,
    /// It reaches beyond what it knows: the web, say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_world_hint: Option<bool>,
    /// Members we do not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// Parameters of `tools/call`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CallToolParams {
    /// Which tool.
    pub name: String,
    /// With what: an object, kept as bytes for the tool's own type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments: Option<RawJson>,
    /// Answers to the questions of the round before. Since 2026-07-28.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_responses: Option<InputResponses>,
    /// The state of the round before. Since 2026-07-28.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_state: Option<String>,
    /// `_meta`.
    #[serde(rename = "_meta", default, skip_serializing_if = "Option::is_none")]
    pub meta: Option<Meta>,
    /// Members we do not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// Result of `tools/call`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CallToolResult {
    /// For the model.
    #[serde(default)]
    pub content: Vec<ContentBlock>,
    /// For programs: any JSON (an object before 2026-07-28). Since 2025-06-18.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "super::some")]
    pub structured_content: Option<Value>,
    /// Whether the tool failed, in a way the model should read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_error: Option<bool>,
    /// `_meta`.
    #[serde(rename = "_meta", default, skip_serializing_if = "Option::is_none")]
    pub meta: Option<Meta>,
    /// Members we do not know.
    #[serde(flatten)]
    pub extra: Extra,
}

impl CallToolResult {
    /// One text.
    pub fn text(text: impl Into<String>) -> CallToolResult {
        CallToolResult { content: vec![ContentBlock::text(text)], ..CallToolResult::default() }
    }

    /// A failure that the model should read.
    pub fn error(text: impl Into<String>) -> CallToolResult {
        CallToolResult { is_error: Some(true), ..CallToolResult::text(text) }
    }

    /// A value for programs, and the same as text for models.
    pub fn structured(value: Value) -> CallToolResult {
        CallToolResult { structured_content: Some(value.clone()), ..CallToolResult::text(value.to_string()) }
    }

    /// Whether the tool failed.
    pub fn failed(&self) -> bool {
        self.is_error.unwrap_or(false)
    }
}

mod shared {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{JsonObject, Schema};

    pub(super) fn serialize<S: Serializer>(schema: &Schema, serializer: S) -> Result<S::Ok, S::Error> {
        schema.as_ref().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Schema, D::Error> {
        JsonObject::deserialize(deserializer).map(Schema::new)
    }
}

mod optional {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{JsonObject, Schema};

    pub(super) fn serialize<S: Serializer>(
        schema: &Option<Schema>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        schema.as_deref().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Schema>, D::Error> {
        Ok(Option::<JsonObject>::deserialize(deserializer)?.map(Schema::new))
    }
}
