//! The table on the terminal, and as Markdown and JSON below `bench/results/`.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::options::Options;
use super::rows::Metric;
use super::spread::Spread;
use super::{Cell, Measured, Role, verdict};
use crate::paths;

/// Prints the table.
pub(super) fn print(all: &[Measured]) {
    for measured in all {
        println!("{} ({})", measured.row.about, measured.row.name);
        let units = measured.row.metrics.iter().map(|metric| metric.unit.to_owned());
        let head = std::iter::once(String::new()).chain(units).collect();
        let lines: Vec<Vec<String>> =
            std::iter::once(head).chain(measured.cells.iter().map(|cell| cells(measured, cell))).collect();
        aligned(&lines);
        for metric in &measured.row.metrics {
            for verdict in verdict::of(measured, metric) {
                let (value, target) = (figure(verdict.value), figure(verdict.target));
                let times = verdict.other.map(|_| format!(" times {}", verdict.against)).unwrap_or_default();
                println!("  → {}: {value}{times}, at most {target}: {}", metric.unit, verdict.word());
            }
        }
    }
}

fn aligned(lines: &[Vec<String>]) {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width =
        |at: usize| lines.iter().filter_map(|line| line.get(at)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|at| width(at).unwrap_or(0)).collect();
    for line in lines {
        let padded: Vec<String> =
            line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        println!("  {}", padded.join("  ").trim_end());
    }
}

/// Returns a contender's name and its figures, each with its ratio to Loggia's.
fn cells(measured: &Measured, cell: &Cell) -> Vec<String> {
    let figures = measured.row.metrics.iter().map(|metric| match cell.spread(metric.key) {
        Some(spread) => format!("{}{}", show(spread), beside_ours(measured, cell, metric, spread)),
        None => "–".to_owned(),
    });
    std::iter::once(cell.contender.name.to_owned()).chain(figures).collect()
}

fn show(spread: Spread) -> String {
    if spread.min == spread.max {
        return figure(spread.median);
    }
    format!("{} [{}–{}]", figure(spread.median), figure(spread.min), figure(spread.max))
}

fn figure(value: f64) -> String {
    match value {
        value if value < 10.0 => format!("{value:.2}"),
        value if value < 1000.0 => format!("{value:.1}"),
        value => format!("{value:.0}"),
    }
}

/// Writes both files. Their names contain the day and the commit; if some rows were left out, also the names of the
/// rows.
pub(super) fn save(all: &[Measured], options: &Options, facts: &Value) -> Result<(), String> {
    let text = |key: &str| facts[key].as_str().unwrap_or_default().to_owned();
    let json = serde_json::to_string_pretty(&as_json(all, options, facts)).map_err(|e| e.to_string())?;
    let mut name = format!("{}-{}", text("date"), text("commit"));
    options.only.iter().for_each(|row| name = format!("{name}-{row}"));
    write_pair(&name, json + "\n", markdown(all, options, facts))
}

/// Writes `name.json` and `name.md` below `bench/results/`.
pub(super) fn write_pair(name: &str, json: String, markdown: String) -> Result<(), String> {
    let dir = paths::root().join("bench").join("results");
    std::fs::create_dir_all(&dir).map_err(|e| format!("cannot create {}: {e}", dir.display()))?;
    for (kind, text) in [("json", json), ("md", markdown)] {
        let file = dir.join(format!("{name}.{kind}"));
        std::fs::write(&file, text).map_err(|e| format!("cannot write {}: {e}", file.display()))?;
        println!("wrote {}", file.display());
    }
    Ok(())
}

fn as_json(all: &[Measured], options: &Options, facts: &Value) -> Value {
    let rows: Vec<Value> = all.iter().map(row_json).collect();
    json!({ "machine": facts, "rounds": options.rounds, "seconds": options.seconds, "rows": rows })
}

fn row_json(measured: &Measured) -> Value {
    let cells: Vec<Value> = measured.cells.iter().map(|cell| cell_json(measured, cell)).collect();
    let verdicts = measured.row.metrics.iter().flat_map(|metric| {
        verdict::of(measured, metric).into_iter().map(|verdict| {
            json!({
                "figure": metric.key, "against": verdict.against, "value": verdict.value,
                "target": verdict.target, "met": verdict.is_met(),
            })
        })
    });
    let verdicts: Vec<Value> = verdicts.collect();
    json!({ "name": measured.row.name, "about": measured.row.about, "contenders": cells, "targets": verdicts })
}

fn cell_json(measured: &Measured, cell: &Cell) -> Value {
    let mut figures = Map::new();
    for metric in &measured.row.metrics {
        if let Some(spread) = cell.spread(metric.key) {
            let all: Vec<f64> =
                cell.figures.iter().filter_map(|each| each.get(metric.key).copied()).collect();
            let value = json!({ "median": spread.median, "min": spread.min, "max": spread.max, "all": all });
            figures.insert(metric.key.to_owned(), value);
        }
    }
    let role = format!("{:?}", cell.contender.role).to_lowercase();
    let failure = cell.failure.as_deref().map(first_line);
    json!({ "name": cell.contender.name, "role": role, "figures": figures, "failure": failure })
}

/// Returns the first line of a message, because later lines have paths of this machine.
fn first_line(message: &str) -> String {
    let place = paths::root().display().to_string();
    let shown: Vec<&str> = message.lines().filter(|line| !line.contains("(log: ")).collect();
    let line = shown.iter().rev().find(|line| !line.trim().is_empty()).copied().unwrap_or("it ended badly");
    line.replace(&place, "").trim().chars().take(200).collect()
}

fn markdown(all: &[Measured], options: &Options, facts: &Value) -> String {
    let text = |key: &str| facts[key].as_str().unwrap_or_default().to_owned();
    let mut out = format!("# Bench, {}, commit {}\n\n", text("date"), text("commit"));
    let peers: Vec<String> = facts["peers"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, version)| format!("{name} {}", version.as_str().unwrap_or_default()))
        .collect();
    let _ = writeln!(
        out,
        "{}, {} cores, {}, {}. {}, Node {}, {}. {}. Load average when it began: {}.\n\nMedians over {} interleaved \
         rounds of {} s, least and most in brackets; a ratio is the \
         median of the rounds' own. The server has a core of its own, and so has the load.\n",
        text("cpu"),
        facts["cores"],
        text("memory"),
        text("kernel"),
        text("rustc"),
        text("node"),
        text("python"),
        peers.join(", "),
        text("load average"),
        options.rounds,
        options.seconds,
    );
    targets(&mut out, all);
    for measured in all {
        everybody(&mut out, measured);
    }
    out
}

fn targets(out: &mut String, all: &[Measured]) {
    out.push_str(
        "## What ours has to reach\n\n| | ours | beside | ratio | at most | |\n|---|---|---|---|---|---|\n",
    );
    for measured in all {
        for metric in &measured.row.metrics {
            for verdict in verdict::of(measured, metric) {
                let ours = measured.find(Role::Ours).and_then(|cell| cell.spread(metric.key));
                let other = verdict.other.map(|other| format!("{} {}", verdict.against, figure(other)));
                let ratio = verdict.other.map(|_| figure(verdict.value)).unwrap_or_default();
                let _ = writeln!(
                    out,
                    "| {}: {} | {} | {} | {ratio} | {} | {} |",
                    measured.row.about,
                    metric.unit,
                    ours.map(show).unwrap_or_default(),
                    other.unwrap_or_default(),
                    figure(verdict.target),
                    verdict.word(),
                );
            }
        }
    }
    out.push('\n');
}

fn everybody(out: &mut String, measured: &Measured) {
    let units: Vec<&str> = measured.row.metrics.iter().map(|metric| metric.unit).collect();
    let _ = writeln!(out, "## {} (`{}`)\n", measured.row.about, measured.row.name);
    let _ = writeln!(out, "| | {} |\n|---|{}", units.join(" | "), "---|".repeat(units.len()));
    for cell in &measured.cells {
        let _ = writeln!(out, "| {} |", cells(measured, cell).join(" | "));
    }
    for cell in &measured.cells {
        if let Some(failure) = &cell.failure {
            let _ = writeln!(out, "\n{} could not be measured: {}", cell.contender.name, first_line(failure));
        }
    }
    out.push('\n');
}

/// Returns the ratio of a figure to Loggia's.
fn beside_ours(measured: &Measured, cell: &Cell, metric: &Metric, spread: Spread) -> String {
    let ours = measured.find(Role::Ours).and_then(|ours| ours.spread(metric.key));
    match ours {
        Some(ours) if cell.contender.role != Role::Ours && ours.median > 0.0 => {
            format!(", ×{:.2}", spread.median / ours.median)
        }
        _ => String::new(),
    }
}
