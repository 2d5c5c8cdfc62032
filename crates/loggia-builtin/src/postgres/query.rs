//! Statements that only read, and rows as JSON.
//!
//! The server itself writes each value as text, so that no type is converted twice; only booleans, integers, floating-point
//! numbers, `NULL` and bytes become JSON values. The column of a result names the type of the others.

use std::fmt::Write as _;
use std::pin::pin;

use futures_util::TryStreamExt as _;
use serde_json::{Value, json};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Column, Row};

use super::parameter::TextParameter;
use super::{Postgres, PostgresError, statement};
use crate::query_result::{QueryResult, ResultColumn, RowCollector, RowLimit, integer, real};

/// The columns of a statement.
pub(super) struct StatementColumns(Vec<(String, Type)>);

impl Postgres {
    /// Executes a statement that only reads. A result has at most `most_rows` rows.
    pub(super) async fn query(
        &self,
        sql: &str,
        parameters: &[Value],
        most_rows: Option<usize>,
        is_explained: bool,
    ) -> Result<QueryResult, PostgresError> {
        let text = statement::trimmed(sql)?;
        statement::check(text)?;
        let connection = self.connect().await?;
        let client = &connection.client;
        // The first query takes the snapshot: after it, the server lets nothing make the transaction writable.
        client.batch_execute("BEGIN TRANSACTION READ ONLY; SELECT 1").await?;
        let parameters = converted(parameters)?;
        let limits = self.limits();
        let most_rows = most_rows.unwrap_or(usize::MAX).clamp(1, limits.rows);
        let result = if is_explained {
            let columns = StatementColumns(vec![("QUERY PLAN".to_owned(), Type::TEXT)]);
            rows(client, &format!("EXPLAIN {text}"), &columns, &parameters, most_rows, limits.bytes).await
        } else {
            let columns = StatementColumns::of(client, text).await?;
            let wrapped = columns.wrapped(text, most_rows, limits.bytes);
            rows(client, &wrapped, &columns, &parameters, most_rows, limits.bytes).await
        };
        // The connection is closed, which rolls back.
        result
    }
}

/// Converts parameters.
pub(super) fn converted(parameters: &[Value]) -> Result<Vec<TextParameter>, PostgresError> {
    parameters.iter().enumerate().map(|(index, value)| TextParameter::of(value, index + 1)).collect()
}

impl StatementColumns {
    /// Asks the server for the columns of a statement, without executing it.
    pub(super) async fn of(client: &Client, sql: &str) -> Result<StatementColumns, PostgresError> {
        let prepared = client.prepare(sql).await?;
        let column = |column: &Column| (column.name().to_owned(), column.type_().clone());
        Ok(StatementColumns(prepared.columns().iter().map(column).collect()))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns a query that gives the rows of a query, each value as text of at most `most_bytes` characters and one more.
    fn wrapped(&self, sql: &str, most_rows: usize, most_bytes: usize) -> String {
        format!(
            "SELECT {} FROM (\n{sql}\n) AS rows({}) LIMIT {}",
            self.texts(most_bytes),
            self.names(),
            most_rows + 1
        )
    }

    /// Returns a statement that gives the rows of `RETURNING`, in the same form.
    pub(super) fn wrapped_change(&self, sql: &str, most_bytes: usize) -> String {
        format!("WITH rows({}) AS (\n{sql}\n) SELECT {} FROM rows", self.names(), self.texts(most_bytes))
    }

    fn names(&self) -> String {
        let names: Vec<String> = (1..=self.0.len()).map(|number| format!("c{number}")).collect();
        names.join(", ")
    }

    fn texts(&self, most_bytes: usize) -> String {
        let most = most_bytes + 1;
        let mut texts = String::new();
        for (index, (_, value_type)) in self.0.iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            let number = index + 1;
            let _ = match *value_type {
                Type::BYTEA => write!(texts, "{comma}left(encode(c{number}, 'base64'), {most})"),
                _ => write!(texts, "{comma}left(c{number}::text, {most})"),
            };
        }
        // A query may have no columns.
        if texts.is_empty() { "NULL::text".to_owned() } else { texts }
    }

    fn described(&self) -> Vec<ResultColumn> {
        let type_name = |value_type: &Type| match value_type.name().strip_prefix('_') {
            Some(item) => format!("{item}[]"),
            None => value_type.name().to_owned(),
        };
        let column = |(name, value_type): &(String, Type)| ResultColumn {
            name: name.clone(),
            declared_type: Some(type_name(value_type)),
        };
        self.0.iter().map(column).collect()
    }

    /// Converts a row of texts; `None` if a value is too long.
    fn row(&self, row: &Row, most: usize) -> Result<Option<Vec<Value>>, PostgresError> {
        let mut values = Vec::with_capacity(self.0.len());
        for (index, (_, value_type)) in self.0.iter().enumerate() {
            let text: Option<&str> = row.try_get(index)?;
            match text {
                Some(text) if text.len() > most => return Ok(None),
                Some(text) => values.push(value(text, value_type)),
                None => values.push(Value::Null),
            }
        }
        Ok(Some(values))
    }
}

/// Executes a statement whose columns are texts, and collects its rows.
pub(super) async fn rows(
    client: &Client,
    sql: &str,
    columns: &StatementColumns,
    parameters: &[TextParameter],
    most_rows: usize,
    most_bytes: usize,
) -> Result<QueryResult, PostgresError> {
    let prepared = client.prepare(sql).await?;
    let expected = prepared.params().len();
    if expected != parameters.len() {
        let given = parameters.len();
        let message = format!("the statement has {expected} parameters, and {given} values are given");
        return Err(PostgresError::BadRequest(message));
    }
    let parameters = parameters.iter().map(|parameter| parameter as &(dyn ToSql + Sync));
    let mut stream = pin!(client.query_raw(&prepared, parameters).await?);
    let mut collector = RowCollector::new(columns.described(), most_rows, most_bytes);
    let mut limit = None;
    // A statement that changes rows has run to its end: the rest of its rows is only left out.
    while let Some(row) = stream.try_next().await? {
        if limit.is_some() {
            continue;
        }
        if collector.is_full() {
            limit = Some(RowLimit::Rows(most_rows));
        } else if !columns.row(&row, collector.left())?.is_some_and(|values| collector.add(values)) {
            limit = Some(RowLimit::Bytes(most_bytes));
        }
    }
    collector.end(limit).map_err(PostgresError::BadRequest)
}

/// Converts a value that the server wrote as text.
fn value(text: &str, value_type: &Type) -> Value {
    let converted = match *value_type {
        Type::BOOL => text.parse().ok().map(Value::Bool),
        Type::INT2 | Type::INT4 | Type::INT8 | Type::OID => text.parse().ok().map(integer),
        // "NaN" and "Infinity" are read, too.
        Type::FLOAT4 | Type::FLOAT8 => text.parse().ok().map(real),
        Type::BYTEA => Some(json!({ "base64": text.replace('\n', "") })),
        _ => None,
    };
    converted.unwrap_or_else(|| Value::String(text.to_owned()))
}
