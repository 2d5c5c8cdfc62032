//! The kinds of changes that a client wants notifications about. Since 2026-07-28.

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

/// Kinds of changes. The client does not want kinds that are absent.
#[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
pub struct SubscriptionFilter {
    /// Changes of the list of tools.
    pub tools_list_changed: Option<bool>,
    /// Changes of the list of prompts.
    pub prompts_list_changed: Option<bool>,
    /// Changes of the list of resources.
    pub resources_list_changed: Option<bool>,
    /// Changes of the resources at these URIs.
    pub resource_subscriptions: Option<Vec<String>>,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}
