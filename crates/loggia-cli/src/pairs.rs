//! `key=value` words into the JSON arguments of a tool.

use std::path::Path;

use loggia::client::{ArgumentSchema, ArgumentSource, ArgumentWord, TextArguments};
use loggia::model::JsonObject;
use loggia::wire::RawJson;

use crate::exit::{Failure, Outcome};

/// Longest file that `key=@PATH` reads.
const MAX_FILE: u64 = 4 << 20;

/// Returns the arguments that `words` spell for a tool with this input schema.
pub(crate) fn arguments(words: &[String], schema: &JsonObject) -> Outcome<JsonObject> {
    let schema = ArgumentSchema::of(schema);
    let mut arguments = TextArguments::new(&schema);
    for word in words {
        let (key, is_json, text) = read(word)?;
        let added = match is_json {
            false => arguments.add_text(key, &text),
            true => match RawJson::parse(text.trim().to_owned()) {
                Ok(value) => arguments.add_json(key, value),
                Err(error) => Err(format!("this is not JSON: {error}")),
            },
        };
        added.map_err(|problem| Failure::usage(format!("{word}: {problem}")))?;
    }
    Ok(arguments.into_object())
}

/// Arguments that are all text, as prompts take them.
pub(crate) fn texts(words: &[String]) -> Outcome<Vec<(String, String)>> {
    let text = |word: &String| match read(word)? {
        (key, false, text) => Ok((key.to_owned(), text)),
        (_, true, _) => Err(Failure::usage(format!("{word}: these arguments are text: write key=value"))),
    };
    words.iter().map(text).collect()
}

/// Returns the key of an argument, whether it is JSON, and its text.
fn read(word: &str) -> Outcome<(&str, bool, String)> {
    let parsed = ArgumentWord::parse(word).map_err(|problem| match word.contains('=') {
        true => Failure::usage(problem),
        false => Failure::usage(problem).hint("write key=value, or key:=JSON, or all arguments with --json"),
    })?;
    let text = match parsed.source {
        ArgumentSource::Text(text) => text.to_owned(),
        ArgumentSource::File(path) => read_file(Path::new(path))?,
    };
    Ok((parsed.key, parsed.is_json, text))
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
