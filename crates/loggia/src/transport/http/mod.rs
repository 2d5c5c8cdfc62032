//! Streamable HTTP, and the HTTP+SSE transport it replaced.

#[cfg(feature = "http-server")]
mod body;
#[cfg(feature = "http-server")]
mod server;

#[cfg(feature = "http-server")]
pub use body::{Body, BodyError};
#[cfg(feature = "http-server")]
pub use server::{Endpoint, Http, HttpService, PeerAddr, SessionKey, http};
