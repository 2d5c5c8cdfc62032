//! Paths of the files that the program may lose: lists of the last run, and the sockets of running gateways.

use std::path::{Path, PathBuf};

use loggia_auth::jose::sha256;

/// The variable that names another folder.
const VARIABLE: &str = "LOGGIA_STATE";
/// Characters of a digest that name a file.
const CHARS: usize = 16;

/// The file that remembers the lists of the connectors of the configuration `file`. `None` where the system has no
/// folder for such things.
pub(crate) fn lists(file: &Path) -> Option<PathBuf> {
    let file = std::path::absolute(file).ok()?;
    let name: String = sha256(file.as_os_str().as_encoded_bytes()).chars().take(CHARS).collect();
    Some(folder()?.join("lists").join(format!("{name}.json")))
}

/// The folder of the sockets through which gateways tell how they are.
#[cfg(unix)]
pub(crate) fn sockets() -> Option<PathBuf> {
    match chosen() {
        Some(folder) => Some(folder.join("run")),
        None => {
            dirs::runtime_dir().map(|run| run.join("loggia")).or_else(|| folder().map(|own| own.join("run")))
        }
    }
}

fn folder() -> Option<PathBuf> {
    let usual = || dirs::state_dir().or_else(dirs::data_local_dir).map(|state| state.join("loggia"));
    chosen().or_else(usual)
}

fn chosen() -> Option<PathBuf> {
    std::env::var_os(VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from)
}
