//! The tests of `loggia-json-schema`, in one binary: a table for each keyword, another implementation, and schemas and
//! values made to exhaust the validator.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bounds;
mod keywords;
mod messages;
mod oracle;
mod refused;
mod text;

use loggia_json_schema::Validator;
use serde_json::Value;

const DRAFT_7: &str = "http://json-schema.org/draft-07/schema#";

fn compile(schema: &Value) -> Validator {
    Validator::compile_value(schema).unwrap_or_else(|error| panic!("{schema}: {error}"))
}
