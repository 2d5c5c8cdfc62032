//! The layer *runner*: the program that a connector starts, such as `npx`, `uvx` or `docker`.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::configuration::ProgramTarget;
use super::report::LayerFailure;

/// The runners of packages, with the page that says how to install each.
pub(super) const RUNNERS: [(&str, &str); 3] = [
    ("npx", "https://nodejs.org/en/download"),
    ("uvx", "https://docs.astral.sh/uv/getting-started/installation/"),
    ("docker", "https://docs.docker.com/engine/install/"),
];

/// Finds the program of a connector.
pub(super) fn find(program: &ProgramTarget) -> Result<((), String), LayerFailure> {
    let path = program.path.as_ref().map(Into::into).or_else(|| std::env::var_os("PATH")).unwrap_or_default();
    let command = &program.command;
    let candidates: Vec<PathBuf> = match Path::new(command).components().count() > 1 {
        true => vec![program.folder.join(command)],
        false => in_path(command, &path).collect(),
    };
    if let Some(found) = candidates.iter().find(|file| is_executable(file)) {
        return Ok(((), found.display().to_string()));
    }
    if let Some(file) = candidates.iter().find(|file| file.exists()) {
        let reason = format!("{} cannot be executed by this user", file.display());
        return Err(LayerFailure::action(reason, "allow it, for example with `chmod +x`"));
    }
    let next = match install_page(command) {
        Some(page) => format!("install it: {page}"),
        None => "install it, or write its whole path as the command".to_owned(),
    };
    let failure = LayerFailure::action(format!("there is no program {command:?}"), next);
    Err(install_page(command).into_iter().fold(failure, LayerFailure::at))
}

/// Finds a program in `PATH`.
pub(super) fn find_in_path(command: &str) -> Option<PathBuf> {
    in_path(command, &std::env::var_os("PATH").unwrap_or_default()).find(|file| is_executable(file))
}

fn install_page(command: &str) -> Option<&'static str> {
    RUNNERS.iter().find(|(name, _)| *name == command).map(|(_, page)| *page)
}

fn in_path(command: &str, path: &OsStr) -> impl Iterator<Item = PathBuf> {
    let endings: &[&str] = if cfg!(windows) { &[".exe", ".cmd", ".bat", ""] } else { &[""] };
    let folders: Vec<PathBuf> = std::env::split_paths(path).collect();
    let files = |folder: PathBuf| endings.iter().map(move |ending| folder.join(format!("{command}{ending}")));
    folders.into_iter().flat_map(files).collect::<Vec<_>>().into_iter()
}

#[cfg(unix)]
fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(file: &Path) -> bool {
    file.is_file()
}
