//! Parameters: sent as texts, which the server reads as the type that it inferred.

use std::error::Error;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{Format, IsNull, ToSql, Type};

use super::PostgresError;

/// A parameter as text; `None` is NULL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TextParameter(Option<String>);

impl TextParameter {
    /// Converts a value of a caller. `number` is its number, from 1.
    pub(super) fn of(value: &Value, number: usize) -> Result<TextParameter, PostgresError> {
        let wrong = || {
            PostgresError::BadRequest(format!(
                "parameter {number}: write null, true, false, a number, a text, JSON, {{\"integer\": \"…\"}} or \
                 {{\"base64\": \"…\"}}; an array of PostgreSQL is a text such as {{1,2}}"
            ))
        };
        let text = match value {
            Value::Null => return Ok(TextParameter(None)),
            Value::String(text) if text.contains('\0') => return Err(wrong()),
            Value::String(text) => text.clone(),
            Value::Object(members) if members.len() == 1 => {
                match members.iter().next().map(|(name, value)| (name.as_str(), value.as_str())) {
                    Some(("integer", Some(text))) => text.to_owned(),
                    Some(("base64", Some(text))) => {
                        let bytes = STANDARD.decode(text).map_err(|_| wrong())?;
                        let hex = bytes.iter().map(|byte| format!("{byte:02x}"));
                        format!("\\x{}", hex.collect::<String>())
                    }
                    _ => value.to_string(),
                }
            }
            value => value.to_string(),
        };
        Ok(TextParameter(Some(text)))
    }
}

impl ToSql for TextParameter {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match &self.0 {
            None => Ok(IsNull::Yes),
            Some(text) => {
                out.extend_from_slice(text.as_bytes());
                Ok(IsNull::No)
            }
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn to_sql_checked(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        self.to_sql(ty, out)
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }
}
