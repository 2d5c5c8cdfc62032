//! The client's side against servers of ours: honest ones with the habits of real ones, and hostile ones.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod endpoints;
mod extensions;
mod hostile;
mod killed;
mod real;
mod renewal;
mod restricted_http;
mod sign_in;
mod single_sign_on;
mod stores;
#[path = "../../src/testing.rs"]
mod testing;
mod world;
