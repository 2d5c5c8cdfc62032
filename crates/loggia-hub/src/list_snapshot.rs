//! The lists of a connector at one moment, and the connection over which they were read.

use std::time::Instant;

use crate::clock::now;
use crate::upstream_lists::UpstreamLists;

/// The lists of a connector, and the time at which they were read.
pub(crate) struct ListSnapshot {
    pub(crate) lists: UpstreamLists,
    pub(crate) read_at: Instant,
    pub(crate) origin: ListOrigin,
}

/// The origin of lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ListOrigin {
    /// The connector's own connection, in this run.
    Connection,
    /// The connector's own connection, in an earlier run.
    EarlierRun,
    /// The connection of the connector that had its name before the change.
    EarlierConnector,
}

impl ListSnapshot {
    /// Creates a snapshot of lists that were just read.
    pub(crate) fn read(lists: UpstreamLists) -> ListSnapshot {
        ListSnapshot::new(lists, ListOrigin::Connection)
    }

    /// Creates a snapshot of lists from `origin`, with the current time.
    pub(crate) fn new(lists: UpstreamLists, origin: ListOrigin) -> ListSnapshot {
        ListSnapshot { lists, read_at: now(), origin }
    }

    /// Returns whether the lists may be different when the connector is connected.
    pub(crate) fn is_provisional(&self) -> bool {
        self.origin != ListOrigin::Connection
    }
}
