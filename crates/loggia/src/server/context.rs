//! The parts of a server that a running request uses, below the request's [`Cx`](super::Cx).
//!
//! The lists of a server hold handlers, and handlers take a `Cx`. So a `Cx` does not name the server's type: it holds
//! the server as a [`ContextProvider`].

use std::any::Any;
use std::time::{Duration, SystemTime};

use super::seal::Sealer;
use crate::changes::Changes;
use crate::clock::WallClock;
use crate::limits::Limits;

/// The parts of a server that its requests use.
pub(crate) struct ServerContext {
    pub(crate) changes: Changes,
    pub(crate) limits: Limits,
    pub(crate) clock: WallClock,
    pub(crate) sealer: Sealer,
    /// Time for which sealed state is valid.
    pub(crate) state_ttl: Duration,
}

impl ServerContext {
    pub(crate) fn now(&self) -> SystemTime {
        (self.clock)()
    }
}

/// A server, as its requests see it.
pub(crate) trait ContextProvider: Any + Send + Sync {
    /// Returns the parts that requests use.
    fn context(&self) -> &ServerContext;
}
