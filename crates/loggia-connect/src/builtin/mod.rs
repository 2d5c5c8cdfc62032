//! Connectors that need no other program: they live in this process.

pub mod files;

use std::path::Path;

use loggia::{Error, Server};

use crate::manifest::Builtin;
use crate::secret::Secret;

use files::{Files, FilesOptions};

/// Makes the server that a manifest names. Relative paths begin at `base`.
pub fn server(builtin: &Builtin<Secret>, base: &Path) -> loggia::Result<Server> {
    match builtin {
        Builtin::Files { path, write } => {
            let root = base.join(path.expose());
            let options = FilesOptions { writable: *write, ..FilesOptions::default() };
            let unusable =
                |e| Error::Configuration(format!("the folder {} cannot be opened: {e}", root.display()));
            files::server(Files::open(&root, options).map_err(unusable)?)
        }
    }
}
