//! The folder of files that the gateway may lose: lists of the last run, and the sockets of running gateways.
//!
//! It is apart from credentials and the vault, whose loss matters.

use std::path::{Path, PathBuf};

use loggia_auth::jose::sha256;

/// The environment variable that names another folder.
const VARIABLE: &str = "LOGGIA_STATE";
/// Characters of a digest that name a file.
const CHARS: usize = 16;

/// The folder of files that the gateway may lose.
#[derive(Debug, Clone)]
pub struct StateFolder {
    /// `None` if the system has no such folder.
    lists: Option<PathBuf>,
    #[cfg_attr(not(unix), allow(dead_code, reason = "there are no sockets there"))]
    sockets: Option<PathBuf>,
}

impl StateFolder {
    /// Keeps everything in this folder.
    pub fn at(folder: &Path) -> StateFolder {
        StateFolder { lists: Some(folder.join("lists")), sockets: Some(folder.join("run")) }
    }

    /// Finds the folder of this user: the one that `LOGGIA_STATE` names, or those that the system has for such files.
    pub fn of_user() -> StateFolder {
        if let Some(folder) = std::env::var_os(VARIABLE).filter(|path| !path.is_empty()) {
            return StateFolder::at(Path::new(&folder));
        }
        let folder = dirs::state_dir().or_else(dirs::data_local_dir).map(|state| state.join("loggia"));
        let run = dirs::runtime_dir().map(|run| run.join("loggia"));
        StateFolder {
            lists: folder.as_ref().map(|folder| folder.join("lists")),
            sockets: run.or_else(|| folder.map(|folder| folder.join("run"))),
        }
    }

    /// Returns the file that remembers the lists of the connectors of the configuration `file`.
    pub(crate) fn lists(&self, file: &Path) -> Option<PathBuf> {
        let file = std::path::absolute(file).ok()?;
        let name: String = sha256(file.as_os_str().as_encoded_bytes()).chars().take(CHARS).collect();
        Some(self.lists.as_ref()?.join(format!("{name}.json")))
    }

    /// Returns the folder of the sockets through which gateways report their status.
    #[cfg(unix)]
    pub fn sockets(&self) -> Option<&Path> {
        self.sockets.as_deref()
    }
}
