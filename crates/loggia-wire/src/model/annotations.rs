//! Annotations for clients: icons, audience, importance.

use super::Extra;
use crate::json::{FromJson, ToJson};

/// The speaker of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ToJson, FromJson)]
pub enum Role {
    /// The user.
    User,
    /// The model.
    Assistant,
}

/// Hints for a client that shows or uses an entry.
#[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
pub struct Annotations {
    /// The intended readers.
    pub audience: Option<Vec<Role>>,
    /// The importance, from 0 to 1.
    pub priority: Option<f64>,
    /// The time of the last change, as ISO 8601 text. Since 2025-06-18.
    pub last_modified: Option<String>,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}

/// An icon. Since 2025-11-25.
#[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
pub struct Icon {
    /// An `https:` or `data:` URI.
    pub src: String,
    /// Its MIME type, if the server of the URI does not send it.
    pub mime_type: Option<String>,
    /// Sizes as `48x48` or `any`.
    pub sizes: Option<Vec<String>>,
    /// The background that it is made for.
    pub theme: Option<IconTheme>,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}

/// The background an icon is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ToJson, FromJson)]
pub enum IconTheme {
    /// A light one.
    Light,
    /// A dark one.
    Dark,
}
