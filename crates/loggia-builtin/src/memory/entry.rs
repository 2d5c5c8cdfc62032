//! Entries, relations and requests.

use loggia::JsonSchema;
use serde::Serialize;

/// Something that is remembered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct MemoryEntry {
    /// The id
    pub id: i64,
    /// The subject
    pub subject: String,
    /// The text
    pub text: String,
    /// The tags
    pub tags: Vec<String>,
    /// The time at which it was remembered
    pub created: String,
    /// The time of the last change
    pub updated: String,
    /// Its relations to other entries
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub relations: Vec<MemoryRelation>,
}

/// A relation to another entry: source, kind, target, as in "Ada", "works for", "Acme".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct MemoryRelation {
    /// The id of the first entry
    pub source: i64,
    /// The kind, for example "works for"
    pub kind: String,
    /// The id of the second entry
    pub target: i64,
}

/// Entries of a result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct MemoryPage {
    /// The entries
    pub entries: Vec<MemoryEntry>,
    /// The value of before for the next page; absent at the end
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_before: Option<i64>,
}

/// A new entry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EntryRequest {
    /// The subject.
    pub subject: String,
    /// The text.
    pub text: String,
    /// The tags.
    pub tags: Vec<String>,
}

/// A change of an entry; a part that is `None` stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EntryChange {
    /// The new subject.
    pub subject: Option<String>,
    /// The new text.
    pub text: Option<String>,
    /// The new tags.
    pub tags: Option<Vec<String>>,
}
