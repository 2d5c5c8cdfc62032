//! The layer *configuration*: the entry of a connector, its manifest, its variables, and the folders that it names.

use std::path::{Path, PathBuf};

use http::{HeaderName, HeaderValue};
use loggia_connect::config_file::{Backend, Builtin, BuiltinKind, Remote, Stdio, Transport};
use loggia_connect::manifest::ResolvedBackend;
use loggia_connect::secret::Secret;
use url::Url;

use super::report::LayerFailure;
use crate::builtin;
use crate::config::GatewayConfig;
use crate::connection::ConnectorContext;
use crate::connector::{FOLDER, resolved};
use crate::manifest_connector::ManifestConnector;
use crate::request_header::header;

/// The system behind a connector, as an examination needs it.
pub(super) enum ConnectorTarget {
    /// A program that is started.
    Program(ProgramTarget),
    /// An MCP server at a URL.
    Server(ServerTarget),
    /// An API. `has_account` is false if the credential that it needs was not saved.
    Api { url: Option<Url>, has_account: bool },
    /// A part of Loggia.
    Local,
}

/// A program that is started.
pub(super) struct ProgramTarget {
    pub(super) command: String,
    pub(super) folder: PathBuf,
    /// The variable `PATH` of the configuration.
    pub(super) path: Option<String>,
}

/// Creates the failure of a connector without an account.
pub(super) fn no_account(name: &str) -> LayerFailure {
    LayerFailure::action("no account was added", format!("`loggia accounts add {name}` adds one"))
}

/// An MCP server at a URL.
pub(super) struct ServerTarget {
    pub(super) url: Url,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) issuer: Option<String>,
    /// True if each user signs in.
    pub(super) is_personal: bool,
    /// True if the server may speak HTTP+SSE of 2024-11-05.
    pub(super) is_sse_allowed: bool,
    /// True if a manifest says how clients register.
    pub(super) has_manifest: bool,
}

impl ServerTarget {
    /// Creates the target for a URL without any settings.
    pub(super) fn of_url(url: Url) -> ServerTarget {
        let headers = Vec::new();
        ServerTarget {
            url,
            headers,
            issuer: None,
            is_personal: false,
            is_sse_allowed: true,
            has_manifest: false,
        }
    }

    /// Returns whether the configuration has a credential.
    pub(super) fn has_own_credential(&self) -> bool {
        self.headers.iter().any(|(name, _)| name == http::header::AUTHORIZATION)
    }

    fn of(remote: &Remote<Secret>) -> Result<ServerTarget, LayerFailure> {
        let url = Url::parse(remote.url.expose()).map_err(|error| {
            LayerFailure::action(format!("its URL cannot be used: {error}"), "correct `url` of the connector")
        })?;
        let headers = remote.headers.iter().map(|(name, value)| header(name, value.expose()));
        Ok(ServerTarget {
            headers: headers.collect::<loggia::Result<_>>().map_err(|error| wrong(&error))?,
            issuer: remote.issuer.clone(),
            is_personal: remote.personal.is_some(),
            is_sse_allowed: remote.transport != Transport::Streamable,
            ..ServerTarget::of_url(url)
        })
    }
}

/// Finds a connector, and fills in its variables.
pub(super) async fn target(
    config: &GatewayConfig,
    name: &str,
    context: &ConnectorContext,
) -> Result<(ConnectorTarget, String), LayerFailure> {
    if let Some((root, _)) = config.folder().filter(|_| name == FOLDER) {
        return readable(root).map(|()| (ConnectorTarget::Local, "builtin".to_owned()));
    }
    let Some((base, entry)) = config.entry(name) else {
        let names = config.names().join(", ");
        let reason = format!("there is no connector {name:?}; the connectors are: {names}");
        return Err(LayerFailure::action(reason, "`loggia connectors` lists them; `loggia add` adds one"));
    };
    match resolved(entry).map_err(|error| wrong(&error))? {
        Backend::Manifest(used) => {
            let manifest = ManifestConnector::read(base, config.manifests(), &entry.name, used);
            of_manifest(base, &manifest.map_err(|error| wrong(&error))?, &entry.name, context).await
        }
        backend => of_backend(base, backend),
    }
}

async fn of_manifest(
    base: &Path,
    manifest: &ManifestConnector,
    name: &str,
    context: &ConnectorContext,
) -> Result<(ConnectorTarget, String), LayerFailure> {
    let accounts = context.credentials().accounts(Some(name)).await;
    let accounts = accounts.map_err(|error| {
        LayerFailure::action(error, "`loggia accounts` lists the accounts that can be read")
    })?;
    let has_account = !manifest.needs_account() || !accounts.is_empty();
    if let Some(url) = manifest.api_url() {
        return Ok((ConnectorTarget::Api { url: Url::parse(&url).ok(), has_account }, "an API".to_owned()));
    }
    if !has_account {
        return Err(no_account(name));
    }
    match manifest.resolved(context).await.map_err(|error| wrong(&error))? {
        ResolvedBackend::Configured(backend) => {
            let (target, detail) = of_backend(base, backend)?;
            let target = match target {
                ConnectorTarget::Server(server) => {
                    let issuer = manifest.sign_in().and_then(|facts| facts.issuer);
                    ConnectorTarget::Server(ServerTarget { issuer, has_manifest: true, ..server })
                }
                other => other,
            };
            Ok((target, format!("{detail}, by its manifest")))
        }
        ResolvedBackend::Direct => Ok((ConnectorTarget::Api { url: None, has_account }, "an API".to_owned())),
        ResolvedBackend::Bundle(_) => Ok((ConnectorTarget::Local, "a bundle".to_owned())),
    }
}

fn of_backend(base: &Path, backend: Backend<Secret>) -> Result<(ConnectorTarget, String), LayerFailure> {
    let (target, kind) = match backend {
        Backend::Stdio(stdio) => (ConnectorTarget::Program(program(base, &stdio)?), "stdio"),
        Backend::Remote(remote) => (ConnectorTarget::Server(ServerTarget::of(&remote)?), "remote"),
        Backend::OpenApi(api) => {
            let url = api.base_url.as_ref().unwrap_or(&api.description).expose();
            let url = Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
            (ConnectorTarget::Api { url, has_account: true }, "openapi")
        }
        Backend::Builtin(builtin) => {
            builtin_path(base, &builtin)?;
            (ConnectorTarget::Local, "builtin")
        }
        Backend::Manifest(_) => return Err(LayerFailure::unknown("a manifest cannot name another manifest")),
    };
    Ok((target, kind.to_owned()))
}

fn program(base: &Path, stdio: &Stdio<Secret>) -> Result<ProgramTarget, LayerFailure> {
    let folder = stdio.cwd.as_ref().map_or_else(|| base.to_owned(), |cwd| base.join(cwd.expose()));
    readable(&folder)?;
    let path = stdio.env.get("PATH").map(|path| path.expose().to_owned());
    Ok(ProgramTarget { command: stdio.command.expose().to_owned(), folder, path })
}

/// Checks the folder or the file that a built-in connector serves.
fn builtin_path(base: &Path, builtin: &Builtin<Secret>) -> Result<(), LayerFailure> {
    match builtin.kind {
        BuiltinKind::Files => readable(&base.join(builtin::folder(builtin).unwrap_or("."))),
        _ => match builtin.text("path").map(|path| base.join(path)) {
            Some(path) => path.metadata().map(drop).map_err(|error| denied(&path, &error)),
            None => Ok(()),
        },
    }
}

fn readable(folder: &Path) -> Result<(), LayerFailure> {
    std::fs::read_dir(folder).map(drop).map_err(|error| denied(folder, &error))
}

fn denied(path: &Path, error: &std::io::Error) -> LayerFailure {
    let next = "correct the path in the configuration, or let this user read it";
    LayerFailure::action(format!("{} cannot be read: {error}", path.display()), next)
}

fn wrong(error: &loggia::Error) -> LayerFailure {
    let reason = match error {
        loggia::Error::Configuration(reason) => reason.clone(),
        other => other.to_string(),
    };
    LayerFailure::action(reason, "correct the configuration of the connector")
}
