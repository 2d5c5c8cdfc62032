//! Statements that change rows or the schema, in one transaction. Invariant: all of them take effect, or none.

use loggia::JsonSchema;
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::authorize::{SqliteAccess, authorize, release};
use super::query::{prepare, rows};
use super::{Sqlite, SqliteError};
use crate::blocking::CallDeadline;
use crate::query_result::QueryResult;

/// A statement with its parameters.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SqliteStatement {
    /// One statement, with ? for each parameter
    pub sql: String,
    /// The values of the parameters, in order
    #[serde(default)]
    pub parameters: Vec<Value>,
}

/// The effect of a statement.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct SqliteChange {
    /// Number of rows that were inserted, updated or deleted
    pub changed_rows: u64,
    /// The rowid of the last inserted row; absent if none was inserted by this statement
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_insert_rowid: Option<Value>,
    /// The rows of a RETURNING clause
    #[serde(skip_serializing_if = "Option::is_none")]
    pub returned: Option<QueryResult>,
}

impl Sqlite {
    /// Executes statements in one transaction.
    pub(super) fn execute(
        &self,
        statements: &[SqliteStatement],
        deadline: &CallDeadline,
    ) -> Result<Vec<SqliteChange>, SqliteError> {
        if !self.is_writable() {
            return Err(SqliteError::Denied { action: "a change".to_owned(), writes: false });
        }
        let connection = self.connect(SqliteAccess::Write, deadline)?;
        // The lock for writing is taken first, so that no statement fails in the middle because of other programs.
        connection.execute_batch("BEGIN IMMEDIATE")?;
        // A connection that is closed without a commit rolls back.
        let changes = self.execute_in(&connection, statements)?;
        release(&connection)?;
        connection.execute_batch("COMMIT")?;
        Ok(changes)
    }

    fn execute_in(
        &self,
        connection: &Connection,
        statements: &[SqliteStatement],
    ) -> Result<Vec<SqliteChange>, SqliteError> {
        let denied = authorize(connection, SqliteAccess::Write)?;
        let limits = self.limits();
        let mut changes = Vec::with_capacity(statements.len());
        for (index, SqliteStatement { sql, parameters }) in statements.iter().enumerate() {
            let number = index + 1;
            let change =
                self.execute_one(connection, sql, parameters, &denied, limits.bytes / statements.len());
            changes.push(change.map_err(|error| error.in_statement(number, statements.len()))?);
        }
        Ok(changes)
    }

    fn execute_one(
        &self,
        connection: &Connection,
        sql: &str,
        parameters: &[Value],
        denied: &super::authorize::DeniedAction,
        most_bytes: usize,
    ) -> Result<SqliteChange, SqliteError> {
        let before = (connection.total_changes(), connection.last_insert_rowid());
        let mut statement = prepare(connection, sql, denied, SqliteAccess::Write)?;
        let result = rows(&mut statement, parameters, self.limits().rows, most_bytes)?;
        drop(statement);
        let last = connection.last_insert_rowid();
        Ok(SqliteChange {
            changed_rows: connection.total_changes().saturating_sub(before.0),
            last_insert_rowid: (last != before.1).then(|| crate::query_result::integer(last)),
            returned: (!result.columns.is_empty()).then_some(result),
        })
    }
}

impl SqliteError {
    /// Adds the number of the statement to an error, if there are several.
    fn in_statement(self, number: usize, count: usize) -> SqliteError {
        match self {
            SqliteError::Sql { message, near } if count > 1 => SqliteError::Sql {
                message: format!("statement {number}: {message}; nothing was changed"),
                near,
            },
            SqliteError::BadRequest(message) if count > 1 => {
                SqliteError::BadRequest(format!("statement {number}: {message}; nothing was changed"))
            }
            other => other,
        }
    }
}
