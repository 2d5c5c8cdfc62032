//! The common parts of the bench's programs: the messages, and the measurement of processes. The figure is CPU time
//! per call, because wall time on a shared machine depends more on other programs than on the server.

pub mod caller;
pub mod message;
pub mod process;

/// The reason why a measurement failed.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
