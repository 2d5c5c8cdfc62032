//! Which changes a client wants to hear of. Since 2026-07-28.

use super::{Extra, Meta};
use crate::json::{FromJson, ToJson};

/// Parameters of `subscriptions/listen`.
#[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
pub struct ListenParams {
    /// The notifications that the client wants.
    pub notifications: SubscriptionFilter,
    /// `_meta`.
    #[json(rename = "_meta")]
    pub meta: Option<Meta>,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}

/// Kinds of changes. What is absent is not wanted.
#[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
pub struct SubscriptionFilter {
    /// The list of tools.
    pub tools_list_changed: Option<bool>,
    /// The list of prompts.
    pub prompts_list_changed: Option<bool>,
    /// The list of resources.
    pub resources_list_changed: Option<bool>,
    /// The resources at these URIs.
    pub resource_subscriptions: Option<Vec<String>>,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}
