//! The real servers, from `interop/real-servers/servers.json`. It lists for each what it has without a network and
//! without a valid token. Redis is the server from Python's index, because the one from npm answers only after it has
//! connected to a Redis.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::recording::PREFIX;
use super::revision::Revision;
use crate::command::Run;
use crate::{paths, peers};

/// A server, and the requests whose results are compared.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RealServer {
    pub(super) name: String,
    /// The script of an npm package.
    node: Option<String>,
    /// A module of Python's index.
    python: Option<PythonModule>,
    #[serde(default)]
    arguments: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    revisions: Vec<String>,
    pub(super) requests: Vec<RecordedRequest>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PythonModule {
    module: String,
    /// The function that starts it, if `python -m` does not start it.
    function: Option<String>,
    environment: String,
}

/// A request whose result or error does not depend on the time, on the network, or on the machine.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecordedRequest {
    pub(super) method: String,
    pub(super) params: Value,
}

/// Reads the servers, with `{name}` replaced by the value of each placeholder.
pub(super) fn read(placeholders: &[(&str, String)]) -> Result<Vec<RealServer>, String> {
    let path = paths::root().join("interop/real-servers/servers.json");
    let mut text =
        std::fs::read_to_string(&path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
    for (name, value) in placeholders {
        text = text.replace(&format!("{{{name}}}"), &value.replace('\\', "/"));
    }
    serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))
}

impl RealServer {
    /// Returns the revisions that the server supports.
    pub(super) fn revisions(&self) -> Result<Vec<Revision>, String> {
        let parse =
            |text: &String| Revision::parse(text).ok_or_else(|| format!("no revision is named {text}"));
        self.revisions.iter().map(parse).collect()
    }

    /// Returns the command of the server, with the environment that the gateway gives it.
    pub(super) fn run(&self, home: &Path, log: &str) -> Result<Run, String> {
        let (program, arguments) = self.command()?;
        let run = Run::new(program, log).args(arguments).only_inherited_env();
        Ok(self.environment(home).into_iter().fold(run, |run, (key, value)| run.env(&key, value)))
    }

    /// Returns the configuration of a gateway that uses `revision` with the server.
    pub(super) fn config(&self, revision: Revision, home: &Path) -> Result<String, String> {
        let (program, arguments) = self.command()?;
        let env = self.environment(home);
        let env: Vec<String> =
            env.iter().map(|(key, value)| format!("{key} = {}", Value::from(value.as_str()))).collect();
        let mut config = String::new();
        let _ = writeln!(config, "[connectors.server]\nkind = \"stdio\"\nprefix = \"{PREFIX}\"");
        let _ = writeln!(config, "command = {}", Value::from(program.display().to_string()));
        let _ = writeln!(config, "args = {}", Value::from(arguments));
        let _ = writeln!(config, "env = {{ {} }}", env.join(", "));
        let _ = writeln!(config, "protocol = \"{}\"", revision.as_str());
        Ok(config)
    }

    /// Returns the program and its arguments.
    pub(super) fn command(&self) -> Result<(PathBuf, Vec<String>), String> {
        let (program, first) = match (&self.node, &self.python) {
            (Some(script), None) => {
                (peers::node(), vec![peers::real_server_file(script).display().to_string()])
            }
            (None, Some(python)) => (peers::real_server_python(&python.environment), python.arguments()),
            _ => return Err(format!("{} needs one of `node` and `python`", self.name)),
        };
        Ok((program, [first, self.arguments.clone()].concat()))
    }

    /// Returns the environment that the gateway gives it.
    pub(super) fn environment(&self, home: &Path) -> BTreeMap<String, String> {
        let mut env = self.env.clone();
        env.insert("HOME".to_owned(), home.display().to_string());
        if let Some(python) = &self.python {
            let packages = peers::real_server_python_packages(&python.environment);
            env.insert("PYTHONPATH".to_owned(), packages.display().to_string());
        }
        env
    }
}

impl PythonModule {
    fn arguments(&self) -> Vec<String> {
        let Self { module, function, .. } = self;
        match function {
            Some(function) => vec!["-c".into(), format!("from {module} import {function}; {function}()")],
            None => vec!["-m".into(), module.clone()],
        }
    }
}
