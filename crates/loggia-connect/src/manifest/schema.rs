//! The JSON Schema of connector manifests, for editors.

use serde_json::{Map, Value, json};

use super::format::{KeyFormat, MANIFEST, TableFormat, ValueFormat};

/// Returns the JSON Schema (draft 7, which editors of TOML know) of a connector manifest.
pub fn schema() -> Value {
    let mut definitions = Map::new();
    let mut root = table(&MANIFEST, &mut definitions);
    root["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    root["title"] = json!("Loggia connector manifest");
    root["definitions"] = Value::Object(definitions);
    root
}

fn table(format: &'static TableFormat, definitions: &mut Map<String, Value>) -> Value {
    let properties: Map<String, Value> =
        format.keys.iter().map(|key| (key.name.to_owned(), property(key, definitions))).collect();
    let required: Vec<&str> = format.keys.iter().filter(|key| key.is_required).map(|key| key.name).collect();
    let mut schema = json!({ "type": "object", "additionalProperties": false, "properties": properties });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

fn property(key: &KeyFormat, definitions: &mut Map<String, Value>) -> Value {
    let mut description = key.description.to_owned();
    if !key.kinds.is_empty() {
        let kinds: Vec<&str> = key.kinds.iter().map(|kind| kind.as_str()).collect();
        description = format!("{description} For backends of kind {}.", kinds.join(", "));
    }
    let mut schema = value(&key.value, definitions);
    // Draft 7 ignores what stands beside a reference.
    if schema.get("$ref").is_some() {
        schema = json!({ "allOf": [schema] });
    }
    schema["description"] = json!(description);
    schema
}

fn value(format: &ValueFormat, definitions: &mut Map<String, Value>) -> Value {
    match format {
        ValueFormat::Text | ValueFormat::Template | ValueFormat::Filter => json!({ "type": "string" }),
        ValueFormat::Pattern(pattern, _) => json!({ "type": "string", "pattern": pattern }),
        ValueFormat::Url => json!({ "type": "string", "pattern": "^https?://" }),
        ValueFormat::Choice(choices) => json!({ "type": "string", "enum": choices }),
        ValueFormat::Boolean => json!({ "type": "boolean" }),
        ValueFormat::Integer => json!({ "type": "integer", "minimum": 1 }),
        ValueFormat::Number => json!({ "type": "number" }),
        ValueFormat::Duration => json!({ "type": "string" }),
        ValueFormat::Size => json!({ "type": ["string", "integer"] }),
        ValueFormat::Rate => json!({ "type": "string", "pattern": "^[1-9][0-9]*/(s|min|h)$" }),
        ValueFormat::Any => json!({}),
        ValueFormat::List(item) => json!({ "type": "array", "items": value(item, definitions) }),
        ValueFormat::Map(item) => {
            json!({ "type": "object", "additionalProperties": value(item, definitions) })
        }
        ValueFormat::Either(one, other) => {
            json!({ "anyOf": [value(one, definitions), value(other, definitions)] })
        }
        ValueFormat::Table(format) => {
            if !definitions.contains_key(format.name) {
                let written = table(format, definitions);
                definitions.insert(format.name.to_owned(), written);
            }
            json!({ "$ref": format!("#/definitions/{}", format.name) })
        }
    }
}
