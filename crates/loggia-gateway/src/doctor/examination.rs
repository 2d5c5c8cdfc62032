//! The examination of one connector: measures each layer and stops at the first one that fails.
//!
//! Invariant: the layers are reported in order, each once, and at most one of them failed.

use std::time::{Duration, Instant};

use loggia_connect::redact::Redactor;

use super::report::{ConnectorDiagnosis, DoctorLayer, LayerFailure, LayerReport, LayerState};

/// The examination of one connector.
pub(super) struct Examination {
    name: String,
    timeout: Duration,
    redactor: Redactor,
    failed: Option<DoctorLayer>,
    layers: Vec<LayerReport>,
}

impl Examination {
    /// Begins an examination. Each layer has `timeout`.
    pub(super) fn new(name: &str, timeout: Duration, redactor: &Redactor) -> Examination {
        let (name, redactor) = (name.to_owned(), redactor.clone());
        Examination { name, timeout, redactor, failed: None, layers: Vec::new() }
    }

    /// Examines a layer, unless one before it failed. Returns what later layers need.
    pub(super) async fn layer<T>(
        &mut self,
        layer: DoctorLayer,
        work: impl Future<Output = Result<(T, String), LayerFailure>>,
    ) -> Option<T> {
        if let Some(failed) = self.failed {
            self.push(layer, LayerState::NotTried(after(failed)), Duration::ZERO);
            return None;
        }
        let started = Instant::now();
        let limit = self.timeout;
        let result = tokio::time::timeout(limit, work).await.unwrap_or_else(|_| {
            let reason = format!("no answer within {} s", limit.as_secs_f32());
            Err(LayerFailure::retry(reason, "try again later"))
        });
        match result {
            Ok((value, detail)) => {
                self.push(layer, LayerState::Ok(detail), started.elapsed());
                Some(value)
            }
            Err(failure) => {
                self.failed = Some(layer);
                self.push(layer, LayerState::Failed(failure), started.elapsed());
                None
            }
        }
    }

    /// Reports layers that the connector does not have.
    pub(super) fn skip(&mut self, layers: &[DoctorLayer], reason: &str) {
        for layer in layers {
            let state = match self.failed {
                Some(failed) => LayerState::NotTried(after(failed)),
                None => LayerState::NotApplicable(reason.to_owned()),
            };
            self.push(*layer, state, Duration::ZERO);
        }
    }

    /// Reports a layer that is not tried, for this reason.
    pub(super) fn not_tried(&mut self, layer: DoctorLayer, reason: &str) {
        let reason = self.failed.map_or_else(|| reason.to_owned(), after);
        self.push(layer, LayerState::NotTried(reason), Duration::ZERO);
    }

    /// Ends the examination. Layers without a report were not tried.
    pub(super) fn finish(mut self) -> ConnectorDiagnosis {
        for layer in DoctorLayer::ALL.into_iter().skip(self.layers.len()) {
            self.not_tried(layer, "");
        }
        ConnectorDiagnosis { name: self.redactor.redact(&self.name).into_owned(), layers: self.layers }
    }

    fn push(&mut self, layer: DoctorLayer, state: LayerState, took: Duration) {
        let shown = |text: String| self.redactor.redact(&text).into_owned();
        let state = match state {
            LayerState::Ok(text) => LayerState::Ok(shown(text)),
            LayerState::NotApplicable(text) => LayerState::NotApplicable(shown(text)),
            LayerState::NotTried(text) => LayerState::NotTried(shown(text)),
            LayerState::Failed(failure) => LayerState::Failed(LayerFailure {
                reason: shown(failure.reason),
                next_step: failure.next_step.map(shown),
                url: failure.url.map(shown),
                remedy: failure.remedy,
            }),
        };
        self.layers.push(LayerReport { layer, state, took });
    }
}

fn after(failed: DoctorLayer) -> String {
    format!("{} failed", failed.as_str())
}
