//! A running gateway: its address, and its end. Invariant: dropping it stops the gateway gracefully.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use loggia::service::BoxFuture;
use loggia::transport::Shutdown;
use loggia_hub::Hub;
use tokio::task::JoinHandle;

use crate::access::GatewayAccess;
use crate::error::Result;
use crate::status::StatusSocket;

/// A running gateway. Dropping it starts a graceful stop.
pub struct GatewayServer {
    hub: Arc<Hub>,
    shutdown: Shutdown,
    serving: JoinHandle<loggia::Result<()>>,
    address: Option<SocketAddr>,
    url: String,
    access: Option<GatewayAccess>,
    console_url: Option<String>,
    _status: Option<StatusSocket>,
    _tasks: Vec<BackgroundTask>,
}

impl GatewayServer {
    /// Serves in a task of its own. The connectors are closed when `serving` ends.
    pub(crate) fn start(
        hub: Arc<Hub>,
        shutdown: Shutdown,
        serving: BoxFuture<'static, loggia::Result<()>>,
    ) -> GatewayServer {
        let served = hub.clone();
        let serving = tokio::spawn(async move {
            let outcome = serving.await;
            served.close().await;
            outcome
        });
        let url = "stdio".to_owned();
        GatewayServer {
            hub,
            shutdown,
            serving,
            address: None,
            url,
            access: None,
            console_url: None,
            _status: None,
            _tasks: Vec::new(),
        }
    }

    pub(crate) fn at(mut self, address: SocketAddr, url: String, access: GatewayAccess) -> GatewayServer {
        self.address = Some(address);
        self.url = url;
        self.access = Some(access);
        self
    }

    /// Serves the console at this URL.
    pub(crate) fn with_console(mut self, url: Option<String>) -> GatewayServer {
        self.console_url = url;
        self
    }

    /// Keeps values until the gateway has ended.
    pub(crate) fn keeping(
        mut self,
        status: Option<StatusSocket>,
        tasks: Vec<BackgroundTask>,
    ) -> GatewayServer {
        self._status = status;
        self._tasks = tasks;
        self
    }

    /// Returns the address that is listened on; `None` on standard streams.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Returns the URL of the MCP endpoint as clients know it; `stdio` on standard streams.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the URL of the console; `None` if it is not served.
    pub fn console_url(&self) -> Option<&str> {
        self.console_url.as_deref()
    }

    /// Returns the access rule; `None` on standard streams, where the parent process is the only caller.
    pub fn access(&self) -> Option<&GatewayAccess> {
        self.access.as_ref()
    }

    /// Returns the hub: the state of the connectors, and their tools.
    pub fn hub(&self) -> &Arc<Hub> {
        &self.hub
    }

    /// Returns a handle with which another task can stop the gateway: running requests may finish within the time to
    /// drain.
    pub fn shutdown(&self) -> Shutdown {
        self.shutdown.clone()
    }

    /// Waits until the gateway has stopped.
    ///
    /// # Errors
    ///
    /// [`GatewayError::Mcp`](crate::GatewayError::Mcp) if the transport failed.
    ///
    /// # Panics
    ///
    /// Panics if the task of the gateway has panicked.
    pub async fn wait(mut self) -> Result<()> {
        match (&mut self.serving).await {
            Ok(served) => Ok(served?),
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => Ok(()),
        }
    }

    /// Stops the gateway, and waits until it has stopped.
    ///
    /// # Errors
    ///
    /// As [`GatewayServer::wait`].
    pub async fn stop(self) -> Result<()> {
        self.shutdown.begin();
        self.wait().await
    }
}

impl Drop for GatewayServer {
    fn drop(&mut self) {
        self.shutdown.begin();
    }
}

/// A task that ends when this is dropped.
pub(crate) struct BackgroundTask(JoinHandle<()>);

impl BackgroundTask {
    pub(crate) fn spawn(task: impl Future<Output = ()> + Send + 'static) -> BackgroundTask {
        BackgroundTask(tokio::spawn(task))
    }
}

impl Drop for BackgroundTask {
    fn drop(&mut self) {
        self.0.abort();
    }
}
