//! The changed state of a connector in words, as a program tells it while a gateway runs: on a terminal, in a log, on a page.
//! Invariant: the reasons of servers are on one line and safe to show.

use std::sync::Arc;
use std::time::{Duration, Instant};

use loggia_hub::{ConnectorState, ConnectorStatus, StartStatus};

use crate::report_text::{ReportText, TextRole, count};

/// The changed state of a connector.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectorNews {
    /// A character that stands for the state.
    pub mark: &'static str,
    /// The role of the mark.
    pub role: TextRole,
    /// The state with its reason.
    pub text: ReportText,
    /// The consequence, to be told after the text.
    pub consequence: ReportText,
    /// The lists that cannot be read or are not complete, each with the reason.
    pub problems: Vec<Arc<str>>,
}

impl ConnectorNews {
    /// Describes a status; `config` is the place where the user corrects the configuration.
    pub fn of(status: &ConnectorStatus, config: &str) -> ConnectorNews {
        let why = |default| status.last_error.as_deref().unwrap_or(default);
        let failure = |why: &str, next: &str| {
            let consequence = ReportText::default().plain(" ").words(TextRole::Warning, next);
            news("✗", TextRole::Bad, ReportText::default().words(TextRole::Bad, why), consequence)
        };
        match status.state {
            ConnectorState::Connecting => starting(status),
            ConnectorState::Up => up(status),
            ConnectorState::Failed => {
                failure(why("it cannot be started"), &format!("(not retried: fix {config})"))
            }
            ConnectorState::Down { retry_at } => {
                let wait = retry_at.saturating_duration_since(Instant::now());
                failure(why("it does not answer"), &next_try(wait))
            }
        }
    }
}

fn news(mark: &'static str, role: TextRole, text: ReportText, consequence: ReportText) -> ConnectorNews {
    ConnectorNews { mark, role, text, consequence, problems: Vec::new() }
}

fn starting(status: &ConnectorStatus) -> ConnectorNews {
    let seconds = status.since.elapsed().as_secs();
    let last_line = match &status.starting {
        Some(StartStatus::Running { last_line: Some(line) }) => format!(": {line}"),
        _ => String::new(),
    };
    let remembered = if status.remembered { "; its tools of the last run are listed" } else { "" };
    let text =
        ReportText::default().words(TextRole::Plain, &format!("still starting, {seconds} s{last_line}"));
    news("…", TextRole::Detail, text, ReportText::default().plain(remembered))
}

fn up(status: &ConnectorStatus) -> ConnectorNews {
    let counts = &status.counts;
    let lists = [(counts.tools, "tool"), (counts.prompts, "prompt"), (counts.resources, "resource")];
    let lists = lists.into_iter().filter(|(n, _)| *n > 0).map(|(n, noun)| count(n, noun));
    let lists: Vec<String> = lists.collect();
    let lists = if lists.is_empty() { "nothing yet".to_owned() } else { lists.join(", ") };
    let text = match (status.personal, status.version) {
        (true, _) => "everybody signs in for themselves".to_owned(),
        (false, Some(version)) => format!("{version}, {lists}"),
        (false, None) => lists,
    };
    let (mark, role) = match status.problems.is_empty() || status.personal {
        true => ("✓", TextRole::Good),
        false => ("!", TextRole::Warning),
    };
    let problems = if status.personal { Vec::new() } else { status.problems.clone() };
    ConnectorNews { problems, ..news(mark, role, ReportText::default().plain(&text), ReportText::default()) }
}

/// Says when a connector is tried again.
fn next_try(wait: Duration) -> String {
    let seconds = wait.as_secs_f32();
    match seconds < 10.0 {
        true => format!("(next try in {seconds:.1} s; it is tried until it works)"),
        false => format!("(next try in {seconds:.0} s; it is tried until it works)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_try_is_said_with_the_precision_that_matters() {
        for (wait, expected) in
            [(0.5, "in 0.5 s;"), (9.94, "in 9.9 s;"), (34.7, "in 35 s;"), (60.0, "in 60 s;")]
        {
            let text = next_try(Duration::from_secs_f32(wait));
            assert!(text.contains(expected), "{text}");
        }
    }
}
