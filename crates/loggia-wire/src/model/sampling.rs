//! Sampling: requests to the client's model.

use super::{
    AudioContent, Extra, ImageContent, JsonObject, Meta, Role, TextContent, Tool, ToolResultContent,
    ToolUseContent,
};
use crate::json::{DecodeError, FromJson, ToJson};

/// Parameters of `sampling/createMessage`.
#[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
pub struct CreateMessageParams {
    /// The conversation so far.
    pub messages: Vec<SamplingMessage>,
    /// Which model would be good.
    pub model_preferences: Option<ModelPreferences>,
    /// The system prompt.
    pub system_prompt: Option<String>,
    /// Whose context to add.
    pub include_context: Option<IncludeContext>,
    /// The sampling temperature.
    pub temperature: Option<f64>,
    /// Most tokens.
    pub max_tokens: i64,
    /// Texts that end the answer.
    pub stop_sequences: Option<Vec<String>>,
    /// For the model's provider.
    pub metadata: Option<JsonObject>,
    /// The tools that the model may use. Since 2025-11-25.
    pub tools: Option<Vec<Tool>>,
    /// Whether it must. Since 2025-11-25.
    pub tool_choice: Option<ToolChoice>,
    /// `_meta`.
    #[json(rename = "_meta")]
    pub meta: Option<Meta>,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}

impl CreateMessageParams {
    /// Returns one message by the user, answered with at most `max_tokens`.
    pub fn prompt(text: impl Into<String>, max_tokens: i64) -> CreateMessageParams {
        CreateMessageParams {
            messages: vec![SamplingMessage::user(text)],
            max_tokens,
            ..CreateMessageParams::default()
        }
    }
}

/// Whose context to add.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ToJson, FromJson)]
pub enum IncludeContext {
    /// No context.
    None,
    /// The asking server's.
    ThisServer,
    /// Every server's.
    AllServers,
}

/// Whether a model uses tools. Since 2025-11-25.
#[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
pub struct ToolChoice {
    /// The mode.
    pub mode: Option<ToolChoiceMode>,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}

/// Use of tools by the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ToJson, FromJson)]
pub enum ToolChoiceMode {
    /// As it likes.
    Auto,
    /// At least one.
    Required,
    /// None.
    None,
}

/// Which model would be good.
#[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
pub struct ModelPreferences {
    /// Names, the first that matches.
    pub hints: Option<Vec<ModelHint>>,
    /// From 0 to 1.
    pub cost_priority: Option<f64>,
    /// From 0 to 1.
    pub speed_priority: Option<f64>,
    /// From 0 to 1.
    pub intelligence_priority: Option<f64>,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}

/// A model by a part of its name.
#[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
pub struct ModelHint {
    /// The part.
    pub name: Option<String>,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}

/// One message of a conversation with a model.
#[derive(Debug, Clone, PartialEq, ToJson, FromJson)]
pub struct SamplingMessage {
    /// The speaker.
    pub role: Role,
    /// The content.
    pub content: SamplingContent,
    /// `_meta`. Since 2025-11-25.
    #[json(rename = "_meta")]
    pub meta: Option<Meta>,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}

impl SamplingMessage {
    /// The user says `text`.
    pub fn user(text: impl Into<String>) -> SamplingMessage {
        SamplingMessage::new(Role::User, SamplingContentBlock::Text(TextContent::new(text)))
    }

    /// The model says `text`.
    pub fn assistant(text: impl Into<String>) -> SamplingMessage {
        SamplingMessage::new(Role::Assistant, SamplingContentBlock::Text(TextContent::new(text)))
    }

    /// Creates a message of one block.
    pub fn new(role: Role, block: SamplingContentBlock) -> SamplingMessage {
        SamplingMessage { role, content: SamplingContent::One(block), meta: None, extra: Extra::new() }
    }
}

/// One block, or (since 2025-11-25) several.
#[derive(Debug, Clone, PartialEq, ToJson, FromJson)]
#[json(read_with = "SamplingContent::read")]
pub enum SamplingContent {
    /// One.
    One(SamplingContentBlock),
    /// Several.
    Many(Vec<SamplingContentBlock>),
}

impl SamplingContent {
    /// Reads one block, or an array of blocks.
    fn read(text: &[u8]) -> Result<SamplingContent, DecodeError> {
        Ok(match text.first() {
            Some(b'[') => SamplingContent::Many(FromJson::from_json(text)?),
            _ => SamplingContent::One(FromJson::from_json(text)?),
        })
    }

    /// Returns the blocks.
    pub fn blocks(&self) -> &[SamplingContentBlock] {
        match self {
            SamplingContent::One(block) => std::slice::from_ref(block),
            SamplingContent::Many(blocks) => blocks,
        }
    }

    /// Returns the text of the blocks that are text, one below the other.
    pub fn to_text(&self) -> String {
        let texts: Vec<&str> = self.blocks().iter().filter_map(SamplingContentBlock::as_text).collect();
        texts.join("\n")
    }
}

impl SamplingContentBlock {
    /// Returns the text, where it is text.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            SamplingContentBlock::Text(text) => Some(&text.text),
            _ => None,
        }
    }
}

/// One piece of a conversation with a model.
#[derive(Debug, Clone, PartialEq, ToJson, FromJson)]
#[json(tag = "type")]
pub enum SamplingContentBlock {
    /// Text.
    Text(TextContent),
    /// A picture.
    Image(ImageContent),
    /// Sound. Since 2025-03-26.
    Audio(AudioContent),
    /// The model's wish to use a tool. Since 2025-11-25.
    #[json(rename = "tool_use")]
    ToolUse(ToolUseContent),
    /// The result of a tool. Since 2025-11-25.
    #[json(rename = "tool_result")]
    ToolResult(ToolResultContent),
}

/// Result of `sampling/createMessage`.
#[derive(Debug, Clone, PartialEq, ToJson, FromJson)]
pub struct CreateMessageResult {
    /// The speaker: the model.
    pub role: Role,
    /// The content.
    pub content: SamplingContent,
    /// Which model.
    pub model: String,
    /// Why it stopped: `endTurn`, `stopSequence`, `maxTokens`, `toolUse`, or the provider's own word.
    pub stop_reason: Option<String>,
    /// `_meta`.
    #[json(rename = "_meta")]
    pub meta: Option<Meta>,
    /// Unknown members.
    #[json(flatten)]
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
