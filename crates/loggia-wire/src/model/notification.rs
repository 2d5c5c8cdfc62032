//! Notifications of both sides.

use super::{Extra, LogParams, Meta, SubscriptionFilter};
use crate::id::Id;
use crate::json::RawJson;
use crate::json::{FromJson, ToJson};
use crate::method::Method;

/// The token of a request that progress notifications name: a string or an integer.
pub type ProgressToken = Id;

/// Parameters of `notifications/progress`.
#[derive(Debug, Clone, PartialEq, ToJson, FromJson)]
pub struct ProgressParams {
    /// The request's token.
    pub progress_token: ProgressToken,
    /// The progress; it grows with every notification.
    pub progress: f64,
    /// The progress at the end, if known.
    pub total: Option<f64>,
    /// A message for the user. Since 2025-03-26.
    pub message: Option<String>,
    /// `_meta`.
    #[json(rename = "_meta")]
    pub meta: Option<Meta>,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}

/// Parameters of `notifications/cancelled`.
#[derive(Debug, Clone, PartialEq, ToJson, FromJson)]
pub struct CancelledParams {
    /// The request to cancel. It may be absent only in 2025-11-25, to cancel a task; a cancellation without it is not
    /// sent.
    pub request_id: Option<Id>,
    /// The reason, for logs.
    pub reason: Option<String>,
    /// `_meta`.
    #[json(rename = "_meta")]
    pub meta: Option<Meta>,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}

impl CancelledParams {
    /// Creates the params that cancel the request `id`.
    pub fn new(id: Id, reason: Option<String>) -> CancelledParams {
        CancelledParams { request_id: Some(id), reason, meta: None, extra: Extra::new() }
    }
}

/// Parameters of `notifications/resources/updated`.
#[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
pub struct ResourceUpdatedParams {
    /// The URI of the resource.
    pub uri: String,
    /// `_meta`.
    #[json(rename = "_meta")]
    pub meta: Option<Meta>,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}

/// Parameters of `notifications/elicitation/complete`. Only in 2025-11-25.
#[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
pub struct ElicitationCompleteParams {
    /// The id of the elicitation.
    pub elicitation_id: String,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}

/// Parameters of `notifications/subscriptions/acknowledged`. Since 2026-07-28.
#[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
pub struct SubscriptionsAcknowledgedParams {
    /// The notifications that the server will send.
    pub notifications: SubscriptionFilter,
    /// `_meta`, with the subscription's id.
    #[json(rename = "_meta")]
    pub meta: Option<Meta>,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}

/// Parameters of a notification without members of its own.
#[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
pub struct EmptyParams {
    /// `_meta`.
    #[json(rename = "_meta")]
    pub meta: Option<Meta>,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}

/// A notification of a server.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "each is its method")]
pub enum ServerNotification {
    Progress(ProgressParams),
    Log(LogParams),
    Cancelled(CancelledParams),
    ResourceUpdated(ResourceUpdatedParams),
    ResourcesListChanged(EmptyParams),
    ToolsListChanged(EmptyParams),
    PromptsListChanged(EmptyParams),
    ElicitationComplete(ElicitationCompleteParams),
    SubscriptionsAcknowledged(SubscriptionsAcknowledgedParams),
    /// A notification that no revision defines.
    Custom {
        method: Method,
        params: Option<RawJson>,
    },
}

impl ServerNotification {
    /// Returns its method.
    pub fn method(&self) -> Method {
        match self {
            ServerNotification::Progress(_) => Method::Progress,
            ServerNotification::Log(_) => Method::Log,
            ServerNotification::Cancelled(_) => Method::Cancelled,
            ServerNotification::ResourceUpdated(_) => Method::ResourceUpdated,
            ServerNotification::ResourcesListChanged(_) => Method::ResourcesListChanged,
            ServerNotification::ToolsListChanged(_) => Method::ToolsListChanged,
            ServerNotification::PromptsListChanged(_) => Method::PromptsListChanged,
            ServerNotification::ElicitationComplete(_) => Method::ElicitationComplete,
            ServerNotification::SubscriptionsAcknowledged(_) => Method::SubscriptionsAcknowledged,
            ServerNotification::Custom { method, .. } => method.clone(),
        }
    }
}

/// A notification of a client.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "each is its method")]
pub enum ClientNotification {
    Initialized(EmptyParams),
    RootsListChanged(EmptyParams),
    Cancelled(CancelledParams),
    Progress(ProgressParams),
    /// A notification that no revision defines.
    Custom {
        method: Method,
        params: Option<RawJson>,
    },
}

impl ClientNotification {
    /// Returns its method.
    pub fn method(&self) -> Method {
        match self {
            ClientNotification::Initialized(_) => Method::Initialized,
            ClientNotification::RootsListChanged(_) => Method::RootsListChanged,
            ClientNotification::Cancelled(_) => Method::Cancelled,
            ClientNotification::Progress(_) => Method::Progress,
            ClientNotification::Custom { method, .. } => method.clone(),
        }
    }
}
