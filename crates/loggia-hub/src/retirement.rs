//! The end of a connector that was removed or changed while the hub runs.
//!
//! From the moment of the change no new request reaches it. Requests that already have it go on for a bounded time; then,
//! or when the last of them has ended, its connections are closed, which ends its process and sessions.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::connector_handle::ConnectorHandle;

/// The reason that a connector takes no new requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Retirement {
    /// It was removed.
    Removed,
    /// Another connector has its name.
    Changed,
}

impl Retirement {
    fn event(self, name: &str) -> String {
        match self {
            Retirement::Removed => format!("The connector {name:?} was removed"),
            Retirement::Changed => format!("The configuration of the connector {name:?} was changed"),
        }
    }

    /// Returns the error of a request that was being processed.
    pub(crate) fn explain_interrupted(self, name: &str) -> String {
        let event = self.event(name);
        let next = match self {
            Retirement::Removed => "",
            Retirement::Changed => " Check that before you make the request again.",
        };
        format!(
            "{event} while it processed this request; whether the request had an effect is not known.{next}"
        )
    }

    /// Returns the error of a request that was never sent.
    pub(crate) fn explain_unsent(self, name: &str) -> String {
        let event = self.event(name);
        match self {
            Retirement::Removed => format!("{event} before this request was sent to it."),
            Retirement::Changed => {
                format!("{event} before this request was sent to it. Make the request again.")
            }
        }
    }
}

/// Stops the supervisor of a retired connector, waits for the requests that it processes, for at most `grace`, and closes
/// its connections. A change of `closing` ends the wait.
pub(crate) async fn close_when_idle(
    handle: Arc<ConnectorHandle>,
    supervisor: JoinHandle<()>,
    grace: Duration,
    mut closing: watch::Receiver<bool>,
) {
    // Only a supervisor that has ended opens no further connection.
    supervisor.abort();
    let _ = supervisor.await;
    let (name, connections) = (handle.settings.name.clone(), handle.connections());
    let idle = handle.until_idle();
    drop(handle);
    let is_idle = tokio::select! {
        () = idle => true,
        () = tokio::time::sleep(grace) => false,
        _ = closing.wait_for(|closing| *closing) => false,
    };
    tracing::debug!(
        connector = name,
        is_idle,
        "closing the connections of a connector that is no longer served"
    );
    connections.close().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_names_the_connector_and_the_event() {
        for (retirement, event) in
            [(Retirement::Removed, "\"x\" was removed"), (Retirement::Changed, "\"x\" was changed")]
        {
            for text in [retirement.explain_interrupted("x"), retirement.explain_unsent("x")] {
                assert!(text.contains(event), "{text}");
            }
        }
    }
}
