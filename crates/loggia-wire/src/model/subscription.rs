//! Which changes a client wants to hear of. Since 2026-07-28.

use super::{Extra, Meta};
use crate::json::shape::record;

/// Parameters of `subscriptions/listen`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ListenParams {
    /// What the client wants.
    pub notifications: SubscriptionFilter,
    /// `_meta`.
    pub meta: Option<Meta>,
    /// Members we do not know.
    pub extra: Extra,
}

record!(ListenParams { notifications, meta = "_meta" });

/// Kinds of changes. What is absent is not wanted.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SubscriptionFilter {
    /// The list of tools.
    pub tools_list_changed: Option<bool>,
    /// The list of prompts.
    pub prompts_list_changed: Option<bool>,
    /// The list of resources.
    pub resources_list_changed: Option<bool>,
    /// The resources at these URIs.
    pub resource_subscriptions: Option<Vec<String>>,
    /// Members we do not know.
    pub extra: Extra,
}

record!(SubscriptionFilter {
    tools_list_changed = "toolsListChanged", prompts_list_changed = "promptsListChanged",
    resources_list_changed = "resourcesListChanged", resource_subscriptions = "resourceSubscriptions"
});
