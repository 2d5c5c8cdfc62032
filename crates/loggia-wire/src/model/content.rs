//! Content of tool results and prompts: text, images, audio, resources.

use super::{Annotations, Extra, JsonObject, Meta, Resource, ResourceContents, setters};
use crate::json::RawJson;
use crate::json::{FromJson, ToJson};

/// One piece of content.
#[derive(Debug, Clone, PartialEq, ToJson, FromJson)]
#[json(tag = "type")]
pub enum ContentBlock {
    /// Text.
    Text(TextContent),
    /// A picture.
    Image(ImageContent),
    /// Audio. Since 2025-03-26.
    Audio(AudioContent),
    /// A resource to be read on demand. Since 2025-06-18.
    #[json(rename = "resource_link")]
    ResourceLink(Resource),
    /// A resource with its contents.
    Resource(EmbeddedResource),
}

impl ContentBlock {
    /// Creates a text.
    pub fn text(text: impl Into<String>) -> ContentBlock {
        ContentBlock::Text(TextContent::new(text))
    }

    /// Creates a picture, from base64 text.
    pub fn image(data: impl Into<String>, mime_type: impl Into<String>) -> ContentBlock {
        ContentBlock::Image(ImageContent::new(data, mime_type))
    }

    /// Creates audio, from base64 text.
    pub fn audio(data: impl Into<String>, mime_type: impl Into<String>) -> ContentBlock {
        ContentBlock::Audio(AudioContent::new(data, mime_type))
    }

    /// Creates a resource with its contents.
    pub fn resource(contents: ResourceContents) -> ContentBlock {
        ContentBlock::Resource(EmbeddedResource { resource: contents, ..EmbeddedResource::default() })
    }

    /// Creates a resource to be read on demand.
    pub fn resource_link(resource: Resource) -> ContentBlock {
        ContentBlock::ResourceLink(resource)
    }

    /// Returns the text; `None` if the content is not text.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            ContentBlock::Text(content) => Some(&content.text),
            _ => None,
        }
    }
}

impl From<&str> for ContentBlock {
    fn from(text: &str) -> ContentBlock {
        ContentBlock::text(text)
    }
}

impl From<String> for ContentBlock {
    fn from(text: String) -> ContentBlock {
        ContentBlock::text(text)
    }
}

/// Text.
#[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
pub struct TextContent {
    /// The text.
    pub text: String,
    /// Hints.
    pub annotations: Option<Annotations>,
    /// `_meta`. Since 2025-06-18.
    #[json(rename = "_meta")]
    pub meta: Option<Meta>,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}

impl TextContent {
    /// Creates a text without hints.
    pub fn new(text: impl Into<String>) -> TextContent {
        TextContent { text: text.into(), ..TextContent::default() }
    }

    setters! {
        /// Sets the hints.
        annotations: Annotations;
        /// Sets `_meta`.
        meta: Meta;
    }
}

/// A picture.
#[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
pub struct ImageContent {
    /// The bytes, in base64.
    pub data: String,
    /// Their type.
    pub mime_type: String,
    /// Hints.
    pub annotations: Option<Annotations>,
    /// `_meta`. Since 2025-06-18.
    #[json(rename = "_meta")]
    pub meta: Option<Meta>,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}

impl ImageContent {
    /// Creates a picture without hints, from base64 text.
    pub fn new(data: impl Into<String>, mime_type: impl Into<String>) -> ImageContent {
        ImageContent { data: data.into(), mime_type: mime_type.into(), ..ImageContent::default() }
    }
}

/// Audio.
#[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
pub struct AudioContent {
    /// The bytes, in base64.
    pub data: String,
    /// Their type.
    pub mime_type: String,
    /// Hints.
    pub annotations: Option<Annotations>,
    /// `_meta`. Since 2025-06-18.
    #[json(rename = "_meta")]
    pub meta: Option<Meta>,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}

impl AudioContent {
    /// Creates audio without hints, from base64 text.
    pub fn new(data: impl Into<String>, mime_type: impl Into<String>) -> AudioContent {
        AudioContent { data: data.into(), mime_type: mime_type.into(), ..AudioContent::default() }
    }
}

/// A resource with its contents.
#[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
pub struct EmbeddedResource {
    /// The contents.
    pub resource: ResourceContents,
    /// Hints.
    pub annotations: Option<Annotations>,
    /// `_meta`. Since 2025-06-18.
    #[json(rename = "_meta")]
    pub meta: Option<Meta>,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}

/// A model's request to use a tool. Since 2025-11-25.
#[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
pub struct ToolUseContent {
    /// The id, which the result repeats.
    pub id: String,
    /// The name of the tool.
    pub name: String,
    /// The arguments.
    pub input: JsonObject,
    /// `_meta`.
    #[json(rename = "_meta")]
    pub meta: Option<Meta>,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}

/// The result of a tool that a model used. Since 2025-11-25.
#[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
pub struct ToolResultContent {
    /// The id of the request.
    pub tool_use_id: String,
    /// The content for the model.
    pub content: Vec<ContentBlock>,
    /// The structured result, for programs.
    pub structured_content: Option<RawJson>,
    /// True if the tool failed.
    pub is_error: Option<bool>,
    /// `_meta`.
    #[json(rename = "_meta")]
    pub meta: Option<Meta>,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}
