//! The crate's one test binary.
#![allow(missing_docs, unreachable_pub, reason = "tests")]

mod client_broken_lists;
mod client_calls;
#[cfg(unix)]
mod client_child;
#[cfg(feature = "http")]
mod client_connections;
#[cfg(feature = "http")]
mod client_http;
#[cfg(feature = "http")]
mod client_http_peer;
mod client_lists;
mod client_negotiation;
mod client_peer;
mod client_service;
#[cfg(feature = "http")]
mod client_sessions;
#[cfg(feature = "http")]
mod http_server;
mod server;
mod sim;
#[cfg(unix)]
mod stream_servers;
