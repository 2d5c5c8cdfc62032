//! The authorization server, driven as a browser and a client drive it. Everything happens in memory; only
//! what the server itself fetches comes from a web server on the loopback.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::type_complexity, reason = "these are tests")]

#[path = "../src/testing.rs"]
mod testing;

mod server {
    pub(crate) mod assertions;
    pub(crate) mod authorize;
    pub(crate) mod clients;
    pub(crate) mod failing;
    pub(crate) mod leaving;
    pub(crate) mod openid;
    pub(crate) mod ours;
    pub(crate) mod rate;
    pub(crate) mod refused;
    pub(crate) mod tokens;
    pub(crate) mod visit;
    pub(crate) mod world;
}
