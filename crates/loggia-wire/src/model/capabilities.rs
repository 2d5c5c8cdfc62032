//! Capabilities of clients and servers.

use super::{Extra, JsonObject};
use crate::json::VecMap;
use crate::json::{FromJson, ToJson};

/// Settings of one extension, by its identifier.
pub type Extensions = VecMap<String, JsonObject>;

/// The capabilities of a client.
#[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
pub struct ClientCapabilities {
    /// Capabilities that no specification defines.
    pub experimental: Option<Extensions>,
    /// The client can list its folders.
    pub roots: Option<RootsCapability>,
    /// The client can ask its model.
    pub sampling: Option<SamplingCapability>,
    /// The client can ask the user. Since 2025-06-18.
    pub elicitation: Option<ElicitationCapability>,
    /// The extensions that the client supports. Since 2026-07-28.
    pub extensions: Option<Extensions>,
    /// Unknown members (among them the experimental `tasks` of 2025-11-25).
    #[json(flatten)]
    pub extra: Extra,
}

/// Details of `roots`.
#[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
pub struct RootsCapability {
    /// The client announces changes of its folders. Until 2025-11-25.
    pub list_changed: Option<bool>,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}

/// Details of `sampling`.
#[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
pub struct SamplingCapability {
    /// The client supports `includeContext`. Since 2025-11-25.
    pub context: Option<JsonObject>,
    /// The client's model can use tools. Since 2025-11-25.
    pub tools: Option<JsonObject>,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}

/// Details of `elicitation`. An empty object means only forms.
#[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
pub struct ElicitationCapability {
    /// The client can show a form. Since 2025-11-25.
    pub form: Option<JsonObject>,
    /// The client can open a URL. Since 2025-11-25.
    pub url: Option<JsonObject>,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}

impl ElicitationCapability {
    /// Returns whether the client can show a form: it says so, or names no mode.
    pub fn supports_form(&self) -> bool {
        self.form.is_some() || self.url.is_none()
    }

    /// Returns whether the client can open a URL.
    pub fn supports_url(&self) -> bool {
        self.url.is_some()
    }
}

/// The capabilities of a server.
#[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
pub struct ServerCapabilities {
    /// Capabilities that no specification defines.
    pub experimental: Option<Extensions>,
    /// The server sends log messages.
    pub logging: Option<JsonObject>,
    /// The server completes arguments. Since 2025-03-26.
    pub completions: Option<JsonObject>,
    /// The server has prompts.
    pub prompts: Option<ListCapability>,
    /// The server has resources.
    pub resources: Option<ResourcesCapability>,
    /// The server has tools.
    pub tools: Option<ListCapability>,
    /// The extensions that the server supports. Since 2026-07-28.
    pub extensions: Option<Extensions>,
    /// Unknown members (among them the experimental `tasks` of 2025-11-25).
    #[json(flatten)]
    pub extra: Extra,
}

/// Details of `tools` and `prompts`.
#[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
pub struct ListCapability {
    /// The server announces changes of the list.
    pub list_changed: Option<bool>,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}

/// Details of `resources`.
#[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
pub struct ResourcesCapability {
    /// The server announces changes of a resource.
    pub subscribe: Option<bool>,
    /// The server announces changes of the list.
    pub list_changed: Option<bool>,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}
