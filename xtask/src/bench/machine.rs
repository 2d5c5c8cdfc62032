//! The machine the bench runs on: which core is whose.

use std::thread::available_parallelism;

/// The load's core and the server's, as `taskset` wants them; none where there is only one.
pub(super) struct Cores {
    pub(super) load: Option<String>,
    pub(super) server: Option<String>,
}

impl Cores {
    /// The last core is the server's, the one before it the load's.
    pub(super) fn of_this_machine() -> Self {
        let count = available_parallelism().map_or(1, usize::from);
        if count < 2 || !cfg!(target_os = "linux") {
            return Self { load: None, server: None };
        }
        Self { load: Some((count - 2).to_string()), server: Some((count - 1).to_string()) }
    }
}
