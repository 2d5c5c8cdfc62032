//! The content of tool results, resources and prompts, block by block: text unchanged, everything else in one line,
//! or in a file if the user asked for files.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use loggia::client::content_file_name;
use loggia::model::{
    CallToolResult, ContentBlock, GetPromptResult, ReadResourceResult, ResourceBody, ResourceContents, Role,
};

use crate::exit::{Failure, Outcome};
use crate::out::{BOLD, DIM, NAME};
use crate::text::{bytes, escape_json, harmless, one_line, pretty_json};

/// The folder for pictures, sound and files.
pub(crate) struct Saving<'a> {
    folder: Option<&'a Path>,
    count: usize,
}

impl<'a> Saving<'a> {
    pub(crate) fn new(folder: Option<&'a Path>) -> Saving<'a> {
        Saving { folder, count: 0 }
    }

    /// Writes `data` into the folder, if there is one, and says where.
    fn save(&mut self, name: Option<&str>, mime_type: &str, data: &[u8]) -> Outcome<Option<PathBuf>> {
        let Some(folder) = self.folder else { return Ok(None) };
        self.count += 1;
        let path = folder.join(content_file_name(name, mime_type, self.count));
        let wrong =
            |error: std::io::Error| Failure::usage(format!("cannot write {}: {error}", path.display()));
        std::fs::create_dir_all(folder).map_err(wrong)?;
        std::fs::write(&path, data).map_err(wrong)?;
        Ok(Some(path))
    }
}

/// The result of a tool.
pub(crate) fn call(result: &CallToolResult, saving: &mut Saving<'_>) -> Outcome<String> {
    let mut out = String::new();
    for content in &result.content {
        block(&mut out, content, saving)?;
    }
    if let Some(structured) = result.structured_content.as_ref().filter(|_| result.content.is_empty()) {
        // Writing into a String cannot fail.
        let _ = writeln!(out, "{}", escape_json(&pretty_json(structured)));
    }
    Ok(out)
}

/// The contents of a resource.
pub(crate) fn read(result: &ReadResourceResult, saving: &mut Saving<'_>) -> Outcome<String> {
    let mut out = String::new();
    for contents in &result.contents {
        if result.contents.len() > 1 {
            // Writing into a String cannot fail.
            let _ = writeln!(out, "{BOLD}{}{BOLD:#}", one_line(&contents.uri));
        }
        resource(&mut out, contents, saving)?;
    }
    Ok(out)
}

/// The messages of a prompt.
pub(crate) fn prompt(result: &GetPromptResult) -> Outcome<String> {
    let mut out = String::new();
    for message in &result.messages {
        let role = match message.role {
            Role::User => "user",
            Role::Assistant => "assistant",
        };
        // Writing into a String cannot fail.
        let _ = writeln!(out, "{BOLD}{role}{BOLD:#}");
        block(&mut out, &message.content, &mut Saving::new(None))?;
    }
    Ok(out)
}

fn block(out: &mut String, block: &ContentBlock, saving: &mut Saving<'_>) -> Outcome {
    match block {
        ContentBlock::Text(content) => text(out, &content.text),
        ContentBlock::Image(content) => {
            return media(out, "image", &content.mime_type, &content.data, None, saving);
        }
        ContentBlock::Audio(content) => {
            return media(out, "audio", &content.mime_type, &content.data, None, saving);
        }
        ContentBlock::ResourceLink(link) => {
            let name = link.title.as_deref().unwrap_or(&link.name);
            // Writing into a String cannot fail.
            let _ = writeln!(out, "{DIM}→{DIM:#} {NAME}{}{NAME:#}  {}", one_line(&link.uri), one_line(name));
        }
        ContentBlock::Resource(embedded) => {
            // Writing into a String cannot fail.
            let _ = writeln!(out, "{BOLD}{}{BOLD:#}", one_line(&embedded.resource.uri));
            return resource(out, &embedded.resource, saving);
        }
    }
    Ok(())
}

fn text(out: &mut String, text: &str) {
    out.push_str(&harmless(text));
    if !text.ends_with('\n') {
        out.push('\n');
    }
}

fn resource(out: &mut String, contents: &ResourceContents, saving: &mut Saving<'_>) -> Outcome {
    let mime_type = contents.mime_type.as_deref().unwrap_or("application/octet-stream");
    match &contents.body {
        ResourceBody::Blob(data) => media(out, "data", mime_type, data, Some(&contents.uri), saving),
        ResourceBody::Text(body) => {
            let mime_type = contents.mime_type.as_deref().unwrap_or("text/plain");
            match saving.save(Some(&contents.uri), mime_type, body.as_bytes())? {
                Some(path) => saved(out, mime_type, body.len(), &path),
                None => text(out, body),
            }
            Ok(())
        }
    }
}

/// Bytes in base64: a line that says what they are, or where they were written.
fn media(
    out: &mut String,
    what: &str,
    mime_type: &str,
    data: &str,
    name: Option<&str>,
    saving: &mut Saving<'_>,
) -> Outcome {
    let decoded = STANDARD.decode(data.trim_end());
    let Ok(decoded) = decoded else {
        // Writing into a String cannot fail.
        let _ = writeln!(out, "{DIM}[{what} {}, which is not base64]{DIM:#}", one_line(mime_type));
        return Ok(());
    };
    match saving.save(name, mime_type, &decoded)? {
        Some(path) => saved(out, mime_type, decoded.len(), &path),
        None => {
            let size = bytes(decoded.len() as u64);
            // Writing into a String cannot fail.
            let _ =
                writeln!(out, "{DIM}[{what} {}, {size}; --save DIR writes it]{DIM:#}", one_line(mime_type));
        }
    }
    Ok(())
}

fn saved(out: &mut String, mime_type: &str, length: usize, path: &Path) {
    // Writing into a String cannot fail.
    let _ =
        writeln!(out, "{} {DIM}({}, {}){DIM:#}", path.display(), one_line(mime_type), bytes(length as u64));
}
