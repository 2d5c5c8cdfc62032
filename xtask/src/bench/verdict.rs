//! Decides whether Loggia meets its limits.

use super::rows::{Metric, Target};
use super::spread::Spread;
use super::{Measured, Role};

/// One limit and its outcome.
pub(super) struct Verdict {
    /// The contender that the limit refers to, and its figure.
    pub(super) against: String,
    pub(super) other: Option<f64>,
    /// The ratio of Loggia to the other one, or Loggia's own figure.
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

/// Returns the limits of `metric` that can be checked.
pub(super) fn of(measured: &Measured, metric: &Metric) -> Vec<Verdict> {
    let Some(cell) = measured.find(Role::Ours) else { return Vec::new() };
    let (ours, Some(spread)) = (cell.all(metric.key), cell.spread(metric.key)) else { return Vec::new() };
    let against = |target: &Target| {
        let (cell, factor) = match target {
            Target::Floor(factor) => (measured.find(Role::Floor)?, *factor),
            Target::Peer(name, factor) => {
                (measured.cells.iter().find(|cell| cell.contender.name == *name)?, *factor)
            }
            Target::Most(most) => {
                let against = "the bound".to_owned();
                return Some(Verdict { against, other: None, value: spread.median, target: *most });
            }
        };
        let other = cell.spread(metric.key)?.median;
        let value = ratio(&ours, &cell.all(metric.key))?;
        Some(Verdict { against: cell.contender.name.to_owned(), other: Some(other), value, target: factor })
    };
    metric.targets.iter().filter_map(against).collect()
}

/// Returns the median of the ratios within each round, because the machine affects both in the same round.
fn ratio(ours: &[f64], other: &[f64]) -> Option<f64> {
    Spread::of(ours.iter().zip(other).map(|(ours, other)| ours / other)).map(|ratios| ratios.median)
}

#[cfg(test)]
mod tests {
    use super::ratio;

    #[test]
    fn rounds_are_compared_with_themselves() {
        // The second round was slow for both.
        assert_eq!(ratio(&[2.0, 20.0, 2.0], &[1.0, 10.0, 4.0]), Some(2.0));
        assert_eq!(ratio(&[2.0, 20.0], &[1.0]), Some(2.0));
        assert_eq!(ratio(&[2.0], &[]), None);
    }
}
