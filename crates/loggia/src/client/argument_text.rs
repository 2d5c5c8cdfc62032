//! Arguments of a tool from texts, as a user types them into a line or a field. The input schema of the tool decides what
//! a text means, so that `5` is a number for a tool that wants a number, and text for one that wants text.

use loggia_wire::model::JsonObject;
use loggia_wire::{JsonText, RawJson};
use serde_json::Value;

use crate::client::ArgumentSchema;

/// The arguments of a call, collected one by one.
///
/// ```
/// use loggia::client::{ArgumentSchema, TextArguments};
/// use loggia::model::JsonObject;
///
/// let schema = r#"{"properties": {"limit": {"type": "integer"}, "labels": {"type": "array"}}}"#;
/// let schema = ArgumentSchema::of(&JsonObject::read(schema.as_bytes()).expect("an object"));
/// let mut arguments = TextArguments::new(&schema);
/// arguments.add_text("limit", "5")?;
/// arguments.add_text("labels", "a,b")?;
/// assert_eq!(arguments.into_object().as_str(), r#"{"limit":5,"labels":["a","b"]}"#);
/// # Ok::<(), String>(())
/// ```
#[derive(Debug)]
pub struct TextArguments<'s> {
    schema: &'s ArgumentSchema,
    object: JsonObject,
}

impl<'s> TextArguments<'s> {
    /// Begins with no arguments, for a tool with this input schema.
    pub fn new(schema: &'s ArgumentSchema) -> TextArguments<'s> {
        TextArguments { schema, object: JsonObject::new() }
    }

    /// Adds the value that `text` means. The key `a.b` is the member `b` of the object `a`, unless the schema has a property
    /// of that very name. A list is written as JSON or as `a,b,c`; further values for the key of a list are appended.
    ///
    /// # Errors
    ///
    /// A sentence for the user where the text does not fit the schema, or the key has a value already.
    pub fn add_text(&mut self, key: &str, text: &str) -> Result<(), String> {
        let path = self.path(key);
        let value = self.coerce(text, self.schema.member(&path))?;
        insert(&mut self.object, &path, value)
    }

    /// Adds a value, whatever the schema says.
    ///
    /// # Errors
    ///
    /// A sentence for the user where the key has a value already.
    pub fn add_json(&mut self, key: &str, value: RawJson) -> Result<(), String> {
        let path = self.path(key);
        insert(&mut self.object, &path, value)
    }

    /// Returns the arguments, each in the spelling of its text.
    pub fn into_object(self) -> JsonObject {
        self.object
    }

    /// Returns the members that lead to the value of a key.
    fn path<'k>(&self, key: &'k str) -> Vec<&'k str> {
        let is_whole = !key.contains('.') || self.schema.member(&[key]).is_some();
        if is_whole { vec![key] } else { key.split('.').collect() }
    }

    fn coerce(&self, text: &str, target: Option<&Value>) -> Result<RawJson, String> {
        let allowed = target.map(|schema| self.schema.types(schema)).unwrap_or_default();
        if allowed.is_empty() {
            return Ok(guess(text));
        }
        if allowed.contains(&"string") {
            return Ok(text.into());
        }
        let read = allowed.iter().find_map(|name| self.read_as(name, text, target));
        read.ok_or_else(|| format!("the tool expects {}", allowed.join(" or ")))
    }

    fn read_as(&self, name: &str, text: &str, target: Option<&Value>) -> Option<RawJson> {
        let is = |check: fn(JsonText<'_>) -> bool| json(text).filter(|value| check(value.as_text()));
        match name {
            "integer" => is(|value| is_number(value) && value.as_bytes().iter().all(|b| !b".eE".contains(b))),
            "number" => is(is_number),
            "boolean" => is(|value| value.as_bool().is_some()),
            "null" => is(|value| value.is_null()),
            "object" => is(|value| value.is_object()),
            "array" => is(|value| value.is_array()).or_else(|| self.split_list(text, target)),
            _ => None,
        }
    }

    /// Reads `a,b,c` as a list of what the schema's `items` say.
    fn split_list(&self, text: &str, target: Option<&Value>) -> Option<RawJson> {
        let items = target.and_then(|schema| self.schema.items(schema));
        let parts = if text.is_empty() { Vec::new() } else { text.split(',').collect() };
        let items = parts.into_iter().map(|part| self.coerce(part.trim(), items));
        items.collect::<Result<Vec<_>, _>>().ok().map(|items| RawJson::of(&items))
    }
}

fn json(text: &str) -> Option<RawJson> {
    RawJson::parse(text.trim().to_owned()).ok()
}

/// Reads a text without a schema: as a JSON literal where it looks like one.
fn guess(text: &str) -> RawJson {
    json(text).filter(|value| value.as_text().as_str().is_none()).unwrap_or_else(|| text.into())
}

fn is_number(value: JsonText<'_>) -> bool {
    value.as_bytes().first().is_some_and(|first| *first == b'-' || first.is_ascii_digit())
}

fn insert(into: &mut JsonObject, path: &[&str], value: RawJson) -> Result<(), String> {
    let Some((key, rest)) = path.split_first() else { return Ok(()) };
    let present = into.get(key).map(JsonText::to_raw);
    if !rest.is_empty() {
        let inner = present.map_or(Some(JsonObject::new()), |present| present.as_text().to_object());
        let mut inner = inner.ok_or_else(|| format!("{key:?} already has a value that is not an object"))?;
        insert(&mut inner, rest, value)?;
        into.insert(key, inner);
        return Ok(());
    }
    match present {
        None => into.insert(key, value),
        Some(list) => {
            let (Some(list), Some(more)) = (list.as_text().items(), value.as_text().items()) else {
                return Err(format!("{key:?} is given twice"));
            };
            into.insert(key, list.chain(more).collect::<Vec<_>>());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> JsonObject {
        let schema = json!({
            "type": "object",
            "$defs": { "Level": { "type": "integer" } },
            "properties": {
                "text": { "type": "string" },
                "count": { "type": "integer" },
                "ratio": { "type": "number" },
                "flag": { "type": "boolean" },
                "labels": { "type": "array", "items": { "type": "string" } },
                "sizes": { "type": "array", "items": { "type": "integer" } },
                "maybe": { "anyOf": [{ "type": "integer" }, { "type": "null" }] },
                "level": { "$ref": "#/$defs/Level" },
                "color": { "enum": ["red", "7"] },
                "dotted.name": { "type": "integer" },
                "where": { "type": "object", "properties": { "line": { "type": "integer" } } },
            },
        });
        JsonObject::try_from(schema).expect("an object")
    }

    /// Adds texts, written `key=text`.
    fn read(words: &[&str]) -> Result<JsonObject, String> {
        let schema = ArgumentSchema::of(&schema());
        let mut arguments = TextArguments::new(&schema);
        for word in words {
            let (key, text) = word.split_once('=').expect("a pair");
            arguments.add_text(key, text)?;
        }
        Ok(arguments.into_object())
    }

    #[test]
    fn arguments_are_sent_as_they_are_typed() {
        let words = [
            "text=b",
            "where.z=1e3",
            "where.a=12345678901234567890123",
            "count=12345678901234567890123",
            "labels=b",
            "labels=a",
        ];
        let sent = read(&words).expect("arguments");
        assert_eq!(
            sent.as_str(),
            r#"{"text":"b","where":{"z":1e3,"a":12345678901234567890123},"count":12345678901234567890123,"labels":["b","a"]}"#
        );
    }

    #[test]
    fn values_follow_the_schema() {
        for (words, expected) in [
            (vec!["text=5"], json!({ "text": "5" })),
            (vec!["text="], json!({ "text": "" })),
            (vec!["text=a=b"], json!({ "text": "a=b" })),
            (vec!["count=5", "ratio=0.5", "flag=true"], json!({ "count": 5, "ratio": 0.5, "flag": true })),
            (vec!["labels=a, b"], json!({ "labels": ["a", "b"] })),
            (vec!["labels=a", "labels=b"], json!({ "labels": ["a", "b"] })),
            (vec!["labels="], json!({ "labels": [] })),
            (vec!["sizes=1,2"], json!({ "sizes": [1, 2] })),
            (vec!["sizes=[1,2]"], json!({ "sizes": [1, 2] })),
            (vec!["maybe=null"], json!({ "maybe": null })),
            (vec!["maybe=3", "level=4", "color=7"], json!({ "maybe": 3, "level": 4, "color": "7" })),
            (vec!["dotted.name=1"], json!({ "dotted.name": 1 })),
            (vec!["where.line=1", "where.other=x"], json!({ "where": { "line": 1, "other": "x" } })),
            (vec!["unknown=5", "other=five"], json!({ "unknown": 5, "other": "five" })),
        ] {
            assert_eq!(
                read(&words).map(|arguments| arguments.to_raw().to_value()),
                Ok(expected),
                "{words:?}"
            );
        }
    }

    #[test]
    fn a_text_that_does_not_fit_is_explained() {
        for (words, part) in [
            (vec!["count=five"], "expects integer"),
            (vec!["count=5.5"], "expects integer"),
            (vec!["sizes=1,x"], "expects array"),
            (vec!["maybe=x"], "integer or null"),
            (vec!["text=a", "text=b"], "given twice"),
            (vec!["text=a", "text.b=1"], "not an object"),
        ] {
            let message = read(&words).expect_err("refused");
            assert!(message.contains(part), "{words:?}: {message}");
        }
    }

    #[test]
    fn json_is_added_as_it_is_written() {
        let schema = ArgumentSchema::of(&schema());
        let mut arguments = TextArguments::new(&schema);
        let mut add =
            |key: &str, text: &str| arguments.add_json(key, RawJson::parse(text.to_owned()).expect("JSON"));
        assert_eq!(add("sort", r#"{"z":-1,"a":1.0}"#), Ok(()));
        assert_eq!(add("where.text", "1"), Ok(()));
        assert!(add("sort", "1").is_err_and(|why| why.contains("given twice")));
        assert_eq!(arguments.into_object().as_str(), r#"{"sort":{"z":-1,"a":1.0},"where":{"text":1}}"#);
    }
}
