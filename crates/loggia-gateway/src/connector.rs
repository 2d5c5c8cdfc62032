//! Opens the connectors for the hub: from an entry of the configuration to a connection. The module is separate from
//! the configuration, which is data. Invariant: variables are replaced when a connection is opened, and no error
//! contains a secret.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use loggia::Error;
use loggia::client::ClientBuilder;
use loggia::service::BoxFuture;
use loggia_connect::builtin::files::FilesOptions;
use loggia_connect::config_file::{self, Backend, Remote};
use loggia_connect::secret::Secret;
use loggia_hub::{Connector, Opened};

use crate::account_watch::AccountDigest;
use crate::builtin::open_folder;
use crate::connection::{ConnectorContext, open_backend};
use crate::manifest_connector::{ManifestConnector, ManifestPlaces, ReadManifest, api_result_limit};
use crate::server_accounts::{ServerAccount, has_authorization, open_accounts};

/// The name of the connector of a configuration without a file.
pub(crate) const FOLDER: &str = "files";

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
            Backend::Stdio(_) | Backend::OpenApi(_) | Backend::Manifest(_) | Backend::Builtin(_) => {
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

/// Creates a connector that cannot be opened, for this reason.
pub(crate) fn failing(name: String, reason: String) -> Connector {
    let revision = reason.clone();
    let source = move |_: ClientBuilder| -> BoxFuture<'static, loggia::Result<Opened>> {
        let reason = reason.clone();
        Box::pin(async move { Err(Error::Configuration(reason)) })
    };
    Connector::new(name, source).kind("added").revision(revision)
}

/// Makes the connector that an entry of the configuration describes; relative paths start in the folder of `places`. `key` is the key of
/// its revision, and `accounts` are its saved accounts.
pub(crate) fn connector(
    places: ManifestPlaces,
    from: config_file::Connector,
    context: ConnectorContext,
    key: &str,
    accounts: Option<&AccountDigest>,
) -> Connector {
    let (kind, shared_channel) = match &from.backend {
        Backend::Stdio(_) => ("stdio", true),
        Backend::Remote(_) => ("remote", false),
        Backend::OpenApi(_) => ("openapi", false),
        // The manifest says it, if it can be read.
        Backend::Manifest(_) => ("manifest", true),
        Backend::Builtin(_) => ("builtin", false),
    };
    let (prefix, timeout, tools) = (from.prefix().to_owned(), from.timeout, from.tools.clone());
    let (name, fingerprint) = (from.name.clone(), from.fingerprint());
    let revision = from.revision(&environment, key);
    let revision =
        revision.map(|revision| revision + accounts.map_or("", |accounts| accounts.digest.as_str()));
    let start_timeout = match &from.backend {
        Backend::Stdio(stdio) => stdio.start_timeout,
        Backend::Remote(_) | Backend::OpenApi(_) | Backend::Manifest(_) | Backend::Builtin(_) => None,
    };
    let manifest = manifest(&places, &from);
    let described = manifest.clone().map(|manifest| (manifest, tools.clone()));
    let (fingerprint, revision) = match &manifest {
        None => (fingerprint, revision),
        // Lists of another manifest are not shown, and connections with another one are not kept.
        Some(manifest) => {
            let version = manifest.as_ref().map_or_else(String::as_str, |manifest| manifest.digest());
            (fingerprint + version, revision.map(|revision| revision + version))
        }
    };
    let takes_accounts = match (&from.backend, &manifest) {
        (Backend::Remote(remote), _) => !has_authorization(remote),
        (_, Some(Ok(manifest))) => manifest.takes_server_accounts(),
        _ => false,
    };
    let accounts = accounts.filter(|_| takes_accounts).map(|accounts| accounts.names.clone());
    let accounts = accounts.unwrap_or_default();
    let served = accounts.clone();
    let is_api = matches!(&from.backend, Backend::OpenApi(_));
    let from = Arc::new(from);
    let context = context.with_whole_results();
    let redactor = context.credentials().redactor().clone();
    let filters = context.filters().clone();
    let source = move |client: ClientBuilder| -> BoxFuture<'static, loggia::Result<Opened>> {
        let (base, from, manifest) = (places.base.clone(), from.clone(), manifest.clone());
        let (context, served) = (context.clone(), served.clone());
        Box::pin(async move { open_with(&base, &from, manifest, &served, client, &context).await })
    };
    let connector = Connector::new(name, source).result_limit(is_api.then(|| api_result_limit(None)));
    let connector = revision
        .into_iter()
        .fold(connector, Connector::revision)
        .kind(kind)
        .prefix(prefix)
        .timeout(timeout)
        .shared_channel(shared_channel)
        .starts_process(kind == "stdio")
        .start_timeout(start_timeout)
        .fingerprint(fingerprint)
        .accounts(accounts)
        .shows(move |tool| tools.allows(tool))
        .redact(move |text| redactor.redact(text).into_owned());
    match described {
        Some((Ok(manifest), tools)) => manifest.describe(connector, timeout, tools, &filters),
        Some((Err(_), _)) | None => connector,
    }
}

/// Returns whether the manifest of a connector changes the tools of its server, or asks its user before a call.
pub(crate) fn has_tool_settings(places: &ManifestPlaces, from: &config_file::Connector) -> bool {
    manifest(places, from).and_then(Result::ok).is_some_and(|manifest| manifest.has_tool_settings())
}

/// Reads the manifest of an entry of the configuration; `None` if it has no manifest.
fn manifest(places: &ManifestPlaces, from: &config_file::Connector) -> Option<ReadManifest> {
    let Backend::Manifest(_) = &from.backend else { return None };
    let read = match resolved(from) {
        Ok(Backend::Manifest(used)) => {
            ManifestConnector::read(&places.base, &places.folders, &from.name, used).map(Arc::new)
        }
        Ok(_) => return None,
        Err(error) => Err(error),
    };
    Some(read.map_err(|error| match error {
        Error::Configuration(reason) => reason,
        other => other.to_string(),
    }))
}

/// Opens a connection to the connector of an entry of the configuration, with its default account.
pub(crate) async fn open(
    places: &ManifestPlaces,
    from: &config_file::Connector,
    client: ClientBuilder,
    context: &ConnectorContext,
) -> loggia::Result<Opened> {
    Box::pin(open_with(&places.base, from, manifest(places, from), &[], client, context)).await
}

/// Opens a connection. `accounts` are the accounts to serve if there are several; the default is the first.
async fn open_with(
    base: &Path,
    from: &config_file::Connector,
    manifest: Option<ReadManifest>,
    accounts: &[String],
    client: ClientBuilder,
    context: &ConnectorContext,
) -> loggia::Result<Opened> {
    let client = from.protocol.into_iter().fold(client, ClientBuilder::version);
    let client = context.add_headers(client);
    let credentials = context.credentials();
    match manifest {
        Some(manifest) => manifest.map_err(Error::Configuration)?.open(base, accounts, client, context).await,
        None => match resolved(from)? {
            Backend::Remote(remote) => {
                let names = match accounts {
                    _ if has_authorization(&remote) => vec![None],
                    [] => vec![credentials.default_account_name(&from.name).await.map_err(Error::from)?],
                    names => names.iter().cloned().map(Some).collect(),
                };
                let account = |name| ServerAccount { name, remote: remote.clone() };
                let accounts = names.into_iter().map(account).collect();
                open_accounts(&from.name, accounts, client, credentials).await
            }
            backend => {
                let backend = with_account(backend, &from.name, context).await?;
                open_backend(base, &from.name, backend, client, context).await
            }
        },
    }
}

/// Adds the credential of the default account to an API for which the configuration has none.
async fn with_account(
    backend: Backend<Secret>,
    name: &str,
    context: &ConnectorContext,
) -> loggia::Result<Backend<Secret>> {
    match backend {
        Backend::OpenApi(mut api) if api.credential.is_none() => {
            api.credential =
                context.credentials().account_credential(name, None).await.map_err(Error::from)?;
            Ok(Backend::OpenApi(api))
        }
        other => Ok(other),
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
