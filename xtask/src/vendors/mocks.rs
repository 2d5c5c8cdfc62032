//! Emulators and mocks of vendors.
//!
//! `emulate` and the fakes of this repository keep the state of their vendors. Prism answers with the examples of a
//! vendor's description, or stands before a fake, and refuses requests and answers that do not fit the description. Some
//! descriptions lie beside the repository, and may be missing; others are here, reduced to the facts.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::command::{Daemon, Run, free_port};
use crate::{paths, peers};

/// The large descriptions take Prism half a minute of computing time.
const START_LIMIT: Duration = Duration::from_secs(180);
/// The vendors that `emulate` has.
const EMULATED: &[&str] = &["github", "google", "linear", "slack", "stripe"];
/// The mocks of Prism, and the description of each.
const DESCRIBED: &[(&str, &str)] =
    &[("asana", "asana.openapi.yaml"), ("figma", "figma.openapi.yaml"), ("sentry", "sentry.openapi.json")];
/// The vendor with a mock of ours that keeps its state. Prism stands before it and checks requests and answers.
const OURS: (&str, &str) = ("notion", "notion.openapi.json");

/// The fakes of `interop/vendors/fakes/` whose vendors' descriptions are here. Prism stands before each.
const FAKES: &[&str] = &["canva", "confluence", "hubspot", "jira"];
/// Other fakes, the name of each mock, and the mock of Prism that checks the requests and answers those that the fake does
/// not know.
const PARTIAL_FAKES: &[(&str, &str, Option<&str>)] = &[
    ("figma", "figma-file", None),
    ("google", "google-state", None),
    ("stripe", "stripe-billing", None),
    ("asana", "asana-state", Some("asana")),
    ("sentry", "sentry-state", Some("sentry")),
];

/// Running mocks. They end when this value is dropped.
pub(super) struct Mocks {
    /// The URL of each, by its name in the scenarios.
    pub(super) urls: Map<String, Value>,
    daemons: Vec<(Daemon, u16)>,
    pub(super) notes: Vec<String>,
}

impl Mocks {
    pub(super) fn start() -> Result<Mocks, String> {
        let mut mocks = Mocks { urls: Map::new(), daemons: Vec::new(), notes: Vec::new() };
        for name in EMULATED {
            let port = mocks.add(name)?;
            let ports = json!({ *name: port }).to_string();
            mocks.start_script("emulate.mjs", &[&ports], name, port)?;
        }
        let (name, file) = OURS;
        let port = free_port()?;
        mocks.start_script("notion.mjs", &[&port.to_string()], name, port)?;
        let upstream = url(port);
        match mocks.description(file) {
            Some(description) => mocks.start_prism(name, "proxy", &[&description, &upstream])?,
            None => drop(mocks.urls.insert(name.to_owned(), json!(upstream))),
        }
        for name in FAKES {
            let port = free_port()?;
            mocks.start_script("fake.mjs", &[name, &port.to_string()], name, port)?;
            let description = peers::interop().join(format!("vendors/descriptions/{name}.openapi.json"));
            mocks.start_prism(name, "proxy", &[&description.display().to_string(), &url(port)])?;
        }
        for (name, file) in DESCRIBED {
            if let Some(description) = mocks.description(file) {
                mocks.start_prism(name, "mock", &[&description])?;
            }
        }
        for (fake, name, prism) in PARTIAL_FAKES {
            let upstream = prism.map(|prism| mocks.url(prism).map(str::to_owned));
            // Without its description, Prism does not run.
            let Ok(upstream) = upstream.transpose() else { continue };
            let port = mocks.add(name)?;
            let port_text = port.to_string();
            let args: Vec<&str> = [*fake, &port_text].into_iter().chain(upstream.as_deref()).collect();
            mocks.start_script("fake.mjs", &args, name, port)?;
        }
        for (daemon, port) in &mut mocks.daemons {
            daemon.wait_for_port(SocketAddr::from((Ipv4Addr::LOCALHOST, *port)), START_LIMIT)?;
        }
        Ok(mocks)
    }

    /// Returns the URL of a mock.
    pub(super) fn url(&self, name: &str) -> Result<&str, String> {
        self.urls.get(name).and_then(Value::as_str).ok_or_else(|| format!("there is no mock of {name}"))
    }

    /// Returns the end of the log of a mock that has ended.
    pub(super) fn complaint(&mut self) -> Option<String> {
        self.daemons.iter_mut().find_map(|(daemon, _)| daemon.is_over().then(|| daemon.tail()))
    }

    /// Adds the URL of a mock, and returns its port.
    fn add(&mut self, name: &str) -> Result<u16, String> {
        let port = free_port()?;
        self.urls.insert(name.to_owned(), json!(url(port)));
        Ok(port)
    }

    /// Returns the path of a description; `None`, and a note, if it is missing.
    fn description(&mut self, file: &str) -> Option<String> {
        let path = paths::root().join("../shared/vendors").join(file);
        if !path.exists() {
            self.notes.push(format!("what needs {} is left out: the file is missing", path.display()));
            return None;
        }
        Some(path.display().to_string())
    }

    fn start_prism(&mut self, name: &str, command: &str, what: &[&str]) -> Result<(), String> {
        let port = self.add(name)?;
        let port_text = port.to_string();
        let args = [&[command, "--errors", "--host", "127.0.0.1", "--port", &port_text], what].concat();
        let script = "node_modules/@stoplight/prism-cli/dist/index.js";
        self.start_script(script, &args, &format!("{name}-prism"), port)
    }

    fn start_script(&mut self, script: &str, args: &[&str], log: &str, port: u16) -> Result<(), String> {
        let folder = peers::vendors_dir();
        let run = Run::new(peers::node(), &format!("vendors-{log}")).arg(folder.join(script)).args(args);
        self.daemons.push((run.current_dir(&folder).start()?, port));
        Ok(())
    }
}

fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}
