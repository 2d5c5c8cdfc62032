//! The tables and views of a database.

use loggia::JsonSchema;
use rusqlite::{Connection, params};
use serde::Serialize;

use super::authorize::{SqliteAccess, authorize};
use super::{Sqlite, SqliteError};
use crate::blocking::CallDeadline;

/// The maximum number of tables in an overview.
const MOST_TABLES: usize = 200;

/// The maximum number of columns in an overview.
const MOST_COLUMNS: usize = 4000;

/// The tables of a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SqliteSchema {
    /// The tables and views
    pub tables: Vec<SqliteTable>,
    /// A note on tables that were left out
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A table or a view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SqliteTable {
    /// The name
    pub name: String,
    /// The kind: table, view, or virtual for a table of a module such as FTS5
    pub kind: String,
    /// The columns
    pub columns: Vec<SqliteColumn>,
    /// The indexes, for a single table
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub indexes: Vec<SqliteIndex>,
    /// The references to other tables, for a single table
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub foreign_keys: Vec<SqliteForeignKey>,
    /// The statement that created it, for a single table
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sql: Option<String>,
    /// The reason why its columns cannot be read
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SqliteColumn {
    /// The name
    pub name: String,
    /// The declared type, which may be empty
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
}

/// An index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SqliteIndex {
    /// The name
    pub name: String,
    /// True if its values are unique
    pub unique: bool,
    /// The columns; an expression has no name
    pub columns: Vec<Option<String>>,
}

/// A reference to another table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SqliteForeignKey {
    /// The column
    pub column: String,
    /// The table that it refers to
    pub table: String,
    /// The column there; absent for its primary key
    #[serde(skip_serializing_if = "Option::is_none")]
    pub references: Option<String>,
}

impl Sqlite {
    /// Returns the tables and views, or all details of one of them.
    pub(super) fn schema(
        &self,
        table: Option<&str>,
        deadline: &CallDeadline,
    ) -> Result<SqliteSchema, SqliteError> {
        let connection = self.connect(SqliteAccess::Read, deadline)?;
        authorize(&connection, SqliteAccess::Read)?;
        match table {
            None => overview(&connection),
            Some(name) => {
                let table = details(&connection, name)?;
                Ok(SqliteSchema { tables: vec![table], note: None })
            }
        }
    }
}

fn overview(connection: &Connection) -> Result<SqliteSchema, SqliteError> {
    let mut schema = SqliteSchema { tables: Vec::new(), note: None };
    let mut statement = connection.prepare(
        "SELECT name, type, coalesce(sql, '') LIKE 'create virtual %' FROM sqlite_schema \
         WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
    )?;
    let mut rows = statement.query([])?;
    let mut columns = 0;
    while let Some(row) = rows.next()? {
        if schema.tables.len() >= MOST_TABLES || columns >= MOST_COLUMNS {
            schema.note = Some(
                "there are more tables; SELECT name FROM sqlite_schema lists them, and the argument table describes one"
                    .to_owned(),
            );
            break;
        }
        let table = described(connection, row.get(0)?, row.get(1)?, row.get(2)?);
        columns += table.columns.len();
        schema.tables.push(table);
    }
    Ok(schema)
}

/// Returns a table with its columns. A table of an unknown module says so.
fn described(connection: &Connection, name: String, kind: String, is_virtual: bool) -> SqliteTable {
    let (columns, problem) = match columns(connection, &name) {
        Ok(columns) => (columns, None),
        Err(error) => (Vec::new(), Some(SqliteError::from(error).to_string())),
    };
    SqliteTable {
        name,
        kind: if is_virtual { "virtual".to_owned() } else { kind },
        columns,
        indexes: Vec::new(),
        foreign_keys: Vec::new(),
        sql: None,
        problem,
    }
}

fn details(connection: &Connection, name: &str) -> Result<SqliteTable, SqliteError> {
    let found = connection.query_row(
        "SELECT name, type, sql FROM sqlite_schema WHERE type IN ('table', 'view') AND name = ?1 COLLATE NOCASE",
        [name],
        |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, Option<String>>(2)?)),
    );
    let (name, kind, sql) = match found {
        Err(rusqlite::Error::QueryReturnedNoRows) => {
            let message = format!("there is no table {name:?}; call the tool without table to see all");
            return Err(SqliteError::BadRequest(message));
        }
        found => found?,
    };
    let is_virtual = sql.as_deref().is_some_and(|sql| sql.to_lowercase().starts_with("create virtual "));
    let table = described(connection, name, kind, is_virtual);
    Ok(SqliteTable {
        indexes: indexes(connection, &table.name)?,
        foreign_keys: foreign_keys(connection, &table.name)?,
        sql,
        ..table
    })
}

fn columns(connection: &Connection, table: &str) -> rusqlite::Result<Vec<SqliteColumn>> {
    let mut statement = connection.prepare(
        "SELECT name, type, \"notnull\", pk > 0, dflt_value FROM pragma_table_xinfo(?1) WHERE hidden <> 1",
    )?;
    let column = |row: &rusqlite::Row<'_>| {
        Ok(SqliteColumn {
            name: row.get(0)?,
            declared_type: row.get(1)?,
            not_null: row.get(2)?,
            primary_key: row.get(3)?,
            default: row.get(4)?,
        })
    };
    statement.query_map([table], column)?.collect()
}

fn indexes(connection: &Connection, table: &str) -> rusqlite::Result<Vec<SqliteIndex>> {
    let mut statement =
        connection.prepare("SELECT name, \"unique\" FROM pragma_index_list(?1) ORDER BY seq")?;
    let index = |row: &rusqlite::Row<'_>| {
        let name: String = row.get(0)?;
        let mut columns = connection.prepare("SELECT name FROM pragma_index_info(?1) ORDER BY seqno")?;
        let columns = columns.query_map([&name], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        Ok(SqliteIndex { name, unique: row.get(1)?, columns })
    };
    statement.query_map(params![table], index)?.collect()
}

fn foreign_keys(connection: &Connection, table: &str) -> rusqlite::Result<Vec<SqliteForeignKey>> {
    let mut statement =
        connection.prepare("SELECT \"from\", \"table\", \"to\" FROM pragma_foreign_key_list(?1)")?;
    let key = |row: &rusqlite::Row<'_>| {
        Ok(SqliteForeignKey { column: row.get(0)?, table: row.get(1)?, references: row.get(2)? })
    };
    statement.query_map([table], key)?.collect()
}
