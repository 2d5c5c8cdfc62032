//! Programs that fetch and start other programs: the hosts that they need, and the page to install them from.

use loggia::Error;
use loggia_sandbox::HostPattern;

/// A program that fetches and starts others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProgramRunner {
    /// A runner of npm packages.
    Npm,
    /// A runner of PyPI packages.
    PyPi,
    /// A runner of containers.
    Container,
}

impl ProgramRunner {
    const PROGRAMS: [(&str, ProgramRunner); 11] = [
        ("npx", ProgramRunner::Npm),
        ("npm", ProgramRunner::Npm),
        ("pnpm", ProgramRunner::Npm),
        ("yarn", ProgramRunner::Npm),
        ("bunx", ProgramRunner::Npm),
        ("uvx", ProgramRunner::PyPi),
        ("uv", ProgramRunner::PyPi),
        ("pipx", ProgramRunner::PyPi),
        ("docker", ProgramRunner::Container),
        ("podman", ProgramRunner::Container),
        ("nerdctl", ProgramRunner::Container),
    ];

    /// Returns the runner that a command is.
    pub(crate) fn of(command: &str) -> Option<ProgramRunner> {
        let name = command.rsplit(['/', '\\']).next().unwrap_or(command);
        let name = name.split_once('.').map_or(name, |(name, _)| name);
        ProgramRunner::PROGRAMS.into_iter().find(|(known, _)| *known == name).map(|(_, runner)| runner)
    }

    /// Returns whether it starts containers.
    pub(crate) fn is_container(self) -> bool {
        self == ProgramRunner::Container
    }

    /// Returns the hosts that it fetches packages from.
    pub(crate) fn hosts(self) -> Vec<HostPattern> {
        let hosts: &[&str] = match self {
            ProgramRunner::Npm => &["registry.npmjs.org"],
            ProgramRunner::PyPi => &["pypi.org", "files.pythonhosted.org"],
            ProgramRunner::Container => &[],
        };
        hosts.iter().filter_map(|host| host.parse().ok()).collect()
    }

    /// Returns the advice for a system without it.
    fn advice(self) -> &'static str {
        match self {
            ProgramRunner::Npm => "install Node.js, which has npx: https://nodejs.org",
            ProgramRunner::PyPi => "install uv, which has uvx: https://docs.astral.sh/uv",
            ProgramRunner::Container => {
                "install Docker or Podman: https://docs.docker.com/get-started/get-docker"
            }
        }
    }
}

/// Adds the advice to the error of a start without a runner.
pub(crate) fn with_advice(error: Error, command: &str) -> Error {
    match (error, ProgramRunner::of(command)) {
        (Error::Io(io), Some(runner)) if io.kind() == std::io::ErrorKind::NotFound => {
            Error::Io(std::io::Error::new(io.kind(), format!("{io}; {}", runner.advice())))
        }
        (error, _) => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runner_is_known_by_its_name() {
        for (command, expected) in [
            ("npx", Some(ProgramRunner::Npm)),
            ("C:\\Program Files\\nodejs\\npx.cmd", Some(ProgramRunner::Npm)),
            ("/users/ann/.local/bin/uvx", Some(ProgramRunner::PyPi)),
            ("docker", Some(ProgramRunner::Container)),
            ("my-npx", None),
            ("npx-server", None),
        ] {
            assert_eq!(ProgramRunner::of(command), expected, "{command}");
        }
    }

    #[test]
    fn a_missing_runner_is_named_with_the_way_to_get_it() {
        let missing = |kind| Error::Io(std::io::Error::new(kind, "the server `x` could not be started"));
        let not_found = std::io::ErrorKind::NotFound;
        for (command, kind, expected) in [
            ("npx", not_found, "https://nodejs.org"),
            ("uvx", not_found, "https://docs.astral.sh/uv"),
            ("docker", not_found, "https://docs.docker.com"),
        ] {
            let text = with_advice(missing(kind), command).to_string();
            assert!(text.contains("`x` could not be started") && text.contains(expected), "{text}");
        }
        for (command, kind) in [("server", not_found), ("npx", std::io::ErrorKind::PermissionDenied)] {
            assert!(!with_advice(missing(kind), command).to_string().contains("install"), "{command}");
        }
    }
}
