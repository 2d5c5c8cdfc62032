//! The changes of connectors, for a program that shows or reports them. The hub tells each status, also one that says
//! nothing new; here is what is worth a line. Invariant: a state is told once, until another one was told.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use loggia_hub::{ConnectorState, ConnectorStatus, Hub, StartStatus};

/// Time until a slow start is told first; each later time comes after twice that time.
const SLOW: Duration = Duration::from_secs(10);
/// The time between two looks at the connectors that start: time alone makes a start a slow one.
const LOOK: Duration = Duration::from_secs(2);

/// The changes of the connectors of a running hub.
pub struct ConnectorWatch {
    hub: Arc<Hub>,
    told: ToldStates,
}

impl ConnectorWatch {
    /// Watches the connectors of a hub.
    pub fn new(hub: Arc<Hub>) -> ConnectorWatch {
        ConnectorWatch { hub, told: ToldStates::default() }
    }

    /// Returns the connectors whose state is new since the last call: up, up with other problems, down, or failed. A
    /// connector whose first start takes long is told too, as `Connecting`, ever less often.
    pub fn changes(&mut self) -> Vec<ConnectorStatus> {
        let told = &mut self.told;
        let is_new = |status: &&ConnectorStatus| told.is_new(status, status.since.elapsed());
        self.hub.status().iter().filter(is_new).cloned().collect()
    }

    /// Calls `tell` with each change until the hub ends.
    pub async fn run(mut self, mut tell: impl FnMut(&ConnectorStatus)) {
        let mut hub = self.hub.watch();
        loop {
            self.changes().iter().for_each(&mut tell);
            if let Ok(Err(_)) = tokio::time::timeout(LOOK, hub.changed()).await {
                return;
            }
        }
    }
}

/// The states that were told last.
#[derive(Default)]
struct ToldStates {
    states: HashMap<Arc<str>, ToldState>,
    /// For each connector that starts, the time of the next report.
    slow: HashMap<Arc<str>, Duration>,
}

/// The state of a connector that was told last.
#[derive(PartialEq, Eq)]
enum ToldState {
    /// With these problems.
    Up(Vec<Arc<str>>),
    Down,
    Failed,
}

impl ToldStates {
    /// Returns whether a status is to be told, and remembers it. The state lasts for `elapsed`.
    fn is_new(&mut self, status: &ConnectorStatus, elapsed: Duration) -> bool {
        let state = match status.state {
            ConnectorState::Up => ToldState::Up(status.problems.clone()),
            ConnectorState::Down { .. } => ToldState::Down,
            ConnectorState::Failed => ToldState::Failed,
            ConnectorState::Connecting => return self.is_slow(status, elapsed),
        };
        let is_same = self.states.get(&status.name) == Some(&state);
        self.states.insert(status.name.clone(), state);
        !is_same
    }

    fn is_slow(&mut self, status: &ConnectorStatus, elapsed: Duration) -> bool {
        let next = self.slow.entry(status.name.clone()).or_insert(SLOW);
        if status.tried || elapsed < *next || status.starting == Some(StartStatus::Queued) {
            return false;
        }
        *next = elapsed * 2;
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    /// Each case: the seconds in the state, the state, its problems, whether it was tried, its start, and whether it is new.
    #[test]
    fn a_state_is_told_once_and_a_slow_start_ever_less_often() {
        let (connecting, up, failed) =
            (ConnectorState::Connecting, ConnectorState::Up, ConnectorState::Failed);
        let down = ConnectorState::Down { retry_at: Instant::now() };
        let queued = Some(StartStatus::Queued);
        let mut told = ToldStates::default();
        for (n, (seconds, state, problems, tried, starting, expected)) in [
            (20, connecting, "", false, queued, false),
            (9, connecting, "", false, None, false),
            (10, connecting, "", false, None, true),
            (19, connecting, "", false, None, false),
            (20, connecting, "", false, None, true),
            (0, up, "", true, None, true),
            (5, up, "", true, None, false),
            (6, up, "tools", true, None, true),
            (0, down, "", true, None, true),
            (0, connecting, "", true, None, false),
            (99, connecting, "", true, None, false),
            (1, down, "", true, None, false),
            (0, failed, "", true, None, true),
            (0, up, "", true, None, true),
        ]
        .into_iter()
        .enumerate()
        {
            let status = ConnectorStatus {
                name: "a".into(),
                prefix: "a".into(),
                kind: "stdio".into(),
                state,
                since: Instant::now(),
                tried,
                version: None,
                identity: None,
                counts: Default::default(),
                personal: false,
                last_error: None,
                problems: problems.split_whitespace().map(Arc::from).collect(),
                remembered: false,
                stopped: false,
                starting,
            };
            assert_eq!(told.is_new(&status, Duration::from_secs(seconds)), expected, "case {n}");
        }
    }
}
