//! Serving on the process's own standard streams: how a client runs a server as its child. Standard output
//! belongs to the protocol from then on: print nothing to it.

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
/// Serving ends when standard input does, or on one of the [`TerminationSignals`]; requests that run are given
/// [`Limits::drain`] to finish. A second signal ends it at once.
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
            // Before anything is answered: a client that has an answer may send a signal.
            let mut signals = TerminationSignals::listen();
            let streams = streams::open()?;
            let reader = LineReader::new(streams.input, limits.message_bytes);
            let writer = LineWriter::new(streams.output);
            // On a task of its own, for the thread that runs `main` hears of input only through another one.
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

/// Passes the first signal on as the order to stop; returns on the second.
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
