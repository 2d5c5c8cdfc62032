//! Converts file content to content blocks: text, pictures, and other bytes as a resource.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use loggia::JsonSchema;
use loggia::model::{CallToolResult, ContentBlock, ResourceContents};
use loggia::schema::Schema;
use loggia::server::{IntoToolResult, ToolError, ToolOutput};
use loggia::wire::RawJson;
use serde::Serialize;

use crate::files::uri::uri;
use crate::files::{Content, ReadResult};

/// The result of the tool `read`.
pub(super) struct ReadOutput(pub(super) ReadResult);

/// The structured result of the tool `read`.
#[derive(Serialize, JsonSchema)]
struct ReadStructuredContent<'r> {
    /// The path, relative to the folder
    path: &'r str,
    /// The media type
    mime_type: &'r str,
    /// The size of the whole file in bytes
    size: u64,
    /// The hash of the whole file's content, for if_unchanged
    #[serde(skip_serializing_if = "Option::is_none")]
    hash: Option<&'r str>,
    /// The first line in text
    #[serde(skip_serializing_if = "Option::is_none")]
    first_line: Option<u64>,
    /// The last line in text
    #[serde(skip_serializing_if = "Option::is_none")]
    last_line: Option<u64>,
    /// The first byte returned, counted from 0
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
    /// The text of the file; other content is a content block of its own
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'r str>,
    /// A note on omitted content, and on the request that reads it
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'r str>,
}

impl IntoToolResult for ReadOutput {
    fn into_tool_result(self) -> Result<ToolOutput, ToolError> {
        let structured_content = Some(RawJson::encode(&self.structured())?);
        let content = vec![block(&self.0), ContentBlock::text(facts(&self.0))];
        Ok(ToolOutput::Result(CallToolResult { content, structured_content, ..CallToolResult::default() }))
    }

    fn output_schema() -> Option<Schema> {
        Some(Schema::of_output::<ReadStructuredContent<'_>>())
    }
}

impl ReadOutput {
    fn structured(&self) -> ReadStructuredContent<'_> {
        let ReadResult { path, mime_type, size, hash, lines, bytes, content, note } = &self.0;
        ReadStructuredContent {
            path,
            mime_type,
            size: *size,
            hash: hash.as_deref(),
            first_line: lines.map(|(first, _)| first),
            last_line: lines.map(|(_, last)| last),
            offset: bytes.map(|(first, _)| first),
            text: match content {
                Content::Text(text) => Some(text),
                Content::Binary(_) => None,
            },
            note: note.as_deref(),
        }
    }
}

fn block(read: &ReadResult) -> ContentBlock {
    let encoded = |bytes: &[u8]| STANDARD.encode(bytes);
    match &read.content {
        Content::Text(text) => ContentBlock::text(text.clone()),
        Content::Binary(bytes) if read.mime_type.starts_with("image/") => {
            ContentBlock::image(encoded(bytes), read.mime_type.clone())
        }
        Content::Binary(bytes) if read.mime_type.starts_with("audio/") => {
            ContentBlock::audio(encoded(bytes), read.mime_type.clone())
        }
        Content::Binary(_) => {
            ContentBlock::resource(contents(&uri(&read.path), &read.mime_type, read.content.clone()))
        }
    }
}

/// Returns the contents of a resource.
pub(super) fn contents(uri: &str, mime_type: &str, content: Content) -> ResourceContents {
    let contents = match content {
        Content::Text(text) => ResourceContents::text(uri, text),
        Content::Binary(bytes) => ResourceContents::blob(uri, STANDARD.encode(bytes)),
    };
    contents.mime_type(mime_type)
}

/// Returns the facts that a model needs in addition to the content, in one line.
fn facts(read: &ReadResult) -> String {
    let mut facts = format!("({}, {} bytes", read.path, read.size);
    if let Some((first, last)) = read.lines {
        let _ = write!(facts, ", lines {first} to {last}");
    }
    if let Some(hash) = &read.hash {
        let _ = write!(facts, ", hash {hash}");
    }
    if let Some(note) = &read.note {
        let _ = write!(facts, "; {note}");
    }
    facts.push(')');
    facts
}
