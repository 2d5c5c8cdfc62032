//! The tests of `loggia-wire`, in one binary.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it leaves out"
)]

mod envelope;
mod examples;
mod fast_path;
mod fidelity;
mod header;
mod meta_key;
mod official;
mod revisions;
mod samples;
mod translation;
mod uri_template;
