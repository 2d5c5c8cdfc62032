//! The sources of a gateway's configuration, a file and a database of added connectors, and their changes.
//!
//! Invariant: the configuration is made of both as they were last read; a source that cannot be read keeps its last state.

use std::path::PathBuf;

use loggia_auth::jose::random;
use loggia_connect::redact::Redactor;
use loggia_store::AddedConnector;

use crate::account_watch::AccountWatch;
use crate::added::{AddedWatch, ConnectorDatabase};
use crate::config::GatewayConfig;
use crate::config_change::ConfigSource;
use crate::credentials::Credentials;
use crate::error::{GatewayError, Result};
use crate::file_watch::FileWatch;
use crate::manifest_watch::ManifestWatch;

/// The sources of a configuration, as they were last read.
pub(crate) struct ConfigSources {
    base: GatewayConfig,
    credentials: Credentials,
    added: Vec<AddedConnector>,
    file_watch: Option<(PathBuf, FileWatch)>,
    added_watch: Option<AddedWatch>,
    account_watch: Option<AccountWatch>,
    manifest_watch: Option<ManifestWatch>,
}

impl ConfigSources {
    /// Begins with `base`. Watches the file that it was read from and the manifests of its connectors if `watches_files`.
    pub(crate) fn new(base: GatewayConfig, credentials: Credentials, watches_files: bool) -> ConfigSources {
        let base = base.with_manifests_of(&credentials);
        let watched = base.watched().filter(|_| watches_files);
        let file_watch = watched.map(|(file, seen)| (file.clone(), FileWatch::new(file, seen)));
        let manifest_watch = watches_files.then(ManifestWatch::default);
        let (added, added_watch, account_watch) = (Vec::new(), None, None);
        ConfigSources { base, credentials, added, file_watch, added_watch, account_watch, manifest_watch }
    }

    /// Watches the manifests of a configuration that will be served. Those that were watched are compared with their earlier
    /// state.
    pub(crate) fn watch_manifests(&mut self, config: &GatewayConfig) {
        if let Some(watch) = &mut self.manifest_watch {
            watch.set(config.manifest_files());
        }
    }

    /// Reads the added connectors, and watches them.
    pub(crate) async fn with_added(mut self, database: ConnectorDatabase) -> Result<ConfigSources> {
        self.added = database.list().await?;
        self.added_watch = Some(AddedWatch::new(database, self.added.clone()));
        Ok(self)
    }

    /// Reads the saved accounts, and watches them.
    pub(crate) async fn with_accounts(mut self) -> Result<ConfigSources> {
        self.account_watch = Some(AccountWatch::open(self.credentials.clone(), random(32)).await?);
        Ok(self)
    }

    /// Returns the configuration without the added connectors.
    pub(crate) fn base(&self) -> &GatewayConfig {
        &self.base
    }

    /// Returns the whole configuration.
    pub(crate) fn config(&self, redactor: &Redactor) -> Result<GatewayConfig> {
        let config = self.base.clone().with_added(&self.added, redactor)?;
        let digests = self.account_watch.as_ref().map(|watch| watch.digests().clone());
        Ok(config.with_account_digests(digests.unwrap_or_default()))
    }

    /// Waits for a change of a source, and reads it. Never returns if nothing is watched.
    pub(crate) async fn changed(&mut self, redactor: &Redactor) -> (ConfigSource, Result<GatewayConfig>) {
        let ConfigSources { file_watch, added_watch, account_watch, manifest_watch, .. } = self;
        let file_changed = async {
            let Some((file, watch)) = file_watch else { return std::future::pending().await };
            watch.changed().await;
            file.clone()
        };
        let added_changed = async {
            let Some(watch) = added_watch else { return std::future::pending().await };
            watch.changed().await
        };
        let accounts_changed = async {
            let Some(watch) = account_watch else { return std::future::pending().await };
            watch.changed().await;
        };
        let manifests_changed = async {
            let Some(watch) = manifest_watch else { return std::future::pending().await };
            watch.changed().await
        };
        let source = tokio::select! {
            files = manifests_changed => ConfigSource::Manifests(files),
            () = accounts_changed => ConfigSource::Accounts,
            file = file_changed => {
                match read(file.clone(), redactor.clone()).await {
                    Ok(base) => self.base = base.with_manifests_of(&self.credentials),
                    Err(error) => return (ConfigSource::File(file), Err(error)),
                }
                ConfigSource::File(file)
            }
            added = added_changed => {
                self.added = added;
                ConfigSource::Added
            }
        };
        let config = self.config(redactor).and_then(|config| match &source {
            ConfigSource::Manifests(files) => config.check_manifests(files).map(|()| config),
            _ => Ok(config),
        });
        if let Ok(config) = &config {
            self.watch_manifests(config);
        }
        (source, config)
    }
}

async fn read(file: PathBuf, redactor: Redactor) -> Result<GatewayConfig> {
    let read = tokio::task::spawn_blocking(move || GatewayConfig::read(&file, &redactor)).await;
    read.unwrap_or_else(|error| Err(GatewayError::configuration(error)))
}
