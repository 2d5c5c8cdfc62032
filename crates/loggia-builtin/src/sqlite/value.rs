//! Values of SQLite as JSON and back, exact (see [`crate::query_result`]).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rusqlite::types::{Value as SqlValue, ValueRef};
use serde_json::{Value, json};

use super::SqliteError;
use crate::query_result::{bytes, integer, real};

/// Converts a value; `None` if it is longer than `most` bytes.
pub(super) fn to_json(value: ValueRef<'_>, most: usize) -> Option<Value> {
    Some(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(value) => integer(value),
        ValueRef::Real(value) => real(value),
        ValueRef::Text(text) if text.len() > most => return None,
        ValueRef::Blob(blob) if blob.len() > most => return None,
        ValueRef::Text(text) => match std::str::from_utf8(text) {
            Ok(text) => Value::String(text.to_owned()),
            // The engine does not check the encoding of texts.
            Err(_) => json!({ "text_base64": STANDARD.encode(text) }),
        },
        ValueRef::Blob(blob) => bytes(blob),
    })
}

/// Converts a parameter. `number` is its number, from 1.
pub(super) fn from_json(value: &Value, number: usize) -> Result<SqlValue, SqliteError> {
    let wrong = || {
        SqliteError::BadRequest(format!(
            "parameter {number}: write null, true, false, a number, a text, {{\"integer\": \"…\"}}, {{\"real\": \"…\"}} or \
             {{\"base64\": \"…\"}}"
        ))
    };
    Ok(match value {
        Value::Null => SqlValue::Null,
        Value::Bool(value) => SqlValue::Integer((*value).into()),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => SqlValue::Integer(integer),
            (None, Some(real)) if number.is_f64() => SqlValue::Real(real),
            _ => return Err(wrong()),
        },
        Value::String(text) => SqlValue::Text(text.clone()),
        Value::Object(members) if members.len() == 1 => {
            let member =
                members.iter().next().and_then(|(name, value)| Some((name.as_str(), value.as_str()?)));
            match member.ok_or_else(wrong)? {
                ("integer", text) => SqlValue::Integer(text.parse().map_err(|_| wrong())?),
                ("real", text) => SqlValue::Real(text.parse().map_err(|_| wrong())?),
                ("base64", text) => SqlValue::Blob(STANDARD.decode(text).map_err(|_| wrong())?),
                _ => return Err(wrong()),
            }
        }
        Value::Array(_) | Value::Object(_) => return Err(wrong()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_as_they_were() {
        for value in [
            json!(null),
            json!(-1),
            json!(9_007_199_254_740_991_i64),
            json!({ "integer": "9223372036854775807" }),
            json!(0.1),
            json!({ "real": "-Infinity" }),
            json!("text \u{0} é"),
            json!({ "base64": "AAE=" }),
        ] {
            let parameter = from_json(&value, 1).expect("it is a parameter");
            assert_eq!(to_json(ValueRef::from(&parameter), 100), Some(value));
        }
        assert_eq!(to_json(ValueRef::Text(b"\xff"), 100), Some(json!({ "text_base64": "/w==" })));
        assert_eq!(to_json(ValueRef::Blob(&[0; 101]), 100), None);
    }

    #[test]
    fn other_parameters_are_refused() {
        for value in [
            json!([1]),
            json!({}),
            json!({ "integer": 1 }),
            json!({ "integer": "x" }),
            json!({ "base64": "§" }),
            json!({ "blob": "AAE=" }),
            json!({ "integer": "1", "real": "1" }),
            json!(u64::MAX),
        ] {
            assert!(matches!(from_json(&value, 3), Err(SqliteError::BadRequest(_))), "{value}");
        }
    }
}
