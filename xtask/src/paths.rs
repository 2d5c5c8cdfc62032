//! Where things are: the repository, and the one folder below `target/` where everything this program
//! downloads, installs or logs goes.

use std::path::{Path, PathBuf};

/// Returns the root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask/ lies in the repository").to_path_buf()
}

/// Returns the folder of everything that is not part of the repository.
pub(crate) fn work() -> PathBuf {
    target().join("xtask")
}

/// Returns the folder Cargo builds into.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Creates a program built in the release profile.
pub(crate) fn release(name: &str) -> PathBuf {
    target().join("release").join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

/// Returns the folder `name` below the work folder, empty.
pub(crate) fn fresh(name: &str) -> Result<PathBuf, String> {
    let dir = work().join(name);
    if dir.exists() {
        std::fs::remove_dir_all(&dir).map_err(|e| format!("cannot empty {}: {e}", dir.display()))?;
    }
    std::fs::create_dir_all(&dir).map_err(|e| format!("cannot create {}: {e}", dir.display()))?;
    Ok(dir)
}
