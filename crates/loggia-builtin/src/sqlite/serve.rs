//! The database as an MCP server. A read-only database has no tool that writes, so no call has to be refused.

use loggia::server::{Cx, Json, ToolError};
use loggia::{JsonSchema, Server, tools};
use serde::Serialize;
use serde_json::Value;

use super::{Sqlite, SqliteChange, SqliteSchema, SqliteStatement};
use crate::blocking::BlockingCalls;
use crate::query_result::QueryResult;

/// The tools of one database.
struct SqliteTools {
    sqlite: Sqlite,
    calls: BlockingCalls,
}

/// The effects of statements.
#[derive(Debug, Serialize, JsonSchema)]
struct ExecuteResult {
    /// The effect of each statement
    results: Vec<SqliteChange>,
}

/// Makes a server of a database.
pub fn server(sqlite: Sqlite) -> loggia::Result<Server> {
    let limits = sqlite.limits();
    let changing = if sqlite.is_writable() {
        "query only reads; execute changes rows and tables."
    } else {
        "It is read-only."
    };
    let instructions = format!(
        "The SQLite database {}. {changing} Read the schema first. Values that JSON has no exact form for are objects: \
         {{\"integer\": \"…\"}} beyond ±(2^53 - 1), {{\"base64\": \"…\"}} for a BLOB. A result has at most {} rows and {} bytes.",
        sqlite.file_name(),
        limits.rows,
        limits.bytes
    );
    let calls = BlockingCalls::new(limits.running, limits.waiting, limits.time);
    let mut tools = SqliteTools::reading();
    if sqlite.is_writable() {
        tools.extend(SqliteTools::writing());
    }
    Server::new("sqlite", env!("CARGO_PKG_VERSION"))
        .title("SQLite")
        .instructions(instructions)
        .state(SqliteTools { sqlite, calls })
        .tools(tools)
        .build()
}

#[tools(reading)]
impl SqliteTools {
    /// Returns the tables and views with their columns; for one table also indexes, foreign keys and its SQL.
    #[tool(title = "Describe the tables", read_only, open_world = false)]
    async fn schema(
        &self,
        cx: &Cx,
        /// The table or view to describe; all if it is left out
        table: Option<String>,
    ) -> Result<Json<SqliteSchema>, ToolError> {
        let sqlite = self.sqlite.clone();
        self.calls.run(cx, move |deadline| sqlite.schema(table.as_deref(), &deadline)).await.map(Json)
    }

    /// Executes one SQL statement that only reads (SELECT, WITH, VALUES, EXPLAIN, reading PRAGMAs), and returns its rows.
    #[tool(title = "Query", read_only, open_world = false)]
    async fn query(
        &self,
        cx: &Cx,
        /// One statement, with ? for each parameter
        #[arg(min_length = 1)]
        sql: String,
        /// The values of the parameters, in order
        parameters: Option<Vec<Value>>,
        /// Maximum number of rows to return
        #[arg(min = 1)]
        max_rows: Option<usize>,
    ) -> Result<Json<QueryResult>, ToolError> {
        let sqlite = self.sqlite.clone();
        let parameters = parameters.unwrap_or_default();
        self.calls
            .run(cx, move |deadline| sqlite.query(&sql, &parameters, max_rows, &deadline))
            .await
            .map(Json)
    }
}

#[tools(writing)]
impl SqliteTools {
    /// Executes SQL statements that change rows or tables, in one transaction: all take effect, or none. RETURNING
    /// returns rows.
    #[tool(title = "Change rows and tables", destructive, open_world = false)]
    async fn execute(
        &self,
        cx: &Cx,
        /// The statements, in order
        #[arg(min_items = 1, max_items = 100)]
        statements: Vec<SqliteStatement>,
    ) -> Result<Json<ExecuteResult>, ToolError> {
        let sqlite = self.sqlite.clone();
        let results = self.calls.run(cx, move |deadline| sqlite.execute(&statements, &deadline)).await?;
        Ok(Json(ExecuteResult { results }))
    }
}
