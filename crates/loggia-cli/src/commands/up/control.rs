//! Tells the operator how the gateway is, over a Unix socket that only its user can open: reasons and error output
//! are not for clients. Each connection is given one JSON document (`gateway`, `connectors`) and closed.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use loggia_hub::Hub;
use serde_json::{Value, json};

/// What `loggia status` is told of one gateway.
pub(crate) struct Control {
    hub: Arc<Hub>,
    /// The URL, or `stdio`.
    at: String,
    config: Option<PathBuf>,
    begun: Instant,
}

impl Control {
    /// Tells of `hub`, which serves the configuration `config` at `at`.
    pub(crate) fn new(hub: Arc<Hub>, at: impl Into<String>, config: Option<PathBuf>) -> Control {
        Control { hub, at: at.into(), config, begun: Instant::now() }
    }

    #[cfg_attr(not(unix), allow(dead_code, reason = "there is no socket to tell it over"))]
    fn document(&self) -> Value {
        let now = Instant::now();
        let connectors: Vec<Value> = self.hub.report().iter().map(|report| report.to_json(now)).collect();
        json!({
            "gateway": {
                "url": self.at,
                "config": self.config.as_ref().map(|path| path.display().to_string()),
                "pid": std::process::id(),
                "version": env!("CARGO_PKG_VERSION"),
                "sinceSeconds": now.saturating_duration_since(self.begun).as_secs(),
            },
            "connectors": connectors,
        })
    }

    /// Listens under `name` until the result is dropped. A gateway that cannot be asked still serves.
    #[cfg(unix)]
    pub(crate) fn listen(self, name: &str) -> Option<unix::Listening> {
        let folder = crate::state::sockets()?;
        match unix::bind(&folder, name) {
            Ok((listener, path)) => Some(unix::Listening::new(listener, path, self)),
            Err(error) => {
                let folder = folder.display();
                tracing::warn!(%folder, %error, "`loggia status` cannot ask this gateway: no socket");
                None
            }
        }
    }

    /// There are no sockets of this kind here.
    #[cfg(not(unix))]
    pub(crate) fn listen(self, _: &str) -> Option<()> {
        None
    }
}

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

    use super::Control;

    /// How long one reader may take.
    const READER: Duration = Duration::from_secs(5);
    /// The pause after a connection that could not be accepted.
    const PAUSE: Duration = Duration::from_millis(200);

    /// A socket that answers. Dropping it takes it away.
    pub(crate) struct Listening {
        path: PathBuf,
        task: JoinHandle<()>,
    }

    impl Listening {
        pub(super) fn new(listener: UnixListener, path: PathBuf, control: Control) -> Listening {
            Listening { path, task: tokio::spawn(serve(listener, control)) }
        }
    }

    impl Drop for Listening {
        fn drop(&mut self) {
            self.task.abort();
            // The next gateway under this name replaces a leftover.
            let _ = std::fs::remove_file(&self.path);
        }
    }

    /// Binds the socket. One that is left over from a gateway that is gone is replaced.
    pub(super) fn bind(folder: &Path, name: &str) -> io::Result<(UnixListener, PathBuf)> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        std::fs::set_permissions(folder, Permissions::from_mode(0o700))?;
        let path = folder.join(format!("{name}.sock"));
        if path.exists() && std::os::unix::net::UnixStream::connect(&path).is_err() {
            std::fs::remove_file(&path)?;
        }
        let listener = UnixListener::bind(&path)?;
        std::fs::set_permissions(&path, Permissions::from_mode(0o600))?;
        Ok((listener, path))
    }

    async fn serve(listener: UnixListener, control: Control) {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let told =
                        tokio::time::timeout(READER, tell(stream, control.document().to_string())).await;
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
