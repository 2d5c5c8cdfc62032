//! The actions that statements of callers may take. SQLite asks for each one while it compiles a statement, also for
//! those of views and triggers. Invariant: an action that is not listed is refused.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};

/// The pragmas that only read the schema. None of them has a form that changes something.
const READING_PRAGMAS: &[&str] = &[
    "collation_list",
    "compile_options",
    "database_list",
    "foreign_key_check",
    "foreign_key_list",
    "function_list",
    "index_info",
    "index_list",
    "index_xinfo",
    "integrity_check",
    "module_list",
    "pragma_list",
    "quick_check",
    "table_info",
    "table_list",
    "table_xinfo",
];

/// The pragmas that read a setting, if they have no value.
const SETTINGS: &[&str] = &[
    "application_id",
    "auto_vacuum",
    // FTS5 reads it.
    "data_version",
    "encoding",
    "foreign_keys",
    "freelist_count",
    "journal_mode",
    "page_count",
    "page_size",
    "schema_version",
    "user_version",
];

/// Functions that reach out of the database.
const FUNCTIONS: &[&str] = &["load_extension", "readfile", "writefile", "edit", "fts3_tokenizer"];

/// The kind of access that statements have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SqliteAccess {
    Read,
    Write,
}

/// The action for which a statement was refused. It is cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct DeniedAction(Arc<Mutex<Option<String>>>);

impl DeniedAction {
    /// Returns the action, and forgets it.
    pub(super) fn take(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn set(&self, action: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(action);
    }
}

/// Limits the statements of a connection.
pub(super) fn authorize(connection: &Connection, access: SqliteAccess) -> rusqlite::Result<DeniedAction> {
    let denied = DeniedAction::default();
    let noted = denied.clone();
    connection.authorizer(Some(move |context: AuthContext<'_>| match refused(&context.action, access) {
        None => Authorization::Allow,
        Some(action) => {
            noted.set(action);
            Authorization::Deny
        }
    }))?;
    Ok(denied)
}

/// Ends the limits of [`authorize`].
pub(super) fn release(connection: &Connection) -> rusqlite::Result<()> {
    connection.authorizer(None::<fn(AuthContext<'_>) -> Authorization>)
}

/// Returns the name of an action that is refused.
fn refused(action: &AuthAction<'_>, access: SqliteAccess) -> Option<String> {
    let is_in = |list: &[&str], name: &str| list.iter().any(|known| known.eq_ignore_ascii_case(name));
    match action {
        AuthAction::Select | AuthAction::Read { .. } | AuthAction::Recursive => None,
        AuthAction::Function { function_name } if is_in(FUNCTIONS, function_name) => {
            Some(format!("the function {function_name}"))
        }
        AuthAction::Function { .. } => None,
        AuthAction::Pragma { pragma_name, .. } if is_in(READING_PRAGMAS, pragma_name) => None,
        AuthAction::Pragma { pragma_name, pragma_value: None } if is_in(SETTINGS, pragma_name) => None,
        AuthAction::Pragma { pragma_name, .. } => Some(format!("PRAGMA {pragma_name}")),
        AuthAction::Attach { .. } => Some("ATTACH".to_owned()),
        AuthAction::Detach { .. } => Some("DETACH".to_owned()),
        AuthAction::Transaction { .. } => Some("a transaction of its own".to_owned()),
        AuthAction::Savepoint { .. } => Some("a savepoint".to_owned()),
        action => match (access, change(action)) {
            (_, None) => Some("an unknown action".to_owned()),
            (SqliteAccess::Read, Some(name)) => Some(name.to_owned()),
            (SqliteAccess::Write, Some(_)) => None,
        },
    }
}

/// Returns the name of an action that changes the database.
fn change(action: &AuthAction<'_>) -> Option<&'static str> {
    Some(match action {
        AuthAction::Insert { .. } => "INSERT",
        AuthAction::Update { .. } => "UPDATE",
        AuthAction::Delete { .. } => "DELETE",
        AuthAction::CreateIndex { .. }
        | AuthAction::CreateTable { .. }
        | AuthAction::CreateTempIndex { .. }
        | AuthAction::CreateTempTable { .. }
        | AuthAction::CreateTempTrigger { .. }
        | AuthAction::CreateTempView { .. }
        | AuthAction::CreateTrigger { .. }
        | AuthAction::CreateView { .. }
        | AuthAction::CreateVtable { .. } => "CREATE",
        AuthAction::DropIndex { .. }
        | AuthAction::DropTable { .. }
        | AuthAction::DropTempIndex { .. }
        | AuthAction::DropTempTable { .. }
        | AuthAction::DropTempTrigger { .. }
        | AuthAction::DropTempView { .. }
        | AuthAction::DropTrigger { .. }
        | AuthAction::DropView { .. }
        | AuthAction::DropVtable { .. } => "DROP",
        AuthAction::AlterTable { .. } => "ALTER TABLE",
        AuthAction::Reindex { .. } => "REINDEX",
        AuthAction::Analyze { .. } => "ANALYZE",
        _ => return None,
    })
}
