//! The table: for each row and figure ours, the floor, the ratio, and every peer with its multiple of ours.

use super::contender::Role;
use super::rows::Metric;
use super::spread::Spread;
use super::{Cell, Measured};

/// Prints the table.
pub(super) fn print(all: &[Measured]) {
    for measured in all {
        println!("{}", measured.row.about);
        for metric in measured.row.metrics {
            println!("  {:<12} {}", metric.unit, line(measured, metric));
        }
    }
}

fn line(measured: &Measured, metric: &Metric) -> String {
    let ours = measured.find(Role::Ours).and_then(|cell| cell.spread(metric.key));
    let cells = measured.cells.iter().map(|cell| {
        let Some(spread) = cell.spread(metric.key) else { return format!("{}: –", cell.contender.name) };
        let shown = format!("{} {}", cell.contender.name, show(spread));
        match (cell.contender.role, ours) {
            (Role::Floor, Some(ours)) => {
                let ratio = ours.median / spread.median;
                format!("{shown} → ratio {ratio:.2}{}", verdict(metric, ratio))
            }
            (Role::Peer, Some(ours)) => format!("{shown} = {:.1}× ours", spread.median / ours.median),
            _ => shown,
        }
    });
    cells.collect::<Vec<_>>().join(" | ")
}

fn verdict(metric: &Metric, ratio: f64) -> String {
    let Some(target) = metric.target else { return String::new() };
    let met = if metric.more_is_better { ratio >= target } else { ratio <= target };
    format!(" (target {target}, {})", if met { "met" } else { "missed" })
}

fn show(spread: Spread) -> String {
    format!("{} [{}–{}]", figure(spread.median), figure(spread.min), figure(spread.max))
}

fn figure(value: f64) -> String {
    if value < 100.0 { format!("{value:.1}") } else { format!("{value:.0}") }
}

impl Measured {
    fn find(&self, role: Role) -> Option<&Cell> {
        self.cells.iter().find(|cell| cell.contender.role == role)
    }
}

impl Cell {
    fn spread(&self, key: &str) -> Option<Spread> {
        Spread::of(self.figures.iter().filter_map(|figures| figures.get(key).copied()))
    }
}
