//! Every bound of the hub, in one table.

use std::time::Duration;

use loggia::limits::Limits;

use crate::health::RetryPolicy;

/// The bounds of one hub.
#[derive(Debug, Clone)]
pub struct HubLimits {
    /// The bounds on what each upstream sends: messages, lists, results that are kept.
    pub upstream: Limits,
    /// The time that a starting process may show no sign of work before its first message,
    /// where its connector does not say.
    pub start_timeout: Duration,
    /// The number of processes that start at once. One that idles, or has started for `start_turn`, makes room.
    pub starts: usize,
    /// The longest time for which a starting process keeps others from starting.
    pub start_turn: Duration,
    /// The time of one attempt to connect: sign-in and negotiation, without the start of a process.
    pub connect_timeout: Duration,
    /// The time for reading all lists of an upstream. Lists that are not there by then are missing, and
    /// read another time.
    pub list_timeout: Duration,
    /// The time for an upstream to refuse `server/discover`. Only old servers that
    /// stay silent cost this time.
    pub probe_timeout: Duration,
    /// The time that an upstream may be silent during a request, where its connector does not say.
    pub timeout: Duration,
    /// The time for a request in all.
    pub max_timeout: Duration,
    /// For how long after its start the hub lets a request for a list wait for connectors that were not tried
    /// yet and whose lists are not remembered: a client that starts the hub itself asks at once, and many ask
    /// only once.
    pub settle: Duration,
    /// Most calls that run at once; one connector, or one caller, gets a share of them
    /// ([`Budget`](loggia::budget::Budget)). Further ones are refused.
    pub requests: usize,
    /// Most bytes of results that clients have not taken yet; one connector, or one caller, gets a share of them. A
    /// result that finds no room is dropped.
    pub result_bytes: usize,
    /// The time that a request waits for an upstream that is being connected to.
    pub patience: Duration,
    /// The time for which requests may go on at a connector that was removed or changed while the hub runs.
    pub retirement: Duration,
    /// The pauses between attempts to reach an upstream.
    pub retry: RetryPolicy,
    /// Most entries of one list of one upstream; further ones are left out, with a warning.
    pub list_entries: usize,
    /// Entries on one page of a merged list.
    pub page: usize,
    /// The age at which the lists of an upstream that does not announce changes are read again,
    /// when a client asks for them.
    pub refresh_after: Duration,
    /// For how long clients may keep a merged list.
    pub list_ttl: Duration,
    /// Most calls of one upstream that wait for a modern client to answer a question.
    pub parked: usize,
    /// The time that such a call waits.
    pub parked_for: Duration,
    /// Most resources of one upstream that are subscribed to at once.
    pub subscriptions: usize,
    /// Most bytes of one upstream's instructions that are passed on.
    pub instructions: usize,
    /// Most users who have a connection of their own to one connector. Beyond that, the one that was idle for longest
    /// is closed.
    pub own_links: usize,
    /// The time after which such a connection is closed when it is not used.
    pub own_idle: Duration,
    /// The time that a call waits for a user who agreed to sign in.
    pub sign_in_wait: Duration,
}

impl Default for HubLimits {
    fn default() -> HubLimits {
        HubLimits {
            upstream: Limits::default(),
            start_timeout: Duration::from_secs(5 * 60),
            // Two at least: one may wait for the network while the other computes.
            starts: std::thread::available_parallelism().map_or(2, usize::from).max(2),
            start_turn: Duration::from_secs(20),
            connect_timeout: Duration::from_secs(60),
            list_timeout: Duration::from_secs(2 * 60),
            probe_timeout: Duration::from_secs(10),
            timeout: Duration::from_secs(10 * 60),
            max_timeout: Duration::from_secs(60 * 60),
            settle: Duration::from_secs(10),
            requests: 4096,
            result_bytes: 256 << 20,
            patience: Duration::from_secs(10),
            retirement: Duration::from_secs(30),
            retry: RetryPolicy::default(),
            list_entries: 10_000,
            page: 1000,
            refresh_after: Duration::from_secs(60),
            list_ttl: Duration::from_secs(5),
            parked: 256,
            parked_for: Duration::from_secs(10 * 60),
            subscriptions: 1024,
            instructions: 4096,
            own_links: 1024,
            // Longer than a parked call waits.
            own_idle: Duration::from_secs(15 * 60),
            // Many clients wait for a minute.
            sign_in_wait: Duration::from_secs(45),
        }
    }
}
