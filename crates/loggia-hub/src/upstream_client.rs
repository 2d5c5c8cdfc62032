//! The client for connections of the hub.

use std::time::Duration;

use loggia::client::{Client, ClientBuilder};

use crate::relay::UnroutedInputHandler;
use crate::upstream_context::UpstreamContext;

/// The time for an upstream to answer when the connection may be lost.
pub(crate) const PROBE: Duration = Duration::from_secs(5);

/// Returns a client with the settings of the hub: each question goes to its call, and the supervisor, not the client,
/// opens another connection when one is lost.
pub(crate) fn upstream_client(context: &UpstreamContext) -> ClientBuilder {
    let limits = &context.limits;
    Client::builder()
        .identity(context.identity.clone())
        .handler(UnroutedInputHandler)
        .era_memory(context.eras.clone())
        .probe_timeout(limits.probe_timeout)
        .connect_timeout(limits.connect_timeout)
        .timeout(limits.timeout)
        .max_timeout(limits.max_timeout)
        .limits(limits.upstream.clone())
        .validate_output(false)
        .reconnect(false)
}
