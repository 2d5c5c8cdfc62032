//! Adapters between the eras and the core. An edge converts the requests and responses of a revision to and from those of
//! the core, so that a [`Service`](crate::Service) sees one kind of request and cannot tell which era it serves.
//!
//! * this module: the answer to `server/discover`, which the service never sees;
//! * [`run_request`](run_request()): running a request so that its client can be sent the outcome, in either era;
//! * `session` and `client_requests`: the state of a legacy session and its requests to the client, as values without I/O;
//! * `listen`: the messages of a subscription;
//! * [`connection`]: a whole duplex connection (stdio, Unix socket, in memory), both eras at once, as a
//!   machine without I/O; [`duplex`] drives it with tasks and pipes.

pub mod capability;
pub(crate) mod client_requests;
// Public for those who drive a connection without I/O: the simulations and the count of instructions.
#[doc(hidden)]
pub mod connection;
pub mod duplex;
pub(crate) mod listen;
pub(crate) mod notification_filter;
mod run_request;
pub(crate) mod session;

use loggia_wire::model::{CacheHints, CacheScope, DiscoverResult, ServerResult};

pub(crate) use self::run_request::open_stream;
pub use self::run_request::run_request;
pub use crate::reference::correlation_id;
use crate::service::Description;

/// The answer to `server/discover`.
pub(crate) fn discover(server: &Description) -> ServerResult {
    ServerResult::from(DiscoverResult {
        supported_versions: server.versions.iter().map(ToString::to_string).collect(),
        capabilities: server.capabilities.clone(),
        instructions: server.instructions.clone(),
        cache: CacheHints::new(DISCOVER_TTL_MS, CacheScope::Public),
        ..DiscoverResult::default()
    })
}

/// Time for which a client may cache the result of `server/discover`. The result is the same for all clients.
const DISCOVER_TTL_MS: u64 = 5 * 60 * 1000;
