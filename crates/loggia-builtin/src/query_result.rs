//! Rows of a database for a language model, within bounds.
//!
//! A JSON number is exact only between ±(2^53 - 1) in many clients, and JSON has no bytes. So values are exact in this
//! form: `null`, `true` and `false`, numbers and texts stand for themselves; any other value is an object with one
//! member that names its type, such as `{"integer": "9223372036854775807"}` or `{"base64": "AAE="}`. Parameters have
//! the same form. Invariant: a result says whether it is complete.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use loggia::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

/// The greatest integer that is exact as a JSON number in every client.
const EXACT: u64 = (1 << 53) - 1;

/// A column of a result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ResultColumn {
    /// The name
    pub name: String,
    /// The declared type; absent for an expression without one
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub declared_type: Option<String>,
}

/// The rows of a query.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct QueryResult {
    /// The columns
    pub columns: Vec<ResultColumn>,
    /// The rows, each with one value for each column
    pub rows: Vec<Vec<Value>>,
    /// True if there are more rows than these
    pub truncated: bool,
    /// A note on rows that were left out
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// The reason why a row does not fit into a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowLimit {
    /// The result has as many rows as it may.
    Rows(usize),
    /// The row would make the result too long.
    Bytes(usize),
}

/// Collects rows until a bound is reached.
#[derive(Debug)]
pub(crate) struct RowCollector {
    result: QueryResult,
    most_rows: usize,
    most_bytes: usize,
    bytes: usize,
}

impl RowCollector {
    pub(crate) fn new(columns: Vec<ResultColumn>, most_rows: usize, most_bytes: usize) -> RowCollector {
        let result = QueryResult { columns, rows: Vec::new(), truncated: false, note: None };
        RowCollector { result, most_rows, most_bytes, bytes: 0 }
    }

    /// Returns the bytes that are left, so that a value that cannot fit need not be converted.
    pub(crate) fn left(&self) -> usize {
        self.most_bytes - self.bytes
    }

    /// Returns whether the result has as many rows as it may. A further row is then noted with [`RowCollector::end`].
    pub(crate) fn is_full(&self) -> bool {
        self.result.rows.len() >= self.most_rows
    }

    /// Adds a row; false if it does not fit.
    pub(crate) fn add(&mut self, row: Vec<Value>) -> bool {
        let bytes: usize = row.iter().map(json_length).sum::<usize>() + 2;
        if bytes > self.left() {
            return false;
        }
        self.bytes += bytes;
        self.result.rows.push(row);
        true
    }

    /// Ends the result: `limit` is the reason why a further row was left out.
    ///
    /// # Errors
    ///
    /// A text for the model, if not even the first row fits.
    pub(crate) fn end(mut self, limit: Option<RowLimit>) -> Result<QueryResult, String> {
        let count = self.result.rows.len();
        self.result.note = match limit {
            None => None,
            Some(RowLimit::Bytes(most)) if count == 0 => {
                return Err(format!(
                    "the first row is longer than {most} bytes; select fewer columns, or a part of a value with substr()"
                ));
            }
            Some(RowLimit::Rows(most)) => Some(format!(
                "stopped at {most} rows; read on with LIMIT and OFFSET, or with a condition on the last row's key"
            )),
            Some(RowLimit::Bytes(most)) => Some(format!(
                "stopped after {count} rows: a result has at most {most} bytes; select fewer columns, or read on with LIMIT \
                 and OFFSET {count}"
            )),
        };
        self.result.truncated = limit.is_some();
        Ok(self.result)
    }
}

/// Returns an integer, exact.
pub(crate) fn integer(value: i64) -> Value {
    match value.unsigned_abs() <= EXACT {
        true => json!(value),
        false => json!({ "integer": value.to_string() }),
    }
}

/// Returns a floating-point number, exact.
pub(crate) fn real(value: f64) -> Value {
    match serde_json::Number::from_f64(value) {
        Some(number) => Value::Number(number),
        None if value.is_nan() => json!({ "real": "NaN" }),
        None if value > 0.0 => json!({ "real": "Infinity" }),
        None => json!({ "real": "-Infinity" }),
    }
}

/// Returns bytes.
pub(crate) fn bytes(value: &[u8]) -> Value {
    json!({ "base64": STANDARD.encode(value) })
}

/// Returns the length of a value as JSON, about.
fn json_length(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len() + 3,
        Value::Array(items) => items.iter().map(json_length).sum::<usize>() + 2,
        Value::Object(members) => {
            members.iter().map(|(name, value)| name.len() + 4 + json_length(value)).sum::<usize>() + 2
        }
        Value::Number(_) => 12,
        Value::Null | Value::Bool(_) => 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_exact() {
        for (value, expected) in [
            (0, "0"),
            (9_007_199_254_740_991, "9007199254740991"),
            (9_007_199_254_740_992, r#"{"integer":"9007199254740992"}"#),
            (i64::MAX, r#"{"integer":"9223372036854775807"}"#),
            (i64::MIN, r#"{"integer":"-9223372036854775808"}"#),
        ] {
            assert_eq!(integer(value).to_string(), expected);
        }
        for (value, expected) in [
            (0.1, "0.1"),
            (1.0, "1.0"),
            (f64::INFINITY, r#"{"real":"Infinity"}"#),
            (f64::NEG_INFINITY, r#"{"real":"-Infinity"}"#),
            (f64::NAN, r#"{"real":"NaN"}"#),
        ] {
            assert_eq!(real(value).to_string(), expected);
        }
    }

    #[test]
    fn rows_are_collected_until_a_bound() {
        for (rows, most_rows, most_bytes, expected) in [
            (3, 10, 100, Ok((3, false))),
            (3, 2, 100, Ok((2, true))),
            (3, 10, 20, Ok((2, true))),
            (3, 10, 5, Err(())),
            (0, 10, 5, Ok((0, false))),
        ] {
            let mut collector = RowCollector::new(Vec::new(), most_rows, most_bytes);
            let mut limit = None;
            for _ in 0..rows {
                if collector.is_full() {
                    limit = Some(RowLimit::Rows(most_rows));
                    break;
                }
                if !collector.add(vec![json!("abcd")]) {
                    limit = Some(RowLimit::Bytes(most_bytes));
                    break;
                }
            }
            let ended =
                collector.end(limit).map(|result| (result.rows.len(), result.truncated)).map_err(drop);
            assert_eq!(ended, expected, "{rows} rows, {most_rows}, {most_bytes}");
        }
    }
}
