//! Cuts and insertions in a text, and the look of the text around them: indentation and line endings.

use std::ops::Range;

/// Changes of a text at places of the old text, in order and apart.
#[derive(Default)]
pub(super) struct TextEdits(Vec<(Range<usize>, String)>);

impl TextEdits {
    /// Inserts a text at a byte.
    pub(super) fn insert(self, at: usize, text: impl Into<String>) -> TextEdits {
        self.replace(at..at, text)
    }

    /// Deletes a range.
    pub(super) fn delete(self, range: Range<usize>) -> TextEdits {
        self.replace(range, "")
    }

    /// Replaces a range.
    pub(super) fn replace(mut self, range: Range<usize>, text: impl Into<String>) -> TextEdits {
        self.0.push((range, text.into()));
        self
    }

    /// Returns the text with the changes.
    pub(super) fn apply(self, text: &str) -> String {
        let mut result = String::with_capacity(text.len() + 256);
        let mut at = 0;
        for (range, new) in self.0 {
            result.push_str(&text[at..range.start]);
            result.push_str(&new);
            at = range.end;
        }
        result.push_str(&text[at..]);
        result
    }
}

/// Returns the line ending of a text: that of its first line.
pub(super) fn line_ending(text: &str) -> &'static str {
    match text.find('\n') {
        Some(at) if text[..at].ends_with('\r') => "\r\n",
        _ => "\n",
    }
}

/// Returns the start of the line with this byte.
pub(super) fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |at| at + 1)
}

/// Returns the end of the line with this byte, before its line ending.
pub(super) fn line_end(text: &str, at: usize) -> usize {
    let end = text[at..].find('\n').map_or(text.len(), |found| at + found);
    if text[at..end].ends_with('\r') { end - 1 } else { end }
}

/// Returns the start of the line after the one with this byte, or the end of the text.
pub(super) fn next_line(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |found| at + found + 1)
}

/// Returns the white space at the beginning of the line with this byte.
pub(super) fn indent_at(text: &str, at: usize) -> &str {
    let line = &text[line_start(text, at)..];
    &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]
}

/// Returns whether only white space is before this byte on its line.
pub(super) fn begins_line(text: &str, at: usize) -> bool {
    text[line_start(text, at)..at].trim().is_empty()
}

/// Returns a text as a string of JSON, which is also one of YAML and of TOML.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
