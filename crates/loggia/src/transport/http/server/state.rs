//! The state that every request of an endpoint uses, in either era: the service, its limits, and what bounds the work.
//!
//! Both eras read it and neither is read by it: the sessions of the legacy era are in
//! [`LegacyState`](super::legacy::LegacyState), which refers to this.

use std::sync::Arc;

use super::admission::AdmissionControl;
use super::meta_cache::MetaCache;
use crate::limits::Limits;
use crate::service::Service;
use crate::shutdown::Shutdown;

/// State of one endpoint that all its requests share.
pub(super) struct EndpointState {
    pub(super) service: Arc<dyn Service>,
    pub(super) limits: Limits,
    /// Bounds the requests that run.
    pub(super) requests: AdmissionControl,
    /// Bounds the event streams that are open.
    pub(super) streams: AdmissionControl,
    pub(super) meta_cache: MetaCache,
    pub(super) shutdown: Shutdown,
}

impl EndpointState {
    /// Creates the state of an endpoint that has served nothing yet.
    pub(super) fn new(service: Arc<dyn Service>, limits: Limits, shutdown: Shutdown) -> EndpointState {
        EndpointState {
            service,
            requests: AdmissionControl::new("requests", "requests running", limits.requests),
            streams: AdmissionControl::new("streams", "streams open", limits.streams),
            limits,
            meta_cache: MetaCache::default(),
            shutdown,
        }
    }
}
