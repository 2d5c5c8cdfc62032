//! The reports of the doctor for people.

use std::fmt;

use super::machine::{MachineCheckState, MachineReport};
use super::preflight::PreflightReport;
use super::report::{ConnectorDiagnosis, LayerFailure, LayerState};
use crate::report_text::{ReportText, TextRole};

/// The width of the column of names.
const WIDTH: usize = 14;

impl ConnectorDiagnosis {
    /// Returns the report for people.
    pub fn to_text(&self) -> ReportText {
        let heading = ReportText::default().with(TextRole::Heading, &self.name);
        let heading = match self.failure() {
            Some((layer, _)) => heading.plain(": ").with(TextRole::Bad, &format!("{} fails", layer.as_str())),
            None => heading.plain(": ").with(TextRole::Good, "works"),
        };
        let mut text = heading.end_line();
        for report in &self.layers {
            let (role, mark, note) = match &report.state {
                LayerState::Ok(_) => (TextRole::Good, "ok", ""),
                LayerState::Failed(_) => (TextRole::Bad, "failed", ""),
                LayerState::NotApplicable(_) => (TextRole::Detail, "-", "not applicable: "),
                LayerState::NotTried(_) => (TextRole::Detail, "-", "not tried: "),
            };
            let line = ReportText::default().plain("  ").column(role, mark, 8);
            let line =
                line.column(TextRole::Plain, report.layer.as_str(), WIDTH).with(TextRole::Detail, note);
            let line = line.words(TextRole::Plain, report.state.detail());
            let line = match report.took.is_zero() {
                true => line,
                false => {
                    line.with(TextRole::Detail, &format!(" ({:.1} ms)", report.took.as_secs_f64() * 1000.0))
                }
            };
            text.extend([line.end_line()]);
            if let LayerState::Failed(failure) = &report.state {
                text.extend([next_step(failure)]);
            }
        }
        text
    }
}

fn next_step(failure: &LayerFailure) -> ReportText {
    let Some(next) = &failure.next_step else { return ReportText::default() };
    let indent = format!("{:width$}", "", width = 2 + 8 + WIDTH);
    ReportText::default().plain(&indent).with(TextRole::Name, "next: ").plain(next).end_line()
}

impl MachineReport {
    /// Returns the report for people.
    pub fn to_text(&self) -> ReportText {
        let mut text = ReportText::default().with(TextRole::Heading, "this machine").end_line();
        for check in &self.checks {
            let (role, mark) = match check.state {
                MachineCheckState::Ok => (TextRole::Good, "ok"),
                MachineCheckState::Warning => (TextRole::Warning, "warning"),
                MachineCheckState::Failed => (TextRole::Bad, "failed"),
            };
            let line = ReportText::default().plain("  ").column(role, mark, 8);
            let line = line.column(TextRole::Plain, &check.name, WIDTH).words(TextRole::Plain, &check.detail);
            let next = check.next_step.as_ref().map(|next| format!("; {next}")).unwrap_or_default();
            text.extend([line.with(TextRole::Detail, &next).end_line()]);
        }
        text
    }
}

impl PreflightReport {
    /// Returns the report for people: one line for each connector.
    pub fn to_text(&self) -> ReportText {
        let line = |(name, failure): &(String, Option<LayerFailure>)| {
            let line = ReportText::default().column(TextRole::Name, name, 20).plain(" ");
            let Some(LayerFailure { reason, next_step, url, .. }) = failure else {
                return line.with(TextRole::Good, "ready").end_line();
            };
            let line = line.words(TextRole::Bad, reason);
            let next = next_step.as_ref().map(|next| format!("; {next}")).unwrap_or_default();
            let url = url.as_ref().map(|url| format!("; {url}")).unwrap_or_default();
            line.plain(&next).plain(&url).end_line()
        };
        self.connectors.iter().map(line).collect()
    }
}

impl fmt::Display for ConnectorDiagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_text().fmt(f)
    }
}

impl fmt::Display for MachineReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_text().fmt(f)
    }
}

impl fmt::Display for PreflightReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_text().fmt(f)
    }
}
