//! The server side of HTTP, held against raw requests: what comes in is written here byte by byte or header
//! by header, what comes out is compared with what the specification asks for.

mod browsers;
pub mod fixture;
mod guarded;
mod http_sse;
mod json_only;
mod lasting;
mod legacy;
mod limits;
mod modern;
mod peer;
mod refusals;
#[cfg(feature = "tls")]
mod tls;
mod validation;
