//! Return values of tools.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use loggia_wire::RawJson;
use serde::Serialize;

use super::error::ToolError;
use crate::model::{AudioContent, CallToolResult, ContentBlock, ImageContent, InputRequired};
use crate::schema::{JsonSchema, Schema};

/// Outcome of a tool.
#[derive(Debug, Clone, PartialEq)]
pub enum ToolOutput {
    /// A result.
    Result(CallToolResult),
    /// A question to the client first; for gateways that relay one. Handlers use
    /// [`Cx::ask`](super::Cx::ask).
    InputRequired(InputRequired),
}

/// A type that a tool may return.
#[diagnostic::on_unimplemented(
    message = "a tool cannot return `{Self}`",
    label = "not a tool result",
    note = "return text, a number, `Json<T>` for structured output, `ContentBlock`, `CallToolResult`, or a `Result` of one of these with `ToolError`"
)]
pub trait IntoToolResult {
    /// The result.
    fn into_tool_result(self) -> Result<ToolOutput, ToolError>;

    /// Schema of the structured part, if there is one.
    fn output_schema() -> Option<Schema> {
        None
    }
}

/// Structured output: programs get the value, with its schema in the list of tools; models get the same as
/// text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Json<T>(pub T);

impl<T: Serialize + JsonSchema> IntoToolResult for Json<T> {
    fn into_tool_result(self) -> Result<ToolOutput, ToolError> {
        Ok(ToolOutput::Result(CallToolResult::structured(RawJson::encode(&self.0)?)))
    }

    fn output_schema() -> Option<Schema> {
        Some(Schema::of_output::<T>())
    }
}

/// A picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Their type, for example `image/png`.
    pub mime_type: Cow<'static, str>,
}

impl Image {
    /// A picture of type `mime_type`.
    pub fn new(bytes: impl Into<Vec<u8>>, mime_type: impl Into<Cow<'static, str>>) -> Image {
        Image { bytes: bytes.into(), mime_type: mime_type.into() }
    }

    /// A PNG.
    pub fn png(bytes: impl Into<Vec<u8>>) -> Image {
        Image::new(bytes, "image/png")
    }

    /// A JPEG.
    pub fn jpeg(bytes: impl Into<Vec<u8>>) -> Image {
        Image::new(bytes, "image/jpeg")
    }
}

impl From<Image> for ContentBlock {
    fn from(image: Image) -> ContentBlock {
        ContentBlock::Image(ImageContent::new(STANDARD.encode(image.bytes), image.mime_type))
    }
}

/// Sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audio {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Their type, for example `audio/wav`.
    pub mime_type: Cow<'static, str>,
}

impl Audio {
    /// Sound of type `mime_type`.
    pub fn new(bytes: impl Into<Vec<u8>>, mime_type: impl Into<Cow<'static, str>>) -> Audio {
        Audio { bytes: bytes.into(), mime_type: mime_type.into() }
    }
}

impl From<Audio> for ContentBlock {
    fn from(audio: Audio) -> ContentBlock {
        ContentBlock::Audio(AudioContent::new(STANDARD.encode(audio.bytes), audio.mime_type))
    }
}

fn content(blocks: Vec<ContentBlock>) -> Result<ToolOutput, ToolError> {
    Ok(ToolOutput::Result(CallToolResult { content: blocks, ..CallToolResult::default() }))
}

impl IntoToolResult for ToolOutput {
    fn into_tool_result(self) -> Result<ToolOutput, ToolError> {
        Ok(self)
    }
}

impl IntoToolResult for CallToolResult {
    fn into_tool_result(self) -> Result<ToolOutput, ToolError> {
        Ok(ToolOutput::Result(self))
    }
}

impl IntoToolResult for InputRequired {
    fn into_tool_result(self) -> Result<ToolOutput, ToolError> {
        Ok(ToolOutput::InputRequired(self))
    }
}

impl IntoToolResult for () {
    fn into_tool_result(self) -> Result<ToolOutput, ToolError> {
        content(Vec::new())
    }
}

impl IntoToolResult for Vec<ContentBlock> {
    fn into_tool_result(self) -> Result<ToolOutput, ToolError> {
        content(self)
    }
}

macro_rules! blocks {
    ($($type:ty),*) => {
        $(impl IntoToolResult for $type {
            fn into_tool_result(self) -> Result<ToolOutput, ToolError> {
                content(vec![self.into()])
            }
        })*
    };
}

blocks!(ContentBlock, Image, Audio, String, &'static str);

macro_rules! displayed {
    ($($type:ty),*) => {
        $(impl IntoToolResult for $type {
            fn into_tool_result(self) -> Result<ToolOutput, ToolError> {
                content(vec![ContentBlock::text(self.to_string())])
            }
        })*
    };
}

displayed!(
    bool,
    char,
    i8,
    i16,
    i32,
    i64,
    i128,
    isize,
    u8,
    u16,
    u32,
    u64,
    u128,
    usize,
    f32,
    f64,
    Cow<'static, str>
);

/// `None` is a result without content.
impl<T: IntoToolResult> IntoToolResult for Option<T> {
    fn into_tool_result(self) -> Result<ToolOutput, ToolError> {
        self.map_or_else(|| content(Vec::new()), T::into_tool_result)
    }
}

impl<T: IntoToolResult, E: Into<ToolError>> IntoToolResult for Result<T, E> {
    fn into_tool_result(self) -> Result<ToolOutput, ToolError> {
        self.map_err(Into::into)?.into_tool_result()
    }

    fn output_schema() -> Option<Schema> {
        T::output_schema()
    }
}
