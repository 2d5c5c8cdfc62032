//! Serves on the process's own standard streams, for a client that starts the server as its child. Standard output
//! belongs to the protocol: print nothing to it.

mod streams;

use std::sync::Arc;

use tokio::task::JoinSet;

use super::framing::{LineReader, LineWriter};
use super::{Serve, Shutdown, TerminationSignals};
use crate::edge::duplex;
use crate::error::Result;
use crate::future::BoxFuture;
use crate::limits::Limits;
use crate::service::Service;

/// Returns the standard streams of this process, as a transport to serve on.
///
/// Serving ends at the end of standard input, or on one of the [`TerminationSignals`]; running requests may finish
/// within [`Limits::drain`]. A second signal ends it immediately.
pub fn stdio() -> Stdio {
    Stdio { _private: () }
}

/// See [`stdio`].
pub struct Stdio {
    _private: (),
}

impl Serve for Stdio {
    fn serve(
        self,
        service: Arc<dyn Service>,
        limits: Limits,
        shutdown: Shutdown,
    ) -> BoxFuture<'static, Result<()>> {
        Box::pin(async move {
            // This must be before the first answer, because a client that got an answer may send a signal.
            let mut signals = TerminationSignals::listen();
            let streams = streams::open()?;
            let reader = LineReader::new(streams.input, limits.message_bytes);
            let writer = LineWriter::new(streams.output);
            // This needs a task of its own, because the thread of `main` gets input only through another thread.
            let mut tasks = JoinSet::new();
            tasks.spawn(duplex::serve(service, reader, writer, limits, shutdown.clone()));
            tokio::select! {
                served = tasks.join_next() => match served {
                    Some(Ok(served)) => served,
                    Some(Err(error)) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                    _ => Ok(()),
                },
                () = stop_on_signals(&mut signals, &shutdown) => Ok(()),
            }
        })
    }
}

/// Turns the first signal into the order to stop; returns on the second.
async fn stop_on_signals(signals: &mut TerminationSignals, shutdown: &Shutdown) {
    for _ in 0..2 {
        signals.next().await;
        if shutdown.is_begun() {
            return;
        }
        tracing::info!("told to stop; running requests may finish");
        shutdown.begin();
    }
}
