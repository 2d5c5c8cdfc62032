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
    /// It can say which folders matter.
    pub roots: Option<RootsCapability>,
    /// It can ask its model.
    pub sampling: Option<SamplingCapability>,
    /// It can ask the user. Since 2025-06-18.
    pub elicitation: Option<ElicitationCapability>,
    /// Extensions it supports. Since 2026-07-28.
    pub extensions: Option<Extensions>,
    /// Unknown members (among them the experimental `tasks` of 2025-11-25).
    #[json(flatten)]
    pub extra: Extra,
}

/// Details of `roots`.
#[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
pub struct RootsCapability {
    /// It announces when they change. Until 2025-11-25.
    pub list_changed: Option<bool>,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}

/// Details of `sampling`.
#[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
pub struct SamplingCapability {
    /// It honours `includeContext`. Since 2025-11-25.
    pub context: Option<JsonObject>,
    /// Its model can use tools. Since 2025-11-25.
    pub tools: Option<JsonObject>,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}

/// Details of `elicitation`. An empty object means form mode alone.
#[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
pub struct ElicitationCapability {
    /// It can show a form. Since 2025-11-25.
    pub form: Option<JsonObject>,
    /// It can open a URL. Since 2025-11-25.
    pub url: Option<JsonObject>,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}

impl ElicitationCapability {
    /// Returns whether it can show a form: said, or implied by saying nothing else.
    pub fn supports_form(&self) -> bool {
        self.form.is_some() || self.url.is_none()
    }

    /// Returns whether it can open a URL.
    pub fn supports_url(&self) -> bool {
        self.url.is_some()
    }
}

/// The capabilities of a server.
#[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
pub struct ServerCapabilities {
    /// Capabilities that no specification defines.
    pub experimental: Option<Extensions>,
    /// It sends log messages.
    pub logging: Option<JsonObject>,
    /// It completes arguments. Since 2025-03-26.
    pub completions: Option<JsonObject>,
    /// It has prompts.
    pub prompts: Option<ListCapability>,
    /// It has resources.
    pub resources: Option<ResourcesCapability>,
    /// It has tools.
    pub tools: Option<ListCapability>,
    /// Extensions it supports. Since 2026-07-28.
    pub extensions: Option<Extensions>,
    /// Unknown members (among them the experimental `tasks` of 2025-11-25).
    #[json(flatten)]
    pub extra: Extra,
}

/// Details of `tools` and `prompts`.
#[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
pub struct ListCapability {
    /// It announces when the list changes.
    pub list_changed: Option<bool>,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}

/// Details of `resources`.
#[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
pub struct ResourcesCapability {
    /// It announces when one of them changes.
    pub subscribe: Option<bool>,
    /// It announces when the list changes.
    pub list_changed: Option<bool>,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}
