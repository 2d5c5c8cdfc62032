//! Authorization for the Model Context Protocol: OAuth 2.1 and OpenID Connect for clients and servers.
//!
//! Each side is a feature on top of a common core. No feature is on by default, so a program compiles only the sides
//! that it uses.
//!
//! | feature | modules |
//! |---|---|
//! | `client` | `client`, `discovery`, `registration`, `dpop`, `extensions`, `loopback`, `user_agent`: sign in to servers and keep tokens valid |
//! | `resource-server` | `resource`, `keys`: check the tokens and API keys of callers |
//! | `authorization-server` | `server`: a small embedded authorization server; turns `resource-server` on, which checks its tokens |
//!
//! Invariant: the core imports no module of a feature, and the imports of the modules have no cycle.

// The core.
pub mod clock;
pub mod error;
pub mod jose;
pub mod remote_issuer;
pub mod restricted_http;
pub mod scope;
pub mod secret;
pub mod store;

#[cfg(any(feature = "client", feature = "authorization-server"))]
mod openid;

// The client.
#[cfg(feature = "client")]
mod authorization_code;
#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "client")]
pub mod discovery;
#[cfg(feature = "client")]
pub mod dpop;
#[cfg(feature = "client")]
pub mod extensions;
#[cfg(feature = "client")]
pub mod loopback;
#[cfg(feature = "client")]
pub mod registration;
#[cfg(feature = "client")]
mod token_endpoint;
#[cfg(feature = "client")]
pub mod user_agent;

// The resource server.
#[cfg(feature = "resource-server")]
pub mod keys;
#[cfg(feature = "resource-server")]
pub mod resource;

// The authorization server.
#[cfg(feature = "authorization-server")]
pub mod server;

#[cfg(test)]
mod testing;
