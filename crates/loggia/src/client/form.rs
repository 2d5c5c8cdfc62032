//! The form of an elicitation as a user sees it: for each field its title, what it expects, and what a typed text means.
//! A client with a terminal, a window or a page needs the same, so it is here. Invariant: a value that [`FormField::read`]
//! returns meets the schema of the field.

use loggia_wire::model::{
    ElicitSchema, EnumSchema, MultiEnumSchema, NumberSchema, NumberType, PrimitiveSchema, StringFormat,
    StringSchema, TitledValue,
};
use serde_json::Value;

/// One field of a form.
#[derive(Debug, Clone, Copy)]
pub struct FormField<'f> {
    name: &'f str,
    schema: &'f PrimitiveSchema,
    is_required: bool,
}

/// One value of a field that offers a choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormChoice {
    /// The value that is sent.
    pub value: String,
    /// The text that the user sees for it.
    pub title: String,
}

impl<'f> FormField<'f> {
    /// Returns the fields of a form, in its order.
    pub fn all(form: &'f ElicitSchema) -> impl Iterator<Item = FormField<'f>> {
        let required = form.required.as_deref().unwrap_or_default();
        let fields = form.properties.iter();
        fields.map(|(name, schema)| FormField { name, schema, is_required: required.contains(name) })
    }

    /// Returns the name by which the value is sent.
    pub fn name(self) -> &'f str {
        self.name
    }

    /// Returns the title, or else the name. The server wrote it, as all texts of a field.
    pub fn title(self) -> &'f str {
        self.labels().0.unwrap_or(self.name)
    }

    /// Returns the description.
    pub fn description(self) -> Option<&'f str> {
        self.labels().1
    }

    /// Returns whether the user must fill it in.
    pub fn is_required(self) -> bool {
        self.is_required
    }

    /// Returns what the user may enter, as a phrase: `a number from 0 to 150`.
    pub fn expects(self) -> String {
        match self.schema {
            PrimitiveSchema::String(schema) => text_phrase(schema).to_owned(),
            PrimitiveSchema::Number(schema) => number_phrase(schema),
            PrimitiveSchema::Boolean(_) => "yes or no".to_owned(),
            PrimitiveSchema::Enum(_) => "one of these".to_owned(),
            PrimitiveSchema::MultiEnum(_) => "any of these, separated by commas".to_owned(),
        }
    }

    /// Returns the value that is filled in already.
    pub fn default_value(self) -> Option<Value> {
        default_of(self.schema)
    }

    /// Returns the values to choose from; none for a field that offers no choice.
    pub fn choices(self) -> Vec<FormChoice> {
        let titled = |values: &[TitledValue]| {
            values.iter().map(|v| FormChoice { value: v.value.clone(), title: v.title.clone() }).collect()
        };
        let plain = |values: &[String]| {
            values.iter().map(|v| FormChoice { value: v.clone(), title: v.clone() }).collect::<Vec<_>>()
        };
        match self.schema {
            PrimitiveSchema::Enum(EnumSchema { one_of: Some(values), .. }) => titled(values),
            PrimitiveSchema::Enum(EnumSchema { values: Some(values), enum_names: Some(names), .. }) => {
                let names = names.iter().map(Some).chain(std::iter::repeat(None));
                values
                    .iter()
                    .zip(names)
                    .map(|(v, name)| FormChoice { value: v.clone(), title: name.unwrap_or(v).clone() })
                    .collect()
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

    /// Reads a text that the user typed: `None` for a blank one. A choice is named by its value, its title or its number in
    /// [`choices`](FormField::choices), which begins with 1.
    ///
    /// # Errors
    ///
    /// A sentence for the user where the text does not fit the field.
    pub fn read(self, text: &str) -> Result<Option<Value>, String> {
        if text.trim().is_empty() {
            return Ok(None);
        }
        let value = match self.schema {
            PrimitiveSchema::String(schema) => read_text(schema, text),
            PrimitiveSchema::Number(schema) => read_number(schema, text.trim()),
            PrimitiveSchema::Boolean(_) => read_yes_or_no(text.trim()),
            PrimitiveSchema::Enum(_) => choose(&self.choices(), text.trim()).map(Value::String),
            PrimitiveSchema::MultiEnum(schema) => read_choices(schema, &self.choices(), text),
        };
        value.map(Some)
    }

    fn labels(self) -> (Option<&'f str>, Option<&'f str>) {
        let (title, description) = match self.schema {
            PrimitiveSchema::String(schema) => (&schema.title, &schema.description),
            PrimitiveSchema::Number(schema) => (&schema.title, &schema.description),
            PrimitiveSchema::Boolean(schema) => (&schema.title, &schema.description),
            PrimitiveSchema::Enum(schema) => (&schema.title, &schema.description),
            PrimitiveSchema::MultiEnum(schema) => (&schema.title, &schema.description),
        };
        (title.as_deref(), description.as_deref())
    }
}

/// Returns the value that a field has where the user fills in none (SEP-1034).
pub(crate) fn default_of(schema: &PrimitiveSchema) -> Option<Value> {
    match schema {
        PrimitiveSchema::String(schema) => schema.default.clone().map(Value::from),
        PrimitiveSchema::Number(schema) => schema.default.clone().map(Value::from),
        PrimitiveSchema::Boolean(schema) => schema.default.map(Value::from),
        PrimitiveSchema::Enum(schema) => schema.default.clone().map(Value::from),
        PrimitiveSchema::MultiEnum(schema) => schema.default.clone().map(Value::from),
    }
}

fn text_phrase(schema: &StringSchema) -> &'static str {
    match schema.format {
        Some(StringFormat::Email) => "an e-mail address",
        Some(StringFormat::Uri) => "a URI",
        Some(StringFormat::Date) => "a date, YYYY-MM-DD",
        Some(StringFormat::DateTime) => "a date and time, YYYY-MM-DDThh:mm:ssZ",
        None => "text",
    }
}

fn number_phrase(schema: &NumberSchema) -> String {
    match (schema.kind, &schema.minimum, &schema.maximum) {
        (NumberType::Integer, None, None) => "a whole number".to_owned(),
        (NumberType::Number, None, None) => "a number".to_owned(),
        (_, Some(least), Some(most)) => format!("a number from {least} to {most}"),
        (_, Some(least), None) => format!("a number from {least} up"),
        (_, None, Some(most)) => format!("a number up to {most}"),
    }
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
        Err(format!("this is not {}", text_phrase(schema)))
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

/// Returns whether `text` is `hh:mm:ss` with a fraction or without, and `Z` or an offset (RFC 3339).
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
    let wrong = || format!("this is not {}", number_phrase(schema));
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

/// Returns the choice of this value, title or number.
fn choose(choices: &[FormChoice], word: &str) -> Result<String, String> {
    let named = choices.iter().find(|choice| choice.value == word || choice.title.eq_ignore_ascii_case(word));
    let numbered = || word.parse::<usize>().ok().and_then(|n| choices.get(n.checked_sub(1)?));
    named
        .or_else(numbered)
        .map(|choice| choice.value.clone())
        .ok_or_else(|| format!("{word:?} is not one of these"))
}

fn read_choices(schema: &MultiEnumSchema, choices: &[FormChoice], line: &str) -> Result<Value, String> {
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
    use serde_json::json;

    use super::*;

    fn field(schema: Value) -> PrimitiveSchema {
        serde_json::from_value(schema).expect("a field")
    }

    #[test]
    fn a_typed_text_becomes_a_value_of_the_field_or_a_reason() {
        let titled = json!({ "type": "string", "oneOf": [{ "const": "r", "title": "Red" }, { "const": "b", "title": "Blue" }] });
        let days = json!({ "type": "array", "minItems": 1, "maxItems": 2, "items": { "type": "string", "enum": ["mon", "tue", "wed"] } });
        let age = json!({ "type": "integer", "minimum": 0, "maximum": 150 });
        let format = |format: &str| json!({ "type": "string", "format": format });
        for (schema, text, expected) in [
            (json!({ "type": "string" }), " ", Ok(None)),
            (json!({ "type": "string" }), " a", Ok(Some(json!(" a")))),
            (json!({ "type": "string", "minLength": 2 }), "x", Err("at least 2 characters")),
            (json!({ "type": "string", "maxLength": 2 }), "äöü", Err("at most 2 characters")),
            (age.clone(), " 30 ", Ok(Some(json!(30)))),
            (age.clone(), "-3", Err("this is not a number from 0 to 150")),
            (age, "3.5", Err("this is not a number from 0 to 150")),
            (json!({ "type": "number" }), "3.5", Ok(Some(json!(3.5)))),
            (json!({ "type": "boolean" }), "Y", Ok(Some(json!(true)))),
            (json!({ "type": "boolean" }), "perhaps", Err("enter yes or no")),
            (titled.clone(), "blue", Ok(Some(json!("b")))),
            (titled.clone(), "1", Ok(Some(json!("r")))),
            (titled.clone(), "0", Err("\"0\" is not one of these")),
            (titled, "green", Err("\"green\" is not one of these")),
            (days.clone(), "1, wed", Ok(Some(json!(["mon", "wed"])))),
            (days.clone(), "mon,tue,wed", Err("at most 2 of them")),
            (days, ",", Err("at least 1 of them")),
            (format("date"), "2026-02-28", Ok(Some(json!("2026-02-28")))),
            (format("date"), "28.2.2026", Err("this is not a date, YYYY-MM-DD")),
            (format("date-time"), "2026-02-28T12:00:00Z", Ok(Some(json!("2026-02-28T12:00:00Z")))),
            (
                format("date-time"),
                "2026-02-28t12:00:00.5+01:00",
                Ok(Some(json!("2026-02-28t12:00:00.5+01:00"))),
            ),
            (format("date-time"), "2026-02-28", Err("this is not a date and time, YYYY-MM-DDThh:mm:ssZ")),
            (
                format("date-time"),
                "2026-02-28T12:00:00",
                Err("this is not a date and time, YYYY-MM-DDThh:mm:ssZ"),
            ),
            (format("uri"), "https://example.com", Ok(Some(json!("https://example.com")))),
            (format("uri"), "example", Err("this is not a URI")),
            (format("email"), "a@b.c", Ok(Some(json!("a@b.c")))),
            (format("email"), "a.b.c", Err("this is not an e-mail address")),
        ] {
            let schema = field(schema);
            let read = FormField { name: "x", schema: &schema, is_required: true }.read(text);
            assert_eq!(read, expected.map_err(str::to_owned), "{schema:?}: {text:?}");
        }
    }

    #[test]
    fn a_field_is_described_in_words() {
        let form: ElicitSchema = serde_json::from_value(json!({
            "type": "object",
            "properties": {
                "a": { "type": "string", "title": "Name", "description": "Yours", "default": "Ann" },
                "b": { "type": "string", "enum": ["x", "y"], "enumNames": ["Ex"] },
                "c": { "type": "number", "minimum": 1 },
            },
            "required": ["b"],
        }))
        .expect("a form");
        let described = FormField::all(&form).map(|field| {
            let choices =
                field.choices().into_iter().map(|choice| format!("{}={}", choice.value, choice.title));
            let choices = choices.collect::<Vec<_>>().join(" ");
            (
                field.name(),
                field.title(),
                field.description(),
                field.is_required(),
                field.expects(),
                choices,
                field.default_value(),
            )
        });
        assert_eq!(
            described.collect::<Vec<_>>(),
            [
                ("a", "Name", Some("Yours"), false, "text".to_owned(), String::new(), Some(json!("Ann"))),
                ("b", "b", None, true, "one of these".to_owned(), "x=Ex y=y".to_owned(), None),
                ("c", "c", None, false, "a number from 1 up".to_owned(), String::new(), None),
            ]
        );
    }
}
