//! JSON Schemas of Rust types. A schema tells a model what to write, so the generated schemas use only the keywords
//! that the strict modes of all model vendors accept: no `$schema`, no list of types, no `format` of programming
//! languages, and no references unless a type contains itself.
//!
//! `#[derive(JsonSchema)]` generates the implementation of [`JsonSchema`] that a developer would write with
//! [`Object`] and [`Property`].

mod generator;
mod object;
mod std_types;

/// A JSON value, for schema keywords.
pub use serde_json::Value;

pub use generator::{Direction, Generator};
pub use object::{Object, Property};

use loggia_wire::JsonText;
use loggia_wire::json::{JsonRef, ToJson};

use crate::model::JsonObject;

/// A type with a JSON Schema.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no JSON Schema",
    label = "needs `JsonSchema`",
    note = "write `#[derive(JsonSchema)]` above the type, or use a type that has one (String, i64, bool, Vec, …)"
)]
pub trait JsonSchema {
    /// Returns the schema.
    fn schema(generator: &mut Generator) -> Schema;

    /// Returns the schema as a member of an object. Differs from [`schema`](JsonSchema::schema) only for a type whose
    /// value may be absent (`Option`).
    fn member(generator: &mut Generator) -> Schema {
        generator.subschema::<Self>()
    }

    /// Returns whether a member of this type may be absent.
    fn is_optional() -> bool {
        false
    }

    /// Returns the name of the definition of a type that may contain itself; `None` for a type that is always written
    /// in place.
    fn name() -> Option<&'static str> {
        None
    }
}

/// One JSON Schema: an object of keywords.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Schema(JsonObject);

impl Schema {
    /// Creates a schema that allows every value.
    pub fn any() -> Schema {
        Schema::default()
    }

    /// Returns the schema of a `T` that a model or user sends.
    pub fn of<T: JsonSchema + ?Sized>() -> Schema {
        Generator::new(Direction::Input).root::<T>()
    }

    /// Returns the schema of a `T` that this side sends. Members that are always written are required.
    pub fn of_output<T: JsonSchema + ?Sized>() -> Schema {
        Generator::new(Direction::Output).root::<T>()
    }

    /// Creates a schema of one JSON type: `string`, `integer`, `object`, …
    pub fn typed(json_type: &'static str) -> Schema {
        Schema::any().with("type", json_type)
    }

    /// Creates a schema that allows these strings.
    pub fn one_of_strings(names: impl IntoIterator<Item = &'static str>) -> Schema {
        Schema::typed("string").with("enum", names.into_iter().collect::<Vec<_>>())
    }

    /// Creates a schema that allows these strings, each with a title for users.
    pub fn titled_strings(names: impl IntoIterator<Item = (&'static str, &'static str)>) -> Schema {
        let choice = |(name, title)| JsonObject::from_iter([("const", name), ("title", title)]);
        Schema::typed("string").with("oneOf", names.into_iter().map(choice).collect::<Vec<_>>())
    }

    /// Creates a schema that allows the values of each of `schemas`.
    pub fn any_of(schemas: impl IntoIterator<Item = Schema>) -> Schema {
        Schema::any().with("anyOf", schemas.into_iter().map(Schema::into_object).collect::<Vec<_>>())
    }

    /// Creates a schema of an array with a fixed number of values.
    pub fn tuple(schemas: impl IntoIterator<Item = Schema>) -> Schema {
        let items: Vec<JsonObject> = schemas.into_iter().map(Schema::into_object).collect();
        let count = items.len();
        Schema::typed("array").with("prefixItems", items).with("minItems", count).with("maxItems", count)
    }

    /// Sets one keyword.
    pub fn with(mut self, keyword: &str, value: impl ToJson) -> Schema {
        self.set(keyword, value);
        self
    }

    /// Sets one keyword.
    pub fn set(&mut self, keyword: &str, value: impl ToJson) {
        self.0.insert(keyword, value);
    }

    /// Sets the description, unless it is empty.
    pub fn described(self, description: &str) -> Schema {
        if description.is_empty() { self } else { self.with("description", description) }
    }

    /// Returns the keyword's value.
    pub fn get(&self, keyword: &str) -> Option<JsonText<'_>> {
        self.0.get(keyword)
    }

    /// Returns the keywords.
    pub fn as_object(&self) -> &JsonObject {
        &self.0
    }

    /// Returns the keywords.
    pub fn into_object(self) -> JsonObject {
        self.0
    }
}

impl ToJson for Schema {
    fn to_json(&self) -> JsonRef<'_> {
        self.0.to_json()
    }
}

impl From<JsonObject> for Schema {
    fn from(keywords: JsonObject) -> Schema {
        Schema(keywords)
    }
}

/// `true` allows every value, as in JSON Schema. A value that is not a schema allows nothing.
impl From<Value> for Schema {
    fn from(value: Value) -> Schema {
        match value {
            Value::Object(keywords) => Schema(keywords.into()),
            Value::Bool(true) => Schema::any(),
            _ => Schema::any().with("not", JsonObject::new()),
        }
    }
}

impl From<Schema> for Value {
    fn from(schema: Schema) -> Value {
        Value::Object(schema.0.to_map())
    }
}
