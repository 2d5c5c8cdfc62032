//! The tests of the sandbox, as one binary. They run on Linux, the only system with a sandbox.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod escapes;
mod fixture;
mod lifetime;
mod permitted;
