//! Build MCP servers and clients in Rust, on every revision of the protocol from 2024-11-05 to 2026-07-28.
//!
//! The core is one function from a self-contained [`service::Request`] to one [`service::Outcome`]. A
//! [`server::Server`] implements it with tools, prompts and resources. The [`edge`] adapts each era of the protocol
//! to it, a [`transport`] carries the bytes, and a `client::Client` is the other side.
//!
//! Features: `macros` (on by default) for the attributes and the derive; `client` for the client, which
//! [`testing`](https://docs.rs/loggia/latest/loggia/testing) uses; `http-server` and `http-client` for Streamable
//! HTTP, `http` for both; `tls` for `https`.

// Public for the hub, whose bounds have the same shares.
#[doc(hidden)]
pub mod budget;
pub mod changes;
#[cfg(feature = "client")]
pub mod client;
mod clock;
pub mod edge;
pub mod error;
pub mod exchange;
mod framing;
mod future;
pub mod limits;
mod lock;
pub mod prelude;
mod random;
mod reference;
pub mod schema;
pub mod server;
pub mod service;
mod shutdown;
#[cfg(feature = "client")]
pub mod testing;
pub mod transport;

pub use error::{Error, Result};
#[cfg(feature = "macros")]
pub use loggia_macros::{JsonSchema, prompt, prompts, resource, resources, tool, tools};
pub use loggia_wire as wire;
pub use loggia_wire::model;
pub use schema::JsonSchema;
pub use server::Server;
pub use service::Service;
