//! Prompts: messages that a user chooses by name.

use super::{ContentBlock, Extra, Icon, InputResponses, Meta, Role, setters};
use crate::json::VecMap;
use crate::json::{FromJson, ToJson};

/// A prompt that can be rendered.
#[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
pub struct Prompt {
    /// The identifier, for programs.
    pub name: String,
    /// The name, for display. Since 2025-06-18.
    pub title: Option<String>,
    /// A description of the messages.
    pub description: Option<String>,
    /// The arguments.
    pub arguments: Option<Vec<PromptArgument>>,
    /// Pictures. Since 2025-11-25.
    pub icons: Option<Vec<Icon>>,
    /// `_meta`. Since 2025-06-18.
    #[json(rename = "_meta")]
    pub meta: Option<Meta>,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}

impl Prompt {
    /// Creates a prompt without arguments.
    pub fn new(name: impl Into<String>) -> Prompt {
        Prompt { name: name.into(), ..Prompt::default() }
    }

    setters! {
        /// Sets the title.
        title: String;
        /// Sets the description.
        description: String;
        /// Sets the arguments.
        arguments: Vec<PromptArgument>;
    }
}

/// One argument of a prompt.
#[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
pub struct PromptArgument {
    /// The identifier, for programs.
    pub name: String,
    /// The name, for display. Since 2025-06-18.
    pub title: Option<String>,
    /// A description.
    pub description: Option<String>,
    /// True if it is required.
    pub required: Option<bool>,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}

/// Parameters of `prompts/get`.
#[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
pub struct GetPromptParams {
    /// The name of the prompt.
    pub name: String,
    /// The arguments.
    pub arguments: Option<VecMap<String, String>>,
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

/// Result of `prompts/get`.
#[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
pub struct GetPromptResult {
    /// A description of the messages.
    pub description: Option<String>,
    /// The messages.
    pub messages: Vec<PromptMessage>,
    /// `_meta`.
    #[json(rename = "_meta")]
    pub meta: Option<Meta>,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}

/// One message of a prompt.
#[derive(Debug, Clone, PartialEq, ToJson, FromJson)]
pub struct PromptMessage {
    /// The speaker.
    pub role: Role,
    /// The content.
    pub content: ContentBlock,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}

impl PromptMessage {
    /// Creates a message of the user.
    pub fn user(content: impl Into<ContentBlock>) -> PromptMessage {
        PromptMessage { role: Role::User, content: content.into(), extra: Extra::new() }
    }

    /// Creates a message of the model.
    pub fn assistant(content: impl Into<ContentBlock>) -> PromptMessage {
        PromptMessage { role: Role::Assistant, content: content.into(), extra: Extra::new() }
    }
}
