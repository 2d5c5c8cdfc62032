//! Targets of a client: opens a connection to each kind, the first time and again.

#[cfg(unix)]
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::client::link::{FramesLink, Link};
use crate::error::{Error, Result};
use crate::framing::{ReadFrames, WriteFrames};
use crate::future::BoxFuture;
use crate::limits::Limits;
use crate::service::Service;
use crate::shutdown::Shutdown;
use crate::transport::child::{Child, ErrorOutputHook};
use crate::transport::{Serve, memory};

/// A server to connect to.
pub struct Target(TargetKind);

enum TargetKind {
    Child(Child),
    Service(Arc<dyn Service>),
    Frames(Mutex<Option<ConnectionHalves>>),
    Custom(Box<dyn Fn() -> BoxFuture<'static, Result<ConnectionHalves>> + Send + Sync>),
    #[cfg(unix)]
    Unix(PathBuf),
    #[cfg(feature = "http-client")]
    Http(url::Url),
}

/// The two halves of a connection that carries whole messages.
pub type ConnectionHalves = (Box<dyn ReadFrames>, Box<dyn WriteFrames>);

impl Target {
    /// Creates a target whose connections `open` opens, also after one was lost.
    pub fn custom<F, Fut>(open: F) -> Target
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<ConnectionHalves>> + Send + 'static,
    {
        Target(TargetKind::Custom(Box::new(move || Box::pin(open()))))
    }
}

/// The argument of [`Client::connect`](crate::client::Client::connect): the URL of a server (`https://…`, `http://…`,
/// `unix:/path`), a [`Child`] to start, a server in the same program, or an end of a connection.
pub trait IntoTarget {
    /// Returns the target.
    fn into_target(self) -> Result<Target>;
}

impl IntoTarget for Target {
    fn into_target(self) -> Result<Target> {
        Ok(self)
    }
}

impl IntoTarget for &str {
    fn into_target(self) -> Result<Target> {
        #[cfg(unix)]
        if let Some(path) = self.strip_prefix("unix:") {
            return Ok(Target(TargetKind::Unix(path.trim_start_matches("//").into())));
        }
        if self.starts_with("http://") || self.starts_with("https://") {
            return http_target(self);
        }
        Err(Error::Configuration(format!(
            "{self:?} is not the URL of a server (https://…, http://…, unix:/path); to start a command use Client::spawn"
        )))
    }
}

impl IntoTarget for String {
    fn into_target(self) -> Result<Target> {
        self.as_str().into_target()
    }
}

impl IntoTarget for &String {
    fn into_target(self) -> Result<Target> {
        self.as_str().into_target()
    }
}

impl IntoTarget for Child {
    fn into_target(self) -> Result<Target> {
        Ok(Target(TargetKind::Child(self)))
    }
}

impl IntoTarget for &crate::Server {
    fn into_target(self) -> Result<Target> {
        self.clone().into_service().into_target()
    }
}

impl<S: Service> IntoTarget for &Arc<S> {
    fn into_target(self) -> Result<Target> {
        Ok(Target(TargetKind::Service(self.clone())))
    }
}

impl IntoTarget for Arc<dyn Service> {
    fn into_target(self) -> Result<Target> {
        Ok(Target(TargetKind::Service(self)))
    }
}

impl IntoTarget for memory::MemoryTransport {
    fn into_target(self) -> Result<Target> {
        let (reader, writer) = self.split();
        (reader, writer).into_target()
    }
}

/// The two halves of any connection that carries whole messages.
impl<R: ReadFrames, W: WriteFrames> IntoTarget for (R, W) {
    fn into_target(self) -> Result<Target> {
        Ok(Target(TargetKind::Frames(Mutex::new(Some((Box::new(self.0), Box::new(self.1)))))))
    }
}

#[cfg(feature = "http-client")]
impl IntoTarget for url::Url {
    fn into_target(self) -> Result<Target> {
        Ok(Target(TargetKind::Http(self)))
    }
}

#[cfg(feature = "http-client")]
fn http_target(text: &str) -> Result<Target> {
    let url = url::Url::parse(text)
        .map_err(|error| Error::Configuration(format!("{text:?} is not a URL: {error}")))?;
    url.into_target()
}

#[cfg(not(feature = "http-client"))]
fn http_target(text: &str) -> Result<Target> {
    Err(Error::Configuration(format!("to connect to {text} enable the feature `http` of the crate `loggia`")))
}

/// Opens connections to one target.
pub(crate) struct TargetConnector {
    pub target: Target,
    pub limits: Limits,
    pub connect_timeout: Duration,
    /// Receives the error output of a child.
    pub error_output: Option<ErrorOutputHook>,
    #[cfg(feature = "http-client")]
    pub http: crate::client::http::HttpOptions,
}

impl TargetConnector {
    /// Returns the key of the server in an [`EraMemory`](crate::client::EraMemory).
    pub(crate) fn key(&self) -> Option<String> {
        match &self.target.0 {
            TargetKind::Child(child) => Some(child.key()),
            #[cfg(unix)]
            TargetKind::Unix(path) => Some(format!("unix:{}", path.display())),
            #[cfg(feature = "http-client")]
            TargetKind::Http(url) => Some(crate::client::http::endpoint(url)),
            TargetKind::Service(_) | TargetKind::Frames(_) | TargetKind::Custom(_) => None,
        }
    }

    /// Returns whether each request has a stream of its own.
    pub(crate) fn own_streams(&self) -> bool {
        #[cfg(feature = "http-client")]
        if matches!(self.target.0, TargetKind::Http(_)) {
            return true;
        }
        false
    }

    /// Returns whether opening a connection starts a process.
    pub(crate) fn starts_process(&self) -> bool {
        matches!(self.target.0, TargetKind::Child(_))
    }

    /// Returns whether a lost connection can be opened again.
    pub(crate) fn reopens(&self) -> bool {
        !matches!(self.target.0, TargetKind::Frames(_))
    }

    /// Opens a connection.
    pub(crate) async fn open(&self) -> Result<Link> {
        match &self.target.0 {
            TargetKind::Child(child) => {
                let started = child.start(&self.limits, self.error_output.clone())?;
                let (reader, writer, process) = (started.reader, started.writer, Some(started.process));
                let link = FramesLink::new(reader, writer, process, self.limits.write_timeout);
                Ok(Link::Frames(Box::new(link.starting(started.watch))))
            }
            TargetKind::Service(service) => {
                let (ours, theirs) = memory::pair();
                tokio::spawn(theirs.serve(service.clone(), self.limits.clone(), Shutdown::new()));
                let (reader, writer) = ours.split();
                Ok(self.frames(Box::new(reader), Box::new(writer)))
            }
            TargetKind::Frames(halves) => {
                match halves.lock().unwrap_or_else(PoisonError::into_inner).take() {
                    Some((reader, writer)) => Ok(self.frames(reader, writer)),
                    None => {
                        Err(Error::Connection("the connection ended and cannot be opened again".to_owned()))
                    }
                }
            }
            TargetKind::Custom(open) => {
                let (reader, writer) = open().await?;
                Ok(self.frames(reader, writer))
            }
            #[cfg(unix)]
            TargetKind::Unix(path) => self.open_unix(path).await,
            #[cfg(feature = "http-client")]
            TargetKind::Http(url) => crate::client::http::HttpLink::new(
                url.clone(),
                self.http.clone(),
                &self.limits,
                self.connect_timeout,
            )
            .map(|link| Link::Http(Box::new(link))),
        }
    }

    #[cfg(unix)]
    async fn open_unix(&self, path: &std::path::Path) -> Result<Link> {
        use crate::framing::{LineReader, LineWriter};
        let stream = tokio::time::timeout(self.connect_timeout, tokio::net::UnixStream::connect(path))
            .await
            .map_err(|_| Error::timeout(self.connect_timeout))?
            .map_err(|error| Error::Connection(format!("{}: {error}", path.display())))?;
        let (reader, writer) = stream.into_split();
        let reader = LineReader::new(reader, self.limits.reply_bytes);
        Ok(self.frames(Box::new(reader), Box::new(LineWriter::new(writer))))
    }

    fn frames(&self, reader: Box<dyn ReadFrames>, writer: Box<dyn WriteFrames>) -> Link {
        Link::Frames(Box::new(FramesLink::new(reader, writer, None, self.limits.write_timeout)))
    }
}
