//! Folders that a client says matter.

use serde::{Deserialize, Serialize};

use super::{Extra, Meta};

/// Result of `roots/list`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ListRootsResult {
    /// The folders.
    pub roots: Vec<Root>,
    /// `_meta`. Until 2025-11-25.
    #[serde(rename = "_meta", default, skip_serializing_if = "Option::is_none")]
    pub meta: Option<Meta>,
    /// Members we do not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// One folder or file.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Root {
    /// A `file://` URI.
    pub uri: String,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `_meta`. Since 2025-06-18.
    #[serde(rename = "_meta", default, skip_serializing_if = "Option::is_none")]
    pub meta: Option<Meta>,
    /// Members we do not know.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Root {
    /// The folder or file at `uri`.
    pub fn new(uri: impl Into<String>) -> Root {
        Root { uri: uri.into(), ..Root::default() }
    }
}
