//! Statements that only read.

use rusqlite::types::Value as SqlValue;
use rusqlite::{Connection, Statement, params_from_iter};
use serde_json::Value;

use super::authorize::{DeniedAction, SqliteAccess, authorize};
use super::{Sqlite, SqliteError, value};
use crate::blocking::CallDeadline;
use crate::query_result::{QueryResult, ResultColumn, RowCollector, RowLimit};

impl Sqlite {
    /// Executes a statement that only reads. A result has at most `most_rows` rows.
    pub(super) fn query(
        &self,
        sql: &str,
        parameters: &[Value],
        most_rows: Option<usize>,
        deadline: &CallDeadline,
    ) -> Result<QueryResult, SqliteError> {
        let connection = self.connect(SqliteAccess::Read, deadline)?;
        let denied = authorize(&connection, SqliteAccess::Read)?;
        let mut statement = prepare(&connection, sql, &denied, SqliteAccess::Read)?;
        if !statement.readonly() {
            return Err(SqliteError::Denied { action: "a change".to_owned(), writes: false });
        }
        let most_rows = most_rows.unwrap_or(usize::MAX).clamp(1, self.limits().rows);
        rows(&mut statement, parameters, most_rows, self.limits().bytes)
    }
}

/// Compiles a statement. An error names the action that was refused.
pub(super) fn prepare<'c>(
    connection: &'c Connection,
    sql: &str,
    denied: &DeniedAction,
    access: SqliteAccess,
) -> Result<Statement<'c>, SqliteError> {
    let statement = connection.prepare(sql).map_err(|error| match denied.take() {
        Some(action) => SqliteError::Denied { action, writes: access == SqliteAccess::Write },
        None => SqliteError::from(error),
    })?;
    // A text without a statement, such as a comment, is one that does nothing.
    match statement.expanded_sql() {
        None => Err(SqliteError::NotOneStatement),
        Some(_) => Ok(statement),
    }
}

/// Executes a statement and collects its rows.
pub(super) fn rows(
    statement: &mut Statement<'_>,
    parameters: &[Value],
    most_rows: usize,
    most_bytes: usize,
) -> Result<QueryResult, SqliteError> {
    let expected = statement.parameter_count();
    if expected != parameters.len() {
        let given = parameters.len();
        let message = format!("the statement has {expected} parameters, and {given} values are given");
        return Err(SqliteError::BadRequest(message));
    }
    let convert = |(index, value)| value::from_json(value, index + 1);
    let parameters: Vec<SqlValue> =
        parameters.iter().enumerate().map(convert).collect::<Result<_, SqliteError>>()?;
    let columns = statement.columns();
    let columns = columns.iter().map(|column| ResultColumn {
        name: column.name().to_owned(),
        declared_type: column.decl_type().filter(|declared| !declared.is_empty()).map(str::to_owned),
    });
    let columns: Vec<ResultColumn> = columns.collect();
    let width = columns.len();
    let mut collector = RowCollector::new(columns, most_rows, most_bytes);
    let mut limit = None;
    let mut rows = statement.query(params_from_iter(parameters))?;
    // A statement that changes rows runs to its end, whatever the size of its result.
    while let Some(row) = rows.next()? {
        if limit.is_some() {
            continue;
        }
        if collector.is_full() {
            limit = Some(RowLimit::Rows(most_rows));
        } else {
            let values = (0..width).map(|index| Ok(value::to_json(row.get_ref(index)?, collector.left())));
            let values: Option<Vec<Value>> = values.collect::<rusqlite::Result<_>>()?;
            if !values.is_some_and(|values| collector.add(values)) {
                limit = Some(RowLimit::Bytes(most_bytes));
            }
        }
        if limit.is_some() && row.as_ref().readonly() {
            break;
        }
    }
    collector.end(limit).map_err(SqliteError::BadRequest)
}
