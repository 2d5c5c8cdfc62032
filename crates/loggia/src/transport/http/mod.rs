//! Streamable HTTP, and the HTTP+SSE transport it replaced.

pub mod server;
