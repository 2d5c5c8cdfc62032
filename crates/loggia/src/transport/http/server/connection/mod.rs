//! Connections of the HTTP server: accepted within a bound, read within a time, served with HTTP/1.1 or HTTP/2, closed
//! when they are idle or when their peer does not read, drained at a shutdown.
//!
//! They are one room because they pass one socket on. Each box below owns it alone, until it gives it to the next:
//!
//! ```text
//!  listener ──► tls ──► preface ──► protocol: hyper (HTTP/1.1 or HTTP/2)
//!  accepts      shakes  reads the      │ a response is marked DetachOnSend, over HTTP/1.1:
//!  the socket   hands   first bytes    │ the response goes to DetachedResponse, hyper sees a request that stays open;
//!                                      │ preface notes when hyper has written all responses before it
//!                                      ▼
//!                                   protocol takes the socket from hyper and drops hyper's part (two buffers of 8 KiB)
//!                                      │
//!                                      ▼
//!                                   detached_stream writes head and chunks, and holds nothing between two events;
//!                                   the socket closes with the stream
//! ```
//!
//! Around all of it, [`idle_monitor`] counts what happens on the socket, and the listener's task closes the connection
//! when its time is over.
//!
//! Invariant: at no time do two of them read or write the socket; a detached stream begins only after hyper has
//! written everything before it.

mod detached_stream;
mod idle_monitor;
mod listener;
mod preface;
mod protocol;
mod tls;

pub(super) use self::listener::run;
pub(super) use self::protocol::HttpHandler;
pub use self::protocol::PeerAddr;
pub(super) use self::tls::Acceptor;
