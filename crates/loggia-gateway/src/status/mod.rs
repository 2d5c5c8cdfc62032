//! The status of a gateway for its administrator, over a Unix socket that only its user can open, because reasons and
//! error output are not for clients. Invariant: each connection gets one JSON document (`gateway`, `connectors`) and
//! is closed.

mod filter;
#[cfg(unix)]
mod reader;
mod text;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use loggia_hub::Hub;
use serde_json::{Value, json};

use crate::state::StateFolder;

pub use filter::GatewayFilter;
pub use text::{ConnectorStatusText, GatewayStatusText};

/// The statuses of the gateways that a user runs.
#[derive(Debug, Default)]
pub struct GatewayStatuses {
    /// The documents of the gateways that answered: `gateway` and `connectors`.
    pub documents: Vec<Value>,
    /// The reasons why the others did not answer, each with the path of the socket.
    pub failures: Vec<String>,
}

/// Reports the status of one gateway.
pub(crate) struct StatusReporter {
    hub: Arc<Hub>,
    /// The URL, or `stdio`.
    at: String,
    /// The address on which it listens; `None` on standard streams.
    listen: Option<SocketAddr>,
    config: Option<PathBuf>,
    begun: Instant,
}

impl StatusReporter {
    /// Reports on `hub`, which serves the configuration `config` on standard streams.
    pub(crate) fn stdio(hub: Arc<Hub>, config: Option<PathBuf>) -> StatusReporter {
        StatusReporter { hub, at: "stdio".to_owned(), listen: None, config, begun: Instant::now() }
    }

    /// Reports on `hub`, which serves the configuration `config` at `url` and listens on `listen`.
    pub(crate) fn http(
        hub: Arc<Hub>,
        url: String,
        listen: SocketAddr,
        config: Option<PathBuf>,
    ) -> StatusReporter {
        StatusReporter { hub, at: url, listen: Some(listen), config, begun: Instant::now() }
    }

    #[cfg_attr(not(unix), allow(dead_code, reason = "there is no socket to tell it over"))]
    fn document(&self) -> Value {
        let now = Instant::now();
        let connectors: Vec<Value> = self.hub.report().iter().map(|report| report.to_json(now)).collect();
        json!({
            "gateway": {
                "url": self.at,
                "listen": self.listen.map(|address| address.to_string()),
                "config": self.config.as_ref().map(|path| path.display().to_string()),
                "pid": std::process::id(),
                "version": env!("CARGO_PKG_VERSION"),
                "sinceSeconds": now.saturating_duration_since(self.begun).as_secs(),
            },
            "connectors": connectors,
        })
    }

    /// Listens until the result is dropped. If the socket cannot be opened, the gateway still serves.
    #[cfg(unix)]
    pub(crate) fn listen(self, state: &StateFolder) -> Option<StatusSocket> {
        let folder = state.sockets()?;
        match unix::bind(folder, &self.name()) {
            Ok((listener, path)) => Some(StatusSocket::new(listener, path, self)),
            Err(error) => {
                let folder = folder.display();
                tracing::warn!(%folder, %error, "`loggia status` cannot ask this gateway: no socket");
                None
            }
        }
    }

    /// Does nothing: this system has no such sockets.
    #[cfg(not(unix))]
    pub(crate) fn listen(self, _: &StateFolder) -> Option<StatusSocket> {
        None
    }

    /// Returns a name that no other gateway has: two may listen on one port, at two addresses or while the first of
    /// them drains.
    #[cfg(unix)]
    fn name(&self) -> String {
        let pid = std::process::id();
        match self.listen {
            Some(address) => format!("{}-{}-{pid}", address.ip(), address.port()),
            None => format!("stdio-{pid}"),
        }
    }
}

#[cfg(unix)]
pub(crate) use unix::StatusSocket;

/// A socket on systems that have none.
#[cfg(not(unix))]
pub(crate) struct StatusSocket;

#[cfg(unix)]
mod unix {
    use std::fs::{DirBuilder, Permissions};
    use std::io;
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    use std::path::{Path, PathBuf};
    use std::time::Duration;

    use tokio::io::AsyncWriteExt;
    use tokio::net::{UnixListener, UnixStream};
    use tokio::task::JoinHandle;

    use super::StatusReporter;

    /// The time limit of one reader.
    const READER_TIMEOUT: Duration = Duration::from_secs(5);
    /// The pause after a connection that could not be accepted.
    const PAUSE: Duration = Duration::from_millis(200);

    /// A listening socket. Dropping it deletes the file.
    pub(crate) struct StatusSocket {
        path: PathBuf,
        task: JoinHandle<()>,
    }

    impl StatusSocket {
        pub(super) fn new(listener: UnixListener, path: PathBuf, reporter: StatusReporter) -> StatusSocket {
            StatusSocket { path, task: tokio::spawn(serve(listener, reporter)) }
        }
    }

    impl Drop for StatusSocket {
        fn drop(&mut self) {
            self.task.abort();
            // If this fails, `loggia status` deletes the file.
            let _ = std::fs::remove_file(&self.path);
        }
    }

    /// Binds the socket. It gets its name after it listens, because a socket that refuses connections counts as a
    /// leftover.
    pub(super) fn bind(folder: &Path, name: &str) -> io::Result<(UnixListener, PathBuf)> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        std::fs::set_permissions(folder, Permissions::from_mode(0o700))?;
        let (new, path) = (folder.join(format!("{name}.new")), folder.join(format!("{name}.sock")));
        // A killed process with the same number left this file.
        let _ = std::fs::remove_file(&new);
        let listener = UnixListener::bind(&new)?;
        std::fs::set_permissions(&new, Permissions::from_mode(0o600))?;
        std::fs::rename(&new, &path)?;
        Ok((listener, path))
    }

    async fn serve(listener: UnixListener, reporter: StatusReporter) {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let told =
                        tokio::time::timeout(READER_TIMEOUT, tell(stream, reporter.document().to_string()))
                            .await;
                    if let Ok(Err(error)) = told {
                        tracing::debug!(%error, "a reader of the status went away");
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "the status cannot be asked for");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    async fn tell(mut stream: UnixStream, document: String) -> io::Result<()> {
        stream.write_all(document.as_bytes()).await?;
        stream.shutdown().await
    }
}
