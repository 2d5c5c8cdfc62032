//! The configuration of a gateway: a `loggia.toml`, or one folder. It says what is served and how, so that no other
//! module reads the file. Invariant: variables are replaced when a connection is opened, not earlier.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use loggia::Service;
use loggia::client::{Client, ClientBuilder};
use loggia_connect::builtin::files::FilesOptions;
use loggia_connect::config_file::{self, Backend, ConfigFile, ServerSection};
use loggia_connect::manifest::ManifestFolders;
use loggia_connect::redact::Redactor;
use loggia_connect::secret::Secret;
use loggia_hub::{Connector, Opened};
use loggia_store::AddedConnector;

use crate::account_watch::AccountDigests;
use crate::builtin::{self, open_folder};
use crate::connection::ConnectorContext;
use crate::connector::{
    FOLDER, PersonalConnector, connector, environment, failing, folder, has_tool_settings, open, resolved,
};
use crate::credentials::Credentials;
use crate::error::{GatewayError, Result};
use crate::file_watch::FileStamp;
use crate::hub_limits::hub_limits;
use crate::manifest_connector::{
    ManifestConnector, ManifestPlaces, ManifestSignIn, manifest_files, read_manifest,
};
use crate::pin_review::PinSet;
use crate::single_connector::SingleConnector;

/// The configuration of a gateway.
#[derive(Clone)]
pub struct GatewayConfig {
    /// The file that it was read from; `None` if there is no file.
    pub(crate) file: Option<PathBuf>,
    /// The settings of the endpoint.
    pub(crate) server: ServerSection,
    connectors: Connectors,
    /// The folders with manifests.
    manifests: ManifestFolders,
    /// The state of the file when it was read; `None` where its text came from the program.
    stamp: Option<FileStamp>,
    /// Digests of the accounts that are saved for connectors.
    account_digests: AccountDigests,
    /// The pins of the added connectors.
    pins: PinSet,
    /// The added connectors whose definitions are wrong.
    failed: Vec<FailedConnector>,
}

/// An added connector whose definition is wrong. The others are served.
#[derive(Clone)]
struct FailedConnector {
    name: String,
    reason: String,
}

#[derive(Clone)]
enum Connectors {
    File { base: PathBuf, all: Vec<config_file::Connector> },
    Folder { root: PathBuf, options: FilesOptions },
}

impl GatewayConfig {
    /// Reads a configuration file.
    ///
    /// `redactor` gets the values of the file's variables before a connection is opened with them.
    ///
    /// # Errors
    ///
    /// [`GatewayError::ConfigFile`] if the file cannot be read, or is wrong.
    pub fn read(file: &Path, redactor: &Redactor) -> Result<GatewayConfig> {
        // The state before it is read, so that no change is missed.
        let stamp = FileStamp::of(file);
        let config = GatewayConfig::of_file(ConfigFile::read(file)?, file, redactor);
        Ok(GatewayConfig { stamp: Some(stamp), ..config })
    }

    /// Parses the text of a configuration file. Errors name `file`, relative paths are relative to its folder, and
    /// remembered lists are stored under its name. The file need not exist.
    ///
    /// # Errors
    ///
    /// [`GatewayError::ConfigFile`] if the text is wrong.
    pub fn parse(text: &str, file: &Path, redactor: &Redactor) -> Result<GatewayConfig> {
        Ok(GatewayConfig::of_file(ConfigFile::parse(text, file)?, file, redactor))
    }

    fn of_file(config: ConfigFile, file: &Path, redactor: &Redactor) -> GatewayConfig {
        config.redact(redactor, &environment);
        let ConfigFile { server, connectors, manifests, base, .. } = config;
        let all = connectors.into_iter().filter(|connector| connector.enabled).collect();
        // Commands run in the folder of the file; a bare file name is in the current folder.
        let base = if base.as_os_str().is_empty() { PathBuf::from(".") } else { base };
        let base = std::path::absolute(&base).unwrap_or(base);
        let manifests = manifests.iter().map(|folder| base.join(folder));
        let manifests = manifests.map(|folder| std::path::absolute(&folder).unwrap_or(folder)).collect();
        let connectors = Connectors::File { base, all };
        GatewayConfig {
            file: Some(file.to_owned()),
            server,
            connectors,
            manifests: ManifestFolders::new(manifests),
            stamp: None,
            account_digests: AccountDigests::new(),
            pins: PinSet::default(),
            failed: Vec::new(),
        }
    }

    /// Configures the built-in connector `files` on `root` as the only connector.
    pub fn of_folder(root: PathBuf, options: FilesOptions) -> GatewayConfig {
        let root = std::path::absolute(&root).unwrap_or(root);
        GatewayConfig {
            file: None,
            server: ServerSection::default(),
            connectors: Connectors::Folder { root, options },
            manifests: ManifestFolders::default(),
            stamp: None,
            account_digests: AccountDigests::new(),
            pins: PinSet::default(),
            failed: Vec::new(),
        }
    }

    /// Also finds manifests in the data folder of the user (`connectors/`), which need not exist.
    pub fn with_manifests_of(mut self, credentials: &Credentials) -> GatewayConfig {
        if let Some(folder) = credentials.manifest_folder() {
            self.manifests = self.manifests.with_usual(folder.to_owned());
        }
        self
    }

    /// Finds manifests in these folders.
    pub(crate) fn with_manifests(self, manifests: ManifestFolders) -> GatewayConfig {
        GatewayConfig { manifests, ..self }
    }

    /// Returns the folders with manifests.
    pub fn manifests(&self) -> &ManifestFolders {
        &self.manifests
    }

    /// Returns the connectors with a manifest whose credential is to be saved on this machine, and is not.
    pub(crate) async fn without_account(&self, credentials: &Credentials) -> Result<Vec<&str>> {
        let Connectors::File { base, all } = &self.connectors else { return Ok(Vec::new()) };
        let mut names = Vec::new();
        for connector in all {
            let Ok(Backend::Manifest(used)) = resolved(connector) else { continue };
            let read = ManifestConnector::read(base, &self.manifests, &connector.name, used);
            if read.is_ok_and(|manifest| manifest.needs_account())
                && credentials.accounts(Some(&connector.name)).await?.is_empty()
            {
                names.push(connector.name.as_str());
            }
        }
        Ok(names)
    }

    /// Returns the files that the manifests of its connectors may be in, each once, whether they exist or not.
    pub(crate) fn manifest_files(&self) -> Vec<PathBuf> {
        let Connectors::File { base, all } = &self.connectors else { return Vec::new() };
        let files = all.iter().filter_map(|one| match &one.backend {
            Backend::Manifest(used) => Some(manifest_files(base, &self.manifests, &used.manifest)),
            _ => None,
        });
        let mut files: Vec<PathBuf> = files.flatten().collect();
        files.sort();
        files.dedup();
        files
    }

    /// Checks the manifests that may be in these files.
    ///
    /// # Errors
    ///
    /// [`GatewayError::Configuration`] if one of them cannot be read, or is wrong.
    pub(crate) fn check_manifests(&self, files: &[PathBuf]) -> Result<()> {
        let Connectors::File { base, all } = &self.connectors else { return Ok(()) };
        for connector in all {
            let Backend::Manifest(used) = &connector.backend else { continue };
            let own = manifest_files(base, &self.manifests, &used.manifest);
            if own.iter().any(|file| files.contains(file)) {
                read_manifest(base, &self.manifests, &used.manifest).map_err(|reason| {
                    GatewayError::Configuration(format!("{:?}: {reason}", connector.name))
                })?;
            }
        }
        Ok(())
    }

    /// Opens connections again whose accounts have another digest.
    pub(crate) fn with_account_digests(self, account_digests: AccountDigests) -> GatewayConfig {
        GatewayConfig { account_digests, ..self }
    }

    /// Serves added connectors too: beside those of the file, or in place of the folder.
    ///
    /// # Errors
    ///
    /// [`GatewayError::DuplicateConnector`] if the file has a connector of the same name. A connector with a wrong definition
    /// fails alone, with the reason in its status.
    pub fn with_added(self, added: &[AddedConnector], redactor: &Redactor) -> Result<GatewayConfig> {
        if added.is_empty() {
            return Ok(self);
        }
        let (base, mut all) = match self.connectors {
            Connectors::File { base, all } => (base, all),
            Connectors::Folder { .. } => (PathBuf::from("."), Vec::new()),
        };
        let of_file = all.len();
        let mut failed = Vec::new();
        for AddedConnector { name, definition, .. } in added {
            let place = PathBuf::from(format!("the added connector {name}"));
            let parsed = match ConfigFile::parse(definition, &place) {
                Ok(parsed) => parsed,
                Err(error) => {
                    let reason = format!("{error}; `loggia connectors remove {name}` removes it");
                    tracing::warn!(connector = name, reason, "an added connector cannot be served");
                    failed.push(FailedConnector { name: name.clone(), reason });
                    continue;
                }
            };
            parsed.redact(redactor, &environment);
            for connector in parsed.connectors {
                if all[..of_file].iter().any(|other| other.name == connector.name) {
                    let file = self.file.clone().unwrap_or_default();
                    return Err(GatewayError::DuplicateConnector { name: connector.name, file });
                }
                all.push(connector);
            }
        }
        all.retain(|connector| connector.enabled);
        if all.is_empty() && failed.is_empty() {
            tracing::warn!(
                "nothing is served: all added connectors are switched off; `loggia connectors enable NAME` switches one on"
            );
        }
        let (connectors, pins) = (Connectors::File { base, all }, PinSet::of(added));
        Ok(GatewayConfig { connectors, pins, failed, ..self })
    }

    /// Checks everything that can be checked before a start.
    pub(crate) fn check(&self) -> Result<()> {
        if let Some((root, _)) = self.folder().filter(|(root, _)| !root.is_dir()) {
            return Err(GatewayError::NoFolder(root.to_owned()));
        }
        match &self.file {
            Some(file) if self.names().is_empty() => Err(GatewayError::NoConnectors(file.clone())),
            _ => Ok(()),
        }
    }

    /// Returns the file that the configuration was read from; `None` if there is no file.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Returns the file to watch for changes, and its state when it was read.
    pub(crate) fn watched(&self) -> Option<(PathBuf, FileStamp)> {
        self.file.clone().zip(self.stamp)
    }

    /// Returns how the connectors are served: the section `[server]`.
    pub fn server(&self) -> &ServerSection {
        &self.server
    }

    /// Returns the folder that is served, and whether it may be changed, if there is no file.
    pub fn folder(&self) -> Option<(&Path, bool)> {
        match &self.connectors {
            Connectors::Folder { root, options } => Some((root, options.writable)),
            Connectors::File { .. } => None,
        }
    }

    /// Returns the connectors to which each user signs in with an account of their own.
    pub(crate) fn personal(&self) -> Vec<PersonalConnector> {
        let Connectors::File { all, .. } = &self.connectors else { return Vec::new() };
        let personal = |connector: &&config_file::Connector| matches!(&connector.backend, Backend::Remote(remote) if remote.personal.is_some());
        all.iter().filter(personal).map(|one| PersonalConnector::new(Arc::new(one.clone()))).collect()
    }

    /// Returns the connectors for the hub. `key` is the key of their revisions.
    pub(crate) fn connectors(&self, context: &ConnectorContext, key: &str) -> Vec<Connector> {
        match &self.connectors {
            Connectors::Folder { root, options } => vec![folder(root.clone(), options.clone())],
            Connectors::File { base, all } => all
                .iter()
                .map(|one| {
                    let places = ManifestPlaces { base: base.clone(), folders: self.manifests.clone() };
                    let accounts = self.account_digests.get(&one.name);
                    let made = connector(places, one.clone(), context.clone(), key, accounts);
                    self.pins.review(made, one.pin)
                })
                .chain(self.failed.iter().map(|one| failing(one.name.clone(), one.reason.clone())))
                .collect(),
        }
    }

    /// Returns the names of the connectors.
    pub fn names(&self) -> Vec<&str> {
        match &self.connectors {
            Connectors::Folder { .. } => vec![FOLDER],
            Connectors::File { all, .. } => all.iter().map(|connector| connector.name.as_str()).collect(),
        }
    }

    /// Returns the names that are allowed before the URI of a resource, as `NAME+URI`.
    pub(crate) fn qualifiers(&self) -> Vec<&str> {
        match &self.connectors {
            Connectors::Folder { .. } => vec![FOLDER],
            Connectors::File { all, .. } => all.iter().map(config_file::Connector::qualifier).collect(),
        }
    }

    /// Returns the folders that the built-in connector `files` serves.
    pub(crate) fn folders(&self) -> Vec<PathBuf> {
        match &self.connectors {
            Connectors::Folder { root, .. } => vec![root.clone()],
            Connectors::File { base, all } => {
                let served = |connector: &&config_file::Connector| {
                    matches!(connector.backend, Backend::Builtin(_) | Backend::Manifest(_))
                };
                let folder = |connector: &config_file::Connector| {
                    // A connector that cannot be resolved is not served.
                    match resolved(connector).ok()? {
                        Backend::Builtin(builtin) => Some(base.join(builtin::folder(&builtin)?)),
                        Backend::Manifest(used) => {
                            let manifest =
                                ManifestConnector::read(base, &self.manifests, &connector.name, used).ok()?;
                            Some(base.join(manifest.folder()?))
                        }
                        _ => None,
                    }
                };
                all.iter().filter(served).filter_map(folder).collect()
            }
        }
    }

    /// Returns the URL of a remote connector; `None` if there is no connector of this name.
    ///
    /// # Errors
    ///
    /// [`GatewayError::Configuration`] if the connector is not at a URL, [`GatewayError::Mcp`] if a variable of
    /// its URL is not set.
    pub fn remote(&self, name: &str) -> Result<Option<String>> {
        let url = match &self.connectors {
            Connectors::Folder { .. } if name == FOLDER => None,
            Connectors::Folder { .. } => return Ok(None),
            Connectors::File { base, all } => match find(all, name) {
                None => return Ok(None),
                Some(connector) => match resolved(connector)? {
                    Backend::Remote(remote) => Some(remote.url.expose().to_owned()),
                    Backend::Manifest(used) => {
                        ManifestConnector::read(base, &self.manifests, &connector.name, used)?.remote_url()?
                    }
                    Backend::Stdio(_) | Backend::OpenApi(_) | Backend::Builtin(_) => None,
                },
            },
        };
        let local =
            || GatewayError::Configuration(format!("the connector {name:?} needs no sign-in: it has no URL"));
        url.map(Some).ok_or_else(local)
    }

    /// Returns the facts for a sign-in that the manifest of a connector has; `None` if it has no manifest, or it cannot be read.
    pub fn manifest_sign_in(&self, name: &str) -> Option<ManifestSignIn> {
        let Connectors::File { base, all } = &self.connectors else { return None };
        let connector = find(all, name)?;
        let Ok(Backend::Manifest(used)) = resolved(connector) else { return None };
        ManifestConnector::read(base, &self.manifests, &connector.name, used).ok()?.sign_in()
    }

    /// Returns the backend of a connector with its variables filled in; `None` if there is no such connector.
    pub(crate) fn backend(&self, name: &str) -> Option<loggia::Result<Backend<Secret>>> {
        let Connectors::File { all, .. } = &self.connectors else { return None };
        find(all, name).map(resolved)
    }

    /// Returns the issuer that a remote connector names, or the manifest of a connector.
    pub fn issuer(&self, name: &str) -> Option<String> {
        let Connectors::File { all, .. } = &self.connectors else { return None };
        match &find(all, name)?.backend {
            Backend::Remote(remote) => remote.issuer.clone(),
            Backend::Manifest(_) => self.manifest_sign_in(name)?.issuer,
            Backend::Stdio(_) | Backend::OpenApi(_) | Backend::Builtin(_) => None,
        }
    }

    /// Returns the folder in which relative paths begin, and the entry of a connector; `None` if there is no such entry.
    pub(crate) fn entry(&self, name: &str) -> Option<(&Path, &config_file::Connector)> {
        let Connectors::File { base, all } = &self.connectors else { return None };
        Some((base, find(all, name)?))
    }

    /// Connects to one connector as a gateway serves it: with the settings of its manifest, and without the tools that its pins
    /// hold back. `None` if there is no connector of this name.
    ///
    /// `client` has the settings of the caller; [`ConnectorContext::headers`] go to the server of the connector.
    pub async fn connect_as_served(
        &self,
        name: &str,
        client: ClientBuilder,
        context: &ConnectorContext,
    ) -> Option<loggia::Result<Client>> {
        let Some(served) = self.changed_connector(name, context) else {
            return self.connect(name, client, context).await;
        };
        let limits = hub_limits(&self.server, self.server.limits.requests);
        match SingleConnector::start(served, limits).await {
            Ok(service) => {
                let client = client.limits(self.server.limits.clone());
                Some(client.connect(Arc::new(service) as Arc<dyn Service>).await)
            }
            // A direct connection has an error that says what kind of failure it is.
            Err(reason) => match self.connect(name, client, context).await? {
                Ok(_) => Some(Err(reason)),
                Err(error) => Some(Err(error)),
            },
        }
    }

    /// Returns the connector `name` if a gateway serves other tools than the connector lists.
    fn changed_connector(&self, name: &str, context: &ConnectorContext) -> Option<Connector> {
        let Connectors::File { base, all } = &self.connectors else { return None };
        let one = find(all, name)?;
        let places = ManifestPlaces { base: base.clone(), folders: self.manifests.clone() };
        if !self.pins.holds_back(&one.name, one.pin) && !has_tool_settings(&places, one) {
            return None;
        }
        let made = connector(places, one.clone(), context.clone(), "", None);
        Some(self.pins.review(made, one.pin))
    }

    /// Connects to one connector without a hub, and without the settings of its tools; `None` if there is no connector of this
    /// name.
    pub async fn connect(
        &self,
        name: &str,
        client: ClientBuilder,
        context: &ConnectorContext,
    ) -> Option<loggia::Result<Client>> {
        let client = client.limits(self.server.limits.clone());
        let opened = match &self.connectors {
            Connectors::Folder { root, options } if name == FOLDER => {
                open_folder(root, options.clone()).map(Opened::Service)
            }
            Connectors::File { base, all } => {
                let connector = find(all, name)?;
                let places = ManifestPlaces { base: base.clone(), folders: self.manifests.clone() };
                match open(&places, connector, client.clone(), context).await {
                    Ok(opened) => Ok(opened),
                    Err(error) => return Some(Err(error)),
                }
            }
            Connectors::Folder { .. } => return None,
        };
        Some(match opened {
            Ok(Opened::Client(client)) => Ok(client),
            Ok(Opened::Service(service)) => client.connect(service).await,
            Ok(Opened::Accounts(accounts)) => Ok(accounts.into_default()),
            Err(error) => Err(error),
        })
    }
}

/// Finds a connector by its name, or by the name as it is written in the file.
fn find<'c>(all: &'c [config_file::Connector], written: &str) -> Option<&'c config_file::Connector> {
    let name = config_file::connector_name(written).ok()?;
    all.iter().find(|connector| connector.name == name)
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
        let config =
            GatewayConfig::read(&file, &Redactor::default()).unwrap_or_else(|_| panic!("it is read"));
        for (name, is_found) in [("My_Server", true), ("my-server", true), ("MY SERVER", true), ("my", false)]
        {
            let url = config.remote(name).unwrap_or_else(|_| panic!("{name} is remote"));
            assert_eq!(url.is_some(), is_found, "{name}");
            assert_eq!(config.issuer(name).is_some(), is_found, "{name}");
        }
    }

    #[test]
    fn a_manifest_gives_the_facts_for_a_sign_in() {
        let text = "[connectors.design]\nkind = \"manifest\"\nmanifest = \"figma\"\n\
                    [connectors.api]\nkind = \"manifest\"\nmanifest = \"figma\"\nbackend = \"api\"\n";
        let config = GatewayConfig::parse(text, Path::new("loggia.toml"), &Redactor::default());
        let config = config.unwrap_or_else(|_| panic!("it is read"));
        let url = config.remote("design").unwrap_or_else(|_| panic!("it is remote"));
        assert_eq!(url.as_deref(), Some("https://mcp.figma.com/mcp"));
        let facts = config.manifest_sign_in("design").expect("a manifest");
        assert_eq!((facts.scopes.to_string().as_str(), &facts.issuer), ("mcp:connect", &None));
        let [unusable, next] = &facts.alternative[..] else { panic!("{facts:?}") };
        assert!(unusable.contains("403") && next.contains("[connectors.design]"), "{facts:?}");
        assert!(config.remote("api").is_err(), "it signs in nowhere");
    }
}
