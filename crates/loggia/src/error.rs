//! The errors of the SDK, for the program that uses it. The error that a client gets is an [`RpcError`], which is
//! made in one place, [`crate::edge`].

use std::fmt;
use std::io;
use std::time::Duration;

use loggia_wire::{RpcError, Version};

/// The result type of the SDK.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of any type, as the libraries below return it.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The reason why an operation failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The peer answered with an error.
    Rpc(RpcError),
    /// The peer violated the protocol.
    Protocol(String),
    /// The answer is larger than this many bytes: `Limits::reply_bytes`.
    TooLarge(usize),
    /// The connection failed or closed.
    Connection(String),
    /// No answer came within the time limit.
    Timeout(TimeoutDetails),
    /// The two sides have no common revision.
    NoCommonVersion {
        /// The versions that this side accepts.
        wanted: Vec<Version>,
        /// The versions of the peer, as it wrote them.
        offered: Vec<String>,
    },
    /// The server needs authorization. The value is its `WWW-Authenticate` challenge.
    Unauthorized(String),
    /// The server asked a question before its answer, and got no usable answer.
    Unanswered(String),
    /// The configuration of the SDK by the program is wrong: the message says what to change.
    Configuration(String),
    /// An error of the operating system.
    Io(io::Error),
}

/// The time limit, and the error output of a server that is a child process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeoutDetails {
    /// The time limit.
    pub after: Duration,
    /// The last lines of the server's error output; empty if there are none.
    pub server_output: String,
}

impl From<Duration> for TimeoutDetails {
    fn from(after: Duration) -> TimeoutDetails {
        TimeoutDetails { after, server_output: String::new() }
    }
}

impl fmt::Display for TimeoutDetails {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no answer within {} s", self.after.as_secs_f32())?;
        if self.server_output.is_empty() {
            return Ok(());
        }
        write!(f, "; the last it wrote to its error output:\n{}", self.server_output)
    }
}

impl Error {
    /// Creates the error for an answer that did not come within `after`.
    pub fn timeout(after: Duration) -> Error {
        Error::Timeout(after.into())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Rpc(error) => write!(f, "the peer answered with an error: {error}"),
            Error::Protocol(what) => write!(f, "the peer broke the protocol: {what}"),
            Error::TooLarge(most) => {
                write!(f, "the server's answer is larger than the limit of {most} bytes (reply_bytes)")
            }
            Error::Connection(what) => write!(f, "the connection failed: {what}"),
            Error::Timeout(details) => details.fmt(f),
            Error::NoCommonVersion { wanted, offered } => write_versions(f, wanted, offered),
            Error::Unauthorized(challenge) => write!(f, "the server needs authorization: {challenge}"),
            Error::Unanswered(what) => f.write_str(what),
            Error::Configuration(what) => write!(f, "wrong configuration: {what}"),
            Error::Io(error) => error.fmt(f),
        }
    }
}

fn write_versions(f: &mut fmt::Formatter<'_>, wanted: &[Version], offered: &[String]) -> fmt::Result {
    let wanted = wanted.iter().map(|version| version.as_str()).collect::<Vec<_>>().join(", ");
    write!(f, "no common protocol version: we speak {wanted}; the server ")?;
    match offered {
        [] => f.write_str("does not say which it speaks, and opens like one of an older era"),
        offered => write!(f, "offers {}", offered.join(", ")),
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Rpc(error) => Some(error),
            Error::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<RpcError> for Error {
    fn from(error: RpcError) -> Error {
        Error::Rpc(error)
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Error {
        Error::Io(error)
    }
}
