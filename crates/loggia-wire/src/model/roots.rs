//! Folders that a client says matter.

use super::{Extra, Meta};
use crate::json::shape::record;

/// Result of `roots/list`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ListRootsResult {
    /// The folders.
    pub roots: Vec<Root>,
    /// `_meta`. Until 2025-11-25.
    pub meta: Option<Meta>,
    /// Members we do not know.
    pub extra: Extra,
}

record!(ListRootsResult { roots, meta = "_meta" });

/// One folder or file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Root {
    /// A `file://` URI.
    pub uri: String,
    /// For people.
    pub name: Option<String>,
    /// `_meta`. Since 2025-06-18.
    pub meta: Option<Meta>,
    /// Members we do not know.
    pub extra: Extra,
}

record!(Root { uri, name, meta = "_meta" });

impl Root {
    /// The folder or file at `uri`.
    pub fn new(uri: impl Into<String>) -> Root {
        Root { uri: uri.into(), ..Root::default() }
    }
}
