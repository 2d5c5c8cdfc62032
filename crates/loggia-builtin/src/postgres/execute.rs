//! Statements that change rows or the schema, in one transaction. Invariant: all of them take effect, or none.

use loggia::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_postgres::Client;
use tokio_postgres::types::ToSql;

use super::query::{StatementColumns, converted, rows};
use super::{Postgres, PostgresError, statement};
use crate::query_result::QueryResult;

/// A statement with its parameters.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PostgresStatement {
    /// One statement, with $1, $2 for the parameters
    pub sql: String,
    /// The values of the parameters, in order
    #[serde(default)]
    pub parameters: Vec<Value>,
}

/// The effect of a statement.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct PostgresChange {
    /// Number of rows that were inserted, updated or deleted; absent if the statement returns rows
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed_rows: Option<u64>,
    /// The rows of a RETURNING clause or a query
    #[serde(skip_serializing_if = "Option::is_none")]
    pub returned: Option<QueryResult>,
}

impl Postgres {
    /// Executes statements in one transaction.
    pub(super) async fn execute(
        &self,
        statements: &[PostgresStatement],
    ) -> Result<Vec<PostgresChange>, PostgresError> {
        if !self.is_writable() {
            return Err(PostgresError::ReadOnly);
        }
        let connection = self.connect().await?;
        let client = &connection.client;
        client.batch_execute("BEGIN TRANSACTION READ WRITE").await?;
        let most_bytes = self.limits().bytes / statements.len().max(1);
        let mut changes = Vec::with_capacity(statements.len());
        for (index, one) in statements.iter().enumerate() {
            let change = self.execute_one(client, one, most_bytes).await;
            changes.push(change.map_err(|error| error.in_statement(index + 1, statements.len()))?);
        }
        client.batch_execute("COMMIT").await?;
        Ok(changes)
    }

    async fn execute_one(
        &self,
        client: &Client,
        one: &PostgresStatement,
        most_bytes: usize,
    ) -> Result<PostgresChange, PostgresError> {
        let text = statement::trimmed(&one.sql)?;
        statement::check(text)?;
        let parameters = converted(&one.parameters)?;
        let columns = StatementColumns::of(client, text).await?;
        let can_be_wrapped = ["insert", "update", "delete", "merge", "select", "values", "table"]
            .iter()
            .any(|word| statement::first_word(text).eq_ignore_ascii_case(word));
        if !columns.is_empty() && can_be_wrapped {
            let wrapped = columns.wrapped_change(text, most_bytes);
            let returned =
                rows(client, &wrapped, &columns, &parameters, self.limits().rows, most_bytes).await?;
            return Ok(PostgresChange { changed_rows: None, returned: Some(returned) });
        }
        let prepared = client.prepare(text).await?;
        let expected = prepared.params().len();
        if expected != parameters.len() {
            let given = parameters.len();
            let message = format!("the statement has {expected} parameters, and {given} values are given");
            return Err(PostgresError::BadRequest(message));
        }
        let parameters = parameters.iter().map(|parameter| parameter as &(dyn ToSql + Sync));
        let count = client.execute_raw(&prepared, parameters).await?;
        Ok(PostgresChange { changed_rows: Some(count), returned: None })
    }
}

impl PostgresError {
    /// Adds the number of the statement to an error, if there are several.
    fn in_statement(self, number: usize, count: usize) -> PostgresError {
        match self {
            PostgresError::Sql { message, hint } if count > 1 => PostgresError::Sql {
                message: format!("statement {number}: {message}; nothing was changed"),
                hint,
            },
            other => other,
        }
    }
}
