//! The description of a connector, which the program gives to the hub. The hub does not know the command, URL or
//! secrets of a connector: a [`Source`] opens each connection.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::account_clients::AccountClients;
use crate::result_limit::ResultLimit;
use crate::tool_review::ToolReview;
use crate::tool_rewrite::ToolTransformMap;
use crate::tool_transform::ToolTransform;
use crate::transform::{ComponentKind, RenameMap, ToolFilter, Transform};
use loggia::Service;
use loggia::client::{Client, ClientBuilder};
use loggia::service::{BoxFuture, Principal};

/// One connector: how to connect to it, and how its components are exposed.
#[derive(Clone)]
pub struct Connector {
    pub(crate) settings: UpstreamSettings,
    pub(crate) exposure: Exposure,
}

/// The settings for connecting to a connector. When the connectors of the hub change, a connector with the same
/// settings keeps its connection.
#[derive(Clone)]
pub(crate) struct UpstreamSettings {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) source: Arc<dyn Source>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) start_timeout: Option<Duration>,
    pub(crate) starts_process: bool,
    pub(crate) fingerprint: Option<String>,
    pub(crate) revision: Option<String>,
    pub(crate) shared_channel: bool,
    pub(crate) people: Option<Arc<dyn People>>,
    pub(crate) redact: Arc<dyn Fn(&str) -> String + Send + Sync>,
}

/// The names, filters and transforms with which the components of a connector are exposed. A change of them does not
/// affect the connection.
#[derive(Clone)]
pub(crate) struct Exposure {
    pub(crate) prefix: Arc<str>,
    /// Lists names without the prefix, unless they begin with the prefix of another connector.
    pub(crate) unprefixed: bool,
    pub(crate) filter: ToolFilter,
    pub(crate) renames: RenameMap,
    pub(crate) transforms: Vec<Arc<dyn Transform>>,
    pub(crate) tool_transforms: ToolTransformMap,
    /// The review of its tools; `None` if all are served.
    pub(crate) review: Option<Arc<dyn ToolReview>>,
}

/// Opens connections to one upstream.
pub trait Source: Send + Sync + 'static {
    /// Opens a connection. `client` has the settings of the hub; the source adds those of the upstream (a header, a
    /// fixed revision). Dropping the future cancels the attempt.
    fn open(&self, client: ClientBuilder) -> BoxFuture<'_, loggia::Result<Opened>>;
}

/// Opens connections in the name of single users, each with the user's own credential for the upstream.
pub trait People: Send + Sync + 'static {
    /// Returns the identity of a user. One user has one identity, at every provider.
    fn person(&self, principal: &Principal) -> String;

    /// Opens a connection in the name of a user. `None` if the user has to sign in first.
    fn open<'a>(
        &'a self,
        client: ClientBuilder,
        person: &'a str,
    ) -> BoxFuture<'a, loggia::Result<Option<Opened>>>;

    /// Returns the URL of a page at which the user signs in. The program that serves the page checks that this user
    /// opens it, and calls [`Hub::signed_in`](crate::Hub::signed_in).
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

/// An open connection.
pub enum Opened {
    /// To a server in another process or on another machine.
    Client(Client),
    /// To a server in this process.
    Service(Arc<dyn Service>),
    /// To a server at which several accounts are used ([`Connector::accounts`]).
    Accounts(AccountClients),
}

impl Connector {
    /// Creates a connector called `name`, whose tools are prefixed with that name.
    pub fn new(name: impl Into<String>, source: impl Source) -> Connector {
        let name = name.into();
        let exposure = Exposure {
            prefix: name.as_str().into(),
            unprefixed: false,
            filter: ToolFilter::default(),
            renames: RenameMap::default(),
            transforms: Vec::new(),
            tool_transforms: ToolTransformMap::default(),
            review: None,
        };
        let settings = UpstreamSettings {
            name,
            kind: "connector".to_owned(),
            source: Arc::new(source),
            timeout: None,
            start_timeout: None,
            starts_process: false,
            fingerprint: None,
            revision: None,
            shared_channel: true,
            people: None,
            redact: Arc::new(str::to_owned),
        };
        Connector { settings, exposure }
    }

    /// Returns its name.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// Creates a connector for a server in this process, which is always up.
    pub fn builtin(name: impl Into<String>, service: Arc<dyn Service>) -> Connector {
        Connector::new(name, BuiltinSource(service)).kind("builtin")
    }

    /// Sets another prefix than the name. With an empty prefix, tools and prompts keep their own names. Only a name
    /// that begins with the prefix of another connector gets the connector's name as its prefix. At most one
    /// connector of a hub may have an empty prefix.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Connector {
        let prefix = prefix.into();
        self.exposure.unprefixed = prefix.is_empty();
        let prefix = if self.exposure.unprefixed { &self.settings.name } else { &prefix };
        self.exposure.prefix = prefix.as_str().into();
        self
    }

    /// Sets the kind of the connector, for display.
    pub fn kind(mut self, kind: impl Into<String>) -> Connector {
        self.settings.kind = kind.into();
        self
    }

    /// Serves only the tools for whose names `shows` returns true. The names are the connector's own.
    pub fn shows(mut self, shows: impl Fn(&str) -> bool + Send + Sync + 'static) -> Connector {
        self.exposure.filter = ToolFilter::new(shows);
        self
    }

    /// Exposes the tool `name` as `exposed_name`, before the prefix is added. If the connector has another tool with
    /// the name `exposed_name`, that tool is hidden.
    pub fn rename_tool(mut self, name: impl Into<String>, exposed_name: impl Into<String>) -> Connector {
        self.exposure.renames.add(ComponentKind::Tool, name.into(), exposed_name.into());
        self
    }

    /// Exposes the prompt `name` as `exposed_name`, like [`rename_tool`](Connector::rename_tool).
    pub fn rename_prompt(mut self, name: impl Into<String>, exposed_name: impl Into<String>) -> Connector {
        self.exposure.renames.add(ComponentKind::Prompt, name.into(), exposed_name.into());
        self
    }

    /// Adds a transform of names. It is applied after the filter, the renames and earlier transforms, and before the
    /// prefix.
    pub fn transform(mut self, transform: impl Transform) -> Connector {
        self.exposure.transforms.push(Arc::new(transform));
        self
    }

    /// Rewrites the tool `name`: its definition, the arguments of its calls, and its results. The name is the
    /// connector's own. The last transform of a tool is used.
    pub fn transform_tool(mut self, name: impl Into<String>, transform: impl ToolTransform) -> Connector {
        self.exposure.tool_transforms.insert(name.into(), Arc::new(transform));
        self
    }

    /// Declares the accounts at which its source opens [`Opened::Accounts`]; the default is the first. With more than one,
    /// each tool takes an optional argument `account` whose description lists them, and a call uses the account that it
    /// names. With one account nothing is rewritten. A connector of [`people`](Connector::people) has none.
    pub fn accounts(mut self, accounts: Vec<String>) -> Connector {
        self.exposure.tool_transforms.set_accounts(accounts);
        self
    }

    /// Serves only the tools that `review` does not hold back. Without a review all are served.
    pub fn review(mut self, review: impl ToolReview) -> Connector {
        self.exposure.review = Some(Arc::new(review));
        self
    }

    /// Bounds the results of its tools: a longer one is cut, and the whole of it is kept for its caller and linked. Without
    /// a bound, results are relayed as bytes. The definitions of its tools have no output schema then, because a result
    /// that was cut has no structured content.
    pub fn result_limit(mut self, limit: Option<ResultLimit>) -> Connector {
        self.exposure.tool_transforms.set_limit(limit);
        self
    }

    /// Lists its deferred tools ([`ToolTransform::is_deferred`]) like the others.
    pub fn list_deferred(mut self) -> Connector {
        self.exposure.tool_transforms.list_deferred();
        self
    }

    /// Sets the time that the server may be silent during a request.
    pub fn timeout(mut self, timeout: Option<Duration>) -> Connector {
        self.settings.timeout = timeout;
        self
    }

    /// Declares that opening a connection starts a process. The number of such starts at the same time is limited,
    /// and they have [a time limit of their own](Connector::start_timeout). False by default.
    pub fn starts_process(mut self, starts: bool) -> Connector {
        self.settings.starts_process = starts;
        self
    }

    /// Sets the time that its process may show no sign of work before its first message.
    pub fn start_timeout(mut self, timeout: Option<Duration>) -> Connector {
        self.settings.start_timeout = timeout;
        self
    }

    /// Sets the fingerprint of the server: a digest of its configuration, without secrets. Lists of an earlier run
    /// are used only if the fingerprint is the same. Without a fingerprint no lists are remembered.
    pub fn fingerprint(mut self, fingerprint: impl Into<String>) -> Connector {
        self.settings.fingerprint = Some(fingerprint.into());
        self
    }

    /// Sets the revision of the configuration: a keyed digest of all settings for connecting, with secrets. When the
    /// connectors of a hub change, a connector with the same name and revision keeps its connection, process and
    /// lists. Without a revision, only a clone of the connector keeps them.
    pub fn revision(mut self, revision: impl Into<String>) -> Connector {
        self.settings.revision = Some(revision.into());
        self
    }

    /// Declares whether all requests share one channel (stdio, sockets). On a shared channel, a legacy server does
    /// not say to which request its question belongs. So the question is refused while requests of different users
    /// run. True by default.
    pub fn shared_channel(mut self, shared: bool) -> Connector {
        self.settings.shared_channel = shared;
        self
    }

    /// Sets a function that rewrites the reason of a failure before it is stored, shown or logged. It removes secrets
    /// that the program or the server repeats. By default, reasons are unchanged.
    pub fn redact(mut self, redact: impl Fn(&str) -> String + Send + Sync + 'static) -> Connector {
        self.settings.redact = Arc::new(redact);
        self
    }

    /// Opens a connection for each user instead of a common one; the source is not used. Each user sees the lists of
    /// their own connection, and a tool for signing in.
    pub fn people(mut self, people: Arc<dyn People>) -> Connector {
        self.settings.people = Some(people);
        self.exposure.tool_transforms.set_accounts(Vec::new());
        self
    }
}

impl UpstreamSettings {
    /// Returns the fingerprint under which its lists are remembered; `None` if its lists differ by user.
    pub(crate) fn remembered_as(&self) -> Option<&str> {
        self.fingerprint.as_deref().filter(|_| self.people.is_none())
    }

    /// Returns whether a connection that was opened with these settings can also be used with the settings `other`.
    pub(crate) fn is_same(&self, other: &UpstreamSettings) -> bool {
        let plain = |settings: &UpstreamSettings| {
            let UpstreamSettings { timeout, start_timeout, starts_process, shared_channel, .. } = settings;
            (*timeout, *start_timeout, *starts_process, *shared_channel, settings.people.is_some())
        };
        let same_people = match (&self.people, &other.people) {
            (Some(own), Some(others)) => Arc::ptr_eq(own, others),
            _ => true,
        };
        let same_target = match (&self.revision, &other.revision) {
            (Some(own), Some(others)) => own == others,
            (None, None) => Arc::ptr_eq(&self.source, &other.source) && same_people,
            _ => false,
        };
        same_target && self.name == other.name && self.kind == other.kind && plain(self) == plain(other)
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector")
            .field("name", &self.settings.name)
            .field("kind", &self.settings.kind)
            .finish_non_exhaustive()
    }
}

struct BuiltinSource(Arc<dyn Service>);

impl Source for BuiltinSource {
    fn open(&self, _: ClientBuilder) -> BoxFuture<'_, loggia::Result<Opened>> {
        let opened = Opened::Service(self.0.clone());
        Box::pin(async move { Ok(opened) })
    }
}
