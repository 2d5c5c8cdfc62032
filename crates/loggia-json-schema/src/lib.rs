//! A JSON Schema validator for tool arguments and results.
//!
//! It exists beside general crates for two reasons: every call is checked, and the protocol needs less than the general case
//! (no network, no formats) but needs bounds that general validators lack.
//!
//! Invariant: compiling and checking take bounded time and space for any schema and any value.
//!
//! Dialects: 2020-12, which is also the default, and draft-07 where `$schema` declares it. Any other is
//! refused by name. `$ref` reaches within the document only.

mod check;
mod compile;
mod error;
mod evaluated;
mod index;
mod message;
mod node;
mod number;
mod pattern;
mod text;
mod uri;

use std::sync::Arc;

use loggia_wire::JsonObject;
use serde_json::{Map, Value};

pub use error::{SchemaError, SchemaErrorKind, Violation, Violations};
pub use loggia_wire::json::MAX_SCHEMA_DEPTH;

use node::{NodeId, SchemaNode};

/// The most subschemas a document may have.
pub const MAX_SUBSCHEMAS: usize = 10_000;
/// The deepest nesting of schema and value together while a value is checked.
pub const MAX_CHECK_DEPTH: usize = 400;
/// The most work that checking one value may take; about one for each pair of value and subschema.
pub const MAX_STEPS: usize = 5_000_000;
/// The most violations that are reported at once.
pub const MAX_VIOLATIONS: usize = 8;

/// A compiled schema. Cloning shares it.
///
/// ```
/// use loggia_json_schema::Validator;
/// use serde_json::json;
///
/// let validator = Validator::compile_value(&json!({
///     "type": "object",
///     "properties": { "zip": { "type": "string" } },
///     "required": ["zip"]
/// }))?;
/// assert!(validator.is_valid(&json!({ "zip": "04109" })));
/// let violations = validator.validate(&json!({ "zip": 4109 })).unwrap_err();
/// assert_eq!(violations.to_string(), "at $.zip: expected a string, got the number 4109");
/// # Ok::<(), loggia_json_schema::SchemaError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Validator {
    compiled: Arc<CompiledSchema>,
}

#[derive(Debug)]
struct CompiledSchema {
    nodes: Vec<SchemaNode>,
    root: NodeId,
    /// True if a `$dynamicRef` needs to know which schema resources the check passed through.
    dynamic: bool,
}

impl Validator {
    /// Compiles the schema of a tool. Unknown keywords are ignored; malformed ones are errors.
    pub fn compile(schema: &JsonObject) -> Result<Validator, SchemaError> {
        Validator::compile_tree(&tree(schema)?)
    }

    fn compile_tree(schema: &Map<String, Value>) -> Result<Validator, SchemaError> {
        let compiled = compile::compile(schema, None)?;
        Ok(Validator { compiled: Arc::new(compiled) })
    }

    /// Compiles a schema of another party, which the program cannot correct. A `pattern` that cannot be
    /// used (look-around, say, which peers with a backtracking engine write) is not checked but returned, to
    /// be logged; a value is then refused only where it is invalid whatever that pattern says.
    pub fn compile_foreign(schema: &JsonObject) -> Result<(Validator, Vec<SchemaError>), SchemaError> {
        let mut unchecked = Vec::new();
        let compiled = compile::compile(&tree(schema)?, Some(&mut unchecked))?;
        Ok((Validator { compiled: Arc::new(compiled) }, unchecked))
    }

    /// Compiles any schema: an object, or `true` or `false`.
    pub fn compile_value(schema: &Value) -> Result<Validator, SchemaError> {
        match schema {
            Value::Object(schema) => Validator::compile_tree(schema),
            Value::Bool(allowed) => Ok(Validator { compiled: Arc::new(compile::constant(*allowed)) }),
            _ => Err(SchemaError::new("#", SchemaErrorKind::NotASchema)),
        }
    }

    /// Checks `value` and says what is wrong with it.
    pub fn validate(&self, value: &Value) -> Result<(), Violations> {
        // The first pass neither allocates nor goes on after a failure; most values need no second.
        if self.is_valid(value) { Ok(()) } else { Err(check::explain(&self.compiled, value)) }
    }

    /// Reads a JSON object without making a tree of it, and gives `each` of its members out, name and value. `true` where the
    /// object is certainly valid; `false` leaves it open, and what was given out means nothing.
    pub fn accepts_object<'t>(&self, text: &'t [u8], each: impl FnMut(&'t [u8], &'t [u8])) -> bool {
        text::accepts_object(&self.compiled, text, each)
    }

    /// Returns whether `value` is valid.
    pub fn is_valid(&self, value: &Value) -> bool {
        check::holds(&self.compiled, value)
    }
}

/// Returns `schema` as a tree. Fails if a number in it is larger than any `f64`.
fn tree(schema: &JsonObject) -> Result<Map<String, Value>, SchemaError> {
    schema.decode().map_err(|_| SchemaError::new("#", SchemaErrorKind::NotASchema))
}
