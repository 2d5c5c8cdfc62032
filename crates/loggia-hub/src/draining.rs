//! Closes a connector that was removed or changed while the hub runs.
//!
//! It gets no new requests. Its running requests may continue for a bounded time. After that, or after the last of
//! them has ended, its connections are closed, which ends its process and sessions.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::connector_handle::ConnectorHandle;

/// Stops the supervisor of a retired connector, waits at most `grace` for the running requests, and closes its
/// connections. A change of `closing` ends the wait.
pub(crate) async fn close_when_idle(
    handle: Arc<ConnectorHandle>,
    supervisor: JoinHandle<()>,
    grace: Duration,
    mut closing: watch::Receiver<bool>,
) {
    // After the supervisor has ended, no further connection is opened.
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
