//! Roots: the folders that a client gives to its servers.

use super::{Extra, Meta};
use crate::json::{FromJson, ToJson};

/// Result of `roots/list`.
#[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
pub struct ListRootsResult {
    /// The folders.
    pub roots: Vec<Root>,
    /// `_meta`. Until 2025-11-25.
    #[json(rename = "_meta")]
    pub meta: Option<Meta>,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}

/// One folder or file.
#[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
pub struct Root {
    /// A `file://` URI.
    pub uri: String,
    /// The name, for display.
    pub name: Option<String>,
    /// `_meta`. Since 2025-06-18.
    #[json(rename = "_meta")]
    pub meta: Option<Meta>,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}

impl Root {
    /// Returns the folder or file at `uri`.
    pub fn new(uri: impl Into<String>) -> Root {
        Root { uri: uri.into(), ..Root::default() }
    }
}
