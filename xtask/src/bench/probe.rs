//! One measurement: the load starts the contender, asks it, and prints the figures.

use std::collections::BTreeMap;
use std::time::Duration;

use super::contender::Contender;
use super::machine::Cores;
use super::rows::Row;
use crate::command::Run;
use crate::paths;

/// Named figures of one measurement.
pub(super) type Figures = BTreeMap<String, f64>;

const LIMIT: Duration = Duration::from_secs(180);

/// Measures `contender` once.
pub(super) fn take(row: &Row, contender: &Contender, seconds: f64, cores: &Cores) -> Result<Figures, String> {
    let log = format!("bench-{}-{}", row.name, contender.name);
    let load = paths::release("bench-load");
    let run = match &cores.load {
        Some(core) => Run::new("taskset", &log).args(["-c", core]).arg(load),
        None => Run::new(load, &log),
    };
    let mut run = run.args(&row.load).args(["--seconds", &seconds.to_string()]);
    if let Some(core) = &cores.server {
        run = run.args(["--pin", core]);
    }
    let run = run.arg("--").arg(&contender.program).args(&contender.args);
    let finished = run.limit(LIMIT).finish()?;
    finished.check()?;
    let line = finished.stdout.lines().last().unwrap_or_default();
    serde_json::from_str(line).map_err(|e| format!("not figures: {line:?}: {e}"))
}
