//! The program that runs containers. Definitions and manifests say `docker`, so that they are the same on each machine; Podman
//! takes the same arguments.
//!
//! Invariant: Podman is used only where Docker is missing, and only for `run`.

use std::ffi::OsStr;

const DOCKER: &str = "docker";
const PODMAN: &str = "podman";

/// Returns the program to start for `command`: Podman for `docker run`, if only Podman is in the folders of `path`.
pub(crate) fn program<'c>(command: &'c str, first_arg: Option<&str>, path: Option<&OsStr>) -> &'c str {
    let is_installed = |name: &str| {
        let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
        path.is_some_and(|path| std::env::split_paths(path).any(|folder| folder.join(&file).is_file()))
    };
    let is_container = command == DOCKER && first_arg == Some("run");
    if is_container && !is_installed(DOCKER) && is_installed(PODMAN) { PODMAN } else { command }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each case: the installed programs, a command with its first argument, and the program that is started.
    #[test]
    fn podman_takes_the_place_of_a_missing_docker() {
        for (installed, command, first_arg, expected) in [
            (&["docker", "podman"] as &[&str], "docker", Some("run"), "docker"),
            (&["docker"], "docker", Some("run"), "docker"),
            (&["podman"], "docker", Some("run"), "podman"),
            (&["podman"], "docker", Some("compose"), "docker"),
            (&["podman"], "docker", None, "docker"),
            (&["podman"], "/usr/bin/docker", Some("run"), "/usr/bin/docker"),
            (&["podman"], "npx", Some("run"), "npx"),
            (&[], "docker", Some("run"), "docker"),
        ] {
            let folder = tempfile::tempdir().expect("a folder");
            for name in installed {
                let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
                std::fs::write(folder.path().join(file), "").expect("written");
            }
            let path = Some(folder.path().as_os_str());
            assert_eq!(program(command, first_arg, path), expected, "{installed:?} {command} {first_arg:?}");
        }
        assert_eq!(program("docker", Some("run"), None), "docker", "without PATH");
    }
}
