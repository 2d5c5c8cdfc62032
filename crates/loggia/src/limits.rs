//! Every bound on data from outside, in one table. The defaults are right for a laptop and for a server. Each bound
//! can be set, and none can be switched off.

use std::time::Duration;

/// The bounds of one endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The maximum length of a message, in bytes: an HTTP body, a line on stdio, the data of one SSE event.
    pub message_bytes: usize,
    /// The maximum length of the header section of an HTTP request, in bytes.
    pub header_bytes: usize,
    /// The maximum number of running requests of one connection; further ones wait (back-pressure).
    pub requests_per_connection: usize,
    /// The maximum number of bytes of running and waiting requests of one connection; above it, reading pauses.
    pub in_flight_bytes: usize,
    /// The maximum number of written bytes that a peer has not read; above it, reading from that peer pauses.
    pub write_buffer: usize,
    /// The maximum number of open questions to one legacy client.
    pub asks: usize,
    /// The maximum number of resources that one session or `subscriptions/listen` request subscribes to.
    pub subscriptions: usize,
    /// The maximum length of the URI of a subscription, in bytes.
    pub uri_bytes: usize,
    /// The maximum number of bytes of all URIs of one session or `subscriptions/listen` request.
    pub subscription_bytes: usize,
    /// The maximum number of running requests of one endpoint, shared among signed-in callers. Further requests are
    /// refused because the endpoint is busy.
    pub requests: usize,
    /// The maximum number of open long streams (`subscriptions/listen`, GET) of one endpoint, shared among signed-in
    /// callers.
    pub streams: usize,
    /// The maximum number of connections of one endpoint.
    pub connections: usize,
    /// The time for a peer to send its request.
    pub read_timeout: Duration,
    /// The time that a peer may not read before its connection is closed.
    pub write_timeout: Duration,
    /// The time that a connection without a request stays open.
    pub idle: Duration,
    /// The time that a legacy session without traffic is kept.
    pub session_idle: Duration,
    /// The maximum number of legacy sessions with state in this process.
    pub sessions: usize,
    /// The maximum number of events that one session keeps for resumption.
    pub resume_events: usize,
    /// The maximum number of bytes that one session keeps for resumption.
    pub resume_bytes: usize,
    /// The time that events are kept for a client that resumes its stream.
    pub resume_window: Duration,
    /// The interval of the comments on a silent SSE stream.
    pub keep_alive: Duration,
    /// The maximum number of rounds of `input_required` of one call.
    pub input_rounds: usize,
    /// The maximum size of the `requestState` of a call, in bytes.
    pub request_state_bytes: usize,
    /// The maximum number of log messages of one request in one second; further ones are dropped.
    pub logs_per_second: u32,
    /// The time for a legacy client to answer a question.
    pub ask_timeout: Duration,
    /// The time that a shutdown waits for running requests.
    pub drain: Duration,
    /// The maximum length of a message from a server, in bytes. Results may contain pictures and files.
    pub reply_bytes: usize,
    /// The maximum number of bytes of output that is not a message (a banner, debug lines) from a server, within a
    /// minute and without a message in between. Above it the connection is closed.
    pub malformed: usize,
    /// The maximum number of pages of one list that a client reads.
    pub list_pages: usize,
    /// The maximum number of bytes of one list that a client reads; the rest is left out.
    pub list_bytes: usize,
    /// The maximum length of an entry of a list (a tool with its schemas), in bytes; a longer entry is left out.
    pub entry_bytes: usize,
    /// The maximum length of the answer to `initialize` or `server/discover`, in bytes.
    pub opening_bytes: usize,
    /// The maximum number of results that a client caches.
    pub cache_entries: usize,
    /// The maximum number of bytes of results that a client caches.
    pub cache_bytes: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            message_bytes: 4 << 20,
            header_bytes: 32 << 10,
            requests_per_connection: 256,
            in_flight_bytes: 32 << 20,
            write_buffer: 1 << 20,
            asks: 64,
            subscriptions: 1024,
            uri_bytes: 8 << 10,
            subscription_bytes: 256 << 10,
            requests: 4096,
            streams: 16_384,
            connections: 16_384,
            read_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            idle: Duration::from_secs(120),
            session_idle: Duration::from_secs(30 * 60),
            sessions: 65_536,
            resume_events: 256,
            resume_bytes: 1 << 20,
            resume_window: Duration::from_secs(2 * 60),
            keep_alive: Duration::from_secs(15),
            input_rounds: 16,
            request_state_bytes: 64 << 10,
            logs_per_second: 100,
            ask_timeout: Duration::from_secs(10 * 60),
            drain: Duration::from_secs(10),
            reply_bytes: 32 << 20,
            malformed: 1 << 20,
            list_pages: 1000,
            list_bytes: 8 << 20,
            entry_bytes: 1 << 20,
            opening_bytes: 1 << 20,
            cache_entries: 1024,
            cache_bytes: 16 << 20,
        }
    }
}
