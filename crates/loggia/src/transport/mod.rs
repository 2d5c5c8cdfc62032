//! Transports carry the bytes. A server transport is any type that can [`Serve`] a service until it ends or its
//! [`Shutdown`] begins. It handles sockets and framing, and leaves the protocol to [`crate::edge`].

#[cfg(feature = "client")]
pub mod child;
/// Framing of byte streams: one message on a line, with a bound on its length.
pub mod framing {
    pub use crate::framing::*;
}
#[cfg(feature = "http-common")]
pub mod http;
pub mod memory;
mod signals;
// Public for the fuzz targets and for peers in tests.
#[cfg(feature = "http-common")]
#[doc(hidden)]
pub mod sse;
pub mod stdio;
pub mod unix;

use std::sync::Arc;

use crate::error::Result;
use crate::future::BoxFuture;
use crate::limits::Limits;
use crate::service::Service;
pub use crate::shutdown::Shutdown;
pub use signals::TerminationSignals;

/// A transport that can serve a service: the argument of `.serve(transport)`.
pub trait Serve {
    /// Serves `service` until the transport ends (for example at the end of its input) or `shutdown` begins. In both
    /// cases running requests may finish within [`Limits::drain`].
    fn serve(
        self,
        service: Arc<dyn Service>,
        limits: Limits,
        shutdown: Shutdown,
    ) -> BoxFuture<'static, Result<()>>;
}
