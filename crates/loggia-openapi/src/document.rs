//! The description as text, with its references. A large description (13 MB, 1,200 operations) is scanned once and never
//! becomes a tree: values are parts of one shared buffer.
//!
//! Invariant: a reference leads to a part of the same document; a circle of references has a bounded length.

use std::collections::HashMap;

use loggia_wire::{RawJson, RawObject};
use percent_encoding::percent_decode_str;

use crate::error::DescriptionError;
use crate::yaml;

/// Most references that lead from one to the next.
const MAX_HOPS: usize = 32;

/// A version of the description format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Swagger2,
    OpenApi30,
    OpenApi31,
}

/// A description whose references can be followed.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    root: RawJson,
    /// The members of the root: a search for one of them would read the whole text.
    sections: Vec<(String, RawJson)>,
    format: Format,
    /// Parts at pointers of up to three names, which nearly all references have.
    index: HashMap<String, RawJson>,
}

impl Document {
    /// Reads JSON or YAML.
    pub(crate) fn read(text: &[u8]) -> Result<Document, DescriptionError> {
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let json =
            if text.trim_ascii_start().starts_with(b"{") { RawJson::parse(text.to_vec()).ok() } else { None };
        let root = match json {
            Some(root) => root,
            None => {
                let syntax = |reason: String| DescriptionError::Syntax(reason);
                let text = std::str::from_utf8(text).map_err(|_| syntax("it is not UTF-8".to_owned()))?;
                RawJson::parse(yaml::to_json(text).map_err(syntax)?)
                    .map_err(|error| syntax(error.to_string()))?
            }
        };
        let format = format_of(&root)?;
        let mut document = Document { sections: members(&root), root, format, index: HashMap::new() };
        document.fill_index();
        Ok(document)
    }

    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// Returns a member of the root.
    pub(crate) fn section(&self, name: &str) -> Option<&RawJson> {
        self.sections.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    fn fill_index(&mut self) {
        let sections: &[&str] = match self.format {
            Format::Swagger2 => &["definitions", "parameters", "responses"],
            Format::OpenApi30 | Format::OpenApi31 => &["components"],
        };
        for section in sections {
            for (name, value) in self.section(section).map(members).unwrap_or_default() {
                let pointer = format!("#/{}/{}", escape(section), escape(&name));
                if *section == "components" {
                    for (inner, value) in members(&value) {
                        self.index.insert(format!("{pointer}/{}", escape(&inner)), value);
                    }
                }
                self.index.insert(pointer, value);
            }
        }
    }

    /// Returns the part that a reference leads to.
    pub(crate) fn resolve(&self, reference: &str) -> Result<RawJson, String> {
        let Some(pointer) = reference.strip_prefix('#') else {
            return Err(format!(
                "the reference {reference} leads out of the document: bundle the description into one file"
            ));
        };
        let pointer = percent_decode_str(pointer).decode_utf8_lossy();
        if let Some(found) = self.index.get(&format!("#{pointer}")) {
            return Ok(found.clone());
        }
        let mut at = self.root.clone();
        for token in pointer.split('/').skip(1) {
            let token = token.replace("~1", "/").replace("~0", "~");
            let next = match token.parse::<usize>() {
                Ok(place) if at.as_text().is_array() => at
                    .as_text()
                    .items()
                    .and_then(|mut items| items.nth(place))
                    .map(|item| at.part_at(item.as_bytes())),
                _ => member(&at, &token),
            };
            at = next.ok_or_else(|| format!("the reference {reference} leads nowhere"))?;
        }
        Ok(at)
    }

    /// Follows `$ref` until there is none.
    pub(crate) fn follow(&self, value: &RawJson) -> Result<RawJson, String> {
        let mut value = value.clone();
        for _ in 0..MAX_HOPS {
            match reference_of(&value) {
                Some(reference) => value = self.resolve(&reference)?,
                None => return Ok(value),
            }
        }
        Err("references lead to each other in a circle".to_owned())
    }
}

/// Returns the `$ref` of an object.
pub(crate) fn reference_of(value: &RawJson) -> Option<String> {
    value.is_object().then(|| string(value, "$ref")).flatten()
}

/// Returns a member of an object, as a part of the same buffer.
pub(crate) fn member(value: &RawJson, name: &str) -> Option<RawJson> {
    value.is_object().then(|| value.member(name).map(|text| value.part_at(text))).flatten()
}

/// Returns the members of an object in their order; none of another value.
pub(crate) fn members(value: &RawJson) -> Vec<(String, RawJson)> {
    let Ok(object) = RawObject::of(value) else { return Vec::new() };
    object.iter().map(|(name, text)| (name.to_owned(), value.part_at(text))).collect()
}

/// Returns the items of an array; none of another value.
pub(crate) fn items(value: &RawJson) -> Vec<RawJson> {
    if !value.as_text().is_array() {
        return Vec::new();
    }
    value.as_text().items().into_iter().flatten().map(|item| value.part_at(item.as_bytes())).collect()
}

pub(crate) fn string(value: &RawJson, name: &str) -> Option<String> {
    let member = member(value, name)?;
    member.as_text().as_str().map(|text| text.into_owned())
}

pub(crate) fn boolean(value: &RawJson, name: &str) -> Option<bool> {
    member(value, name)?.as_text().as_bool()
}

fn escape(token: &str) -> String {
    token.replace('~', "~0").replace('/', "~1")
}

fn format_of(root: &RawJson) -> Result<Format, DescriptionError> {
    let version = |name: &str| member(root, name).map(|version| version.to_value());
    let text = |value: serde_json::Value| match value {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    };
    if let Some(version) = version("openapi").map(text) {
        return match version.as_str() {
            v if v.starts_with("3.0") => Ok(Format::OpenApi30),
            v if v.starts_with("3.") => Ok(Format::OpenApi31),
            _ => Err(DescriptionError::Version(format!("openapi: {version}"))),
        };
    }
    match version("swagger").map(text) {
        // YAML reads an unquoted 2.0 as a number.
        Some(version) if version == "2.0" || version == "2" => Ok(Format::Swagger2),
        Some(version) => Err(DescriptionError::Version(format!("swagger: {version}"))),
        None => Err(DescriptionError::Version("it has neither the member openapi nor swagger".to_owned())),
    }
}
