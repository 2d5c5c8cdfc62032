//! Runs a driver: it gets the target and the plan as one JSON argument, and prints a line of JSON for each operation.

use std::time::Duration;

use serde_json::{Value, json};

use super::Job;
use super::plan::{OPERATIONS, Plan};
use super::servers::Running;
use super::table::{Cell, Row};

const LIMIT: Duration = Duration::from_secs(180);
const MODERN: &str = "2026-07-28";
const LATEST_LEGACY: &str = "2025-11-25";

/// Returns one row of the table.
pub(super) fn row(job: &Job, plan: &Plan, running: &Running, log: &str) -> Row {
    let mut row = Row::new(job, plan.connector);
    let mut ops = Vec::new();
    for op in OPERATIONS {
        match job.client.cannot(op).map(str::to_owned).map_or_else(|| plan.step(op).map(drop), Err) {
            Ok(()) => ops.push(*op),
            Err(reason) => row.set(op, Cell::NotApplicable(reason)),
        }
    }
    if job.client.only_modern && !plan.modern {
        return refused(job, plan, running, row, log);
    }
    let config = json!({ "target": running.target, "era": job.client.era, "ops": ops, "plan": plan.steps });
    let (lines, complaint) = drive(job, &config, &log_name(plan, log));
    let revision = if job.client.prefers_modern && plan.modern { MODERN } else { LATEST_LEGACY };
    row.set("connect", connected(&lines, revision, &complaint));
    let mut unsaid = lines.iter().any(|line| line["op"] == "connect" && line["ok"] == true);
    for op in ops {
        let missing =
            || if std::mem::take(&mut unsaid) { Cell::Failed(complaint.clone()) } else { Cell::NotReached };
        row.set(op, cell(&lines, op).unwrap_or_else(missing));
    }
    row
}

/// Checks that a client with only the modern revision reports an error for a legacy server.
fn refused(job: &Job, plan: &Plan, running: &Running, mut row: Row, log: &str) -> Row {
    let config = json!({ "target": running.target, "era": job.client.era, "ops": [], "plan": plan.steps });
    let (lines, _) = drive(job, &config, &log_name(plan, log));
    let said = match cell(&lines, "connect") {
        Some(Cell::Failed(_)) => Cell::Passed("refused".to_owned()),
        other => Cell::Failed(format!("expected the client to refuse an older server, got {other:?}")),
    };
    row.set("connect", said);
    for op in OPERATIONS {
        row.set(
            op,
            Cell::NotApplicable("the client is pinned to a revision that the server lacks".to_owned()),
        );
    }
    row
}

fn drive(job: &Job, config: &Value, log: &str) -> (Vec<Value>, String) {
    match job.client.driver(log).arg(config.to_string()).limit(LIMIT).finish() {
        Ok(finished) => {
            let lines = finished.stdout.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
            (lines, finished.complaint())
        }
        Err(message) => (Vec::new(), message),
    }
}

fn connected(lines: &[Value], revision: &str, complaint: &str) -> Cell {
    match cell(lines, "connect") {
        Some(Cell::Passed(got)) if got == revision => Cell::Passed(got),
        Some(Cell::Passed(got)) => Cell::Failed(format!("agreed on {got} and not on {revision}")),
        Some(other) => other,
        None => Cell::Failed(complaint.to_owned()),
    }
}

fn cell(lines: &[Value], op: &str) -> Option<Cell> {
    let line = lines.iter().find(|line| line["op"] == op)?;
    let detail = line["detail"].as_str().unwrap_or("").to_owned();
    Some(if line["ok"] == true { Cell::Passed(detail) } else { Cell::Failed(detail) })
}

fn log_name(plan: &Plan, log: &str) -> String {
    plan.connector.map_or_else(|| format!("{log}-driver"), |connector| format!("{log}-{connector}"))
}
