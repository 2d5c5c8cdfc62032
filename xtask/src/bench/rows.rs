//! What is measured, in the order of the table. A target is the ratio to the floor that is not to be exceeded.

use super::contender::{self, Contender};

/// One question, put to several contenders.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    /// Part of `--quick`.
    pub(super) quick: bool,
    /// What `bench-load` is asked for.
    pub(super) load: Vec<&'static str>,
    pub(super) metrics: &'static [Metric],
    pub(super) contenders: Vec<Contender>,
}

/// A figure of a row that the table shows.
pub(super) struct Metric {
    /// Its name in what `bench-load` prints.
    pub(super) key: &'static str,
    pub(super) unit: &'static str,
    /// The most that ours may be, as a multiple of the floor.
    pub(super) target: Option<f64>,
    pub(super) more_is_better: bool,
}

const fn metric(key: &'static str, unit: &'static str, target: Option<f64>) -> Metric {
    Metric { key, unit, target, more_is_better: false }
}

const CALLS: Metric = Metric { key: "calls_s", unit: "calls/s", target: None, more_is_better: true };
const P50: Metric = metric("p50_us", "p50 µs", None);
const P99: Metric = metric("p99_us", "p99 µs", None);
const PEAK: Metric = metric("peak_kib", "peak KiB", None);

const HTTP: &[Metric] = &[metric("cpu_us", "CPU µs/call", Some(1.3)), CALLS, P50, P99, PEAK];
const STDIO: &[Metric] = &[metric("cpu_us", "CPU µs/call", Some(2.0)), CALLS, P50, P99, PEAK];

/// All rows.
pub(super) fn all() -> Vec<Row> {
    vec![
        http("http-16", "HTTP 2026-07-28, 16 connections", &["http", "--connections", "16"], HTTP).quick(),
        http("http-64", "HTTP 2026-07-28, 64 connections", &["http", "--connections", "64"], HTTP).quick(),
        http("stdio-64", "stdio, 64 in flight", &["stdio", "--in-flight", "64"], STDIO).quick(),
    ]
}

fn http(name: &'static str, about: &'static str, load: &[&'static str], metrics: &'static [Metric]) -> Row {
    let contenders = vec![contender::ours(), contender::floor()];
    Row { name, about, quick: false, load: load.to_vec(), metrics, contenders }
}

impl Row {
    fn quick(mut self) -> Self {
        self.quick = true;
        self
    }
}
