//! Streamable HTTP, and the HTTP+SSE transport it replaced.

mod body;
pub mod client;
pub mod server;

pub use body::{Body, BodyError};
pub use server::{Endpoint, Http, SessionKey, http};
