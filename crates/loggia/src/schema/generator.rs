//! Writes the schemas of types in place; a type that contains itself becomes a definition.

use std::collections::BTreeMap;

use super::{JsonSchema, Schema};
use crate::model::JsonObject;

/// The direction of the value. It decides what an absent member and `null` mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The other side sends the value: a member with a default may be absent.
    Input,
    /// This side sends the value: a member that is always written is required, and `None` is `null`.
    Output,
}

/// Writes one schema.
#[derive(Debug)]
pub struct Generator {
    direction: Direction,
    /// The named types whose schemas are being written, outermost first, by their Rust names.
    open: Vec<&'static str>,
    /// Those of them that contain themselves.
    recursive: Vec<&'static str>,
    /// Definition names, by Rust names.
    names: BTreeMap<&'static str, String>,
    definitions: JsonObject,
}

impl Generator {
    /// Creates a generator for one direction.
    pub fn new(direction: Direction) -> Generator {
        Generator {
            direction,
            open: Vec::new(),
            recursive: Vec::new(),
            names: BTreeMap::new(),
            definitions: JsonObject::new(),
        }
    }

    /// Returns the direction of the value.
    pub fn direction(&self) -> Direction {
        self.direction
    }

    /// Returns the whole schema of `T`.
    pub fn root<T: JsonSchema + ?Sized>(mut self) -> Schema {
        let id = std::any::type_name::<T>();
        self.open.push(id);
        let schema = T::schema(&mut self);
        if let (true, Some(name)) = (self.recursive.contains(&id), self.names.get(id)) {
            self.definitions.insert(name, &schema);
        }
        self.finish(schema)
    }

    /// Returns `schema` with the definitions that were needed while it was written.
    pub fn finish(self, schema: Schema) -> Schema {
        if self.definitions.is_empty() { schema } else { schema.with("$defs", self.definitions) }
    }

    /// Returns the schema of a `T` inside another type.
    pub fn subschema<T: JsonSchema + ?Sized>(&mut self) -> Schema {
        let Some(name) = T::name() else { return T::schema(self) };
        let id = std::any::type_name::<T>();
        if self.open.contains(&id) {
            self.recursive.push(id);
            return self.reference(id, name);
        }
        self.open.push(id);
        let schema = T::schema(self);
        self.open.pop();
        if !self.recursive.contains(&id) {
            return schema;
        }
        let reference = self.reference(id, name);
        let key = self.names[id].clone();
        self.definitions.insert(&key, schema);
        reference
    }

    fn reference(&mut self, id: &'static str, name: &str) -> Schema {
        if !self.names.contains_key(id) {
            let taken = |candidate: &String| self.names.values().any(|used| used == candidate);
            let free = std::iter::once(name.to_owned())
                .chain((2..).map(|n| format!("{name}{n}")))
                .find(|candidate| !taken(candidate))
                .unwrap_or_default();
            self.names.insert(id, free);
        }
        Schema::any().with("$ref", format!("#/$defs/{}", self.names[id]))
    }
}
