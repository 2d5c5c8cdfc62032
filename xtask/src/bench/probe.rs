//! One measurement: a program starts the contender, sends requests, and prints the figures.

use std::collections::BTreeMap;
use std::time::Duration;

use super::contender::Contender;
use super::machine::Cores;
use super::rows::{Probe, Row};
use super::stage::Stage;
use crate::command::Run;
use crate::paths;

/// Named figures of one measurement.
pub(super) type Figures = BTreeMap<String, f64>;

const LIMIT: Duration = Duration::from_secs(180);
/// The numbers of calls of the two runs, whose difference is the allocations of the calls.
const FEW: usize = 500;
const MANY: usize = 1500;

/// The common parts of measurements.
pub(super) struct Prober<'a> {
    pub(super) seconds: f64,
    pub(super) cores: &'a Cores,
    pub(super) stage: &'a Stage,
}

impl Prober<'_> {
    /// Measures `contender` once.
    pub(super) fn take(&self, row: &Row, contender: &Contender) -> Result<Figures, String> {
        let log = format!("bench-{}-{}", row.name, contender.name);
        match &row.probe {
            Probe::Load(args) => {
                let run = self.cores.load_run(paths::release("bench-load"), &log).args(args);
                let run = run.args(["--seconds", &self.seconds.to_string()]).args(&contender.load);
                let run = self.cores.server.iter().fold(run, |run, core| run.args(["--pin", core]));
                figures(run.arg("--").args(&contender.command))
            }
            Probe::Client(concurrency) => {
                let run = self.cores.server_run(&contender.command[0], &log).args(&contender.command[1..]);
                let (concurrency, seconds) = (concurrency.to_string(), self.seconds.to_string());
                figures(run.args([&self.stage.url, &concurrency, &seconds]))
            }
            Probe::Allocations(args) => {
                let (few, many) =
                    (allocations(args, contender, &log, FEW)?, allocations(args, contender, &log, MANY)?);
                let each = (many - few) / (MANY - FEW) as f64;
                Ok(BTreeMap::from([("allocations".to_owned(), each)]))
            }
        }
    }
}

fn figures(run: Run) -> Result<Figures, String> {
    let finished = run.limit(LIMIT).finish()?;
    finished.check()?;
    let line = finished.stdout.lines().last().unwrap_or_default();
    serde_json::from_str(line).map_err(|e| format!("not figures: {line:?}: {e}"))
}

/// Returns the number of allocations of the contender in a run of `calls` calls, counted by valgrind.
fn allocations(args: &[&str], contender: &Contender, log: &str, calls: usize) -> Result<f64, String> {
    let report = paths::work().join("logs").join(format!("{}.valgrind", log.replace(' ', "-")));
    let valgrind = ["valgrind", "--leak-check=no", "--undef-value-errors=no"];
    let run = Run::new(paths::release("bench-load"), log).args(args).args(&contender.load);
    let run = run.args(["--end", "--calls", &calls.to_string(), "--"]).args(valgrind);
    let run = run.arg(format!("--log-file={}", report.display())).args(&contender.command);
    run.limit(LIMIT).finish()?.check()?;
    let text = std::fs::read_to_string(&report).map_err(|e| format!("valgrind left no report: {e}"))?;
    let total = text.lines().find_map(|line| line.split_once("total heap usage: ")).map(|(_, rest)| rest);
    let count = total.and_then(|rest| rest.split(" allocs").next()).map(|count| count.replace(',', ""));
    count.and_then(|count| count.parse().ok()).ok_or_else(|| format!("valgrind counted nothing: {text}"))
}
