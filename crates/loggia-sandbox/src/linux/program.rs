//! Finds the files of a program that a confined process has to read to run it.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// The maximum number of links from a name to the file of the program.
const LINKS: usize = 16;

/// The places of a program.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Program {
    /// The files and folders that it needs.
    pub(super) places: Vec<PathBuf>,
}

impl Program {
    /// Finds a program as `execvp` does, with the `PATH` of this process.
    pub(super) fn find(name: &OsStr) -> Program {
        let path = env::var_os("PATH").unwrap_or_else(|| "/bin:/usr/bin".into());
        let home = env::var_os("HOME").map(PathBuf::from);
        let folders: Vec<PathBuf> = env::split_paths(&path).collect();
        Program { places: places(name, &folders, home.as_deref()) }
    }
}

/// Returns the files from a name to the program, and the installations that they belong to: for `X/bin/NAME` and
/// `X/shims/NAME` the folder `X`, unless it holds the home of the user.
fn places(name: &OsStr, path: &[PathBuf], home: Option<&Path>) -> Vec<PathBuf> {
    let candidates = match Path::new(name).components().count() {
        1 => path.iter().map(|folder| folder.join(name)).collect(),
        _ => vec![PathBuf::from(name)],
    };
    let Some(mut file) = candidates.into_iter().find(|file| file.is_file()) else { return Vec::new() };
    let mut places = Vec::new();
    for _ in 0..LINKS {
        places.push(file.clone());
        places.extend(installation(&file, home));
        let Ok(target) = std::fs::read_link(&file) else { break };
        file = file.parent().map_or(target.clone(), |folder| folder.join(target));
    }
    places.extend(file.canonicalize().ok().and_then(|file| installation(&file, home)));
    places
}

fn installation(file: &Path, home: Option<&Path>) -> Option<PathBuf> {
    let folder = file.parent()?;
    let above = folder.parent()?;
    let is_too_wide = above.parent().is_none()
        || home.is_some_and(|home| home.starts_with(above) || above == home.join(".local"));
    match folder.file_name() {
        Some(name) if (name == "bin" || name == "shims") && !is_too_wide => Some(above.to_owned()),
        // A package of Node.js has its programs among its other files.
        _ => file
            .ancestors()
            .find(|folder| folder.file_name().is_some_and(|name| name == "node_modules"))
            .map(Path::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_installation_is_readable_and_a_home_is_not() {
        let home = Path::new("/users/ann");
        for (file, expected) in [
            ("/users/ann/.nvm/versions/node/v22/bin/node", Some("/users/ann/.nvm/versions/node/v22")),
            ("/users/ann/.local/bin/uvx", None),
            ("/users/ann/bin/server", None),
            ("/users/bin/server", None),
            ("/users/ann/.pyenv/shims/python3", Some("/users/ann/.pyenv")),
            ("/bin/sh", None),
            ("/opt/tool/bin/tool", Some("/opt/tool")),
            ("/users/ann/server.py", None),
            ("/srv/app/node_modules/server/dist/index.js", Some("/srv/app/node_modules")),
        ] {
            assert_eq!(installation(Path::new(file), Some(home)), expected.map(PathBuf::from), "{file}");
        }
    }

    #[test]
    fn links_are_followed_to_the_program() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().canonicalize().expect("a folder");
        std::fs::create_dir_all(root.join("tool/bin")).expect("a folder");
        std::fs::create_dir_all(root.join("links")).expect("a folder");
        std::fs::write(root.join("tool/bin/run"), "").expect("a file");
        std::os::unix::fs::symlink("../tool/bin/run", root.join("links/run")).expect("a link");
        let found = places(OsStr::new("run"), &[root.join("empty"), root.join("links")], None);
        assert!(found.contains(&root.join("links/run")), "{found:?}");
        assert!(found.contains(&root.join("tool")), "{found:?}");
        assert_eq!(places(OsStr::new("absent"), &[root], None), Vec::<PathBuf>::new());
    }
}
