//! Transports carry the bytes. A server transport is anything that can [`Serve`] a service until it ends or is
//! told to stop by its [`Shutdown`]; it knows sockets and framing and leaves the protocol to [`crate::edge`].

#[cfg(feature = "client")]
pub mod child;
#[cfg(feature = "http-common")]
pub mod http;
pub mod memory;
mod signals;
#[cfg(feature = "http-common")]
pub mod sse;
pub mod stdio;
pub mod unix;

use std::sync::Arc;

use crate::error::Result;
pub use crate::framing;
use crate::future::BoxFuture;
use crate::limits::Limits;
use crate::service::Service;
pub use crate::shutdown::Shutdown;
pub use signals::TerminationSignals;

/// A transport that can serve a service: what `.serve(transport)` takes.
pub trait Serve {
    /// Serves `service` until the transport ends (at the end of its input, for example) or `shutdown` begins. In
    /// either case requests that run are given [`Limits::drain`] to finish.
    fn serve(
        self,
        service: Arc<dyn Service>,
        limits: Limits,
        shutdown: Shutdown,
    ) -> BoxFuture<'static, Result<()>>;
}
