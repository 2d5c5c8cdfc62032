//! A JSON Schema validator for tool arguments and results.
//!
//! It exists in addition to general validators for two reasons: every call is checked, so it must be fast; and the
//! protocol needs fewer features (no network, no formats) but bounds that general validators do not have.
//!
//! Invariant: compiling and checking take bounded time and space for any schema and any value.
//!
//! Dialects: 2020-12, which is the default, and draft-07 if `$schema` declares it. Other dialects are refused. `$ref`
//! works only within the document.

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

/// The maximum number of subschemas of a document.
pub const MAX_SUBSCHEMAS: usize = 10_000;
/// The maximum nesting of schema and value together during a check.
pub const MAX_CHECK_DEPTH: usize = 400;
/// The maximum work of checking one value: about one for each pair of value and subschema.
pub const MAX_STEPS: usize = 5_000_000;
/// The maximum number of violations that are reported.
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
    /// True if a `$dynamicRef` needs the schema resources of the walk.
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

    /// Compiles a schema of another party, which the program cannot correct. A `pattern` that cannot be used (for
    /// example with look-around, which peers with a backtracking engine support) is not checked but returned, so that
    /// it can be logged. A value is then refused only if it is invalid for every meaning of this pattern.
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
        // The first pass does not allocate and stops at the first failure; most values need no second pass.
        if self.is_valid(value) { Ok(()) } else { Err(check::explain(&self.compiled, value)) }
    }

    /// Reads a JSON object without a tree, and calls `each` with its members, name and value. Returns `true` if the
    /// object is certainly valid. If it returns `false`, the answer is unknown, and the members must not be used.
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
