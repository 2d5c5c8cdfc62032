//! Whether ours reaches its targets.

use super::rows::{Metric, Target};
use super::{Measured, Role};

/// One target and what came of it.
pub(super) struct Verdict {
    /// What ours is measured against, and its figure.
    pub(super) against: String,
    pub(super) other: Option<f64>,
    /// Ours divided by the other, or ours itself.
    pub(super) value: f64,
    pub(super) target: f64,
}

impl Verdict {
    pub(super) fn is_met(&self) -> bool {
        self.value <= self.target
    }

    pub(super) fn word(&self) -> &'static str {
        if self.is_met() { "met" } else { "missed" }
    }
}

/// The targets of `metric` that can be judged.
pub(super) fn of(measured: &Measured, metric: &Metric) -> Vec<Verdict> {
    let Some(ours) = measured.find(Role::Ours).and_then(|cell| cell.spread(metric.key)) else {
        return Vec::new();
    };
    let against = |target: &Target| {
        let (cell, factor) = match target {
            Target::Floor(factor) => (measured.find(Role::Floor)?, *factor),
            Target::Peer(name, factor) => {
                (measured.cells.iter().find(|cell| cell.contender.name == *name)?, *factor)
            }
            Target::Most(most) => {
                let against = "the bound".to_owned();
                return Some(Verdict { against, other: None, value: ours.median, target: *most });
            }
        };
        let other = cell.spread(metric.key)?.median;
        let against = cell.contender.name.to_owned();
        Some(Verdict { against, other: Some(other), value: ours.median / other, target: factor })
    };
    metric.targets.iter().filter_map(against).collect()
}
