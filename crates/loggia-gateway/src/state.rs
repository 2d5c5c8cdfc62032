//! The folder of files that may be deleted: lists of the last run, the sockets of running gateways, and the homes
//! of confined programs.
//!
//! It is separate from credentials and the vault, which must not be lost.

use std::path::{Path, PathBuf};

use loggia_auth::jose::sha256;

/// The environment variable that names another folder.
const VARIABLE: &str = "LOGGIA_STATE";
/// The number of characters of a digest in the name of a file.
const CHARS: usize = 16;

/// The folder of files that may be deleted.
#[derive(Debug, Clone)]
pub struct StateFolder {
    /// The folder of lists; `None` if the system has no such folder.
    lists: Option<PathBuf>,
    #[cfg_attr(not(unix), allow(dead_code, reason = "there are no sockets there"))]
    sockets: Option<PathBuf>,
    homes: Option<PathBuf>,
}

impl StateFolder {
    /// Keeps everything in this folder.
    pub fn at(folder: &Path) -> StateFolder {
        StateFolder {
            lists: Some(folder.join("lists")),
            sockets: Some(folder.join("run")),
            homes: Some(folder.join("homes")),
        }
    }

    /// Finds the folder of this user: the one that `LOGGIA_STATE` names, or the system's folders for such files.
    pub fn of_user() -> StateFolder {
        if let Some(folder) = std::env::var_os(VARIABLE).filter(|path| !path.is_empty()) {
            return StateFolder::at(Path::new(&folder));
        }
        let folder = dirs::state_dir().or_else(dirs::data_local_dir).map(|state| state.join("loggia"));
        let run = dirs::runtime_dir().map(|run| run.join("loggia"));
        StateFolder {
            lists: folder.as_ref().map(|folder| folder.join("lists")),
            homes: folder.as_ref().map(|folder| folder.join("homes")),
            sockets: run.or_else(|| folder.map(|folder| folder.join("run"))),
        }
    }

    /// Returns the file for the remembered lists of the configuration `file`.
    pub(crate) fn lists(&self, file: &Path) -> Option<PathBuf> {
        let file = std::path::absolute(file).ok()?;
        let name: String = sha256(file.as_os_str().as_encoded_bytes()).chars().take(CHARS).collect();
        Some(self.lists.as_ref()?.join(format!("{name}.json")))
    }

    /// Returns the folder of the homes of confined programs.
    pub(crate) fn homes(&self) -> Option<&Path> {
        self.homes.as_deref()
    }

    /// Returns the folder of the sockets with which gateways report their status.
    #[cfg(unix)]
    pub fn sockets(&self) -> Option<&Path> {
        self.sockets.as_deref()
    }
}
