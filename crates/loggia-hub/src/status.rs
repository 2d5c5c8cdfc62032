//! The status of connectors: for the terminal, `/readyz`, and the texts of errors.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use loggia::model::Implementation;
use loggia::wire::Version;

/// The status of one connector.
#[derive(Debug, Clone, PartialEq)]
pub struct ConnectorStatus {
    /// Its name.
    pub name: Arc<str>,
    /// The prefix of its tools' names.
    pub prefix: Arc<str>,
    /// Its kind.
    pub kind: Arc<str>,
    /// The state of the connection.
    pub state: ConnectorState,
    /// The time since which it is up, or is not up.
    pub since: Instant,
    /// True if the hub has tried to connect at least once.
    pub tried: bool,
    /// The revision of the connection, while it is up; `None` for a server in this process.
    pub version: Option<Version>,
    /// The name and version that the server reports.
    pub identity: Option<Implementation>,
    /// The number of its entries; while it is down, of the entries that are still listed.
    pub counts: ListCounts,
    /// True if each user has a connection of their own. The connector then counts as up, because the state differs by
    /// user.
    pub personal: bool,
    /// The reason why the last attempt failed or the last connection ended, as text for the administrator.
    pub last_error: Option<Arc<str>>,
    /// The lists that cannot be read or are not complete, each with the reason, as text for the administrator.
    pub problems: Vec<Arc<str>>,
    /// True if its lists are those of an earlier run, which are shown until it is connected.
    pub remembered: bool,
    /// Progress of the start of its process.
    pub starting: Option<StartStatus>,
    /// True if its process was stopped because it was not used. It counts as up, and the next request starts it again.
    pub stopped: bool,
}

/// Progress of the start of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartStatus {
    /// It waits until other processes have started.
    Queued,
    /// It runs, and has sent no message yet.
    Running {
        /// The last line of its error output.
        last_line: Option<Arc<str>>,
    },
}

/// The state of a connector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectorState {
    /// The hub is connecting to it.
    Connecting,
    /// It answers.
    Up,
    /// It does not answer.
    Down {
        /// The time of the next attempt.
        retry_at: Instant,
    },
    /// It cannot be started with its configuration, and is not tried again.
    Failed,
}

/// The number of entries of each list of a connector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ListCounts {
    /// Tools.
    pub tools: usize,
    /// Prompts.
    pub prompts: usize,
    /// Resources.
    pub resources: usize,
    /// Resource templates.
    pub templates: usize,
}

impl ConnectorStatus {
    pub(crate) fn new(name: &str, prefix: &str, kind: &str, now: Instant) -> ConnectorStatus {
        ConnectorStatus {
            name: name.into(),
            prefix: prefix.into(),
            kind: kind.into(),
            state: ConnectorState::Connecting,
            since: now,
            tried: false,
            version: None,
            identity: None,
            counts: ListCounts::default(),
            personal: false,
            last_error: None,
            problems: Vec::new(),
            remembered: false,
            starting: None,
            stopped: false,
        }
    }

    /// Returns the state as one word: `connecting`, `up`, `degraded` (up, but one of its lists cannot be read or is
    /// not complete), `down` or `failed`.
    pub fn state_name(&self) -> &'static str {
        match self.state {
            ConnectorState::Connecting => "connecting",
            ConnectorState::Up if self.problems.is_empty() => "up",
            ConnectorState::Up => "degraded",
            ConnectorState::Down { .. } => "down",
            ConnectorState::Failed => "failed",
        }
    }

    /// Returns whether it can be used now.
    pub fn is_up(&self) -> bool {
        self.state == ConnectorState::Up
    }

    /// Returns the error for a client whose request needs this connector. It does not contain the cause, which may
    /// have paths, addresses and output of the server.
    pub(crate) fn explain(&self, now: Instant) -> String {
        let away = DurationText(now.saturating_duration_since(self.since));
        let name = &self.name;
        match self.state {
            ConnectorState::Up => format!("The connector {name:?} did not answer."),
            ConnectorState::Connecting if !self.tried => {
                format!("The connector {name:?} is still being started ({away} so far). Try again shortly.")
            }
            ConnectorState::Connecting => format!(
                "The connector {name:?} has been down for {away} and is being connected to again right now. Try again \
                 shortly."
            ),
            ConnectorState::Down { retry_at } => format!(
                "The connector {name:?} has been down for {away}. Loggia tries it again in {}; the reason is in \
                 Loggia's log. Other connectors are not affected.",
                DurationText(retry_at.saturating_duration_since(now)),
            ),
            ConnectorState::Failed => format!(
                "The connector {name:?} cannot be started with its present configuration, and Loggia does not try \
                 again. Ask the operator of Loggia: `loggia status` shows the reason. Other connectors are not affected."
            ),
        }
    }
}

/// A duration as text.
struct DurationText(Duration);

impl fmt::Display for DurationText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
            (0, 0, s) => write!(f, "{s} s"),
            (0, m, s) => write!(f, "{m} min {s} s"),
            (h, m, _) => write!(f, "{h} h {m} min"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_well() {
        for (seconds, text) in
            [(0, "0 s"), (59, "59 s"), (61, "1 min 1 s"), (3600, "1 h 0 min"), (90_061, "25 h 1 min")]
        {
            assert_eq!(DurationText(Duration::from_secs(seconds)).to_string(), text);
        }
    }

    #[test]
    fn what_a_client_is_told_names_the_connector_its_state_since_when_and_what_happens_next() {
        let start = Instant::now();
        let now = start + Duration::from_secs(75);
        let mut status = ConnectorStatus::new("search", "search", "stdio", start);
        assert!(status.explain(now).contains("\"search\" is still being started (1 min 15 s so far)"));
        status.tried = true;
        assert!(status.explain(now).contains("down for 1 min 15 s and is being connected to again"));
        status.state = ConnectorState::Down { retry_at: now + Duration::from_secs(8) };
        status.last_error = Some("/secret/path: no such file".into());
        let told = status.explain(now);
        assert!(told.contains("down for 1 min 15 s. Loggia tries it again in 8 s"), "{told}");
        assert!(!told.contains("secret"), "{told}");
        status.state = ConnectorState::Failed;
        let told = status.explain(now);
        assert!(told.contains("does not try again") && !told.contains("secret"), "{told}");
    }
}
