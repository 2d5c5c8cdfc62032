//! The findings of `loggia lint` on each real server, compared with `interop/real-servers/lint.json`: the number of findings
//! of each rule. A change of a rule or of a server is seen before it is released.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::servers::RealServer;
use crate::command::Run;
use crate::paths;

/// The number of findings, by rule.
type RuleCounts = BTreeMap<String, usize>;

/// Compares the findings of one server.
pub(super) fn check(server: &RealServer, home: &Path) -> Result<(), String> {
    let expected = read()?.remove(&server.name).unwrap_or_default();
    let found = findings(server, home)?;
    if found == expected {
        return Ok(());
    }
    let [expected, found] =
        [&expected, &found].map(|counts| serde_json::to_string(counts).unwrap_or_default());
    Err(format!("interop/real-servers/lint.json has {expected}, but `loggia lint` finds {found}"))
}

fn read() -> Result<BTreeMap<String, RuleCounts>, String> {
    let path = paths::root().join("interop/real-servers/lint.json");
    let text = std::fs::read_to_string(&path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
    serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))
}

fn findings(server: &RealServer, home: &Path) -> Result<RuleCounts, String> {
    let (program, arguments) = server.command()?;
    let run = Run::new(paths::release("loggia"), &format!("real-{}-lint", server.name));
    let run = run.args(["--no-config", "lint", "--format", "json", "--no-input"]);
    let environment = server.environment(home);
    let run =
        environment.iter().fold(run, |run, (name, value)| run.arg("--env").arg(format!("{name}={value}")));
    let finished = run.arg("--").arg(program).args(arguments).finish()?;
    // The exit code is 1 if there are findings, so the report decides if the command worked.
    let report: Value = serde_json::from_str(&finished.stdout).map_err(|_| finished.complaint())?;
    let mut counts = RuleCounts::new();
    for finding in report["findings"].as_array().into_iter().flatten() {
        *counts.entry(finding["rule"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
    }
    Ok(counts)
}
