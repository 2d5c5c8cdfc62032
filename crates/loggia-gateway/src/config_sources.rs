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

/// The sources of a configuration, as they were last read.
pub(crate) struct ConfigSources {
    base: GatewayConfig,
    added: Vec<AddedConnector>,
    file_watch: Option<(PathBuf, FileWatch)>,
    added_watch: Option<AddedWatch>,
    account_watch: Option<AccountWatch>,
}

impl ConfigSources {
    /// Begins with `base`, and watches the file that it was read from if `watches_file`.
    pub(crate) fn new(base: GatewayConfig, watches_file: bool) -> ConfigSources {
        let watched = base.watched().filter(|_| watches_file);
        let file_watch = watched.map(|(file, seen)| (file.clone(), FileWatch::new(file, seen)));
        ConfigSources { base, added: Vec::new(), file_watch, added_watch: None, account_watch: None }
    }

    /// Reads the added connectors, and watches them.
    pub(crate) async fn with_added(mut self, database: ConnectorDatabase) -> Result<ConfigSources> {
        self.added = database.list().await?;
        self.added_watch = Some(AddedWatch::new(database, self.added.clone()));
        Ok(self)
    }

    /// Reads the saved accounts, and watches them.
    pub(crate) async fn with_accounts(mut self, credentials: Credentials) -> Result<ConfigSources> {
        self.account_watch = Some(AccountWatch::open(credentials, random(32)).await?);
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
        let ConfigSources { file_watch, added_watch, account_watch, .. } = self;
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
        let source = tokio::select! {
            () = accounts_changed => ConfigSource::Accounts,
            file = file_changed => {
                match read(file.clone(), redactor.clone()).await {
                    Ok(base) => self.base = base,
                    Err(error) => return (ConfigSource::File(file), Err(error)),
                }
                ConfigSource::File(file)
            }
            added = added_changed => {
                self.added = added;
                ConfigSource::Added
            }
        };
        let config = self.config(redactor);
        (source, config)
    }
}

async fn read(file: PathBuf, redactor: Redactor) -> Result<GatewayConfig> {
    let read = tokio::task::spawn_blocking(move || GatewayConfig::read(&file, &redactor)).await;
    read.unwrap_or_else(|error| Err(GatewayError::configuration(error)))
}
