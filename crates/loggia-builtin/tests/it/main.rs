//! The tests of the crate, as one binary.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod caller;
mod fetch;
mod files;
#[cfg(unix)]
mod git;
mod memory;
mod postgres;
mod program;
mod sqlite;
mod time;
