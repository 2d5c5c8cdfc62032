//! The server side of HTTP, held against raw requests: what comes in is written here byte by byte or header
//! by header, what comes out is compared with what the specification asks for.

pub mod fixture;
mod guarded;
mod handshake;
mod lasting;
mod legacy;
mod limits;
mod peer;
mod stateless;
#[cfg(feature = "tls")]
mod tls;
mod validation;
