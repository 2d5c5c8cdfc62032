//! Initialization and discovery.

use super::{CacheHints, ClientCapabilities, Extra, Icon, Meta, ServerCapabilities, setters};
use crate::json::{FromJson, ToJson};

/// The name and version of a client or server, as it reports them. Not verified.
#[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
pub struct Implementation {
    /// The identifier, for programs.
    pub name: String,
    /// The name, for display. Since 2025-06-18.
    pub title: Option<String>,
    /// Its version.
    pub version: String,
    /// A description. Since 2025-11-25.
    pub description: Option<String>,
    /// The URL of its website. Since 2025-11-25.
    pub website_url: Option<String>,
    /// Pictures. Since 2025-11-25.
    pub icons: Option<Vec<Icon>>,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}

impl Implementation {
    /// Creates a program by name and version.
    pub fn new(name: impl Into<String>, version: impl Into<String>) -> Implementation {
        Implementation { name: name.into(), version: version.into(), ..Implementation::default() }
    }

    setters! {
        /// Sets the title.
        title: String;
        /// Sets the description.
        description: String;
        /// Sets the website.
        website_url: String;
        /// Sets the pictures.
        icons: Vec<Icon>;
    }
}

/// Parameters of `initialize`. Until 2025-11-25.
#[derive(Debug, Clone, PartialEq, ToJson, FromJson)]
pub struct InitializeParams {
    /// The revision that the client wants, as the client wrote it.
    pub protocol_version: String,
    /// The client's capabilities.
    pub capabilities: ClientCapabilities,
    /// The name and version of the client.
    pub client_info: Implementation,
    /// `_meta`.
    #[json(rename = "_meta")]
    pub meta: Option<Meta>,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}

/// Result of `initialize`. Until 2025-11-25.
#[derive(Debug, Clone, PartialEq, ToJson, FromJson)]
pub struct InitializeResult {
    /// The revision of the session, as the server wrote it.
    pub protocol_version: String,
    /// The server's capabilities.
    pub capabilities: ServerCapabilities,
    /// The name and version of the server.
    pub server_info: Implementation,
    /// Instructions for the model.
    pub instructions: Option<String>,
    /// `_meta`.
    #[json(rename = "_meta")]
    pub meta: Option<Meta>,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}

/// Result of `server/discover`. Since 2026-07-28.
#[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
pub struct DiscoverResult {
    /// The revisions that the server supports, as the server wrote them.
    pub supported_versions: Vec<String>,
    /// The server's capabilities.
    pub capabilities: ServerCapabilities,
    /// Instructions for the model.
    pub instructions: Option<String>,
    /// `_meta`, with the name and version of the server.
    #[json(rename = "_meta")]
    pub meta: Option<Meta>,
    /// Cache hints.
    #[json(flatten)]
    pub cache: CacheHints,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}
