//! Notifications: reads them, and removes the features that a revision does not have.

use super::items::since;
use super::{Downgrade, PayloadError};
use crate::json::{FromJson, RawJson};
use crate::method::Method;
use crate::model::*;
use crate::version::Version;
use Version::V2025_03_26;

impl Downgrade for ProgressParams {
    fn downgrade(&mut self, version: Version) {
        since!(version, V2025_03_26: self.message);
    }
}

impl Downgrade for ServerNotification {
    fn downgrade(&mut self, version: Version) {
        if let ServerNotification::Progress(params) = self {
            params.downgrade(version);
        }
    }
}

impl Downgrade for ClientNotification {
    fn downgrade(&mut self, version: Version) {
        if let ClientNotification::Progress(params) = self {
            params.downgrade(version);
        }
    }
}

impl ServerNotification {
    /// Returns the params as text, or the raw params of an unknown notification.
    pub(super) fn params(&self) -> Result<RawJson, Option<RawJson>> {
        Ok(match self {
            ServerNotification::Progress(p) => RawJson::of(p),
            ServerNotification::Log(p) => RawJson::of(p),
            ServerNotification::Cancelled(p) => RawJson::of(p),
            ServerNotification::ResourceUpdated(p) => RawJson::of(p),
            ServerNotification::ResourcesListChanged(p)
            | ServerNotification::ToolsListChanged(p)
            | ServerNotification::PromptsListChanged(p) => RawJson::of(p),
            ServerNotification::ElicitationComplete(p) => RawJson::of(p),
            ServerNotification::SubscriptionsAcknowledged(p) => RawJson::of(p),
            ServerNotification::Custom { params, .. } => return Err(params.clone()),
        })
    }

    /// Reads a notification of a server.
    pub fn decode(method: &Method, params: Option<&RawJson>) -> Result<ServerNotification, PayloadError> {
        let empty = RawJson::empty_object();
        let raw = params.unwrap_or(&empty);
        Ok(match method {
            Method::Progress => ServerNotification::Progress(read(method, raw)?),
            Method::Log => ServerNotification::Log(read(method, raw)?),
            Method::Cancelled => ServerNotification::Cancelled(read(method, raw)?),
            Method::ResourceUpdated => ServerNotification::ResourceUpdated(read(method, raw)?),
            Method::ResourcesListChanged => ServerNotification::ResourcesListChanged(read(method, raw)?),
            Method::ToolsListChanged => ServerNotification::ToolsListChanged(read(method, raw)?),
            Method::PromptsListChanged => ServerNotification::PromptsListChanged(read(method, raw)?),
            Method::ElicitationComplete => ServerNotification::ElicitationComplete(read(method, raw)?),
            Method::SubscriptionsAcknowledged => {
                ServerNotification::SubscriptionsAcknowledged(read(method, raw)?)
            }
            other => ServerNotification::Custom { method: other.clone(), params: params.cloned() },
        })
    }
}

impl ClientNotification {
    /// Returns the params as text, or the raw params of an unknown notification.
    pub(super) fn params(&self) -> Result<RawJson, Option<RawJson>> {
        Ok(match self {
            ClientNotification::Initialized(p) | ClientNotification::RootsListChanged(p) => RawJson::of(p),
            ClientNotification::Cancelled(p) => RawJson::of(p),
            ClientNotification::Progress(p) => RawJson::of(p),
            ClientNotification::Custom { params, .. } => return Err(params.clone()),
        })
    }

    /// Reads a notification of a client.
    pub fn decode(method: &Method, params: Option<&RawJson>) -> Result<ClientNotification, PayloadError> {
        let empty = RawJson::empty_object();
        let raw = params.unwrap_or(&empty);
        Ok(match method {
            Method::Initialized => ClientNotification::Initialized(read(method, raw)?),
            Method::RootsListChanged => ClientNotification::RootsListChanged(read(method, raw)?),
            Method::Cancelled => ClientNotification::Cancelled(read(method, raw)?),
            Method::Progress => ClientNotification::Progress(read(method, raw)?),
            other => ClientNotification::Custom { method: other.clone(), params: params.cloned() },
        })
    }
}

fn read<T: FromJson>(method: &Method, raw: &RawJson) -> Result<T, PayloadError> {
    raw.read().map_err(|e| PayloadError::new(method, e))
}
