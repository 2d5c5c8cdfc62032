//! The crate's one test binary.
#![allow(clippy::expect_used, missing_docs, reason = "tests")]

mod client_calls;
mod client_negotiation;
mod client_peer;
