//! The tests of the crate, as one binary.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod clients;
mod config_file;
mod connector_test;
mod direct;
mod import;
mod lint;
mod manifest;
mod openapi;
