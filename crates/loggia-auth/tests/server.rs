//! The authorization server, driven as a browser and a client drive it, in memory. Only the documents that the server
//! fetches come from a web server on the loopback.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::type_complexity, reason = "these are tests")]

#[path = "../src/testing.rs"]
mod testing;

mod server {
    pub(crate) mod assertions;
    pub(crate) mod authorize;
    pub(crate) mod clients;
    pub(crate) mod openid;
    pub(crate) mod page_access;
    pub(crate) mod rate;
    pub(crate) mod refused;
    pub(crate) mod sdk_client;
    pub(crate) mod session_admin;
    pub(crate) mod store_failures;
    pub(crate) mod tokens;
    pub(crate) mod world;
}
