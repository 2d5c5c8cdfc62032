//! The table: a row for each server, transport, client and connector; a column for each operation.

use std::collections::BTreeMap;

use super::Job;
use super::plan::OPERATIONS;
use crate::outcome::Outcome;

/// The outcome of one operation.
#[derive(Debug)]
pub(super) enum Cell {
    Passed(String),
    Failed(String),
    /// The driver ended before it; another cell of the row has the reason.
    NotReached,
    NotApplicable(String),
}

/// One row.
pub(super) struct Row {
    server: String,
    client: &'static str,
    cells: BTreeMap<&'static str, Cell>,
}

impl Row {
    pub(super) fn new(job: &Job, connector: Option<&str>) -> Self {
        let place = connector.map(|connector| format!(" › {connector}")).unwrap_or_default();
        let server = format!("{} {}{place}", job.server.name(), job.wire.name());
        Self { server, client: job.client.name, cells: BTreeMap::new() }
    }

    /// Returns the row of a server that did not start.
    pub(super) fn failed(job: &Job, message: &str) -> Self {
        let mut row = Self::new(job, None);
        row.set("connect", Cell::Failed(message.to_owned()));
        row
    }

    pub(super) fn set(&mut self, op: &'static str, cell: Cell) {
        self.cells.insert(op, cell);
    }

    pub(super) fn is_ok(&self) -> bool {
        !self.cells.values().any(|cell| matches!(cell, Cell::Failed(_) | Cell::NotReached))
    }

    /// Returns the outcome of the row: one test for each cell that applies.
    pub(super) fn into_outcome(self) -> Outcome {
        let mut outcome = Outcome::default();
        for (op, cell) in self.cells {
            match cell {
                Cell::Passed(_) => outcome.pass(),
                Cell::Failed(message) => {
                    outcome.fail(format!("{} ← {}: {op}: {message}", self.server, self.client))
                }
                Cell::NotReached => outcome.failed += 1,
                Cell::NotApplicable(_) => {}
            }
        }
        outcome
    }

    fn revision(&self) -> &str {
        match self.cells.get("connect") {
            Some(Cell::Passed(revision)) => revision,
            _ => "✘",
        }
    }

    fn mark(&self, op: &str) -> &'static str {
        match self.cells.get(op) {
            Some(Cell::Passed(_)) => "✔",
            Some(Cell::Failed(_) | Cell::NotReached) => "✘",
            Some(Cell::NotApplicable(_)) => "–",
            None => " ",
        }
    }
}

/// Prints the table, and below it the reasons of cells that do not apply.
pub(super) fn print(rows: &[Row]) {
    let head: Vec<String> = OPERATIONS.iter().map(|op| short(op)).collect();
    println!("  {:<30} {:<18} {:<11} {}", "server", "client", "revision", head.join(" "));
    for row in rows {
        let marks: Vec<String> = OPERATIONS
            .iter()
            .zip(&head)
            .map(|(op, head)| format!("{:^1$}", row.mark(op), head.len()))
            .collect();
        println!("  {:<30} {:<18} {:<11} {}", row.server, row.client, row.revision(), marks.join(" "));
    }
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for cell in rows.iter().flat_map(|row| row.cells.values()) {
        if let Cell::NotApplicable(reason) = cell {
            *reasons.entry(reason).or_default() += 1;
        }
    }
    for (reason, count) in reasons {
        println!("  – {count:>3} × {reason}");
    }
}

fn short(op: &str) -> String {
    op.strip_prefix("elicit_").map_or_else(|| op.to_owned(), |answer| format!("ask:{answer}"))
}
