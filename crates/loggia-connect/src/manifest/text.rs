//! Texts of a manifest in which `${config.NAME}` stands for a value of the user and `${credential}` for the credential.

use std::fmt;

/// A text with placeholders.
#[derive(Clone, PartialEq, Eq)]
pub struct ManifestText {
    parts: Vec<TextPart>,
}

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TextPart {
    Literal(String),
    Config(String),
    Credential,
}

const WRITE: &str = "write ${config.NAME} or ${credential}; $${ is a plain ${";

impl ManifestText {
    /// Reads a text. The error says how to write it.
    pub fn parse(text: &str) -> Result<ManifestText, &'static str> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            if rest[..at].ends_with('$') {
                literal.push_str(&rest[..at]);
                literal.push('{');
                rest = &rest[at + 2..];
                continue;
            }
            literal.push_str(&rest[..at]);
            let (name, after) = rest[at + 2..]
                .split_once('}')
                .ok_or("'${' has no '}' after it; write $${ for a plain '${'")?;
            let part = match name.strip_prefix("config.") {
                _ if name == "credential" => TextPart::Credential,
                Some(name) if is_field_name(name) => TextPart::Config(name.to_owned()),
                _ => return Err(WRITE),
            };
            if !literal.is_empty() {
                parts.push(TextPart::Literal(std::mem::take(&mut literal)));
            }
            parts.push(part);
            rest = after;
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(TextPart::Literal(literal));
        }
        Ok(ManifestText { parts })
    }

    /// Returns the names of the values of the user in it.
    pub fn config_names(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            TextPart::Config(name) => Some(name.as_str()),
            _ => None,
        })
    }

    /// Returns whether the credential is in it.
    pub fn has_credential(&self) -> bool {
        self.parts.contains(&TextPart::Credential)
    }

    /// Returns the text, if it has no placeholder.
    pub fn as_plain(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [TextPart::Literal(text)] => Some(text),
            _ => None,
        }
    }

    pub(crate) fn parts(&self) -> &[TextPart] {
        &self.parts
    }
}

/// Returns whether a name can stand in `${config.NAME}`.
pub(super) fn is_field_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_')
}

/// Writes the text as in the manifest.
impl fmt::Display for ManifestText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts.iter().try_for_each(|part| match part {
            TextPart::Literal(text) => f.write_str(&text.replace("${", "$${")),
            TextPart::Config(name) => write!(f, "${{config.{name}}}"),
            TextPart::Credential => f.write_str("${credential}"),
        })
    }
}

impl fmt::Debug for ManifestText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}
