//! The keys of `[server.limits]` that bound the gateway itself: the connectors as a whole, and not one endpoint.

use std::time::Duration;

/// The bounds of the gateway that a configuration file sets. `None` leaves a bound at its default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GatewayLimits {
    /// The time that a starting process may show no sign of work, where its connector does not say.
    pub start_timeout: Option<Duration>,
    /// The processes that start at once.
    pub starts: Option<usize>,
    /// The longest time for which a starting process keeps others from starting.
    pub start_turn: Option<Duration>,
    /// The time for one attempt to connect, without the start of a process.
    pub connect_timeout: Option<Duration>,
    /// The time for reading the lists of a connector.
    pub list_timeout: Option<Duration>,
    /// The time for a server to answer `server/discover`, before it is taken for an older one.
    pub probe_timeout: Option<Duration>,
    /// The time that a connector may be silent during a call, where its own `timeout` does not say.
    pub call_timeout: Option<Duration>,
    /// The time for a call in all.
    pub call_max_timeout: Option<Duration>,
    /// The time after the start for which lists wait for connectors that were not tried yet.
    pub first_list_wait: Option<Duration>,
    /// The time that a call waits for a connector that is being connected to.
    pub connect_wait: Option<Duration>,
    /// The time for which calls on a removed or changed connector may go on.
    pub removal_timeout: Option<Duration>,
    /// The pause after the first failure of a connector.
    pub retry_first: Option<Duration>,
    /// The longest pause between two attempts.
    pub retry_longest: Option<Duration>,
    /// The time that a connection must last for earlier failures not to count.
    pub retry_stable_after: Option<Duration>,
    /// The time that the tools of a connector that is down stay listed.
    pub keep_listed: Option<Duration>,
    /// The entries of one list of one connector.
    pub list_entries: Option<usize>,
    /// The entries on one page of a merged list.
    pub list_page: Option<usize>,
    /// The age at which lists are read again, of connectors that do not announce changes.
    pub list_refresh_after: Option<Duration>,
    /// The time for which clients may keep a list.
    pub list_ttl: Option<Duration>,
    /// The calls of one connector that wait for a client to answer a question.
    pub suspended_calls: Option<usize>,
    /// The time that such a call waits.
    pub suspended_call_timeout: Option<Duration>,
    /// The resources of one connector that are subscribed to at once.
    pub connector_subscriptions: Option<usize>,
    /// The bytes of one connector's instructions that are passed on.
    pub instructions_bytes: Option<usize>,
    /// The users with a connection of their own to one connector.
    pub user_connections: Option<usize>,
    /// The time after which such a connection is closed when it is not used.
    pub user_connection_idle: Option<Duration>,
    /// The time after which an unused process is stopped.
    pub process_idle: Option<Duration>,
    /// The time that a call waits for a user who agreed to sign in.
    pub sign_in_timeout: Option<Duration>,
    /// The bytes of results that clients have not taken yet.
    pub result_bytes: Option<usize>,
    /// The bytes of results that were too long for their clients, and are kept to be read in parts.
    pub stored_result_bytes: Option<usize>,
    /// The bytes of such results of one caller.
    pub stored_result_caller_bytes: Option<usize>,
    /// The time for which such a result is kept.
    pub stored_result_ttl: Option<Duration>,
}
