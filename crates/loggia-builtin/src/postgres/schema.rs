//! The tables and views of a database that its user may read.

use loggia::JsonSchema;
use serde::Serialize;

use super::{Postgres, PostgresError};

/// The maximum number of tables in an overview.
const MOST_TABLES: usize = 200;

/// The kinds of relations.
const KINDS: &[(&str, &str)] = &[
    ("r", "table"),
    ("p", "partitioned table"),
    ("v", "view"),
    ("m", "materialized view"),
    ("f", "foreign table"),
];

/// Tables and views, each with its oid, schema, name, kind, estimated rows and comment. The first parameter is the name of a
/// table, with or without its schema.
const TABLES: &str = "
SELECT c.oid, n.nspname::text, c.relname::text, c.relkind::text, greatest(c.reltuples, 0)::float8,
       obj_description(c.oid, 'pg_class'),
       CASE WHEN c.relkind IN ('v', 'm') AND $1::text IS NOT NULL THEN pg_get_viewdef(c.oid) END
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND n.nspname NOT LIKE 'pg\\_toast%' AND n.nspname NOT LIKE 'pg\\_temp%' AND NOT c.relispartition
  AND has_any_column_privilege(c.oid, 'SELECT')
  AND ($1::text IS NULL OR c.relname = $1 OR n.nspname || '.' || c.relname = $1)
ORDER BY pg_table_is_visible(c.oid) DESC, 2, 3 LIMIT $2";

/// The columns of a table.
const COLUMNS: &str = "
SELECT a.attname::text, format_type(a.atttypid, a.atttypmod), a.attnotnull,
       EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = a.attrelid AND i.indisprimary AND a.attnum = ANY (i.indkey)),
       pg_get_expr(d.adbin, d.adrelid), col_description(a.attrelid, a.attnum)
FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";

/// The definitions of indexes and constraints of a table.
const DEFINITIONS: &str = "
SELECT pg_get_indexdef(indexrelid), true FROM pg_index WHERE indrelid = $1
UNION ALL
SELECT pg_get_constraintdef(oid), false FROM pg_constraint WHERE conrelid = $1 AND contype IN ('f', 'c') ORDER BY 2, 1";

/// The tables of a database.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct PostgresSchema {
    /// The tables and views
    pub tables: Vec<PostgresTable>,
    /// A note on tables that were left out
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A table or a view.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct PostgresTable {
    /// The schema that it is in
    pub schema: String,
    /// The name
    pub name: String,
    /// The kind, such as table or view
    pub kind: String,
    /// The number of rows, as the server estimates it
    pub estimated_rows: f64,
    /// The comment
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// The columns
    pub columns: Vec<PostgresColumn>,
    /// The indexes, as SQL, for a single table
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub indexes: Vec<String>,
    /// The foreign keys and checks, as SQL, for a single table
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub constraints: Vec<String>,
    /// The query of a view, for a single one
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PostgresColumn {
    /// The name
    pub name: String,
    /// The type
    #[serde(rename = "type")]
    pub declared_type: String,
    /// True if NULL is refused
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub not_null: bool,
    /// True if it is a part of the primary key
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub primary_key: bool,
    /// The default, as SQL
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// The comment
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

impl Postgres {
    /// Returns the tables and views, or all details of one of them.
    pub(super) async fn schema(&self, table: Option<&str>) -> Result<PostgresSchema, PostgresError> {
        let connection = self.connect().await?;
        let client = &connection.client;
        client.batch_execute("BEGIN TRANSACTION READ ONLY").await?;
        let most = i64::try_from(MOST_TABLES + 1).unwrap_or(i64::MAX);
        let found = client.query(TABLES, &[&table, &most]).await?;
        let mut schema = PostgresSchema { tables: Vec::new(), note: None };
        for row in found.iter().take(if table.is_some() { 1 } else { MOST_TABLES }) {
            let oid: u32 = row.try_get(0)?;
            let kind: &str = row.try_get(3)?;
            let mut described = PostgresTable {
                schema: row.try_get(1)?,
                name: row.try_get(2)?,
                kind: KINDS.iter().find(|(code, _)| *code == kind).map_or(kind, |(_, name)| name).to_owned(),
                estimated_rows: row.try_get(4)?,
                comment: row.try_get(5)?,
                columns: Vec::new(),
                indexes: Vec::new(),
                constraints: Vec::new(),
                query: row.try_get(6)?,
            };
            for row in client.query(COLUMNS, &[&oid]).await? {
                described.columns.push(PostgresColumn {
                    name: row.try_get(0)?,
                    declared_type: row.try_get(1)?,
                    not_null: row.try_get(2)?,
                    primary_key: row.try_get(3)?,
                    default: row.try_get(4)?,
                    comment: row.try_get(5)?,
                });
            }
            if table.is_some() {
                for row in client.query(DEFINITIONS, &[&oid]).await? {
                    let is_index: bool = row.try_get(1)?;
                    let list = if is_index { &mut described.indexes } else { &mut described.constraints };
                    list.push(row.try_get(0)?);
                }
            }
            schema.tables.push(described);
        }
        match table {
            Some(name) if schema.tables.is_empty() => Err(PostgresError::BadRequest(format!(
                "there is no table {name:?} that this user may read; call the tool without table to see all"
            ))),
            Some(_) => Ok(schema),
            None => {
                let is_more = found.len() > MOST_TABLES;
                schema.note =
                    is_more.then(|| "there are more tables; query pg_class to list them".to_owned());
                Ok(schema)
            }
        }
    }
}
