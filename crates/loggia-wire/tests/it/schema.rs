//! The JSON Schema validator: against a table for each keyword, against another implementation, and against
//! schemas and values made to exhaust it.

mod bounds;
mod keywords;
mod messages;
mod oracle;
mod refused;

use loggia_wire::schema::Validator;
use serde_json::Value;

const DRAFT_7: &str = "http://json-schema.org/draft-07/schema#";

fn compile(schema: &Value) -> Validator {
    Validator::compile_value(schema).unwrap_or_else(|error| panic!("{schema}: {error}"))
}
