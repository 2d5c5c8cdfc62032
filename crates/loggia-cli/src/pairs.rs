//! `key=value` words into the JSON arguments of a tool.

use std::path::Path;

use loggia::client::{ArgumentSchema, TextArguments};
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
        let Pair { key, form, value } = Pair::parse(word)?;
        let text = read_text(value)?;
        let added = match form {
            Form::Text => arguments.add_text(key, &text),
            Form::Json => match RawJson::parse(text.trim().to_owned()) {
                Ok(value) => arguments.add_json(key, value),
                Err(error) => Err(format!("this is not JSON: {error}")),
            },
        };
        added.map_err(|what| Failure::usage(format!("{word}: {what}")))?;
    }
    Ok(arguments.into_object())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Result<String, String> {
        let words: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
        let schema = r#"{"properties": {"count": {"type": "integer"}, "text": {"type": "string"}}}"#;
        let schema = JsonObject::read(schema.as_bytes()).expect("an object");
        let arguments = arguments(&words, &schema).map(|arguments| arguments.as_str().to_owned());
        arguments.map_err(|failure| format!("{failure:?}"))
    }

    #[test]
    fn words_become_arguments() {
        let words = ["text=5", "count=5", r#"sort:={"z":-1,"a":1.0}"#, "text2=a=b"];
        let expected = r#"{"text":"5","count":5,"sort":{"z":-1,"a":1.0},"text2":"a=b"}"#;
        assert_eq!(read(&words), Ok(expected.to_owned()));
    }

    #[test]
    fn what_does_not_fit_is_explained() {
        for (words, part) in [
            (vec!["count=five"], "count=five: the tool expects integer"),
            (vec!["novalue"], "is not an argument"),
            (vec!["=x"], "no key"),
            (vec!["count:={"], "count:={: this is not JSON"),
            (vec!["text=a", "text=b"], "given twice"),
            (vec!["text=@/no/such/file"], "cannot read"),
        ] {
            let message = read(&words).expect_err("refused");
            assert!(message.contains(part), "{words:?}: {message}");
        }
    }
}
