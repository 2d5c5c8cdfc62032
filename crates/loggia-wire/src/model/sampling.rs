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
    /// Preferences for the choice of the model.
    pub model_preferences: Option<ModelPreferences>,
    /// The system prompt.
    pub system_prompt: Option<String>,
    /// The servers whose context the client should add.
    pub include_context: Option<IncludeContext>,
    /// The sampling temperature.
    pub temperature: Option<f64>,
    /// The maximum number of tokens.
    pub max_tokens: i64,
    /// Texts that end the output.
    pub stop_sequences: Option<Vec<String>>,
    /// Data for the model's provider.
    pub metadata: Option<JsonObject>,
    /// The tools that the model may use. Since 2025-11-25.
    pub tools: Option<Vec<Tool>>,
    /// The use of tools by the model. Since 2025-11-25.
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

/// The servers whose context the client should add.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ToJson, FromJson)]
pub enum IncludeContext {
    /// No context.
    None,
    /// The context of the server that asks.
    ThisServer,
    /// The context of all servers.
    AllServers,
}

/// The use of tools by the model. Since 2025-11-25.
#[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
pub struct ToolChoice {
    /// The mode.
    pub mode: Option<ToolChoiceMode>,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}

/// The use of tools by the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ToJson, FromJson)]
pub enum ToolChoiceMode {
    /// The model decides.
    Auto,
    /// The model must use at least one tool.
    Required,
    /// The model must not use tools.
    None,
}

/// Preferences for the choice of the model.
#[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
pub struct ModelPreferences {
    /// Names of models; the first one that matches is used.
    pub hints: Option<Vec<ModelHint>>,
    /// The importance of a low cost, from 0 to 1.
    pub cost_priority: Option<f64>,
    /// The importance of speed, from 0 to 1.
    pub speed_priority: Option<f64>,
    /// The importance of intelligence, from 0 to 1.
    pub intelligence_priority: Option<f64>,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}

/// A model by a part of its name.
#[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
pub struct ModelHint {
    /// A part of the name.
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
    /// Creates a message of the user.
    pub fn user(text: impl Into<String>) -> SamplingMessage {
        SamplingMessage::new(Role::User, SamplingContentBlock::Text(TextContent::new(text)))
    }

    /// Creates a message of the model.
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
    /// One block.
    One(SamplingContentBlock),
    /// Several blocks.
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
    /// Returns the text; `None` if the block is not text.
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
    /// Audio. Since 2025-03-26.
    Audio(AudioContent),
    /// A request of the model to use a tool. Since 2025-11-25.
    #[json(rename = "tool_use")]
    ToolUse(ToolUseContent),
    /// The result of a tool. Since 2025-11-25.
    #[json(rename = "tool_result")]
    ToolResult(ToolResultContent),
}

/// Result of `sampling/createMessage`.
#[derive(Debug, Clone, PartialEq, ToJson, FromJson)]
pub struct CreateMessageResult {
    /// The speaker, which is the model.
    pub role: Role,
    /// The content.
    pub content: SamplingContent,
    /// The name of the model.
    pub model: String,
    /// The reason why the model stopped: `endTurn`, `stopSequence`, `maxTokens`, `toolUse`, or a word of the
    /// provider.
    pub stop_reason: Option<String>,
    /// `_meta`.
    #[json(rename = "_meta")]
    pub meta: Option<Meta>,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}

impl CreateMessageResult {
    /// Creates a result in which the model `model` says `text` and ends its turn.
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
