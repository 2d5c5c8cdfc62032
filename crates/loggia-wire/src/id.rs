//! The id of a JSON-RPC request.
//!
//! The envelope contains it, and messages of the model refer to other requests by it. Invariant: it is never null.

use std::fmt;

use crate::json::{DecodeError, FromJson, JsonRef, ToJson, write_string};

/// A request's id: a string or an integer, never null (specification, "Requests").
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, ToJson, FromJson)]
#[json(write_with = "Id::as_json", read_with = "Id::read")]
pub enum Id {
    /// An integer.
    Number(i64),
    /// A string.
    String(Box<str>),
}

impl Id {
    /// Appends the id as JSON.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            // Writing an integer into a Vec cannot fail.
            Id::Number(n) => drop(serde_json::to_writer(&mut *out, n)),
            Id::String(s) => write_string(out, s),
        }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Id::Number(n) => n.fmt(f),
            Id::String(s) => s.fmt(f),
        }
    }
}

impl From<i64> for Id {
    fn from(n: i64) -> Id {
        Id::Number(n)
    }
}

impl From<&str> for Id {
    fn from(s: &str) -> Id {
        Id::String(s.into())
    }
}

impl Id {
    fn as_json(&self) -> JsonRef<'_> {
        match self {
            Id::Number(number) => JsonRef::Signed(*number),
            Id::String(text) => JsonRef::String(text),
        }
    }

    pub(crate) fn read(text: &[u8]) -> Result<Id, DecodeError> {
        match text.first() {
            Some(b'"') => Ok(Id::String(String::from_json(text)?.into())),
            _ => i64::from_json(text)
                .map(Id::Number)
                .map_err(|_| DecodeError::expected("a string or an integer", text)),
        }
    }
}
