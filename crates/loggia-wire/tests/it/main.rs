//! The tests of `loggia-wire`, in one binary.

mod envelope;
mod examples;
mod header;
mod meta_key;
mod official;
mod revisions;
mod samples;
mod schema;
mod translation;
mod uri_template;
