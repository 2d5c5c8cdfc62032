//! Asking the client's model.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::{
    AudioContent, Extra, ImageContent, JsonObject, Meta, Role, TextContent, Tool, ToolResultContent,
    ToolUseContent,
};

/// Parameters of `sampling/createMessage`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateMessageParams {
    /// The conversation so far.
    pub messages: Vec<SamplingMessage>,
    /// Which model would be good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_preferences: Option<ModelPreferences>,
    /// What the model is told first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_prompt: Option<String>,
    /// Whose context to add.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub include_context: Option<IncludeContext>,
    /// How free the model is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Most tokens.
    pub max_tokens: i64,
    /// Texts that end the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_sequences: Option<Vec<String>>,
    /// For the model's provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<JsonObject>,
    /// What the model may use. Since 2025-11-25.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<Vec<Tool>>,
    /// Whether it must. Since 2025-11-25.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_choice: Option<ToolChoice>,
    /// `_meta`.
    #[serde(rename = "_meta", default, skip_serializing_if = "Option::is_none")]
    pub meta: Option<Meta>,
    /// Members we do not know.
    #[serde(flatten)]
    pub extra: Extra,
}

impl CreateMessageParams {
    /// One message by the person, answered with at most `max_tokens`.
    pub fn prompt(text: impl Into<String>, max_tokens: i64) -> CreateMessageParams {
        CreateMessageParams {
            messages: vec![SamplingMessage::user(text)],
            max_tokens,
            ..CreateMessageParams::default()
        }
    }
}

/// Whose context to add.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum IncludeContext {
    /// Nobody's.
    None,
    /// The asking server's.
    ThisServer,
    /// Every server's.
    AllServers,
}

/// Whether a model uses tools. Since 2025-11-25.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ToolChoice {
    /// How.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<ToolChoiceMode>,
    /// Members we do not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// How a model uses tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ToolChoiceMode {
    /// As it likes.
    Auto,
    /// At least one.
    Required,
    /// None.
    None,
}

/// Which model would be good.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelPreferences {
    /// Names, the first that matches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hints: Option<Vec<ModelHint>>,
    /// From 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_priority: Option<f64>,
    /// From 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speed_priority: Option<f64>,
    /// From 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intelligence_priority: Option<f64>,
    /// Members we do not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// A model by a part of its name.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ModelHint {
    /// The part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Members we do not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// One message of a conversation with a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SamplingMessage {
    /// Who speaks.
    pub role: Role,
    /// What.
    pub content: SamplingContent,
    /// `_meta`. Since 2025-11-25.
    #[serde(rename = "_meta", default, skip_serializing_if = "Option::is_none")]
    pub meta: Option<Meta>,
    /// Members we do not know.
    #[serde(flatten)]
    pub extra: Extra,
}

impl SamplingMessage {
    /// The person says `text`.
    pub fn user(text: impl Into<String>) -> SamplingMessage {
        SamplingMessage::new(Role::User, SamplingContentBlock::Text(TextContent::new(text)))
    }

    /// The model says `text`.
    pub fn assistant(text: impl Into<String>) -> SamplingMessage {
        SamplingMessage::new(Role::Assistant, SamplingContentBlock::Text(TextContent::new(text)))
    }

    /// A message of one block.
    pub fn new(role: Role, block: SamplingContentBlock) -> SamplingMessage {
        SamplingMessage { role, content: SamplingContent::One(block), meta: None, extra: Extra::new() }
    }
}

/// One block, or (since 2025-11-25) several.
#[derive(Debug, Clone, PartialEq)]
pub enum SamplingContent {
    /// One.
    One(SamplingContentBlock),
    /// Several.
    Many(Vec<SamplingContentBlock>),
}

impl SamplingContent {
    /// The blocks.
    pub fn blocks(&self) -> &[SamplingContentBlock] {
        match self {
            SamplingContent::One(block) => std::slice::from_ref(block),
            SamplingContent::Many(blocks) => blocks,
        }
    }

    /// The text of the blocks that are text, one below the other.
    pub fn to_text(&self) -> String {
        let texts: Vec<&str> = self.blocks().iter().filter_map(SamplingContentBlock::as_text).collect();
        texts.join("\n")
    }
}

impl SamplingContentBlock {
    /// The text, where it is text.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            SamplingContentBlock::Text(text) => Some(&text.text),
            _ => None,
        }
    }
}

impl Serialize for SamplingContent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            SamplingContent::One(block) => block.serialize(serializer),
            SamplingContent::Many(blocks) => blocks.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for SamplingContent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<SamplingContent, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let content = match value {
            Value::Array(_) => serde_json::from_value(value).map(SamplingContent::Many),
            _ => serde_json::from_value(value).map(SamplingContent::One),
        };
        content.map_err(D::Error::custom)
    }
}

/// One piece of a conversation with a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum SamplingContentBlock {
    /// Text.
    Text(TextContent),
    /// A picture.
    Image(ImageContent),
    /// Sound. Since 2025-03-26.
    Audio(AudioContent),
    /// The model's wish to use a tool. Since 2025-11-25.
    ToolUse(ToolUseContent),
    /// What the tool gave. Since 2025-11-25.
    ToolResult(ToolResultContent),
}

/// Result of `sampling/createMessage`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateMessageResult {
    /// Who speaks: the model.
    pub role: Role,
    /// What.
    pub content: SamplingContent,
    /// Which model.
    pub model: String,
    /// Why it stopped: `endTurn`, `stopSequence`, `maxTokens`, `toolUse`, or the provider's own word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_reason: Option<String>,
    /// `_meta`.
    #[serde(rename = "_meta", default, skip_serializing_if = "Option::is_none")]
    pub meta: Option<Meta>,
    /// Members we do not know.
    #[serde(flatten)]
    pub extra: Extra,
}

impl CreateMessageResult {
    /// The model `model` says `text` and ends its turn.
    pub fn text(model: impl Into<String>, text: impl Into<String>) -> CreateMessageResult {
        CreateMessageResult {
            role: Role::Assistant,
            content: SamplingContent::One(SamplingContentBlock::Text(TextContent::new(text))),
            model: model.into(),
            stop_reason: Some("endTurn".to_owned()),
            meta: None,
            extra: Extra::new(),
        }
    }
}
