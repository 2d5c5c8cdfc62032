//! Every bound of the hub, in one table.

use std::time::Duration;

use loggia::limits::Limits;
use loggia_store::ResultStoreLimits;

use crate::health::RetryPolicy;

/// The bounds of one hub.
#[derive(Debug, Clone)]
pub struct HubLimits {
    /// The bounds on messages, lists and cached results of each upstream.
    pub upstream: Limits,
    /// The time that a starting process may show no sign of work before its first message, unless its connector has a
    /// limit of its own.
    pub start_timeout: Duration,
    /// The number of processes that start at the same time. A process that is idle, or has been starting for
    /// `start_turn`, no longer counts.
    pub starts: usize,
    /// The time after which a starting process no longer counts.
    pub start_turn: Duration,
    /// The time of one attempt to connect: sign-in and negotiation, without the start of a process.
    pub connect_timeout: Duration,
    /// The time for reading all lists of an upstream. Lists that were not read within this time are read again later.
    pub list_timeout: Duration,
    /// The time for an upstream to answer `server/discover`. Only old servers that do not answer at all use the whole
    /// time.
    pub probe_timeout: Duration,
    /// The time that an upstream may be silent during a request, unless its connector has a limit of its own.
    pub timeout: Duration,
    /// The time of a whole request.
    pub max_timeout: Duration,
    /// The time after the start of the hub during which a request for a list waits for connectors without remembered
    /// lists that were not tried yet. A client that starts the hub itself asks immediately, and many clients ask only
    /// once.
    pub first_list_wait: Duration,
    /// The maximum number of running calls, shared among connectors and among callers
    /// ([`Budget`](loggia::budget::Budget)). Further calls are refused.
    pub requests: usize,
    /// The maximum number of bytes of results that clients have not taken yet, shared among connectors and among
    /// callers. A result for which there is no room is dropped.
    pub result_bytes: usize,
    /// The time that a request waits for an upstream that is being connected to.
    pub connect_wait: Duration,
    /// The time that running requests of a removed or changed connector may continue.
    pub removal_timeout: Duration,
    /// The pauses between attempts to reach an upstream.
    pub retry: RetryPolicy,
    /// The maximum number of entries of one list of one upstream. Further entries are left out, with a warning.
    pub list_entries: usize,
    /// The number of entries on one page of a merged list.
    pub page: usize,
    /// The age at which a list is read again when a client asks for it, if the upstream does not announce changes.
    pub refresh_after: Duration,
    /// The time that clients may cache a merged list.
    pub list_ttl: Duration,
    /// The maximum number of calls of one upstream that wait for the answer of a modern client.
    pub suspended_calls: usize,
    /// The time that such a call waits.
    pub suspended_call_timeout: Duration,
    /// The maximum number of resources of one upstream with subscriptions.
    pub subscriptions: usize,
    /// The maximum number of bytes of one upstream's instructions that clients get.
    pub instructions: usize,
    /// The maximum number of users with a connection of their own to one connector. Above it, the connection that was
    /// idle for the longest time is closed.
    pub user_connections: usize,
    /// The time after which an unused connection of a user is closed.
    pub user_connection_idle: Duration,
    /// The time after which an unused process of a connector is stopped. The next request starts it again.
    pub process_idle: Duration,
    /// The time that a call waits for a user who agreed to sign in.
    pub sign_in_wait: Duration,
    /// The bounds of the results that were too long for their clients, and are kept to be read in parts.
    pub stored_results: ResultStoreLimits,
}

impl Default for HubLimits {
    fn default() -> HubLimits {
        HubLimits {
            upstream: Limits::default(),
            start_timeout: Duration::from_secs(5 * 60),
            // At least two: one may wait for the network while the other computes.
            starts: std::thread::available_parallelism().map_or(2, usize::from).max(2),
            start_turn: Duration::from_secs(20),
            connect_timeout: Duration::from_secs(60),
            list_timeout: Duration::from_secs(2 * 60),
            probe_timeout: Duration::from_secs(10),
            timeout: Duration::from_secs(10 * 60),
            max_timeout: Duration::from_secs(60 * 60),
            first_list_wait: Duration::from_secs(10),
            requests: 4096,
            result_bytes: 256 << 20,
            connect_wait: Duration::from_secs(10),
            removal_timeout: Duration::from_secs(30),
            retry: RetryPolicy::default(),
            list_entries: 10_000,
            page: 1000,
            refresh_after: Duration::from_secs(60),
            list_ttl: Duration::from_secs(5),
            suspended_calls: 256,
            suspended_call_timeout: Duration::from_secs(10 * 60),
            subscriptions: 1024,
            instructions: 4096,
            user_connections: 1024,
            // This must be longer than a suspended call waits.
            user_connection_idle: Duration::from_secs(15 * 60),
            // This must be longer than a suspended call waits.
            process_idle: Duration::from_secs(30 * 60),
            // Many clients wait for one minute.
            sign_in_wait: Duration::from_secs(45),
            stored_results: ResultStoreLimits::default(),
        }
    }
}
