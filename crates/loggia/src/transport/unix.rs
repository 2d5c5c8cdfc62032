//! Serves on a Unix socket, for any number of clients on the same machine, with the framing of stdio. From its
//! creation on, only its owner can use the socket, unless another mode is set.
//!
//! Windows is not supported: serving fails with an error that names the available transports.

use std::path::PathBuf;
use std::sync::Arc;

use super::{Serve, Shutdown};
use crate::error::Result;
use crate::future::BoxFuture;
use crate::limits::Limits;
use crate::service::Service;

/// A Unix socket to serve on.
pub struct UnixSocket {
    path: PathBuf,
    mode: u32,
}

/// Returns the Unix socket at `path`. The socket of a dead server is replaced. If a running server listens on it, or
/// it is a file of another kind, serving fails.
pub fn unix(path: impl Into<PathBuf>) -> UnixSocket {
    UnixSocket { path: path.into(), mode: 0o600 }
}

impl UnixSocket {
    /// Sets the permission bits of the socket file. The default is `0o600`: only the owner.
    pub fn mode(mut self, mode: u32) -> UnixSocket {
        self.mode = mode;
        self
    }
}

impl Serve for UnixSocket {
    fn serve(
        self,
        service: Arc<dyn Service>,
        limits: Limits,
        shutdown: Shutdown,
    ) -> BoxFuture<'static, Result<()>> {
        Box::pin(os::serve(self, service, limits, shutdown))
    }
}

#[cfg(not(unix))]
mod os {
    use super::*;
    use crate::error::Error;

    pub(super) async fn serve(socket: UnixSocket, _: Arc<dyn Service>, _: Limits, _: Shutdown) -> Result<()> {
        let path = socket.path.display();
        Err(Error::Configuration(format!(
            "{path}: this system has no Unix sockets to serve on; use stdio or HTTP on 127.0.0.1"
        )))
    }
}

#[cfg(unix)]
mod os {
    use std::fs::{self, DirBuilder, Permissions};
    use std::io;
    use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
    use std::path::Path;
    use std::time::Duration;

    use tokio::io::{AsyncRead, AsyncWrite};
    use tokio::net::{UnixListener, UnixStream};
    use tokio::sync::Semaphore;
    use tokio::task::JoinSet;

    use super::*;
    use crate::edge::{correlation_id, duplex};
    use crate::error::Error;
    use crate::framing::{LineReader, LineWriter};

    /// The pause of accepting when the system has no room for another connection.
    const PAUSE: Duration = Duration::from_millis(100);

    pub(super) async fn serve(
        socket: UnixSocket,
        service: Arc<dyn Service>,
        limits: Limits,
        shutdown: Shutdown,
    ) -> Result<()> {
        let bound = BoundSocket::new(&socket).await?;
        let room = Arc::new(Semaphore::new(limits.connections.min(Semaphore::MAX_PERMITS)));
        let mut connections = JoinSet::new();
        loop {
            let stream = tokio::select! {
                accepted = accept(&bound.listener, &room) => accepted,
                Some(_) = connections.join_next() => continue,
                () = shutdown.begun() => break,
            };
            let Some((stream, permit)) = stream else {
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            let (service, limits, shutdown) = (service.clone(), limits.clone(), shutdown.clone());
            connections.spawn(async move {
                let _permit = permit;
                connection(stream, service, limits, shutdown).await;
            });
        }
        drop(bound);
        while connections.join_next().await.is_some() {}
        Ok(())
    }

    async fn accept(
        listener: &UnixListener,
        room: &Arc<Semaphore>,
    ) -> Option<(UnixStream, tokio::sync::OwnedSemaphorePermit)> {
        let permit = Arc::clone(room).acquire_owned().await.ok()?;
        match listener.accept().await {
            Ok((stream, _)) => Some((stream, permit)),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                None
            }
        }
    }

    async fn connection(stream: UnixStream, service: Arc<dyn Service>, limits: Limits, shutdown: Shutdown) {
        let (reader, writer) = stream.into_split();
        // The code for lines is compiled once for all kinds of streams.
        let reader: Box<dyn AsyncRead + Send + Unpin> = Box::new(reader);
        let writer: Box<dyn AsyncWrite + Send + Unpin> = Box::new(writer);
        let reader = LineReader::new(reader, limits.message_bytes);
        if let Err(error) = duplex::serve(service, reader, LineWriter::new(writer), limits, shutdown).await {
            tracing::info!(%error, "a connection ended badly");
        }
    }

    /// A listening socket and its file, which is deleted with it.
    struct BoundSocket {
        listener: UnixListener,
        path: PathBuf,
        identity: (u64, u64),
    }

    impl BoundSocket {
        async fn new(socket: &UnixSocket) -> Result<BoundSocket> {
            let path = &socket.path;
            make_room(path).await?;
            bind(path, socket.mode).map_err(|error| {
                Error::Configuration(format!("the socket {} could not be made: {error}", path.display()))
            })
        }
    }

    impl Drop for BoundSocket {
        fn drop(&mut self) {
            // Another server may have taken the name meanwhile.
            if fs::symlink_metadata(&self.path).is_ok_and(|now| (now.dev(), now.ino()) == self.identity) {
                let _ = fs::remove_file(&self.path);
            }
        }
    }

    /// Checks that no other file at `path` would be lost.
    async fn make_room(path: &Path) -> Result<()> {
        let wrong = |what: &str| Err(Error::Configuration(format!("{}: {what}", path.display())));
        match fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error.into()),
            Ok(found) if !found.file_type().is_socket() => {
                wrong("there is a file that is not a socket; choose another path or remove it")
            }
            Ok(_) => match UnixStream::connect(path).await {
                Ok(_) => wrong("another server listens there already"),
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
                Err(error) => wrong(&format!("there is a socket that cannot be examined: {error}")),
            },
        }
    }

    /// Binds in a directory that other users cannot enter, sets the permissions, and then moves the socket to its
    /// place. The move replaces a dead server's socket.
    fn bind(path: &Path, mode: u32) -> io::Result<BoundSocket> {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let workshop = parent.join(format!(".{}", correlation_id()));
        DirBuilder::new().mode(0o700).create(&workshop)?;
        let made = bind_in(&workshop, path, mode);
        let _ = fs::remove_dir_all(&workshop);
        made
    }

    fn bind_in(workshop: &Path, path: &Path, mode: u32) -> io::Result<BoundSocket> {
        let made = workshop.join("s");
        let listener = UnixListener::bind(&made)?;
        fs::set_permissions(&made, Permissions::from_mode(mode))?;
        let metadata = fs::symlink_metadata(&made)?;
        fs::rename(&made, path)?;
        Ok(BoundSocket { listener, path: path.to_owned(), identity: (metadata.dev(), metadata.ino()) })
    }
}
