//! The schema of a tool's arguments, as far as a user wants to see it and a client needs it to read texts: names, types,
//! descriptions. Invariant: every schema can be read; a part that is not understood allows anything.

use loggia_wire::JsonText;
use loggia_wire::model::JsonObject;
use serde_json::Value;

/// Deepest chain of local `$ref`s that is followed.
const MAX_REFS: usize = 16;
/// Deepest type that is looked at.
const MAX_DEPTH: usize = 4;
/// Most branches of one `anyOf` or `oneOf` that are looked at: each may refer to the schema that it is in.
const MAX_BRANCHES: usize = 32;

/// The input or output schema of a tool.
#[derive(Debug, Clone)]
pub struct ArgumentSchema {
    root: Value,
    /// The names of the properties, in the order of the schema.
    names: Vec<String>,
}

/// One argument of a tool, or one member of its structured result.
#[derive(Debug, Clone, PartialEq)]
pub struct ArgumentDescription<'s> {
    /// The name.
    pub name: &'s str,
    /// The type as people write it: `string`, `integer[]`, `"a" | "b"`.
    pub type_text: String,
    /// True if it must be given.
    pub is_required: bool,
    /// The value that the server takes where it is not given.
    pub default: Option<&'s Value>,
    /// The description.
    pub description: Option<&'s str>,
}

impl ArgumentSchema {
    /// Reads a schema.
    pub fn of(schema: &JsonObject) -> ArgumentSchema {
        let properties = schema.get("properties").and_then(JsonText::to_object).unwrap_or_default();
        let names = properties.iter().map(|(name, _)| name.into_owned()).collect();
        ArgumentSchema { root: Value::Object(schema.to_map()), names }
    }

    /// Returns the arguments in the order of the schema.
    pub fn arguments(&self) -> impl Iterator<Item = ArgumentDescription<'_>> {
        self.names.iter().filter_map(|name| self.describe(name))
    }

    fn describe<'s>(&'s self, name: &'s str) -> Option<ArgumentDescription<'s>> {
        let schema = self.root.get("properties")?.get(name)?;
        let required = self.root.get("required").and_then(Value::as_array);
        Some(ArgumentDescription {
            name,
            type_text: self.type_text(schema, MAX_DEPTH),
            is_required: required.is_some_and(|required| required.iter().any(|entry| entry == name)),
            default: schema.get("default"),
            description: schema.get("description").and_then(Value::as_str),
        })
    }

    /// Returns the schema of the member at a path.
    pub(crate) fn member(&self, path: &[&str]) -> Option<&Value> {
        path.iter().try_fold(&self.root, |at, key| self.resolve(at).get("properties")?.get(key))
    }

    /// Returns the schema of the items of an array.
    pub(crate) fn items<'s>(&'s self, schema: &'s Value) -> Option<&'s Value> {
        self.resolve(schema).get("items")
    }

    /// Returns the types that a schema allows; empty where it does not say.
    pub(crate) fn types<'s>(&'s self, schema: &'s Value) -> Vec<&'s str> {
        self.types_within(schema, MAX_DEPTH)
    }

    fn types_within<'s>(&'s self, schema: &'s Value, depth: usize) -> Vec<&'s str> {
        let schema = self.resolve(schema);
        match schema.get("type") {
            Some(Value::String(one)) => return vec![one],
            Some(Value::Array(many)) => return many.iter().filter_map(Value::as_str).collect(),
            _ if depth == 0 => return Vec::new(),
            _ => {}
        }
        let mut all: Vec<&str> =
            branches(schema).iter().flat_map(|branch| self.types_within(branch, depth - 1)).collect();
        let values = schema.get("enum").and_then(Value::as_array);
        if all.is_empty() && values.is_some_and(|values| values.iter().all(Value::is_string)) {
            all.push("string");
        }
        all
    }

    /// Follows local references.
    fn resolve<'s>(&'s self, mut at: &'s Value) -> &'s Value {
        for _ in 0..MAX_REFS {
            let pointer = at.get("$ref").and_then(Value::as_str).and_then(|r| r.strip_prefix('#'));
            let Some(next) = pointer.and_then(|pointer| self.root.pointer(pointer)) else { break };
            at = next;
        }
        at
    }

    fn type_text(&self, schema: &Value, depth: usize) -> String {
        let schema = self.resolve(schema);
        if depth == 0 {
            return "…".to_owned();
        }
        if let Some(values) = schema.get("enum").and_then(Value::as_array) {
            return joined(values.iter().map(Value::to_string));
        }
        if let Some(value) = schema.get("const") {
            return value.to_string();
        }
        let branches = branches(schema);
        if !branches.is_empty() {
            return joined(branches.iter().map(|branch| self.type_text(branch, depth - 1)));
        }
        match schema.get("type") {
            Some(Value::String(name)) if name == "array" => match schema.get("items") {
                Some(items) => format!("{}[]", bracketed(self.type_text(items, depth - 1))),
                None => "array".to_owned(),
            },
            Some(Value::String(name)) => name.clone(),
            Some(Value::Array(names)) => joined(names.iter().filter_map(Value::as_str).map(str::to_owned)),
            _ => "any".to_owned(),
        }
    }
}

/// Returns the schemas of which an instance has one.
fn branches(schema: &Value) -> &[Value] {
    let all = ["anyOf", "oneOf"].iter().find_map(|key| schema.get(*key)?.as_array());
    let all = all.map(Vec::as_slice).unwrap_or_default();
    &all[..all.len().min(MAX_BRANCHES)]
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(" | ")
}

fn bracketed(name: String) -> String {
    if name.contains(' ') { format!("({name})") } else { name }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema(value: Value) -> ArgumentSchema {
        ArgumentSchema::of(&JsonObject::try_from(value).expect("an object"))
    }

    #[test]
    fn types_are_written_as_people_write_them() {
        for (argument, expected) in [
            (json!({ "type": "string" }), "string"),
            (json!({ "type": ["integer", "null"] }), "integer | null"),
            (json!({ "type": "array", "items": { "type": "string" } }), "string[]"),
            (json!({ "type": "array", "items": { "enum": ["a", "b"] } }), "(\"a\" | \"b\")[]"),
            (json!({ "anyOf": [{ "$ref": "#/$defs/Level" }, { "type": "null" }] }), "integer | null"),
            (json!({ "$ref": "#/$defs/Missing" }), "any"),
            (json!({ "$ref": "#/$defs/Loop" }), "…[][][][]"),
            (json!({ "const": 5 }), "5"),
            (json!(true), "any"),
        ] {
            let endless = json!({ "type": "array", "items": { "$ref": "#/$defs/Loop" } });
            let all = schema(json!({
                "$defs": { "Level": { "type": "integer" }, "Loop": endless },
                "properties": { "a": argument },
            }));
            let described: Vec<String> = all.arguments().map(|argument| argument.type_text).collect();
            assert_eq!(described, [expected], "{argument}");
        }
    }

    #[test]
    fn a_schema_that_refers_to_itself_ends() {
        let node = json!({ "anyOf": [{ "$ref": "#/$defs/Node" }, { "$ref": "#/$defs/Node" }] });
        let all =
            schema(json!({ "$defs": { "Node": { "$ref": "#/$defs/Node" } }, "properties": { "a": node } }));
        assert_eq!(all.member(&["a"]).map(|schema| all.types(schema)), Some(Vec::new()));
    }

    #[test]
    fn arguments_are_described_in_the_order_of_the_schema() {
        let all = schema(json!({ "properties": {}, "required": ["b"] }));
        assert_eq!(all.arguments().count(), 0);
        let text = r#"{"properties": {"z": {"default": 1}, "b": {"type": "string", "description": "B"}}, "required": ["b"]}"#;
        let all = ArgumentSchema::of(&JsonObject::read(text.as_bytes()).expect("an object"));
        let argument = |name, type_text: &str, is_required, default, description| ArgumentDescription {
            name,
            type_text: type_text.to_owned(),
            is_required,
            default,
            description,
        };
        let one = json!(1);
        assert_eq!(
            all.arguments().collect::<Vec<_>>(),
            [argument("z", "any", false, Some(&one), None), argument("b", "string", true, None, Some("B"))]
        );
    }
}
