//! The description of a connector that the hub is given. The hub does not know the command, URL or secrets of a
//! connector: a [`Source`] opens a connection each time that one is needed.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::memory::HubMemory;
use crate::upstream_lists::UpstreamLists;
use loggia::Service;
use loggia::client::{Client, ClientBuilder};
use loggia::service::{BoxFuture, Principal};

/// One connector.
#[derive(Clone)]
pub struct Connector {
    pub(crate) name: String,
    pub(crate) prefix: String,
    /// Lists names without the prefix, as far as they are free.
    pub(crate) unprefixed: bool,
    pub(crate) kind: String,
    pub(crate) source: Arc<dyn Source>,
    pub(crate) shows: Arc<dyn Fn(&str) -> bool + Send + Sync>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) start_timeout: Option<Duration>,
    pub(crate) starts_process: bool,
    pub(crate) fingerprint: Option<String>,
    pub(crate) shared_channel: bool,
    pub(crate) people: Option<Arc<dyn People>>,
    pub(crate) redact: Arc<dyn Fn(&str) -> String + Send + Sync>,
}

/// Opens connections to one upstream.
pub trait Source: Send + Sync + 'static {
    /// Opens a connection. `client` is set up as the hub needs it; what is particular to the upstream (a
    /// header, a fixed revision) is added to it here. Dropping the future gives the attempt up.
    fn open(&self, client: ClientBuilder) -> BoxFuture<'_, loggia::Result<Opened>>;
}

/// Opens connections in the name of people, each with what that person was given at the upstream.
pub trait People: Send + Sync + 'static {
    /// Identifies the user: one text for one user, whichever way they signed in.
    fn person(&self, principal: &Principal) -> String;

    /// Opens a connection in the name of a person. `None` where they have to sign in first.
    fn open<'a>(
        &'a self,
        client: ClientBuilder,
        person: &'a str,
    ) -> BoxFuture<'a, loggia::Result<Option<Opened>>>;

    /// The URL of a page where the person signs in. Whoever serves that page makes sure that it is this person
    /// who opens it, and tells [`Hub::signed_in`](crate::Hub::signed_in).
    fn sign_in_url<'a>(&'a self, person: &'a str) -> BoxFuture<'a, loggia::Result<String>>;
}

impl<F> Source for F
where
    F: Fn(ClientBuilder) -> BoxFuture<'static, loggia::Result<Opened>> + Send + Sync + 'static,
{
    fn open(&self, client: ClientBuilder) -> BoxFuture<'_, loggia::Result<Opened>> {
        self(client)
    }
}

/// An open upstream.
pub enum Opened {
    /// A server in another process or on another machine.
    Client(Client),
    /// A server in this process.
    Service(Arc<dyn Service>),
}

impl Connector {
    /// A connector called `name`, whose tools are prefixed with that name.
    pub fn new(name: impl Into<String>, source: impl Source) -> Connector {
        let name = name.into();
        Connector {
            prefix: name.clone(),
            unprefixed: false,
            name,
            kind: "connector".to_owned(),
            source: Arc::new(source),
            shows: Arc::new(|_| true),
            timeout: None,
            start_timeout: None,
            starts_process: false,
            fingerprint: None,
            shared_channel: true,
            people: None,
            redact: Arc::new(str::to_owned),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A server of this process, always up.
    pub fn builtin(name: impl Into<String>, service: Arc<dyn Service>) -> Connector {
        Connector::new(name, InProcess(service)).kind("builtin")
    }

    /// Sets another prefix than the name. With an empty one, tools and prompts keep the names that the connector gives
    /// them, unless a name begins with the prefix of another connector: then it gets the connector's name as its prefix.
    /// One connector of a hub may have an empty prefix.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Connector {
        let prefix = prefix.into();
        self.unprefixed = prefix.is_empty();
        self.prefix = if self.unprefixed { self.name.clone() } else { prefix };
        self
    }

    /// The kind of connector that users are shown.
    pub fn kind(mut self, kind: impl Into<String>) -> Connector {
        self.kind = kind.into();
        self
    }

    /// Which of its tools are served, by the names it gives them.
    pub fn shows(mut self, shows: impl Fn(&str) -> bool + Send + Sync + 'static) -> Connector {
        self.shows = Arc::new(shows);
        self
    }

    /// The time that it may be silent during a request.
    pub fn timeout(mut self, timeout: Option<Duration>) -> Connector {
        self.timeout = timeout;
        self
    }

    /// States that opening a connection starts a process. Such starts are paced, and have
    /// [a limit of their own](Connector::start_timeout). False unless said otherwise.
    pub fn starts_process(mut self, starts: bool) -> Connector {
        self.starts_process = starts;
        self
    }

    /// The time that its process may show no sign of work before its first message.
    pub fn start_timeout(mut self, timeout: Option<Duration>) -> Connector {
        self.start_timeout = timeout;
        self
    }

    /// Identifies how it is reached, without secrets: a digest of its configuration. Its lists are remembered
    /// over a restart only under the same fingerprint, and not at all without one.
    pub fn fingerprint(mut self, fingerprint: impl Into<String>) -> Connector {
        self.fingerprint = Some(fingerprint.into());
        self
    }

    /// States that all requests share one channel (stdio, sockets). There a legacy server does not say to
    /// which request a question of its belongs, so that one is not passed on while requests of different
    /// people run. True unless said otherwise.
    pub fn shared_channel(mut self, shared: bool) -> Connector {
        self.shared_channel = shared;
        self
    }

    /// Rewrites the reason of a failure before it is kept, shown or logged: to take secrets out of it that the program or
    /// the server behind it repeats. It stays as it is by default.
    pub fn redact(mut self, redact: impl Fn(&str) -> String + Send + Sync + 'static) -> Connector {
        self.redact = Arc::new(redact);
        self
    }

    /// Everybody has a connection for themselves, and none is opened for all: the source is not asked. Everybody
    /// sees the lists that are there for them, and a tool to sign in.
    pub fn people(mut self, people: Arc<dyn People>) -> Connector {
        self.people = Some(people);
        self
    }
}

impl Connector {
    /// The fingerprint under which its lists are remembered. Lists that differ from person to person are not.
    pub(crate) fn remembered_as(&self) -> Option<&str> {
        self.fingerprint.as_deref().filter(|_| self.people.is_none())
    }

    /// The lists of an earlier run.
    pub(crate) fn remembered(&self, memory: &HubMemory) -> Option<UpstreamLists> {
        memory.catalog(&self.name, self.remembered_as()?)
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

struct InProcess(Arc<dyn Service>);

impl Source for InProcess {
    fn open(&self, _: ClientBuilder) -> BoxFuture<'_, loggia::Result<Opened>> {
        let opened = Opened::Service(self.0.clone());
        Box::pin(async move { Ok(opened) })
    }
}
