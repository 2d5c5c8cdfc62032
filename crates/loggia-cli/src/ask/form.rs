//! A form, one field after the other: what it is, what is allowed, what is filled in already. An answer that
//! does not fit is asked for again.

use loggia::model::{
    BooleanSchema, ElicitFormParams, ElicitResult, EnumSchema, JsonObject, MultiEnumSchema, NumberSchema,
    NumberType, PrimitiveSchema, StringFormat, StringSchema, TitledValue,
};
use serde_json::Value;

use super::Console;
use crate::out::{BOLD, DIM, NAME, WARN};
use crate::text::one_line;

/// The meaning of one line of input.
enum Line {
    /// Nothing was typed.
    Empty,
    /// This value.
    Value(Value),
    /// Something that does not fit, and why.
    Wrong(String),
}

/// Asks for every field, then whether to send.
pub(super) fn fill(console: &mut dyn Console, params: &ElicitFormParams) -> ElicitResult {
    console.say(&format!("{BOLD}The server asks:{BOLD:#} {}", one_line(&params.message)));
    let mut content = JsonObject::new();
    let required = params.requested_schema.required.as_deref().unwrap_or_default();
    for (name, field) in &params.requested_schema.properties {
        match ask(console, name, field, required.contains(name)) {
            Some(Some(value)) => content.insert(name, value),
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

/// One field: its value, `Some(None)` where it is left out, `None` at the end of input.
fn ask(
    console: &mut dyn Console,
    name: &str,
    field: &PrimitiveSchema,
    required: bool,
) -> Option<Option<Value>> {
    let (title, description) = labels(field);
    let title = one_line(title.unwrap_or(name));
    let must = if required { "" } else { ", optional" };
    console.say(&format!("  {NAME}{title}{NAME:#} {DIM}({}{must}){DIM:#}", kind(field)));
    if let Some(description) = description {
        console.say(&format!("  {DIM}{}{DIM:#}", one_line(description)));
    }
    for (n, (value, title)) in choices(field).iter().enumerate() {
        let shown = if value == title {
            one_line(value)
        } else {
            format!("{} ({})", one_line(title), one_line(value))
        };
        console.say(&format!("    {}. {shown}", n + 1));
    }
    let default = default(field);
    let prompt = match &default {
        Some(default) => format!("  {DIM}[{}]{DIM:#} > ", one_line(&plain(default))),
        None => "  > ".to_owned(),
    };
    loop {
        match read(field, &console.read(&prompt)?) {
            Line::Value(value) => return Some(Some(value)),
            Line::Wrong(why) => console.say(&format!("  {WARN}{why}{WARN:#}")),
            Line::Empty if default.is_some() => return Some(default),
            Line::Empty if required => console.say(&format!("  {WARN}this field is required{WARN:#}")),
            Line::Empty => return Some(None),
        }
    }
}

fn labels(field: &PrimitiveSchema) -> (Option<&str>, Option<&str>) {
    let (title, description) = match field {
        PrimitiveSchema::String(schema) => (&schema.title, &schema.description),
        PrimitiveSchema::Number(schema) => (&schema.title, &schema.description),
        PrimitiveSchema::Boolean(schema) => (&schema.title, &schema.description),
        PrimitiveSchema::Enum(schema) => (&schema.title, &schema.description),
        PrimitiveSchema::MultiEnum(schema) => (&schema.title, &schema.description),
    };
    (title.as_deref(), description.as_deref())
}

fn kind(field: &PrimitiveSchema) -> String {
    match field {
        PrimitiveSchema::String(schema) => match schema.format {
            Some(StringFormat::Email) => "an e-mail address".to_owned(),
            Some(StringFormat::Uri) => "a URI".to_owned(),
            Some(StringFormat::Date) => "a date, YYYY-MM-DD".to_owned(),
            Some(StringFormat::DateTime) => "a date and time, YYYY-MM-DDThh:mm:ssZ".to_owned(),
            None => "text".to_owned(),
        },
        PrimitiveSchema::Number(schema) => match (schema.kind, &schema.minimum, &schema.maximum) {
            (NumberType::Integer, None, None) => "a whole number".to_owned(),
            (NumberType::Number, None, None) => "a number".to_owned(),
            (_, Some(least), Some(most)) => format!("a number from {least} to {most}"),
            (_, Some(least), None) => format!("a number from {least} up"),
            (_, None, Some(most)) => format!("a number up to {most}"),
        },
        PrimitiveSchema::Boolean(_) => "yes or no".to_owned(),
        PrimitiveSchema::Enum(_) => "one of these".to_owned(),
        PrimitiveSchema::MultiEnum(_) => "any of these, separated by commas".to_owned(),
    }
}

/// The values of a choice, with what the person sees for each.
fn choices(field: &PrimitiveSchema) -> Vec<(String, String)> {
    let titled = |values: &[TitledValue]| values.iter().map(|v| (v.value.clone(), v.title.clone())).collect();
    let plain = |values: &[String]| values.iter().map(|v| (v.clone(), v.clone())).collect::<Vec<_>>();
    match field {
        PrimitiveSchema::Enum(EnumSchema { one_of: Some(values), .. }) => titled(values),
        PrimitiveSchema::Enum(EnumSchema { values: Some(values), enum_names: Some(names), .. }) => {
            let names = names.iter().map(Some).chain(std::iter::repeat(None));
            values.iter().zip(names).map(|(v, name)| (v.clone(), name.unwrap_or(v).clone())).collect()
        }
        PrimitiveSchema::Enum(EnumSchema { values: Some(values), .. }) => plain(values),
        PrimitiveSchema::MultiEnum(schema) => match (&schema.items.any_of, &schema.items.values) {
            (Some(values), _) => titled(values),
            (None, Some(values)) => plain(values),
            (None, None) => Vec::new(),
        },
        _ => Vec::new(),
    }
}

fn default(field: &PrimitiveSchema) -> Option<Value> {
    match field {
        PrimitiveSchema::String(schema) => schema.default.clone().map(Value::String),
        PrimitiveSchema::Number(schema) => schema.default.clone().map(Value::Number),
        PrimitiveSchema::Boolean(schema) => schema.default.map(Value::Bool),
        PrimitiveSchema::Enum(schema) => schema.default.clone().map(Value::String),
        PrimitiveSchema::MultiEnum(schema) => schema.default.clone().map(Value::from),
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

fn read(field: &PrimitiveSchema, line: &str) -> Line {
    if line.trim().is_empty() {
        return Line::Empty;
    }
    let read = match field {
        PrimitiveSchema::String(schema) => read_text(schema, line),
        PrimitiveSchema::Number(schema) => read_number(schema, line.trim()),
        PrimitiveSchema::Boolean(BooleanSchema { .. }) => read_yes_or_no(line.trim()),
        PrimitiveSchema::Enum(_) => choose(&choices(field), line.trim()).map(Value::String),
        PrimitiveSchema::MultiEnum(schema) => read_choices(schema, &choices(field), line),
    };
    read.map_or_else(Line::Wrong, Line::Value)
}

fn read_text(schema: &StringSchema, line: &str) -> Result<Value, String> {
    let length = line.chars().count() as u64;
    if schema.min_length.is_some_and(|least| length < least) {
        return Err(format!("at least {} characters", schema.min_length.unwrap_or_default()));
    }
    if schema.max_length.is_some_and(|most| length > most) {
        return Err(format!("at most {} characters", schema.max_length.unwrap_or_default()));
    }
    let fits = match schema.format {
        None => true,
        Some(StringFormat::Email) => {
            line.split_once('@').is_some_and(|(user, host)| !user.is_empty() && host.contains('.'))
        }
        Some(StringFormat::Uri) => {
            line.split_once(':').is_some_and(|(scheme, rest)| !scheme.is_empty() && !rest.is_empty())
        }
        Some(StringFormat::Date) => is_date(line),
        Some(StringFormat::DateTime) => {
            line.split_once(['T', 't']).is_some_and(|(date, time)| is_date(date) && is_time(time))
        }
    };
    if fits {
        Ok(Value::String(line.to_owned()))
    } else {
        Err(format!("this is not {}", kind(&PrimitiveSchema::String(schema.clone()))))
    }
}

fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let number = |at: usize, length: usize, most: u32| {
        let part = parts.get(at).filter(|part| part.len() == length);
        part.and_then(|part| part.parse::<u32>().ok()).is_some_and(|n| n <= most && (n > 0 || at == 0))
    };
    parts.len() == 3 && number(0, 4, 9999) && number(1, 2, 12) && number(2, 2, 31)
}

/// `hh:mm:ss` with a fraction or without, and `Z` or an offset (RFC 3339).
fn is_time(text: &str) -> bool {
    let clock = text.get(..8).unwrap_or_default();
    let zone = text
        .get(8..)
        .unwrap_or_default()
        .trim_start_matches(['.', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
    let digits = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
    let offset = |zone: &str| {
        zone.strip_prefix(['+', '-'])
            .and_then(|o| o.split_once(':'))
            .is_some_and(|(h, m)| digits(h) && digits(m))
    };
    clock.split(':').count() == 3
        && clock.split(':').all(digits)
        && (zone.eq_ignore_ascii_case("z") || offset(zone))
}

fn read_number(schema: &NumberSchema, line: &str) -> Result<Value, String> {
    let wrong = || format!("this is not {}", kind(&PrimitiveSchema::Number(schema.clone())));
    let value: Value = serde_json::from_str(line).map_err(|_| wrong())?;
    let number = value.as_f64().ok_or_else(wrong)?;
    let whole = value.is_i64() || value.is_u64();
    let above = schema.minimum.as_ref().and_then(|n| n.as_f64()).is_none_or(|least| number >= least);
    let below = schema.maximum.as_ref().and_then(|n| n.as_f64()).is_none_or(|most| number <= most);
    if (whole || schema.kind == NumberType::Number) && above && below { Ok(value) } else { Err(wrong()) }
}

fn read_yes_or_no(line: &str) -> Result<Value, String> {
    match line.to_ascii_lowercase().as_str() {
        "y" | "yes" | "true" => Ok(Value::Bool(true)),
        "n" | "no" | "false" => Ok(Value::Bool(false)),
        _ => Err("enter yes or no".to_owned()),
    }
}

/// A choice by its value, its title or its number.
fn choose(choices: &[(String, String)], word: &str) -> Result<String, String> {
    let named = choices.iter().find(|(value, title)| value == word || title.eq_ignore_ascii_case(word));
    let numbered = || word.parse::<usize>().ok().and_then(|n| choices.get(n.checked_sub(1)?));
    named
        .or_else(numbered)
        .map(|(value, _)| value.clone())
        .ok_or_else(|| format!("{word:?} is not one of these"))
}

fn read_choices(schema: &MultiEnumSchema, choices: &[(String, String)], line: &str) -> Result<Value, String> {
    let words = line.split(',').map(str::trim).filter(|word| !word.is_empty());
    let chosen = words.map(|word| choose(choices, word)).collect::<Result<Vec<_>, _>>()?;
    let count = chosen.len() as u64;
    if schema.min_items.is_some_and(|least| count < least) {
        return Err(format!("at least {} of them", schema.min_items.unwrap_or_default()));
    }
    if schema.max_items.is_some_and(|most| count > most) {
        return Err(format!("at most {} of them", schema.max_items.unwrap_or_default()));
    }
    Ok(Value::from(chosen))
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

    #[test]
    fn formats_are_looked_at() {
        for (format, good, bad) in [
            ("date", "2026-02-28", "28.2.2026"),
            ("date-time", "2026-02-28T12:00:00Z", "2026-02-28"),
            ("date-time", "2026-02-28T12:00:00.5+01:00", "2026-02-28T12:00:00"),
            ("uri", "https://example.com", "example"),
            ("email", "a@b.c", "a.b.c"),
        ] {
            let schema: StringSchema =
                serde_json::from_value(json!({ "type": "string", "format": format })).expect("a schema");
            assert!(read_text(&schema, good).is_ok(), "{good}");
            assert!(read_text(&schema, bad).is_err(), "{bad}");
        }
    }
}
