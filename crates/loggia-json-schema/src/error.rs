//! Errors of schemas and violations of values.
//!
//! They are separate types: the author of the tool can correct the first, its caller the second.

use std::fmt;

use super::message::shortened;

/// A schema that cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaError {
    /// The position in the document, as a JSON Pointer fragment: `#/properties/zip`.
    pub path: String,
    /// The fault.
    pub kind: SchemaErrorKind,
}

/// The fault of a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SchemaErrorKind {
    /// `$schema` names a dialect that is not supported.
    UnsupportedDialect(String),
    /// A reference leaves the document. Nothing is fetched.
    RemoteReference(String),
    /// A reference to something that the document does not contain.
    UnknownReference(String),
    /// The value of a keyword has a wrong type.
    InvalidKeyword {
        /// The keyword.
        keyword: String,
        /// The allowed values.
        expected: &'static str,
    },
    /// A regular expression that cannot be compiled.
    InvalidPattern {
        /// The expression.
        pattern: String,
        /// The reason.
        reason: String,
    },
    /// Neither an object nor a boolean.
    NotASchema,
    /// It nests deeper than [`MAX_SCHEMA_DEPTH`](super::MAX_SCHEMA_DEPTH).
    TooDeep,
    /// It has more than [`MAX_SUBSCHEMAS`](super::MAX_SUBSCHEMAS) subschemas.
    TooLarge,
}

impl SchemaError {
    pub(super) fn new(path: impl Into<String>, kind: SchemaErrorKind) -> SchemaError {
        SchemaError { path: path.into(), kind }
    }
}

impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid JSON Schema at {}: {}", self.path, self.kind)
    }
}

impl std::error::Error for SchemaError {}

impl fmt::Display for SchemaErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SchemaErrorKind::UnsupportedDialect(dialect) => write!(
                f,
                "the dialect {:?} is not supported; declare \"https://json-schema.org/draft/2020-12/schema\" (the \
                 default) or \"http://json-schema.org/draft-07/schema#\"",
                shortened(dialect)
            ),
            SchemaErrorKind::RemoteReference(reference) => write!(
                f,
                "the reference {:?} leaves the document, and schemas are never fetched; copy the target into \"$defs\"",
                shortened(reference)
            ),
            SchemaErrorKind::UnknownReference(reference) => {
                write!(f, "the reference {:?} leads to no schema in the document", shortened(reference))
            }
            SchemaErrorKind::InvalidKeyword { keyword, expected } => {
                write!(f, "{:?} must be {expected}", shortened(keyword))
            }
            SchemaErrorKind::InvalidPattern { pattern, reason } => {
                write!(f, "the regular expression {:?} cannot be used: {reason}", shortened(pattern))
            }
            SchemaErrorKind::NotASchema => f.write_str("a schema must be an object or a boolean"),
            SchemaErrorKind::TooDeep => write!(f, "it nests deeper than {} levels", super::MAX_SCHEMA_DEPTH),
            SchemaErrorKind::TooLarge => write!(f, "it has more than {} subschemas", super::MAX_SUBSCHEMAS),
        }
    }
}

/// One violation of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The position in the value: `$.address.zip`, `$.items[3]`.
    pub path: String,
    /// The expected value, and the one that was found.
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at {}: {}", self.path, self.message)
    }
}

/// The violations of a value: at least one, and at most [`MAX_VIOLATIONS`](super::MAX_VIOLATIONS).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violations {
    pub(super) list: Vec<Violation>,
    pub(super) more: bool,
}

impl Violations {
    /// Returns the violations, in the order they were found.
    pub fn as_slice(&self) -> &[Violation] {
        &self.list
    }

    /// Returns whether there are more than were reported.
    pub fn is_truncated(&self) -> bool {
        self.more
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, violation) in self.list.iter().enumerate() {
            write!(f, "{}{violation}", if index == 0 { "" } else { "; " })?;
        }
        f.write_str(if self.more { "; and more" } else { "" })
    }
}

impl std::error::Error for Violations {}
