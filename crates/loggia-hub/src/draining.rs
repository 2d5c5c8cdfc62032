//! The end of a connector that was removed or changed while the hub runs.
//!
//! From the moment of the change no new request reaches it. Requests that already have it go on for a bounded time;
//! then, or when the last of them has ended, its connections are closed, which ends its process and sessions.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::connector_handle::ConnectorHandle;

/// Stops the supervisor of a retired connector, waits for the requests that it processes, for at most `grace`, and
/// closes its connections. A change of `closing` ends the wait.
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
