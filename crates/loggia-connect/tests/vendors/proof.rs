//! The table of the proof: what tests with a mock show of each connector. It is checked against the scenarios and the
//! manifests, and the pages of the vendors say the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use loggia_connect::manifest::{ConnectorManifest, ManifestBackend, ManifestBackendKind, embedded};
use loggia_openapi::OperationClass;
use serde::Deserialize;

use crate::scenario::Scenario;

const BEGIN: &str = "## Proved by a mock\n";
const END: &str = "## Sources\n";
const WIDTH: usize = 118;

/// The acts of one connector.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConnectorProof {
    mock: String,
    list: Cell,
    read: Cell,
    create: Cell,
    update: Cell,
    page: Cell,
    limit: Cell,
    lost: Cell,
    recovered: Cell,
}

/// A cell of the table.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Cell {
    Shown(String),
    Missing { missing: String },
}

impl ConnectorProof {
    fn cells(&self) -> [(&'static str, &Cell); 8] {
        [
            ("list", &self.list),
            ("read", &self.read),
            ("create", &self.create),
            ("update", &self.update),
            ("page", &self.page),
            ("hit a limit", &self.limit),
            ("lose the token", &self.lost),
            ("recover", &self.recovered),
        ]
    }
}

/// Checks the table. With `LOGGIA_BLESS` set, it writes the pages instead of comparing them.
pub(crate) fn check(scenarios: &[(String, Scenario)]) -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let file = root.join("interop/vendors/proof.toml");
    let table: BTreeMap<String, ConnectorProof> =
        toml::from_str(&text(&file)?).map_err(|error| format!("{}: {error}", file.display()))?;
    let mut problems = Vec::new();
    // Built-in connectors have no vendor: they are proved where they are built.
    let is_of_vendor = |text: &str| {
        let manifest = ConnectorManifest::parse(text, "a manifest");
        manifest.is_ok_and(|manifest| {
            manifest.backends.iter().any(|one| one.kind() != ManifestBackendKind::Builtin)
        })
    };
    let vendors = embedded().filter(|(_, text)| is_of_vendor(text));
    let names: BTreeSet<&str> = vendors.map(|(name, _)| name).collect();
    let rows: BTreeSet<&str> = table.keys().map(String::as_str).collect();
    problems.extend(names.symmetric_difference(&rows).map(|name| format!("{name}: no row, or no connector")));
    for (name, proof) in &table {
        let own: Vec<&Scenario> =
            scenarios.iter().map(|(_, scenario)| scenario).filter(|one| one.connector == *name).collect();
        match manifest(name).and_then(|(manifest, backend)| {
            check_row(proof, &own, &backend)?;
            check_page(&root.join(format!("docs/src/connectors/{name}.md")), &section(proof, &own, &manifest))
        }) {
            Ok(()) => {}
            Err(problem) => problems.push(format!("{name}: {problem}")),
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems.join("\n")) }
}

fn text(file: &Path) -> Result<String, String> {
    std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))
}

fn manifest(name: &str) -> Result<(ConnectorManifest, ManifestBackend), String> {
    let (_, text) = embedded().find(|(known, _)| *known == name).ok_or("there is no such connector")?;
    let manifest = ConnectorManifest::parse(text, name).map_err(|error| error.to_string())?;
    let direct = manifest.backends.iter().find(|backend| backend.kind().is_direct());
    let backend = direct.ok_or("it has no direct backend")?.clone();
    Ok((manifest, backend))
}

fn check_row(
    proof: &ConnectorProof,
    scenarios: &[&Scenario],
    backend: &ManifestBackend,
) -> Result<(), String> {
    check_coverage(scenarios, backend)?;
    for (act, cell) in proof.cells() {
        let Cell::Shown(by) = cell else { continue };
        let is_shown = match act {
            "page" => scenarios.iter().any(|one| one.pages.iter().any(|list| list.tool == *by)),
            "list" | "read" => is_called(scenarios, by) && class(backend, by) == Some(OperationClass::Read),
            "create" | "update" => {
                is_called(scenarios, by) && class(backend, by) != Some(OperationClass::Read)
            }
            _ => by == "response" || (by == "mock" && scenarios.iter().any(|one| one.refuses)),
        };
        if !is_shown {
            return Err(format!("no scenario shows {act} with {by}"));
        }
    }
    Ok(())
}

/// Returns true if a scenario calls the tool, and the call succeeds.
fn is_called(scenarios: &[&Scenario], tool: &str) -> bool {
    let mut steps = scenarios.iter().flat_map(|scenario| &scenario.steps);
    steps.any(|step| step.tool == tool && step.fails.is_none())
}

fn class(backend: &ManifestBackend, tool: &str) -> Option<OperationClass> {
    backend.tools.iter().find(|one| one.name == tool)?.class
}

/// Checks that each tool is either called or named as one that no mock can answer.
fn check_coverage(scenarios: &[&Scenario], backend: &ManifestBackend) -> Result<(), String> {
    let tools: BTreeSet<&str> = backend.tools.iter().map(|tool| tool.name.as_str()).collect();
    let steps = scenarios.iter().flat_map(|scenario| &scenario.steps);
    let called: BTreeSet<&str> = steps.map(|step| step.tool.as_str()).collect();
    let untested = scenarios.iter().flat_map(|scenario| scenario.untested.keys());
    let untested: BTreeSet<&str> = untested.map(String::as_str).collect();
    if let Some(tool) = called.intersection(&untested).next() {
        return Err(format!("{tool} is called and untested"));
    }
    let named: BTreeSet<&str> = called.union(&untested).copied().collect();
    let wrong: Vec<&&str> = tools.symmetric_difference(&named).collect();
    if wrong.is_empty() {
        return Ok(());
    }
    Err(format!("tools that are neither called nor untested, or that do not exist: {wrong:?}"))
}

/// Writes the part of a vendor's page that says what the mock shows and does not show.
fn section(proof: &ConnectorProof, scenarios: &[&Scenario], manifest: &ConnectorManifest) -> String {
    let mut page = format!("{BEGIN}\n");
    wrap(&mut page, "", &format!("The mock is {}.", proof.mock));
    page.push_str("\n| act | shown by |\n|---|---|\n");
    let mut missing: Vec<String> = manifest.not_shown.clone();
    for (act, cell) in proof.cells() {
        match cell {
            Cell::Missing { missing: reason } => missing.push(format!("To {act}: {reason}.")),
            Cell::Shown(by) => {
                let by = match by.as_str() {
                    "mock" => "the mock refuses requests".to_owned(),
                    "response" => "a response that the vendor documents, in place of the mock's".to_owned(),
                    tool => format!("`{tool}`"),
                };
                let _ = writeln!(page, "| {act} | {by} |");
            }
        }
    }
    let mut reasons: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (tool, reason) in scenarios.iter().flat_map(|scenario| &scenario.untested) {
        reasons.entry(reason).or_default().push(tool);
    }
    for (reason, tools) in reasons {
        missing.push(format!("`{}`: {reason}.", tools.join("`, `")));
    }
    page.push_str("\n## Not proved by a mock\n\n");
    for item in missing {
        wrap(&mut page, "- ", &item);
    }
    page.push('\n');
    page
}

/// Writes a paragraph in lines of at most [`WIDTH`] bytes.
fn wrap(page: &mut String, bullet: &str, text: &str) {
    let mut line = bullet.to_owned();
    for word in text.split(' ') {
        if line.len() > bullet.len() && line.len() + 1 + word.len() > WIDTH {
            let _ = writeln!(page, "{}", line.trim_end());
            line = " ".repeat(bullet.len());
        } else if line.len() > bullet.len() {
            line.push(' ');
        }
        line.push_str(word);
    }
    let _ = writeln!(page, "{line}");
}

fn check_page(file: &PathBuf, section: &str) -> Result<(), String> {
    let page = text(file)?;
    let begin = page.find(BEGIN).or_else(|| page.find("## Not proved by a mock\n"));
    let (begin, end) = begin.zip(page.find(END)).ok_or("its page has no place for the proof")?;
    if page.get(begin..end) == Some(section) {
        return Ok(());
    }
    if std::env::var_os("LOGGIA_BLESS").is_none() {
        return Err(format!("{} differs from the table: run the test with LOGGIA_BLESS=1", file.display()));
    }
    let new = [&page[..begin], section, &page[end..]].concat();
    std::fs::write(file, new).map_err(|error| error.to_string())
}
