//! The folders of this machine in which applications keep their configuration. Invariant: paths are built from data, so
//! that those of every system can be tested on one.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// The operating system, as far as it decides about folders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperatingSystem {
    /// Linux and other systems with the XDG folders.
    Linux,
    /// macOS.
    MacOs,
    /// Windows.
    Windows,
}

/// The folders and the environment variables of a user.
#[derive(Debug, Clone)]
pub struct MachinePaths {
    system: OperatingSystem,
    home: String,
    variables: BTreeMap<String, String>,
}

impl OperatingSystem {
    /// Returns the system of this machine.
    pub fn current() -> OperatingSystem {
        match std::env::consts::OS {
            "windows" => OperatingSystem::Windows,
            "macos" => OperatingSystem::MacOs,
            _ => OperatingSystem::Linux,
        }
    }

    /// Returns the name for people.
    pub fn title(self) -> &'static str {
        match self {
            OperatingSystem::Linux => "Linux",
            OperatingSystem::MacOs => "macOS",
            OperatingSystem::Windows => "Windows",
        }
    }
}

impl MachinePaths {
    /// Makes the paths of a user with the folder `home` and these environment variables.
    pub fn new<N: Into<String>, V: Into<String>>(
        system: OperatingSystem,
        home: &str,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> MachinePaths {
        let variables = variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        MachinePaths { system, home: home.to_owned(), variables }
    }

    /// Returns the paths of the user who runs this program; `None` where the user has no folder.
    pub fn current() -> Option<MachinePaths> {
        let home = std::env::home_dir().filter(|home| !home.as_os_str().is_empty())?;
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        let variables = std::env::vars_os().filter_map(text);
        Some(MachinePaths::new(OperatingSystem::current(), home.to_str()?, variables))
    }

    /// Returns the system.
    pub fn system(&self) -> OperatingSystem {
        self.system
    }

    /// Returns the path of a template; `None` where it names a variable that is not set.
    pub(super) fn path(&self, template: &str) -> Option<PathBuf> {
        let (start, rest) = match template.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
            Some((name, rest)) => (self.folder(name)?, rest),
            None => (String::new(), template),
        };
        Some(PathBuf::from(start + &self.separated(rest)))
    }

    /// Returns the path of a file of a project.
    pub(super) fn project_path(&self, project: &str, file: &str) -> PathBuf {
        PathBuf::from(format!("{}{}", project.trim_end_matches('/'), self.separated(&format!("/{file}"))))
    }

    fn folder(&self, name: &str) -> Option<String> {
        let variable = |name: &str| self.variables.get(name).filter(|value| !value.is_empty()).cloned();
        let below = |folder: &str| format!("{}{}", self.home, self.separated(folder));
        let xdg = || variable("XDG_CONFIG_HOME").unwrap_or_else(|| below("/.config"));
        Some(match (name, self.system) {
            ("home", _) => self.home.clone(),
            ("xdg", _) | ("config", OperatingSystem::Linux) => xdg(),
            ("config", OperatingSystem::MacOs) => below("/Library/Application Support"),
            ("config", OperatingSystem::Windows) => {
                variable("APPDATA").unwrap_or_else(|| below("/AppData/Roaming"))
            }
            (name, _) => variable(name.strip_prefix("env:")?)?,
        })
    }

    fn separated(&self, path: &str) -> String {
        match self.system {
            OperatingSystem::Windows => path.replace('/', "\\"),
            _ => path.to_owned(),
        }
    }
}
