//! Connections as machines: two scripted ends, a clock that only the test moves, and nothing that waits.

mod asks;
mod bad_input;
mod connection;
mod duplex;
pub mod machine;
mod schedule;
pub mod service;
mod subscriptions;
