//! The database as an MCP server. A read-only database has no tool that writes.

use loggia::server::{Cx, Json, ToolError};
use loggia::{JsonSchema, Server, tools};
use serde::Serialize;
use serde_json::Value;

use super::{Postgres, PostgresChange, PostgresError, PostgresSchema, PostgresStatement};
use crate::limiter::CallLimiter;
use crate::query_result::QueryResult;

/// The tools of one database.
struct PostgresTools {
    postgres: Postgres,
    limiter: CallLimiter,
}

/// The effects of statements.
#[derive(Debug, Serialize, JsonSchema)]
struct PostgresExecuteResult {
    /// The effect of each statement
    results: Vec<PostgresChange>,
}

/// Makes a server of a database.
pub fn server(postgres: Postgres) -> loggia::Result<Server> {
    let limits = postgres.limits();
    let changing = if postgres.is_writable() {
        "query only reads; execute changes rows and tables."
    } else {
        "It is read-only."
    };
    let instructions = format!(
        "The PostgreSQL database {}. {changing} Read the schema first. Values of the types numeric, date, timestamptz, uuid, json, \
         arrays and others are texts as PostgreSQL writes them; an integer beyond ±(2^53 - 1) is {{\"integer\": \"…\"}} and bytea is \
         {{\"base64\": \"…\"}}. A result has at most {} rows and {} bytes.",
        postgres.place, limits.rows, limits.bytes
    );
    let limiter = CallLimiter::new(limits.running, limits.waiting);
    let mut tools = PostgresTools::reading();
    if postgres.is_writable() {
        tools.extend(PostgresTools::writing());
    }
    Server::new("postgres", env!("CARGO_PKG_VERSION"))
        .title("PostgreSQL")
        .instructions(instructions)
        .state(PostgresTools { postgres, limiter })
        .tools(tools)
        .build()
}

#[tools(reading)]
impl PostgresTools {
    /// Returns the tables and views with their columns; for one table also indexes, constraints and the query of a view.
    #[tool(title = "Describe the tables", read_only, open_world = false)]
    async fn schema(
        &self,
        _cx: &Cx,
        /// The table or view, with or without its schema; all if it is left out
        table: Option<String>,
    ) -> Result<Json<PostgresSchema>, ToolError> {
        let _permit = self.limiter.enter().await.map_err(|e| ToolError::say(e.to_string()))?;
        self.postgres.schema(table.as_deref()).await.map(Json).map_err(say)
    }

    /// Executes one SQL query (SELECT, WITH, VALUES, TABLE) in a read-only transaction, and returns its rows.
    #[tool(title = "Query", read_only, open_world = false)]
    async fn query(
        &self,
        _cx: &Cx,
        /// One query, with $1, $2 for the parameters
        #[arg(min_length = 1)]
        sql: String,
        /// The values of the parameters, in order
        parameters: Option<Vec<Value>>,
        /// Maximum number of rows to return
        #[arg(min = 1)]
        max_rows: Option<usize>,
        /// True to return the plan of the query in place of its rows
        explain: Option<bool>,
    ) -> Result<Json<QueryResult>, ToolError> {
        let _permit = self.limiter.enter().await.map_err(|e| ToolError::say(e.to_string()))?;
        let parameters = parameters.unwrap_or_default();
        let explain = explain.unwrap_or_default();
        self.postgres.query(&sql, &parameters, max_rows, explain).await.map(Json).map_err(say)
    }
}

#[tools(writing)]
impl PostgresTools {
    /// Executes SQL statements that change rows or tables, in one transaction: all take effect, or none. RETURNING
    /// returns rows.
    #[tool(title = "Change rows and tables", destructive, open_world = false)]
    async fn execute(
        &self,
        _cx: &Cx,
        /// The statements, in order
        #[arg(min_items = 1, max_items = 100)]
        statements: Vec<PostgresStatement>,
    ) -> Result<Json<PostgresExecuteResult>, ToolError> {
        let _permit = self.limiter.enter().await.map_err(|e| ToolError::say(e.to_string()))?;
        let results = self.postgres.execute(&statements).await.map_err(say)?;
        Ok(Json(PostgresExecuteResult { results }))
    }
}

fn say(error: PostgresError) -> ToolError {
    ToolError::say(error.to_string())
}
