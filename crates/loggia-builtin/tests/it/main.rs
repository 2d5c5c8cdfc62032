//! The tests of the crate, as one binary.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod caller;
mod files;
mod program;
mod sqlite;
