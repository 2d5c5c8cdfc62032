//! From `loggia.toml` to connectors that the hub can open. What is secret is filled in at the moment a
//! connection is opened, and no earlier.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use loggia::client::{Child, Client, ClientBuilder};
use loggia::service::BoxFuture;
use loggia::{Error, Service};
use loggia_connect::builtin::files::{self, Files, FilesOptions};
use loggia_connect::manifest::{self, Backend, Builtin, Manifest, Remote, ServerSection, Stdio, Transport};
use loggia_connect::redact::Redactor;
use loggia_connect::secret::Secret;
use loggia_hub::{Connector, Opened};

use crate::credentials::Credentials;
use crate::exit::{Failure, Outcome};

/// What there is to serve.
pub(crate) struct Config {
    /// The file it is from; none where there is no file.
    pub(crate) file: Option<PathBuf>,
    /// How it is served.
    pub(crate) server: ServerSection,
    connectors: Connectors,
}

enum Connectors {
    Manifest { base: PathBuf, all: Vec<manifest::Connector> },
    Folder { root: PathBuf, options: FilesOptions },
}

/// The one connector there is without a configuration file.
const FOLDER: &str = "files";

impl Config {
    /// Reads `file`; without one, the built-in connector serves this folder, read-only. The command line finds the
    /// file ([`crate::args::Args::read`]): a file that is there is read or refused, never passed over.
    ///
    /// `redactor` learns the values of the file's variables before anything is opened with them.
    pub(crate) fn read(file: Option<&Path>, redactor: &Redactor) -> Outcome<Config> {
        match file {
            Some(file) => Config::of_file(file, redactor),
            None => Ok(Config::of_folder(PathBuf::from("."), FilesOptions::default())),
        }
    }

    fn of_file(file: &Path, redactor: &Redactor) -> Outcome<Config> {
        let manifest = Manifest::read(file).map_err(Failure::usage)?;
        manifest.redact(redactor, &environment);
        let Manifest { server, connectors, base, .. } = manifest;
        let all = connectors.into_iter().filter(|connector| connector.enabled).collect();
        // Commands run in the folder of the file; a bare file name is in this one.
        let base = if base.as_os_str().is_empty() { PathBuf::from(".") } else { base };
        let base = std::path::absolute(&base).unwrap_or(base);
        Ok(Config { file: Some(file.to_owned()), server, connectors: Connectors::Manifest { base, all } })
    }

    /// The built-in connector on `root`.
    pub(crate) fn of_folder(root: PathBuf, options: FilesOptions) -> Config {
        let root = std::path::absolute(&root).unwrap_or(root);
        Config {
            file: None,
            server: ServerSection::default(),
            connectors: Connectors::Folder { root, options },
        }
    }

    /// The folder that is served, where there is no file.
    pub(crate) fn folder(&self) -> Option<(&Path, bool)> {
        match &self.connectors {
            Connectors::Folder { root, options } => Some((root, options.writable)),
            Connectors::Manifest { .. } => None,
        }
    }

    /// The connectors to which everybody signs in for themselves.
    pub(crate) fn own(&self) -> Vec<Own> {
        let Connectors::Manifest { all, .. } = &self.connectors else { return Vec::new() };
        let personal = |connector: &&manifest::Connector| matches!(&connector.backend, Backend::Remote(remote) if remote.personal.is_some());
        all.iter().filter(personal).map(|connector| Own(Arc::new(connector.clone()))).collect()
    }

    /// The connectors for the hub.
    pub(crate) fn connectors(&self, credentials: &Credentials) -> Vec<Connector> {
        match &self.connectors {
            Connectors::Folder { root, options } => vec![folder(root.clone(), options.clone())],
            Connectors::Manifest { base, all } => {
                all.iter().map(|one| connector(base.clone(), one.clone(), credentials.clone())).collect()
            }
        }
    }

    /// The names of the connectors.
    pub(crate) fn names(&self) -> Vec<&str> {
        match &self.connectors {
            Connectors::Folder { .. } => vec![FOLDER],
            Connectors::Manifest { all, .. } => all.iter().map(|connector| connector.name.as_str()).collect(),
        }
    }

    /// Returns the names that may stand before the URI of a resource, as `NAME+URI`.
    pub(crate) fn qualifiers(&self) -> Vec<&str> {
        match &self.connectors {
            Connectors::Folder { .. } => vec![FOLDER],
            Connectors::Manifest { all, .. } => all.iter().map(manifest::Connector::qualifier).collect(),
        }
    }

    /// Returns the folders that the built-in connector `files` serves.
    pub(crate) fn folders(&self) -> Vec<PathBuf> {
        match &self.connectors {
            Connectors::Folder { root, .. } => vec![root.clone()],
            Connectors::Manifest { base, all } => {
                let builtin = all.iter().filter(|connector| matches!(connector.backend, Backend::Builtin(_)));
                // A connector that cannot be resolved is not served.
                let resolved = builtin.filter_map(|connector| resolved(connector).ok());
                let folder = |backend: Backend<Secret>| match backend {
                    Backend::Builtin(Builtin::Files { path, .. }) => Some(base.join(path.expose())),
                    _ => None,
                };
                resolved.filter_map(folder).collect()
            }
        }
    }

    /// The URL of a remote connector; `None` where there is no connector of this name.
    pub(crate) fn remote(&self, name: &str) -> Outcome<Option<String>> {
        let url = match &self.connectors {
            Connectors::Folder { .. } if name == FOLDER => None,
            Connectors::Folder { .. } => return Ok(None),
            Connectors::Manifest { all, .. } => match find(all, name) {
                None => return Ok(None),
                Some(connector) => match resolved(connector)? {
                    Backend::Remote(remote) => Some(remote.url.expose().to_owned()),
                    Backend::Stdio(_) | Backend::Builtin(_) => None,
                },
            },
        };
        let local = || Failure::usage(format!("the connector {name:?} needs no sign-in: it has no URL"));
        url.map(Some).ok_or_else(local)
    }

    /// Returns the issuer that a remote connector names.
    pub(crate) fn issuer(&self, name: &str) -> Option<String> {
        let Connectors::Manifest { all, .. } = &self.connectors else { return None };
        match &find(all, name)?.backend {
            Backend::Remote(remote) => remote.issuer.clone(),
            Backend::Stdio(_) | Backend::Builtin(_) => None,
        }
    }

    /// Connects to one connector without a hub; `None` where there is none of this name.
    pub(crate) async fn connect(
        &self,
        name: &str,
        client: ClientBuilder,
        credentials: &Credentials,
    ) -> Option<loggia::Result<Client>> {
        let client = client.limits(self.server.limits.clone());
        let opened = match &self.connectors {
            Connectors::Folder { root, options } if name == FOLDER => {
                open_folder(root, options.clone()).map(Opened::Service)
            }
            Connectors::Manifest { base, all } => {
                let connector = find(all, name)?;
                match open(base, connector, client.clone(), credentials).await {
                    Ok(opened) => Ok(opened),
                    Err(error) => return Some(Err(error)),
                }
            }
            Connectors::Folder { .. } => return None,
        };
        Some(match opened {
            Ok(Opened::Client(client)) => Ok(client),
            Ok(Opened::Service(service)) => client.connect(service).await,
            Err(error) => Err(error),
        })
    }
}

/// Finds a connector by its name, or by the name as it is written in the file.
fn find<'c>(all: &'c [manifest::Connector], written: &str) -> Option<&'c manifest::Connector> {
    let name = manifest::connector_name(written).ok()?;
    all.iter().find(|connector| connector.name == name)
}

/// A remote connector to which everybody signs in for themselves.
#[derive(Clone)]
pub(crate) struct Own(Arc<manifest::Connector>);

impl Own {
    pub(crate) fn name(&self) -> &str {
        &self.0.name
    }

    /// How it is reached, with the variables filled in.
    pub(crate) fn remote(&self) -> loggia::Result<Remote<Secret>> {
        match resolved(&self.0)? {
            Backend::Remote(remote) => Ok(remote),
            Backend::Stdio(_) | Backend::Builtin(_) => {
                Err(Error::Configuration(format!("{:?} has no URL", self.0.name)))
            }
        }
    }

    /// The client for it, with the revision that is fixed for it.
    pub(crate) fn versioned(&self, client: ClientBuilder) -> ClientBuilder {
        match self.0.protocol {
            Some(version) => client.version(version),
            None => client,
        }
    }
}

fn folder(root: PathBuf, options: FilesOptions) -> Connector {
    let source = move |_: ClientBuilder| -> BoxFuture<'static, loggia::Result<Opened>> {
        let opened = open_folder(&root, options.clone()).map(Opened::Service);
        Box::pin(async move { opened })
    };
    Connector::new(FOLDER, source).kind("builtin")
}

fn open_folder(root: &Path, options: FilesOptions) -> loggia::Result<Arc<dyn Service>> {
    let files = Files::open(root, options)
        .map_err(|error| Error::Io(std::io::Error::new(error.kind(), error.to_string())))?;
    Ok(files::server(files)?.into_service())
}

fn connector(base: PathBuf, from: manifest::Connector, credentials: Credentials) -> Connector {
    let (kind, shared_channel) = match &from.backend {
        Backend::Stdio(_) => ("stdio", true),
        Backend::Remote(_) => ("remote", false),
        Backend::Builtin(_) => ("builtin", false),
    };
    let (prefix, timeout, tools) = (from.prefix().to_owned(), from.timeout, from.tools.clone());
    let (name, fingerprint) = (from.name.clone(), from.fingerprint());
    let start_timeout = match &from.backend {
        Backend::Stdio(stdio) => stdio.start_timeout,
        Backend::Remote(_) | Backend::Builtin(_) => None,
    };
    let from = Arc::new(from);
    let redactor = credentials.redactor().clone();
    let source = move |client: ClientBuilder| -> BoxFuture<'static, loggia::Result<Opened>> {
        let (base, from, credentials) = (base.clone(), from.clone(), credentials.clone());
        Box::pin(async move { open(&base, &from, client, &credentials).await })
    };
    Connector::new(name, source)
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

/// Opens a connection to what a manifest describes.
async fn open(
    base: &Path,
    from: &manifest::Connector,
    client: ClientBuilder,
    credentials: &Credentials,
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
        Backend::Stdio(stdio) => client.connect(child(base, &stdio)).await.map(Opened::Client),
        Backend::Remote(remote) => {
            let opened = open_remote(&remote, client, credentials).await.map(Opened::Client);
            opened.map_err(|error| signing_in(error, &from.name))
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

fn resolved(from: &manifest::Connector) -> loggia::Result<Backend<Secret>> {
    from.resolve(&environment).map_err(|error| Error::Configuration(error.to_string()))
}

/// Says what to do about a server that wants somebody to sign in.
fn signing_in(error: Error, name: &str) -> Error {
    match error {
        Error::Unauthorized(why) => {
            Error::Unauthorized(format!("{why}; `loggia auth login {name}` signs in"))
        }
        other => other,
    }
}

fn child(base: &Path, stdio: &Stdio<Secret>) -> Child {
    let directory = stdio.cwd.as_ref().map_or_else(|| base.to_owned(), |cwd| base.join(cwd.expose()));
    let child = Child::new(stdio.command.expose())
        .args(stdio.args.iter().map(Secret::expose))
        .current_dir(directory)
        .guard(crate::child_guard());
    stdio.env.iter().fold(child, |child, (name, value)| child.env(name, value.expose()))
}

async fn open_remote(
    remote: &Remote<Secret>,
    client: ClientBuilder,
    credentials: &Credentials,
) -> loggia::Result<Client> {
    let mut client = prepared(remote, client)?;
    let url = remote.url.expose();
    // What the file says is what is meant.
    if !remote.headers.keys().any(|name| name.eq_ignore_ascii_case("authorization")) {
        client = credentials.authorize(client, url).await?;
    }
    client.connect(url).await
}

/// A client with what a remote connector says of it.
pub(crate) fn prepared(remote: &Remote<Secret>, client: ClientBuilder) -> loggia::Result<ClientBuilder> {
    let mut client = client.legacy_sse(remote.transport != Transport::Streamable);
    for (name, value) in &remote.headers {
        let (name, value) = header(name, value.expose())?;
        client = client.header(name, value);
    }
    Ok(client)
}

/// A header from its parts. Its value is a secret: it is marked as one, and no error quotes it.
pub(crate) fn header(name: &str, value: &str) -> loggia::Result<(HeaderName, HeaderValue)> {
    let wrong = |what| Error::Configuration(format!("the header {name:?} cannot be sent: {what}"));
    let parsed = name.parse::<HeaderName>().map_err(|_| wrong("this is not a header name"))?;
    let mut value = HeaderValue::from_str(value)
        .map_err(|_| wrong("its value has characters that are not allowed in a header"))?;
    value.set_sensitive(true);
    Ok((parsed, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connectors_are_found_by_every_spelling_of_their_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("loggia.toml");
        let text = "[connectors.My_Server]\nkind = \"remote\"\nurl = \"https://mcp.example.com/mcp\"\n\
                    issuer = \"https://login.example.com/\"\n";
        std::fs::write(&file, text).expect("written");
        let config = Config::read(Some(&file), &Redactor::default()).unwrap_or_else(|_| panic!("it is read"));
        for (name, is_found) in [("My_Server", true), ("my-server", true), ("MY SERVER", true), ("my", false)]
        {
            let url = config.remote(name).unwrap_or_else(|_| panic!("{name} is remote"));
            assert_eq!(url.is_some(), is_found, "{name}");
            assert_eq!(config.issuer(name).is_some(), is_found, "{name}");
        }
    }
}
