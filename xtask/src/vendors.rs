//! Emulators and mocks of vendors, and the tests of the connectors' direct backends against them.
//!
//! `emulate` keeps the state of its vendors. Prism answers with the examples of a vendor's description, and refuses
//! requests that do not fit it; the descriptions lie beside the repository, and may be missing.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::command::{Daemon, Run, free_port};
use crate::outcome::Outcome;
use crate::{cargo, paths, peers};

const START_LIMIT: Duration = Duration::from_secs(60);
/// The vendors that `emulate` has.
const EMULATED: &[&str] = &["github", "google", "linear", "slack", "stripe"];
/// The mocks of Prism, and the description of each.
const DESCRIBED: &[(&str, &str)] = &[
    ("asana", "asana.openapi.yaml"),
    ("figma", "figma.openapi.yaml"),
    ("notion", "notion.openapi.json"),
    ("sentry", "sentry.openapi.json"),
];

/// Running mocks. They end when this value is dropped.
struct Mocks {
    urls: Map<String, Value>,
    daemons: Vec<Daemon>,
    notes: Vec<String>,
}

/// Runs the stage.
pub(crate) fn run() -> Outcome {
    match Mocks::start() {
        Ok(mut mocks) => {
            let mut outcome = cargo::vendors(&Value::Object(mocks.urls.clone()).to_string());
            outcome.notes.append(&mut mocks.notes);
            for daemon in &mut mocks.daemons {
                if daemon.is_over() {
                    outcome.fail(format!("a mock ended: {}", daemon.tail()));
                }
            }
            outcome
        }
        Err(message) => Outcome::failure(message),
    }
}

impl Mocks {
    fn start() -> Result<Mocks, String> {
        let mut mocks = Mocks { urls: Map::new(), daemons: Vec::new(), notes: Vec::new() };
        let mut started = Vec::new();
        let mut ports = Map::new();
        for name in EMULATED {
            let port = mocks.add(name)?;
            ports.insert((*name).to_owned(), json!(port));
            started.push((port, 0));
        }
        let run = script("emulate.mjs", "vendors-emulate").arg(Value::Object(ports).to_string());
        mocks.daemons.push(run.start()?);
        for (name, file) in DESCRIBED {
            let description = descriptions().join(file);
            if !description.exists() {
                mocks.notes.push(format!("{name} is left out: there is no {}", description.display()));
                continue;
            }
            let port = mocks.add(name)?;
            started.push((port, mocks.daemons.len()));
            let run = script("node_modules/@stoplight/prism-cli/dist/index.js", &format!("vendors-{name}"));
            let run = run.args(["mock", "--errors", "--host", "127.0.0.1", "--port", &port.to_string()]);
            mocks.daemons.push(run.arg(description).start()?);
        }
        for (port, daemon) in started {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            mocks.daemons[daemon].wait_for_port(address, START_LIMIT)?;
        }
        Ok(mocks)
    }

    /// Adds the URL of a mock, and returns its port.
    fn add(&mut self, name: &str) -> Result<u16, String> {
        let port = free_port()?;
        self.urls.insert(name.to_owned(), json!(format!("http://127.0.0.1:{port}")));
        Ok(port)
    }
}

fn script(file: &str, log: &str) -> Run {
    Run::new(peers::node(), log).arg(peers::vendors_dir().join(file)).current_dir(&peers::vendors_dir())
}

/// Returns the folder with the vendors' descriptions, which is not a part of the repository.
fn descriptions() -> PathBuf {
    paths::root().join("../shared/vendors")
}
