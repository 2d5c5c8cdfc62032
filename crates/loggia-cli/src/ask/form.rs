//! A form, one field after the other: what it is, what is allowed, what is filled in already. An answer that
//! does not fit is asked for again.

use loggia::client::{FormChoice, FormField};
use loggia::model::{ElicitFormParams, ElicitResult, JsonObject};
use serde_json::Value;

use super::Console;
use crate::out::{BOLD, DIM, NAME, WARN};
use crate::text::one_line;

/// Asks for every field, then whether to send.
pub(super) fn fill(console: &mut dyn Console, params: &ElicitFormParams) -> ElicitResult {
    console.say(&format!("{BOLD}The server asks:{BOLD:#} {}", one_line(&params.message)));
    let mut content = JsonObject::new();
    for field in FormField::all(&params.requested_schema) {
        match ask(console, field) {
            Some(Some(value)) => content.insert(field.name(), value),
            Some(None) => {}
            None => return ElicitResult::cancel(),
        }
    }
    match console.read(&format!("Send this? {DIM}[Y]es, no (declines), Ctrl-D cancels{DIM:#} ")).as_deref() {
        None => ElicitResult::cancel(),
        Some(line) if line.trim().to_ascii_lowercase().starts_with('n') => ElicitResult::decline(),
        Some(_) => ElicitResult::accept(content),
    }
}

/// Asks for one field: returns its value, `Some(None)` where it is left out, `None` at the end of input.
fn ask(console: &mut dyn Console, field: FormField<'_>) -> Option<Option<Value>> {
    let must = if field.is_required() { "" } else { ", optional" };
    let title = one_line(field.title());
    console.say(&format!("  {NAME}{title}{NAME:#} {DIM}({}{must}){DIM:#}", field.expects()));
    if let Some(description) = field.description() {
        console.say(&format!("  {DIM}{}{DIM:#}", one_line(description)));
    }
    for (n, FormChoice { value, title }) in field.choices().iter().enumerate() {
        let more = if value == title { String::new() } else { format!(" ({})", one_line(value)) };
        console.say(&format!("    {}. {}{more}", n + 1, one_line(title)));
    }
    let default = field.default_value();
    let prompt = match &default {
        Some(default) => format!("  {DIM}[{}]{DIM:#} > ", one_line(&plain(default))),
        None => "  > ".to_owned(),
    };
    loop {
        match field.read(&console.read(&prompt)?) {
            Ok(Some(value)) => return Some(Some(value)),
            Ok(None) if default.is_none() && field.is_required() => {
                console.say(&format!("  {WARN}this field is required{WARN:#}"));
            }
            Ok(None) => return Some(default),
            Err(why) => console.say(&format!("  {WARN}{why}{WARN:#}")),
        }
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Array(values) => values.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::Script;
    use super::*;
    use loggia::model::ElicitAction;
    use serde_json::json;

    fn form() -> ElicitFormParams {
        let params = json!({
            "message": "Who are you?",
            "requestedSchema": {
                "type": "object",
                "properties": {
                    "a-name": { "type": "string", "minLength": 2, "title": "Your name" },
                    "b-mail": { "type": "string", "format": "email" },
                    "c-age": { "type": "integer", "minimum": 0, "maximum": 150, "default": 30 },
                    "d-fine": { "type": "boolean", "description": "All is well" },
                    "e-color": { "type": "string", "oneOf": [{ "const": "r", "title": "Red" }, { "const": "b", "title": "Blue" }] },
                    "f-days": { "type": "array", "maxItems": 2, "items": { "type": "string", "enum": ["mon", "tue", "wed"] } },
                },
                "required": ["a-name", "e-color"],
            },
        });
        serde_json::from_value(params).expect("params")
    }

    #[test]
    fn a_form_is_filled_in_field_by_field() {
        let answers = [
            "",
            "x",
            "Ann",
            "nobody",
            "ann@example.com",
            "-3",
            "",
            "perhaps",
            "y",
            "3",
            "blue",
            "mon,tue,wed",
            "1, wed",
            "y",
        ];
        let mut script = Script { answers: answers.into(), ..Script::default() };
        let result = fill(&mut script, &form());
        assert_eq!(result.action, ElicitAction::Accept);
        let expected = json!({
            "a-name": "Ann", "b-mail": "ann@example.com", "c-age": 30, "d-fine": true, "e-color": "b", "f-days": ["mon", "wed"],
        });
        assert_eq!(json!(result.content), expected);
        insta::assert_snapshot!(script.shown);
    }

    #[test]
    fn optional_fields_may_be_left_out_and_the_whole_may_be_refused() {
        for (answers, action) in [
            (vec!["Ann", "", "", "", "1", "", "no"], ElicitAction::Decline),
            (vec!["Ann"], ElicitAction::Cancel),
            (vec!["Ann", "", "", "", "1", ""], ElicitAction::Cancel),
            (vec!["Ann", "", "", "", "1", "", ""], ElicitAction::Accept),
        ] {
            let mut script = Script { answers: answers.into(), ..Script::default() };
            assert_eq!(fill(&mut script, &form()).action, action);
        }
    }
}
