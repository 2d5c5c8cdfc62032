//! Every bound on what comes from outside, in one table. A default holds for a laptop and for a server; each
//! can be set, and none can be switched off.

use std::time::Duration;

/// The bounds of one endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Longest message, in bytes: an HTTP body, a line on stdio, the data of one SSE event.
    pub message_bytes: usize,
    /// Longest header section of an HTTP request, in bytes.
    pub header_bytes: usize,
    /// Most requests that run at once, for one connection; further ones wait (back-pressure).
    pub requests_per_connection: usize,
    /// Most bytes of requests that run or wait, for one connection; beyond it, reading pauses.
    pub in_flight_bytes: usize,
    /// Most bytes written for a peer that has not read them; beyond it, reading from that peer pauses.
    pub write_buffer: usize,
    /// Most live questions that wait for one legacy client.
    pub asks: usize,
    /// Most resources that one session or listen request subscribes to.
    pub subscriptions: usize,
    /// Longest URI of a subscription, in bytes.
    pub uri_bytes: usize,
    /// Most bytes of all URIs that one session or listen request subscribes to.
    pub subscription_bytes: usize,
    /// Most requests that run at once, for one endpoint; a caller who is known gets a share of them. Further ones are
    /// refused as busy.
    pub requests: usize,
    /// Most long streams (`subscriptions/listen`, GET) open at once, for one endpoint; a caller who is known gets a
    /// share of them.
    pub streams: usize,
    /// Most connections, for one endpoint.
    pub connections: usize,
    /// Time within which a peer must send its request.
    pub read_timeout: Duration,
    /// Time for which a peer may read nothing before it is taken for dead.
    pub write_timeout: Duration,
    /// Time for which a connection without a request stays open.
    pub idle: Duration,
    /// Time for which a legacy session without traffic is kept.
    pub session_idle: Duration,
    /// Most legacy sessions with state in this process.
    pub sessions: usize,
    /// Most events kept for resumption, for one session.
    pub resume_events: usize,
    /// Most bytes kept for resumption, for one session.
    pub resume_bytes: usize,
    /// Time for which events are kept for a client that resumes its stream.
    pub resume_window: Duration,
    /// Interval of the comments on a silent SSE stream.
    pub keep_alive: Duration,
    /// Most rounds of `input_required` for one call.
    pub input_rounds: usize,
    /// Largest state of a call that travels through the client between its rounds, in bytes.
    pub request_state_bytes: usize,
    /// Most log messages for the client, for one request in one second; further ones are dropped.
    pub logs_per_second: u32,
    /// Time within which a client must answer a live question.
    pub ask_timeout: Duration,
    /// Time for which a shutdown waits for running requests.
    pub drain: Duration,
    /// Longest message a client takes from its server, in bytes. Results may carry pictures and files.
    pub reply_bytes: usize,
    /// Most bytes of output that is not a message (a banner, debug lines) a client takes from its server within a
    /// minute and without a message in between. Beyond it the server is given up.
    pub malformed: usize,
    /// Most pages of one list that a client fetches.
    pub list_pages: usize,
    /// Most bytes of one list that a client reads; the rest is left out.
    pub list_bytes: usize,
    /// Longest entry of a list that a client keeps (a tool with its schemas), in bytes; a longer one is left out.
    pub entry_bytes: usize,
    /// Longest answer to `initialize` or `server/discover` that a client takes, in bytes.
    pub opening_bytes: usize,
    /// Most results a client keeps.
    pub cache_entries: usize,
    /// Most bytes of results a client keeps.
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
