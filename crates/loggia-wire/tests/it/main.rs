//! The tests of `loggia-wire`, in one binary.

mod envelope;
mod examples;
mod official;
mod revisions;
mod samples;
mod translation;
