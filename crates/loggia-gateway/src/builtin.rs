//! Opens the built-in connectors: from checked options to a server in this process. Invariant: each option that
//! [`Builtin`] has is used here, and a relative path begins at the folder of the configuration.

use std::path::Path;
use std::sync::Arc;

use loggia::Error;
use loggia::service::Service;
use loggia_connect::builtin::files::{self, Files, FilesOptions};
use loggia_connect::builtin::sqlite::{self, Sqlite, SqliteLimits, SqliteOptions};
use loggia_connect::config_file::{Builtin, BuiltinKind};
use loggia_connect::secret::Secret;

/// Opens a built-in connector; relative paths start in `base`.
pub(crate) fn open(base: &Path, builtin: &Builtin<Secret>) -> loggia::Result<Arc<dyn Service>> {
    match builtin.kind {
        BuiltinKind::Files => {
            let options = FilesOptions {
                writable: builtin.flag("write"),
                write_sensitive: builtin.flag("write_sensitive"),
                ..FilesOptions::default()
            };
            open_folder(&base.join(folder(builtin).unwrap_or(CURRENT)), options)
        }
        BuiltinKind::Sqlite => open_sqlite(base, builtin),
    }
}

/// The folder that `files` serves if the configuration names none.
const CURRENT: &str = ".";

/// Returns the folder that a connector serves, as the configuration names it; `None` if it is not `files`.
pub(crate) fn folder(builtin: &Builtin<Secret>) -> Option<&str> {
    (builtin.kind == BuiltinKind::Files).then(|| builtin.text("path").unwrap_or(CURRENT))
}

/// Serves a folder.
pub(crate) fn open_folder(root: &Path, options: FilesOptions) -> loggia::Result<Arc<dyn Service>> {
    let files = Files::open(root, options).map_err(|error| io_error(error.kind(), &error))?;
    Ok(files::server(files)?.into_service())
}

fn open_sqlite(base: &Path, builtin: &Builtin<Secret>) -> loggia::Result<Arc<dyn Service>> {
    let usual = SqliteLimits::default();
    let limits = SqliteLimits {
        rows: rows(builtin).unwrap_or(usual.rows),
        time: builtin.time("timeout").unwrap_or(usual.time),
        ..usual
    };
    let path = base.join(builtin.text("path").unwrap_or_default());
    let options = SqliteOptions { writable: builtin.flag("write"), limits };
    let sqlite = Sqlite::open(&path, options).map_err(|error| io_error(error.kind(), &error))?;
    Ok(sqlite::server(sqlite)?.into_service())
}

fn rows(builtin: &Builtin<Secret>) -> Option<usize> {
    builtin.number("rows").map(|rows| usize::try_from(rows).unwrap_or(usize::MAX))
}

fn io_error(kind: std::io::ErrorKind, error: &dyn std::fmt::Display) -> Error {
    Error::Io(std::io::Error::new(kind, error.to_string()))
}
