//! [`DecodeError`]: valid JSON of another type than the expected one, with the path of the wrong value.
//!
//! Few functions create the error and many return it, so it is as large as one pointer.

use std::fmt;

/// JSON that does not have the expected type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeError(Box<DecodeErrorDetail>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct DecodeErrorDetail {
    path: String,
    reason: String,
}

impl DecodeError {
    pub(crate) fn new(reason: impl Into<String>) -> DecodeError {
        DecodeError(Box::new(DecodeErrorDetail { path: String::new(), reason: reason.into() }))
    }

    pub(crate) fn missing(name: &str) -> DecodeError {
        DecodeError::new(format!("missing field `{name}`"))
    }

    pub(crate) fn duplicate(name: &str) -> DecodeError {
        DecodeError::new(format!("duplicate field `{name}`"))
    }

    /// Creates the error that `text` is not `expected` (`"an object"`). It quotes the beginning of `text`.
    pub fn expected(expected: &str, text: &[u8]) -> DecodeError {
        const MAX: usize = 60;
        let found = String::from_utf8_lossy(&text[..text.len().min(MAX)]);
        let dots = if text.len() > MAX { "…" } else { "" };
        DecodeError::new(format!("expected {expected}, got {}{dots}", found.trim_end_matches('\u{fffd}')))
    }

    /// Creates the error for a tag or a name that the enum does not have.
    pub fn unknown_variant(found: &str, known: &[&str]) -> DecodeError {
        DecodeError::new(format!("unknown variant {found:?}, expected one of {known:?}"))
    }

    pub(crate) fn within(mut self, name: &str) -> DecodeError {
        let dot = if self.0.path.is_empty() { "" } else { "." };
        self.0.path = format!("{name}{dot}{}", self.0.path);
        self
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DecodeErrorDetail { path, reason } = &*self.0;
        if path.is_empty() { f.write_str(reason) } else { write!(f, "{path}: {reason}") }
    }
}

impl std::error::Error for DecodeError {}
