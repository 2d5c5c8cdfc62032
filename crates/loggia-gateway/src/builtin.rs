//! Opens the built-in connectors: from checked options to a server in this process. Invariant: each option that
//! [`Builtin`] has is used here, and a relative path begins at the folder of the configuration.

use std::path::Path;
use std::sync::Arc;

use loggia::Error;
use loggia::service::Service;
use loggia_connect::builtin::fetch::{self, WebLimits, WebOptions};
use loggia_connect::builtin::files::{self, Files, FilesOptions};
use loggia_connect::builtin::git::{self, Git, GitAuthor, GitLimits, GitOptions};
use loggia_connect::builtin::memory::{self, Memory, MemoryLimits};
use loggia_connect::builtin::postgres::{self, Postgres, PostgresLimits, PostgresOptions};
use loggia_connect::builtin::sqlite::{self, Sqlite, SqliteLimits, SqliteOptions};
use loggia_connect::builtin::time;
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
        BuiltinKind::Fetch => open_fetch(builtin),
        BuiltinKind::Git => open_git(base, builtin),
        BuiltinKind::Memory => open_memory(base, builtin),
        BuiltinKind::Postgres => open_postgres(builtin),
        BuiltinKind::Sqlite => open_sqlite(base, builtin),
        BuiltinKind::Time => Ok(time::server(builtin.text("zone").unwrap_or("UTC"))?.into_service()),
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

fn open_fetch(builtin: &Builtin<Secret>) -> loggia::Result<Arc<dyn Service>> {
    let usual = WebLimits::default();
    let limits = WebLimits { time: builtin.time("timeout").unwrap_or(usual.time), ..usual };
    let mut options = WebOptions { robots: !builtin.flag("ignore_robots"), limits, ..WebOptions::default() };
    for text in builtin.texts("allow") {
        options = options.allow(text).map_err(Error::Configuration)?;
    }
    Ok(fetch::server(&options)?.into_service())
}

/// The file of the memory in the folder of the user's data, if the configuration names none.
const MEMORY_FILE: &str = "memory.db";

fn open_memory(base: &Path, builtin: &Builtin<Secret>) -> loggia::Result<Arc<dyn Service>> {
    let path = match builtin.text("path") {
        Some(path) => base.join(path),
        None => {
            let folder = dirs::data_local_dir().map(|data| data.join("loggia"));
            let none = "the system names no folder for data; name the file of the memory (path)";
            let folder = folder.ok_or_else(|| Error::Configuration(none.to_owned()))?;
            std::fs::create_dir_all(&folder)?;
            folder.join(MEMORY_FILE)
        }
    };
    let memory = Memory::open(&path, MemoryLimits::default());
    let memory = memory.map_err(|error| Error::Configuration(format!("{}: {error}", path.display())))?;
    Ok(memory::server(memory)?.into_service())
}

fn open_postgres(builtin: &Builtin<Secret>) -> loggia::Result<Arc<dyn Service>> {
    let usual = PostgresLimits::default();
    let limits = PostgresLimits {
        rows: rows(builtin).unwrap_or(usual.rows),
        time: builtin.time("timeout").unwrap_or(usual.time),
        ..usual
    };
    let options = PostgresOptions { writable: builtin.flag("write"), limits };
    let postgres = Postgres::open(builtin.text("url").unwrap_or_default(), options);
    let postgres = postgres.map_err(|error| Error::Configuration(error.to_string()))?;
    Ok(postgres::server(postgres)?.into_service())
}

fn open_git(base: &Path, builtin: &Builtin<Secret>) -> loggia::Result<Arc<dyn Service>> {
    let author = builtin.text("author").map(|text| {
        let wrong = "the author of commits is written as \"Name <name@example.com>\"";
        GitAuthor::parse(text).ok_or_else(|| Error::Configuration(wrong.to_owned()))
    });
    let usual = GitLimits::default();
    let limits = GitLimits { time: builtin.time("timeout").unwrap_or(usual.time), ..usual };
    let roots: Vec<_> = builtin.texts("root").into_iter().map(|root| base.join(root)).collect();
    let options = GitOptions { author: author.transpose()?, limits };
    let git = Git::open(&roots, options).map_err(|error| io_error(error.kind(), &error))?;
    Ok(git::server(git)?.into_service())
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
