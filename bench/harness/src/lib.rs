//! What the bench's programs share: the messages they send, and how a process is measured. The figures are CPU
//! per call, because wall time on a shared machine says more about its neighbours than about the server.

pub mod caller;
pub mod message;
pub mod process;

/// Why a measurement could not be taken.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
