//! The official conformance suite against everything-server and everything-client. The suite accepts much, so its
//! output is checked again here: a warning or a skipped check counts as failed, every required scenario must have
//! run, every check that ever passed must be there again (`conformance/checks.json`), the server must be alive at the
//! end, and each client must have ended itself.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::command::{Daemon, Finished, Run, free_port};
use crate::outcome::Outcome;
use crate::{paths, peers};

const REVISIONS: &[&str] = &["2025-11-25", "2026-07-28"];
const LIMIT: Duration = Duration::from_secs(600);
/// The last line on standard output of a client that did what its scenario requires.
const CLIENT_DONE: &str = "everything-client: done";

/// Scenarios that must run in addition to the required ones.
const ADDITIONAL: &[(&str, Leg)] = &[
    ("json-schema-2020-12", Leg::Server),
    ("server-sse-polling", Leg::Server),
    ("server-session-lifecycle", Leg::Server),
    ("http-header-validation", Leg::Server),
    ("http-custom-header-server-validation", Leg::Server),
    ("json-schema-2020-12-preservation", Leg::Client),
    ("auth/2025-03-26-oauth-metadata-backcompat", Leg::Client),
    ("auth/2025-03-26-oauth-endpoint-fallback", Leg::Client),
    ("auth/client-credentials-jwt", Leg::Client),
    ("auth/client-credentials-basic", Leg::Client),
    ("auth/enterprise-managed-authorization", Leg::Client),
    ("auth/dpop", Leg::Client),
    ("auth/dpop-nonce", Leg::Client),
    ("auth/wif-jwt-bearer", Leg::Client),
    ("authorization-server-metadata-endpoint", Leg::Authorization),
    ("authorization-code-grant", Leg::Authorization),
];

/// Scenarios that the suite runs but that are not counted yet, by the beginning of their names.
const LATER: &[(&str, &str)] =
    &[("tasks-", "the tasks extension comes later"), ("sep-2640-", "the skills extension comes later")];

/// Checks that may be skipped: scenario, name of the check, reason.
const SKIPPED: &[(&str, &str, &str)] = &[
    ("http-standard-headers", "ClientMcpMethodHeader_initialize", "the modern revision has no initialize"),
    ("http-standard-headers", "ClientMcpMethodHeader_notifications_initialized", "it has no initialize"),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leg {
    Server,
    Client,
    Authorization,
}

impl Leg {
    /// Returns the suite's word for it.
    fn word(self) -> &'static str {
        match self {
            Leg::Server => "server",
            Leg::Client => "client",
            Leg::Authorization => "authorization",
        }
    }
}

/// One invocation of the suite.
struct Invocation {
    leg: Leg,
    name: String,
    selection: Vec<String>,
}

/// The record of the suite for one scenario.
struct Recorded {
    checks: Vec<Value>,
    stdout: Option<String>,
}

type Scenarios = BTreeMap<String, Recorded>;
/// Invocation, scenario, and the checks that passed.
type Inventory = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// Runs all legs.
pub(crate) fn all() -> Outcome {
    run(&[])
}

/// Runs `cargo xtask conformance [server|client|authorization] [--filter SCENARIO] [--bless]`.
pub(crate) fn run(args: &[String]) -> Outcome {
    let filter = args.iter().position(|arg| arg == "--filter").and_then(|at| args.get(at + 1)).cloned();
    let only = |leg: &str| args.first().is_none_or(|first| first.starts_with("--") || first == leg);
    let mut seen = Inventory::new();
    let mut outcome = Outcome::default();
    for one in [Leg::Server, Leg::Client, Leg::Authorization] {
        if only(one.word()) {
            outcome.add(leg(one, filter.as_deref(), &mut seen));
        }
    }
    if args.iter().any(|arg| arg == "--bless") {
        outcome.record("writing the inventory", bless(&seen));
    } else if filter.is_none() {
        outcome.add(nothing_vanished(&seen));
    }
    outcome
}

fn leg(leg: Leg, filter: Option<&str>, seen: &mut Inventory) -> Outcome {
    let mut outcome = Outcome::default();
    let mut ran = BTreeSet::new();
    for invocation in invocations(leg, filter) {
        match invocation.run() {
            Ok((scenarios, judged)) => {
                println!("  {}: {} passed, {} failed", invocation.name, judged.passed, judged.failed);
                ran.extend(scenarios.keys().cloned());
                seen.insert(invocation.name.clone(), passed_checks(&scenarios));
                outcome.add(judged);
            }
            Err(message) => outcome.fail(format!("{}: {message}", invocation.name)),
        }
    }
    if filter.is_none() {
        for (scenario, _) in ADDITIONAL.iter().filter(|(_, of)| *of == leg) {
            let result = if ran.contains(*scenario) { Ok(()) } else { Err("was not run".to_owned()) };
            outcome.record(scenario, result);
        }
        for (start, reason) in LATER {
            let count = ran.iter().filter(|name| name.starts_with(start)).count();
            if count > 0 {
                outcome.note(format!("not yet run: {count} scenarios {start}* ({reason})"));
            }
        }
    }
    outcome
}

fn invocations(leg: Leg, filter: Option<&str>) -> Vec<Invocation> {
    let invocation = |name: String, selection: &[&str]| Invocation {
        leg,
        name: format!("{} {name}", leg.word()),
        selection: selection.iter().map(|&part| part.to_owned()).collect(),
    };
    if leg == Leg::Authorization {
        // Its scenarios depend on each other and have no revision.
        return vec![invocation("all".to_owned(), &[])];
    }
    if let Some(scenario) = filter {
        let one = |revision: &&str| {
            invocation(
                format!("{scenario} {revision}"),
                &["--scenario", scenario, "--spec-version", revision],
            )
        };
        return REVISIONS.iter().map(one).collect();
    }
    let required =
        |revision: &&str| invocation(format!("required {revision}"), &["--requirements", revision]);
    let mut list: Vec<Invocation> = REVISIONS.iter().map(required).collect();
    list.push(invocation("suite all".to_owned(), &["--suite", "all"]));
    list
}

impl Invocation {
    fn run(&self) -> Result<(Scenarios, Outcome), String> {
        let results = paths::fresh(&format!("conformance/{}", self.name.replace(' ', "-")))?;
        let mut outcome = Outcome::default();
        let finished = match self.leg {
            Leg::Server => self.against_server(&results, &mut outcome)?,
            Leg::Client => self.against_client(&results)?,
            Leg::Authorization => self.against_authorization_server(&results)?,
        };
        let scenarios = recorded(&results, self.leg)?;
        if scenarios.is_empty() && !finished.stdout.contains("SKIPPED: scenario") {
            return Err(format!("the suite ran nothing: {}", finished.complaint()));
        }
        for (name, scenario) in scenarios.iter().filter(|(name, _)| !is_later(name)) {
            outcome.add(self.judge(name, scenario));
        }
        outcome.add(self.nothing_missing(&scenarios));
        Ok((scenarios, outcome))
    }

    fn against_server(&self, results: &Path, outcome: &mut Outcome) -> Result<Finished, String> {
        let port = free_port()?;
        let mut server = start_server(port)?;
        let url = format!("http://127.0.0.1:{port}/mcp");
        let finished = self.suite(results, &["--url", &url])?;
        let alive = if server.is_over() { Err(format!("it died\n{}", server.tail())) } else { Ok(()) };
        outcome.record(&format!("{}: the server lives on", self.name), alive);
        if self.name.contains("required") {
            outcome.record(&format!("{}: the suite's own verdict", self.name), verdict(&finished));
        }
        Ok(finished)
    }

    fn against_client(&self, results: &Path) -> Result<Finished, String> {
        let client = paths::release("everything-client");
        let client = client.to_str().ok_or("the path of the repository is not UTF-8")?;
        self.suite(results, &["--command", client])
    }

    /// Runs the suite against the authorization server, with an example program as the user who signs in.
    fn against_authorization_server(&self, results: &Path) -> Result<Finished, String> {
        let port = free_port()?.to_string();
        let example =
            ["run", "--quiet", "--package", "loggia-auth", "--example", "authorization_server", "--"];
        let target = ["authorization", "--url", "{url}", "--client-id", "conformance", "--port", &port];
        Run::cargo("conformance-authorization")
            .args(example)
            .arg(peers::node())
            .arg(peers::npm_file("@modelcontextprotocol/conformance/dist/index.js"))
            .args(target)
            .arg("--output-dir")
            .arg(results)
            .limit(LIMIT)
            .finish()
    }

    fn suite(&self, results: &Path, target: &[&str]) -> Result<Finished, String> {
        let expected = paths::root().join("conformance").join("expected-failures.yml");
        Run::new(peers::node(), &format!("conformance-{}", self.name))
            .arg(peers::npm_file("@modelcontextprotocol/conformance/dist/index.js"))
            .arg(self.leg.word())
            .args(target)
            .args(&self.selection)
            .arg("--expected-failures")
            .arg(expected)
            .arg("--output-dir")
            .arg(results)
            .current_dir(&paths::work())
            .limit(LIMIT)
            .finish()
    }

    fn judge(&self, name: &str, scenario: &Recorded) -> Outcome {
        let mut outcome = Outcome::default();
        for check in &scenario.checks {
            let id = check["id"].as_str().unwrap_or("?");
            let complaint = || {
                let text = check["errorMessage"].as_str().or(check["description"].as_str()).unwrap_or("");
                format!("{} {name} [{id}]: {}: {text}", self.name, check["status"].as_str().unwrap_or("?"))
            };
            match check["status"].as_str() {
                Some("SUCCESS") => outcome.pass(),
                Some("INFO") => {}
                Some("SKIPPED") if is_skipped_by_right(name, check) => {}
                _ => outcome.fail(complaint()),
            }
        }
        if outcome.passed + outcome.failed == 0 {
            outcome.fail(format!("{} {name}: the suite checked nothing", self.name));
        }
        if let Some(stdout) = &scenario.stdout {
            let done = stdout.trim_end().ends_with(CLIENT_DONE);
            let complaint = || format!("the client did not finish: {}", stdout.trim_end());
            outcome.record(&format!("{} {name}", self.name), done.then_some(()).ok_or_else(complaint));
        }
        outcome
    }

    /// Checks that every scenario was run that the revision requires.
    fn nothing_missing(&self, scenarios: &Scenarios) -> Outcome {
        let mut outcome = Outcome::default();
        let Some(revision) = self.name.rsplit_once("required ").map(|(_, revision)| revision) else {
            return outcome;
        };
        match required(revision, self.leg) {
            Ok(names) => {
                for name in names.iter().filter(|name| !is_later(name)) {
                    let result = scenarios.contains_key(name).then_some(()).ok_or("was not run".to_owned());
                    outcome.record(&format!("{} {name}", self.name), result);
                }
            }
            Err(message) => outcome.fail(message),
        }
        outcome
    }
}

fn verdict(finished: &Finished) -> Result<(), String> {
    if finished.is_ok() { Ok(()) } else { Err("it says that something unexpected failed".to_owned()) }
}

/// Starts everything-server on a port of the loopback address.
pub(crate) fn start_server(port: u16) -> Result<Daemon, String> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let run = Run::new(paths::release("everything-server"), &format!("everything-server-{port}"));
    let mut server = run.args(["--listen", &address.to_string()]).start()?;
    server.wait_for_port(address, Duration::from_secs(20))?;
    Ok(server)
}

fn is_skipped_by_right(scenario: &str, check: &Value) -> bool {
    SKIPPED.iter().any(|(of, name, _)| *of == scenario && check["name"] == *name)
}

fn is_later(scenario: &str) -> bool {
    LATER.iter().any(|(start, _)| scenario.starts_with(start))
}

/// Returns the scenarios that a revision requires, from the list below `server:` or `client:` in the suite's own
/// file.
fn required(revision: &str, leg: Leg) -> Result<Vec<String>, String> {
    let path = peers::npm_file(&format!("@modelcontextprotocol/conformance/requirements/{revision}.yaml"));
    let text = std::fs::read_to_string(&path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
    let heading = if leg == Leg::Server { "server:" } else { "client:" };
    let section = text.lines().skip_while(|line| *line != heading).skip(1);
    let items = section.take_while(|line| line.starts_with("  - ") || line.trim().is_empty());
    let names: Vec<String> = items.filter_map(|line| line.strip_prefix("  - ").map(str::to_owned)).collect();
    if names.is_empty() {
        Err(format!("{} requires nothing of a {heading}", path.display()))
    } else {
        Ok(names)
    }
}

/// Reads `…/SCENARIO-TIMESTAMP/checks.json`; a scenario's name may contain a slash.
fn recorded(results: &Path, leg: Leg) -> Result<Scenarios, String> {
    const TIMESTAMP: usize = "-2026-07-28T00-00-00-000Z".len();
    let mut scenarios = Scenarios::new();
    for dir in folders_with_checks(results) {
        let relative =
            dir.strip_prefix(results).expect("it was found below").to_string_lossy().replace('\\', "/");
        let name = relative.get(..relative.len().saturating_sub(TIMESTAMP)).unwrap_or(&relative);
        let name = match leg {
            Leg::Server => name.strip_prefix("server-").unwrap_or(name),
            Leg::Authorization => name.strip_prefix("authorization-server-").unwrap_or(name),
            Leg::Client => name,
        };
        let text = std::fs::read_to_string(dir.join("checks.json"))
            .map_err(|e| format!("{}: {e}", dir.display()))?;
        let checks = serde_json::from_str(&text).map_err(|e| format!("{}: {e}", dir.display()))?;
        let stdout = std::fs::read_to_string(dir.join("stdout.txt")).ok();
        scenarios.insert(name.to_owned(), Recorded { checks, stdout });
    }
    Ok(scenarios)
}

fn folders_with_checks(dir: &Path) -> Vec<PathBuf> {
    if dir.join("checks.json").exists() {
        return vec![dir.to_path_buf()];
    }
    let entries = std::fs::read_dir(dir).into_iter().flatten().filter_map(Result::ok);
    entries
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .flat_map(|path| folders_with_checks(&path))
        .collect()
}

fn passed_checks(scenarios: &Scenarios) -> BTreeMap<String, BTreeSet<String>> {
    let ours = scenarios.iter().filter(|(name, _)| !is_later(name));
    let ids = |scenario: &Recorded| {
        let passed = scenario.checks.iter().filter(|check| check["status"] == "SUCCESS");
        passed.filter_map(|check| check["id"].as_str().map(str::to_owned)).collect()
    };
    ours.map(|(name, scenario)| (name.clone(), ids(scenario))).collect()
}

fn inventory_file() -> PathBuf {
    paths::root().join("conformance").join("checks.json")
}

fn inventory() -> Result<Inventory, String> {
    let file = inventory_file();
    let read = std::fs::read_to_string(&file).map_err(|e| e.to_string());
    let parsed = read.and_then(|text| serde_json::from_str(&text).map_err(|e| e.to_string()));
    parsed.map_err(|e| format!("{}: {e}", file.display()))
}

/// Adds passed checks to the inventory. Checks that no longer exist must be removed by hand.
fn bless(seen: &Inventory) -> Result<(), String> {
    let mut all = inventory().unwrap_or_default();
    for (invocation, scenarios) in seen {
        for (scenario, checks) in scenarios {
            let known = all.entry(invocation.clone()).or_default().entry(scenario.clone()).or_default();
            known.extend(checks.iter().cloned());
        }
    }
    let text = serde_json::to_string_pretty(&all).expect("maps of strings are JSON") + "\n";
    std::fs::write(inventory_file(), text).map_err(|e| format!("{}: {e}", inventory_file().display()))
}

/// Checks that every check in the committed inventory passed again.
fn nothing_vanished(seen: &Inventory) -> Outcome {
    let mut outcome = Outcome::default();
    let inventory = match inventory() {
        Ok(inventory) => inventory,
        Err(message) => return Outcome::failure(message),
    };
    for (invocation, scenarios) in inventory.iter().filter(|(name, _)| seen.contains_key(*name)) {
        for (scenario, checks) in scenarios {
            let now = seen[invocation].get(scenario).cloned().unwrap_or_default();
            let gone: Vec<&str> = checks.difference(&now).map(String::as_str).collect();
            let result =
                if gone.is_empty() { Ok(()) } else { Err(format!("no longer passed: {}", gone.join(", "))) };
            outcome.record(&format!("{invocation} {scenario}"), result);
        }
    }
    let known = |invocation: &str, scenario: &str| {
        inventory.get(invocation).is_some_and(|known| known.contains_key(scenario))
    };
    let new =
        seen.iter().flat_map(|(name, scenarios)| scenarios.keys().map(move |scenario| (name, scenario)));
    let new: Vec<&str> = new
        .filter(|(name, scenario)| !known(name, scenario))
        .map(|(_, scenario)| scenario.as_str())
        .collect();
    if !new.is_empty() {
        outcome.note(format!("not in the inventory, which `--bless` rewrites: {}", new.join(", ")));
    }
    outcome
}
