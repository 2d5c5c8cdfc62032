//! `key=value` words into the JSON arguments of a tool. What a value means is decided by the tool's input
//! schema, so that `limit=5` is a number for a tool that wants a number and text for one that wants text.

use std::path::Path;

use loggia::model::JsonObject;
use loggia::wire::{JsonText, RawJson};
use serde_json::Value;

use crate::exit::{Failure, Outcome};

/// Longest file that `key=@PATH` reads.
const MAX_FILE: u64 = 4 << 20;
/// Deepest chain of local `$ref`s that is followed.
const MAX_REFS: usize = 16;

/// The arguments that `words` spell for a tool with this input schema.
pub(crate) fn arguments(words: &[String], schema: &JsonObject) -> Outcome<JsonObject> {
    let schema = Value::Object(schema.to_map());
    let mut arguments = JsonObject::new();
    for word in words {
        let pair = Pair::parse(word)?;
        let path = pair.path(&schema);
        let target = path.iter().try_fold(&schema, |at, key| property(&schema, at, key));
        let value = pair.value(&schema, target)?;
        insert(&mut arguments, &path, value).map_err(|what| Failure::usage(format!("{word}: {what}")))?;
    }
    Ok(arguments)
}

/// Arguments that are all text, as prompts take them.
pub(crate) fn texts(words: &[String]) -> Outcome<Vec<(String, String)>> {
    words
        .iter()
        .map(|word| {
            let pair = Pair::parse(word)?;
            match pair.form {
                Form::Text => Ok((pair.key.to_owned(), read_text(pair.value)?)),
                Form::Json => {
                    Err(Failure::usage(format!("{word}: these arguments are text: write key=value")))
                }
            }
        })
        .collect()
}

struct Pair<'a> {
    key: &'a str,
    form: Form,
    value: &'a str,
}

#[derive(PartialEq)]
enum Form {
    Text,
    Json,
}

impl<'a> Pair<'a> {
    fn parse(word: &'a str) -> Outcome<Pair<'a>> {
        let Some((key, value)) = word.split_once('=') else {
            return Err(Failure::usage(format!("{word:?} is not an argument"))
                .hint("write key=value, or key:=JSON, or all arguments with --json"));
        };
        let (key, form) = match key.strip_suffix(':') {
            Some(key) => (key, Form::Json),
            None => (key, Form::Text),
        };
        if key.is_empty() {
            return Err(Failure::usage(format!("{word:?} has no key before the '='")));
        }
        Ok(Pair { key, form, value })
    }

    /// The members that lead to the value: `a.b` is two, unless the schema has a property of that very name.
    fn path(&self, schema: &Value) -> Vec<&'a str> {
        let whole = !self.key.contains('.') || property(schema, schema, self.key).is_some();
        if whole { vec![self.key] } else { self.key.split('.').collect() }
    }

    /// The value as it is sent: JSON in the spelling that was typed.
    fn value(&self, root: &Value, target: Option<&Value>) -> Outcome<RawJson> {
        let text = read_text(self.value)?;
        let read = match self.form {
            Form::Json => json(&text).map_err(|e| format!("this is not JSON: {e}")),
            Form::Text => coerce(&text, root, target),
        };
        read.map_err(|what| Failure::usage(format!("{}={}: {what}", self.key, self.value)))
    }
}

/// `@PATH` is the text of that file; anything else is itself.
fn read_text(value: &str) -> Outcome<String> {
    let Some(path) = value.strip_prefix('@').filter(|path| !path.is_empty()) else {
        return Ok(value.to_owned());
    };
    read_file(Path::new(path))
}

/// A file that the user named, within a bound.
pub(crate) fn read_file(path: &Path) -> Outcome<String> {
    let fail =
        |error: &dyn std::fmt::Display| Failure::usage(format!("cannot read {}: {error}", path.display()));
    let length = std::fs::metadata(path).map_err(|e| fail(&e))?.len();
    if length > MAX_FILE {
        return Err(fail(&format!("it has {length} bytes, and the limit is {MAX_FILE}")));
    }
    std::fs::read_to_string(path).map_err(|e| fail(&e))
}

/// The schema of one member of an object whose schema is `at`.
fn property<'s>(root: &'s Value, at: &'s Value, key: &str) -> Option<&'s Value> {
    resolve(root, at).get("properties")?.get(key)
}

/// Follows local references.
fn resolve<'s>(root: &'s Value, mut at: &'s Value) -> &'s Value {
    for _ in 0..MAX_REFS {
        let Some(pointer) = at.get("$ref").and_then(Value::as_str).and_then(|r| r.strip_prefix('#')) else {
            break;
        };
        let Some(next) = root.pointer(pointer) else { break };
        at = next;
    }
    at
}

/// The types that a schema allows; empty where it does not say.
fn types<'s>(root: &'s Value, schema: &'s Value) -> Vec<&'s str> {
    let schema = resolve(root, schema);
    match schema.get("type") {
        Some(Value::String(one)) => return vec![one],
        Some(Value::Array(many)) => return many.iter().filter_map(Value::as_str).collect(),
        _ => {}
    }
    let branches = ["anyOf", "oneOf"].iter().filter_map(|key| schema.get(*key)?.as_array()).flatten();
    let mut all: Vec<&str> = branches.flat_map(|branch| types(root, branch)).collect();
    if all.is_empty()
        && schema.get("enum").and_then(Value::as_array).is_some_and(|e| e.iter().all(Value::is_string))
    {
        all.push("string");
    }
    all
}

fn coerce(text: &str, root: &Value, target: Option<&Value>) -> Result<RawJson, String> {
    let allowed = target.map(|schema| types(root, schema)).unwrap_or_default();
    if allowed.is_empty() {
        return Ok(guess(text));
    }
    if allowed.contains(&"string") {
        return Ok(text.into());
    }
    allowed
        .iter()
        .find_map(|name| read_as(name, text, root, target))
        .ok_or_else(|| format!("the tool expects {}", allowed.join(" or ")))
}

fn json(text: &str) -> Result<RawJson, serde_json::Error> {
    RawJson::parse(text.trim().to_owned())
}

/// Without a schema, what looks like a JSON literal is one.
fn guess(text: &str) -> RawJson {
    json(text).ok().filter(|value| value.as_text().as_str().is_none()).unwrap_or_else(|| text.into())
}

fn read_as(name: &str, text: &str, root: &Value, target: Option<&Value>) -> Option<RawJson> {
    let is = |check: fn(JsonText<'_>) -> bool| json(text).ok().filter(|value| check(value.as_text()));
    match name {
        "integer" => is(|value| is_number(value) && value.as_bytes().iter().all(|b| !b".eE".contains(b))),
        "number" => is(is_number),
        "boolean" => is(|value| value.as_bool().is_some()),
        "null" => is(|value| value.is_null()),
        "object" => is(|value| value.is_object()),
        "array" => is(|value| value.is_array()).or_else(|| split_list(text, root, target)),
        _ => None,
    }
}

fn is_number(value: JsonText<'_>) -> bool {
    value.as_bytes().first().is_some_and(|first| *first == b'-' || first.is_ascii_digit())
}

/// `a,b,c` as a list of what the schema's `items` say.
fn split_list(text: &str, root: &Value, target: Option<&Value>) -> Option<RawJson> {
    let items = target.and_then(|schema| resolve(root, schema).get("items"));
    let parts = if text.is_empty() { Vec::new() } else { text.split(',').collect() };
    let items = parts.into_iter().map(|part| coerce(part.trim(), root, items));
    items.collect::<Result<Vec<_>, _>>().ok().map(|items| RawJson::of(&items))
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
    use super::*;
    use serde_json::json;

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

    fn read(words: &[&str]) -> Result<Value, String> {
        let words: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
        arguments(&words, &schema())
            .map(|arguments| arguments.to_raw().to_value())
            .map_err(|failure| format!("{failure:?}"))
    }

    #[test]
    fn arguments_are_sent_as_they_are_typed() {
        let words = [
            "text=b",
            r#"sort:={"z":-1,"a":1.0}"#,
            "where.z=1e3",
            "where.a=12345678901234567890123",
            "count=12345678901234567890123",
            "labels=b",
            "labels=a",
        ];
        let words = words.map(str::to_owned);
        let sent = arguments(&words, &schema()).expect("arguments");
        assert_eq!(
            sent.as_str(),
            r#"{"text":"b","sort":{"z":-1,"a":1.0},"where":{"z":1e3,"a":12345678901234567890123},"count":12345678901234567890123,"labels":["b","a"]}"#
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
            (vec!["text:={\"any\": [1]}"], json!({ "text": { "any": [1] } })),
            (vec!["unknown=5", "other=five"], json!({ "unknown": 5, "other": "five" })),
        ] {
            assert_eq!(read(&words), Ok(expected), "{words:?}");
        }
    }

    #[test]
    fn what_does_not_fit_is_explained() {
        for (words, part) in [
            (vec!["count=five"], "expects integer"),
            (vec!["count=5.5"], "expects integer"),
            (vec!["sizes=1,x"], "expects array"),
            (vec!["maybe=x"], "integer or null"),
            (vec!["novalue"], "is not an argument"),
            (vec!["=x"], "no key"),
            (vec!["count:={"], "not JSON"),
            (vec!["text=a", "text=b"], "given twice"),
            (vec!["text=a", "text.b=1"], "not an object"),
            (vec!["text=@/no/such/file"], "cannot read"),
        ] {
            let message = read(&words).expect_err("refused");
            assert!(message.contains(part), "{words:?}: {message}");
        }
    }
}
