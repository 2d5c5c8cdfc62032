//! Opens the connectors for the hub: from an entry of the configuration to a connection. The module is separate from
//! the configuration, which is data. Invariant: variables are replaced when a connection is opened, and no error
//! contains a secret.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use loggia::client::{Child, ChildGuard, Client, ClientBuilder};
use loggia::service::BoxFuture;
use loggia::{Error, Service};
use loggia_connect::builtin::files::{self, Files, FilesOptions};
use loggia_connect::config_file::{self, Backend, Builtin, Remote, Stdio, Transport};
use loggia_connect::secret::Secret;
use loggia_hub::{Connector, Opened};

use crate::api;
use crate::credentials::Credentials;
use crate::request_header::header;

/// The name of the connector of a configuration without a file.
pub(crate) const FOLDER: &str = "files";

/// The context in which connections open: credentials for remote servers, and the guard of child processes.
#[derive(Clone)]
pub struct ConnectorContext {
    credentials: Credentials,
    child_guard: Option<ChildGuard>,
}

impl ConnectorContext {
    /// Opens connections with these credentials, and starts child processes without a guard.
    pub fn new(credentials: Credentials) -> ConnectorContext {
        ConnectorContext { credentials, child_guard: None }
    }

    /// Starts child processes under this guard, which ends them when the program ends for any reason.
    pub fn child_guard(mut self, guard: ChildGuard) -> ConnectorContext {
        self.child_guard = Some(guard);
        self
    }

    /// Returns the credentials.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Returns whether child processes have a guard.
    pub(crate) fn guards_children(&self) -> bool {
        self.child_guard.is_some()
    }
}

/// A remote connector to which each user signs in with an account of their own.
#[derive(Clone)]
pub(crate) struct PersonalConnector(Arc<config_file::Connector>);

impl PersonalConnector {
    pub(crate) fn new(connector: Arc<config_file::Connector>) -> PersonalConnector {
        PersonalConnector(connector)
    }

    pub(crate) fn name(&self) -> &str {
        &self.0.name
    }

    /// Returns the revision of its settings; `None` where a variable has no value.
    pub(crate) fn revision(&self, key: &str) -> Option<String> {
        self.0.revision(&environment, key)
    }

    /// Returns how it is reached, with the variables filled in.
    pub(crate) fn remote(&self) -> loggia::Result<Remote<Secret>> {
        match resolved(&self.0)? {
            Backend::Remote(remote) => Ok(remote),
            Backend::Stdio(_) | Backend::OpenApi(_) | Backend::Builtin(_) => {
                Err(Error::Configuration(format!("{:?} has no URL", self.0.name)))
            }
        }
    }

    /// Sets the revision of the configuration, if there is one.
    pub(crate) fn versioned(&self, client: ClientBuilder) -> ClientBuilder {
        match self.0.protocol {
            Some(version) => client.version(version),
            None => client,
        }
    }
}

/// Creates the connector of a configuration without a file.
pub(crate) fn folder(root: PathBuf, options: FilesOptions) -> Connector {
    let source = move |_: ClientBuilder| -> BoxFuture<'static, loggia::Result<Opened>> {
        let opened = open_folder(&root, options.clone()).map(Opened::Service);
        Box::pin(async move { opened })
    };
    Connector::new(FOLDER, source).kind("builtin").revision(FOLDER)
}

pub(crate) fn open_folder(root: &Path, options: FilesOptions) -> loggia::Result<Arc<dyn Service>> {
    let files = Files::open(root, options)
        .map_err(|error| Error::Io(std::io::Error::new(error.kind(), error.to_string())))?;
    Ok(files::server(files)?.into_service())
}

/// Makes the connector that an entry of the configuration describes; relative paths start in `base`. `key` is the key of
/// its revision.
pub(crate) fn connector(
    base: PathBuf,
    from: config_file::Connector,
    context: ConnectorContext,
    key: &str,
) -> Connector {
    let (kind, shared_channel) = match &from.backend {
        Backend::Stdio(_) => ("stdio", true),
        Backend::Remote(_) => ("remote", false),
        Backend::OpenApi(_) => ("openapi", false),
        Backend::Builtin(_) => ("builtin", false),
    };
    let (prefix, timeout, tools) = (from.prefix().to_owned(), from.timeout, from.tools.clone());
    let (name, fingerprint, revision) =
        (from.name.clone(), from.fingerprint(), from.revision(&environment, key));
    let start_timeout = match &from.backend {
        Backend::Stdio(stdio) => stdio.start_timeout,
        Backend::Remote(_) | Backend::OpenApi(_) | Backend::Builtin(_) => None,
    };
    let from = Arc::new(from);
    let redactor = context.credentials.redactor().clone();
    let source = move |client: ClientBuilder| -> BoxFuture<'static, loggia::Result<Opened>> {
        let (base, from, context) = (base.clone(), from.clone(), context.clone());
        Box::pin(async move { open(&base, &from, client, &context).await })
    };
    let connector = Connector::new(name, source);
    revision
        .into_iter()
        .fold(connector, Connector::revision)
        .kind(kind)
        .prefix(prefix)
        .timeout(timeout)
        .shared_channel(shared_channel)
        .starts_process(kind == "stdio")
        .start_timeout(start_timeout)
        .fingerprint(fingerprint)
        .shows(move |tool| tools.allows(tool))
        .redact(move |text| redactor.redact(text).into_owned())
}

/// Opens a connection to the connector of an entry of the configuration.
pub(crate) async fn open(
    base: &Path,
    from: &config_file::Connector,
    client: ClientBuilder,
    context: &ConnectorContext,
) -> loggia::Result<Opened> {
    let backend = resolved(from)?;
    let client = match &backend {
        Backend::Stdio(Stdio { start_timeout: Some(timeout), .. }) => client.start_timeout(*timeout),
        _ => client,
    };
    let client = match from.protocol {
        Some(version) => client.version(version),
        None => client,
    };
    match backend {
        Backend::Stdio(stdio) => client.connect(child(base, &stdio, context)).await.map(Opened::Client),
        Backend::Remote(remote) => {
            let opened = open_remote(&remote, client, &context.credentials).await.map(Opened::Client);
            opened.map_err(|error| signing_in(error, &from.name))
        }
        Backend::OpenApi(api) => {
            api::open(base, &api, context.credentials.policy(false)).await.map(Opened::Service)
        }
        Backend::Builtin(Builtin::Files { path, write: writable, write_sensitive }) => {
            let options = FilesOptions { writable, write_sensitive, ..FilesOptions::default() };
            open_folder(&base.join(path.expose()), options).map(Opened::Service)
        }
    }
}

/// Returns the value of an environment variable.
pub(crate) fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Replaces the variables of an entry of the configuration.
pub(crate) fn resolved(from: &config_file::Connector) -> loggia::Result<Backend<Secret>> {
    from.resolve(&environment).map_err(|error| Error::Configuration(error.to_string()))
}

/// Adds the next step to the error of a server that needs a sign-in.
fn signing_in(error: Error, name: &str) -> Error {
    match error {
        Error::Unauthorized(why) => {
            Error::Unauthorized(format!("{why}; `loggia auth login {name}` signs in"))
        }
        other => other,
    }
}

fn child(base: &Path, stdio: &Stdio<Secret>, context: &ConnectorContext) -> Child {
    let directory = stdio.cwd.as_ref().map_or_else(|| base.to_owned(), |cwd| base.join(cwd.expose()));
    let child =
        Child::new(stdio.command.expose()).args(stdio.args.iter().map(Secret::expose)).current_dir(directory);
    let child = context.child_guard.iter().cloned().fold(child, Child::guard);
    stdio.env.iter().fold(child, |child, (name, value)| child.env(name, value.expose()))
}

async fn open_remote(
    remote: &Remote<Secret>,
    client: ClientBuilder,
    credentials: &Credentials,
) -> loggia::Result<Client> {
    let mut client = prepared(remote, client)?;
    let url = remote.url.expose();
    // A header of the configuration overrides a saved credential.
    if !remote.headers.keys().any(|name| name.eq_ignore_ascii_case("authorization")) {
        client = credentials.authorize(client, url).await?;
    }
    client.connect(url).await
}

/// Adds the transport and the headers of a remote connector to a client.
pub(crate) fn prepared(remote: &Remote<Secret>, client: ClientBuilder) -> loggia::Result<ClientBuilder> {
    let mut client = client.legacy_sse(remote.transport != Transport::Streamable);
    for (name, value) in &remote.headers {
        let (name, value) = header(name, value.expose())?;
        client = client.header(name, value);
    }
    Ok(client)
}
