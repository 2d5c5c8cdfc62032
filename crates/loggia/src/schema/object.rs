//! Schemas of objects, member by member.

use std::borrow::Cow;

use loggia_wire::JsonText;
use loggia_wire::json::ToJson;

use super::{Direction, Generator, JsonSchema, Schema};
use crate::model::JsonObject;

/// One member of an object: a field of a struct, a parameter of a tool.
#[derive(Debug, Clone)]
pub struct Property {
    name: Cow<'static, str>,
    of_type: fn(&mut Generator) -> Schema,
    optional: bool,
    defaulted: bool,
    skipped_when_empty: bool,
    keywords: JsonObject,
}

impl Property {
    /// Creates a member of type `T`. It is required unless `T` is an `Option`.
    pub fn new<T: JsonSchema>(name: impl Into<Cow<'static, str>>) -> Property {
        Property {
            name: name.into(),
            of_type: T::member,
            optional: T::is_optional(),
            defaulted: false,
            skipped_when_empty: false,
            keywords: JsonObject::new(),
        }
    }

    /// Sets its description.
    pub fn description(self, text: &str) -> Property {
        if text.is_empty() { self } else { self.with("description", text) }
    }

    /// Sets the value that is used if it is absent.
    pub fn default_value(self, value: impl ToJson) -> Property {
        self.defaulted().with("default", value)
    }

    /// Declares that it may be absent in values that this side receives.
    pub fn defaulted(mut self) -> Property {
        self.defaulted = true;
        self
    }

    /// Declares that it is absent in sent values if it is empty (`skip_serializing_if`).
    pub fn skipped_when_empty(mut self) -> Property {
        self.skipped_when_empty = true;
        self
    }

    /// Mirrors the member into the HTTP header `Mcp-Param-{name}`.
    pub fn header(self, name: &str) -> Property {
        self.with("x-mcp-header", name)
    }

    /// Sets one keyword of its schema: `minimum`, `pattern`, …
    pub fn with(mut self, keyword: &str, value: impl ToJson) -> Property {
        self.keywords.insert(keyword, value);
        self
    }

    /// Returns its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn is_required(&self, direction: Direction) -> bool {
        match direction {
            Direction::Input => !self.optional && !self.defaulted,
            Direction::Output => !self.skipped_when_empty,
        }
    }

    /// Returns its schema.
    pub fn schema(&self, generator: &mut Generator) -> Schema {
        let mut schema = (self.of_type)(generator);
        let null_is_written =
            generator.direction() == Direction::Output && self.optional && !self.skipped_when_empty;
        if null_is_written {
            schema = Schema::any_of([schema, Schema::typed("null")]);
        }
        for (keyword, value) in self.keywords.iter() {
            schema.set(&keyword, value);
        }
        schema
    }
}

/// The schema of an object, to which members are added.
#[derive(Debug, Clone, Default)]
pub struct Object {
    properties: JsonObject,
    required: Vec<String>,
    closed: bool,
    rest: Option<JsonObject>,
}

impl Object {
    /// Creates an object without members.
    pub fn new() -> Object {
        Object::default()
    }

    /// Adds a member.
    pub fn property(mut self, generator: &mut Generator, property: Property) -> Object {
        if property.is_required(generator.direction()) {
            self.required.push(property.name().to_owned());
        }
        let schema = property.schema(generator);
        self.properties.insert(&property.name, schema);
        self
    }

    /// Adds a member that always has the value `value`: the tag of an enum.
    pub fn tag(mut self, name: &str, value: &'static str) -> Object {
        self.required.push(name.to_owned());
        self.properties.insert(name, Schema::one_of_strings([value]));
        self
    }

    /// Adds a required member with this schema.
    pub fn member(mut self, name: &str, schema: Schema) -> Object {
        self.required.push(name.to_owned());
        self.properties.insert(name, schema);
        self
    }

    /// Adds the members of `T` as if they were this object's own (`#[serde(flatten)]`).
    pub fn flatten<T: JsonSchema>(mut self, generator: &mut Generator) -> Object {
        // Members cannot be merged through a reference, so the schema of the type is written in place.
        let keywords = T::schema(generator).into_object();
        if let Some(properties) = keywords.get("properties").and_then(JsonText::to_object) {
            properties.iter().for_each(|(name, schema)| self.properties.insert(&name, schema));
        }
        if let Some(Ok(required)) = keywords.get("required").map(JsonText::decode::<Vec<String>>)
            && !T::is_optional()
        {
            self.required.extend(required);
        }
        if let Some(rest) = keywords.get("additionalProperties").and_then(JsonText::to_object) {
            self.rest = Some(rest);
        }
        self
    }

    /// Forbids other members.
    pub fn closed(mut self) -> Object {
        self.closed = true;
        self
    }

    /// Returns the schema.
    pub fn finish(self) -> Schema {
        let mut schema = Schema::typed("object");
        if !self.properties.is_empty() {
            schema.set("properties", self.properties);
        }
        if !self.required.is_empty() {
            schema.set("required", self.required);
        }
        match self.rest {
            Some(rest) => schema.set("additionalProperties", rest),
            None if self.closed => schema.set("additionalProperties", false),
            None => {}
        }
        schema
    }
}
