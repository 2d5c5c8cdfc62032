//! Who may do what: authorization on every side of the Model Context Protocol.
//!
//! A client that signs people in and keeps their tokens alive, a resource server that checks what it is
//! shown, an authorization server for those who have none, and the one HTTP client that may be pointed at a
//! URL somebody else chose.

pub mod client;
pub mod clock;
pub mod discovery;
pub mod dpop;
pub mod extensions;
pub mod guard;
pub mod jose;
pub mod keys;
pub mod loopback;
mod openid;
pub mod provider;
pub mod registration;
pub mod resource;
pub mod scope;
pub mod secret;
pub mod server;
#[cfg(test)]
mod testing;
