//! The lists of a connector as they were read at one moment, and over which connection.

use std::time::Instant;

use crate::clock::now;
use crate::upstream_lists::UpstreamLists;

/// The lists of a connector, and when they were read.
pub(crate) struct ListSnapshot {
    pub(crate) lists: UpstreamLists,
    pub(crate) read_at: Instant,
    pub(crate) origin: ListOrigin,
}

/// The connection that lists were read over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ListOrigin {
    /// The connector's own, in this run.
    Connection,
    /// The connector's own, in an earlier run.
    EarlierRun,
    /// That of the connector that had its name until it was changed.
    EarlierConnector,
}

impl ListSnapshot {
    /// Lists that were just read.
    pub(crate) fn read(lists: UpstreamLists) -> ListSnapshot {
        ListSnapshot::new(lists, ListOrigin::Connection)
    }

    /// Lists from `origin`, as old as this moment.
    pub(crate) fn new(lists: UpstreamLists, origin: ListOrigin) -> ListSnapshot {
        ListSnapshot { lists, read_at: now(), origin }
    }

    /// Returns whether the connector may list other things once it is connected.
    pub(crate) fn is_provisional(&self) -> bool {
        self.origin != ListOrigin::Connection
    }
}
