//! The connectors of a user: those of the configuration file, and those that were added. The added ones can be switched off,
//! switched on and removed; the file is changed by its author.
//!
//! Invariant: a definition that cannot be read is listed too, so that it can be removed.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use loggia_connect::builtin::files::FilesOptions;
use loggia_connect::config_file::connector_name;
use loggia_connect::manifest::ManifestFolders;
use loggia_store::AddedConnector;
use serde_json::{Value, json};
use toml_edit::{DocumentMut, Item, value};

use crate::added::ConnectorDatabase;
use crate::config::GatewayConfig;
use crate::credentials::Credentials;
use crate::error::{GatewayError, Result};
use crate::state::StateFolder;
use crate::vault::VaultLocation;

/// The longest wait until a running gateway has read a change, and the time between two looks.
const APPLIED_WITHIN: Duration = Duration::from_secs(5);
const APPLIED_POLL: Duration = Duration::from_millis(50);

/// The connectors of a user.
#[derive(Clone)]
pub struct ConnectorList {
    database: ConnectorDatabase,
    file: Option<PathBuf>,
    credentials: Credentials,
}

/// A connector, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectorSummary {
    /// The name.
    pub name: String,
    /// The kind.
    pub kind: String,
    /// The system, in a few words without a secret.
    pub detail: String,
    /// True if it is served.
    pub is_enabled: bool,
    /// The configuration file that declares it; `None` if it was added.
    pub file: Option<PathBuf>,
    /// The names of its accounts; the default is the first.
    pub accounts: Vec<String>,
    /// The state in a running gateway.
    pub state: Option<String>,
}

impl ConnectorList {
    /// Lists the connectors of the configuration file `config`, and those that were added beside it. The environment is read
    /// as `loggia up` reads it.
    ///
    /// # Errors
    ///
    /// [`GatewayError`] if there is no place for the database.
    pub fn of(config: Option<&Path>, credentials: &Credentials) -> Result<ConnectorList> {
        let database = ConnectorDatabase::of(&VaultLocation::Environment, credentials, config)?;
        Ok(ConnectorList { database, file: config.map(Path::to_owned), credentials: credentials.clone() })
    }

    /// Returns all connectors, those of the file first. `states` are the states in running gateways.
    ///
    /// # Errors
    ///
    /// [`GatewayError`] if the file, the database or the credentials cannot be read.
    pub async fn all(&self, states: &StateFolder) -> Result<Vec<ConnectorSummary>> {
        let mut all = self.all_without_states().await?;
        let documents = documents(states.clone(), self.file.clone()).await;
        for summary in &mut all {
            let reported = documents.iter().filter_map(|document| state_in(document, &summary.name)).next();
            summary.state = reported.map(str::to_owned);
        }
        Ok(all)
    }

    /// Returns all connectors, those of the file first, without their states in running gateways.
    pub(crate) async fn all_without_states(&self) -> Result<Vec<ConnectorSummary>> {
        let mut all = Vec::new();
        if let Some(file) = &self.file {
            let text = std::fs::read_to_string(file).map_err(|error| {
                GatewayError::configuration(format!("cannot read {}: {error}", file.display()))
            })?;
            all.extend(
                summaries(&text).into_iter().map(|one| ConnectorSummary { file: Some(file.clone()), ..one }),
            );
        }
        for AddedConnector { name, definition, .. } in self.database.list().await? {
            match summaries(&definition).into_iter().next() {
                Some(summary) => all.push(ConnectorSummary { name, ..summary }),
                None => all.push(ConnectorSummary::unreadable(name)),
            }
        }
        for summary in &mut all {
            summary.accounts = self.account_names(&summary.name).await?;
        }
        Ok(all)
    }

    /// Returns the database of added connectors.
    pub(crate) fn database(&self) -> &ConnectorDatabase {
        &self.database
    }

    /// Returns the folders with manifests of this configuration.
    pub(crate) fn manifests(&self) -> Result<ManifestFolders> {
        let config = match self.file.as_deref().filter(|file| file.exists()) {
            Some(file) => GatewayConfig::read(file, self.credentials.redactor())?,
            None => GatewayConfig::of_folder(".".into(), FilesOptions::default()),
        };
        Ok(config.with_manifests_of(&self.credentials).manifests().clone())
    }

    async fn account_names(&self, connector: &str) -> Result<Vec<String>> {
        let mut accounts = self.credentials.accounts(Some(connector)).await?;
        accounts.sort_by_key(|account| !account.is_default);
        Ok(accounts.into_iter().map(|account| account.name).collect())
    }

    /// Returns the definition of an added connector.
    ///
    /// # Errors
    ///
    /// [`GatewayError`] if there is no such connector, or the file declares it.
    pub async fn added(&self, name: &str) -> Result<AddedConnector> {
        let name = connector_name(name).map_err(GatewayError::configuration)?;
        let added = self.database.list().await?;
        if let Some(found) = added.iter().find(|added| added.name == name) {
            return Ok(found.clone());
        }
        let of_file = self.file.as_deref().and_then(|file| Some((file, std::fs::read_to_string(file).ok()?)));
        let declares = |text: &str| summaries(text).iter().any(|summary| summary.name == name);
        Err(GatewayError::configuration(match (of_file, added.as_slice()) {
            (Some((file, text)), _) if declares(&text) => {
                format!("the connector {name:?} is declared in {}: change it there", file.display())
            }
            (_, []) => format!("there is no connector {name:?}: none was added"),
            (_, added) => {
                let names: Vec<&str> = added.iter().map(|added| added.name.as_str()).collect();
                format!("there is no connector {name:?}; added were: {}", names.join(", "))
            }
        }))
    }

    /// Returns the names of the added connectors, in the order in which they were added.
    ///
    /// # Errors
    ///
    /// [`GatewayError`] if the database cannot be read.
    pub async fn added_names(&self) -> Result<Vec<String>> {
        Ok(self.database.list().await?.into_iter().map(|added| added.name).collect())
    }

    /// Switches an added connector on or off. Returns `false` if it was so before.
    ///
    /// # Errors
    ///
    /// [`GatewayError`] if there is no such connector, or the database cannot be written.
    pub async fn set_enabled(&self, name: &str, is_enabled: bool) -> Result<bool> {
        let AddedConnector { name, definition, revision, .. } = self.added(name).await?;
        let unreadable = || GatewayError::configuration(format!("the definition of {name:?} cannot be read"));
        let mut document: DocumentMut = definition.parse().map_err(|_| unreadable())?;
        let connectors = document.get_mut("connectors").and_then(Item::as_table_like_mut);
        let sections = connectors.ok_or_else(unreadable)?.iter_mut();
        for (_, section) in sections {
            let section = section.as_table_like_mut().ok_or_else(unreadable)?;
            match is_enabled {
                true => drop(section.remove("enabled")),
                false => drop(section.insert("enabled", value(false))),
            }
        }
        let changed = document.to_string();
        if changed == definition {
            return Ok(false);
        }
        let database = self.database.open().await?;
        match database.replace(&name, &changed, revision).await.map_err(GatewayError::configuration)? {
            true => Ok(true),
            false => Err(GatewayError::configuration(format!("another program changed {name:?}; try again"))),
        }
    }

    /// Removes an added connector with its accounts. Returns the number of its accounts.
    ///
    /// # Errors
    ///
    /// [`GatewayError`] if there is no such connector, or the database cannot be written.
    pub async fn remove(&self, name: &str) -> Result<usize> {
        let AddedConnector { name, .. } = self.added(name).await?;
        let database = self.database.open().await?;
        database.remove(&name).await.map_err(GatewayError::configuration)?;
        Ok(self.credentials.remove_accounts(&name).await?)
    }

    /// Waits until a running gateway of this configuration serves the connector `name`, or with `is_served` false does no
    /// longer serve it. Returns the URL of the gateway; `None` where none runs, or none applies it in time.
    pub async fn applied(&self, states: &StateFolder, name: &str, is_served: bool) -> Option<String> {
        let wait = async {
            loop {
                let documents = documents(states.clone(), self.file.clone()).await;
                let is_applied = |document: &&Value| state_in(document, name).is_some() == is_served;
                match documents.iter().find(is_applied) {
                    Some(found) => return found["gateway"]["url"].as_str().map(str::to_owned),
                    None if documents.is_empty() => return None,
                    None => tokio::time::sleep(APPLIED_POLL).await,
                }
            }
        };
        tokio::time::timeout(APPLIED_WITHIN, wait).await.ok().flatten()
    }
}

/// Returns the status documents of the running gateways that serve this configuration.
async fn documents(states: StateFolder, file: Option<PathBuf>) -> Vec<Value> {
    #[cfg(unix)]
    let read = move || crate::status::GatewayStatuses::read(&states).documents;
    #[cfg(not(unix))]
    let read = move || {
        drop(states);
        Vec::<Value>::new()
    };
    let mut documents = tokio::task::spawn_blocking(read).await.unwrap_or_default();
    let file = file.map(|file| file.display().to_string());
    documents.retain(|document| document["gateway"]["config"].as_str() == file.as_deref());
    documents
}

fn state_in<'d>(document: &'d Value, name: &str) -> Option<&'d str> {
    let connectors = document["connectors"].as_array()?;
    connectors.iter().find(|connector| connector["name"] == name)?["state"].as_str()
}

/// Reads the connectors of a text of a configuration file.
fn summaries(text: &str) -> Vec<ConnectorSummary> {
    let Ok(document) = text.parse::<DocumentMut>() else { return Vec::new() };
    let Some(connectors) = document.get("connectors").and_then(Item::as_table_like) else {
        return Vec::new();
    };
    let summary = |(written, section): (&str, &Item)| {
        let text = |key: &str| section.get(key).and_then(Item::as_str).unwrap_or_default();
        let detail = match text("kind") {
            "manifest" => match text("backend") {
                "" => text("manifest").to_owned(),
                backend => format!("{}, {backend}", text("manifest")),
            },
            "remote" => host(text("url")),
            "openapi" => text("description").split(['?', '#']).next().unwrap_or_default().to_owned(),
            "stdio" => {
                let args = section.get("args").and_then(Item::as_array);
                let package = args
                    .into_iter()
                    .flatten()
                    .filter_map(|arg| arg.as_str())
                    .find(|arg| !arg.starts_with('-') && !["run", "-i"].contains(arg));
                format!("{} {}", text("command"), package.unwrap_or_default()).trim_end().to_owned()
            }
            _ => text("name").to_owned(),
        };
        Some(ConnectorSummary {
            name: connector_name(written).ok()?,
            kind: text("kind").to_owned(),
            detail,
            is_enabled: section.get("enabled").and_then(Item::as_bool).unwrap_or(true),
            file: None,
            accounts: Vec::new(),
            state: None,
        })
    };
    connectors.iter().filter_map(summary).collect()
}

fn host(url: &str) -> String {
    url::Url::parse(url).ok().and_then(|url| Some(url.host_str()?.to_owned())).unwrap_or_default()
}

impl ConnectorSummary {
    fn unreadable(name: String) -> ConnectorSummary {
        ConnectorSummary {
            name,
            kind: String::new(),
            detail: "its definition cannot be read".to_owned(),
            is_enabled: false,
            file: None,
            accounts: Vec::new(),
            state: None,
        }
    }

    /// Describes the folder that is served where nothing was added.
    pub(crate) fn of_folder(name: &str, kind: &str) -> ConnectorSummary {
        ConnectorSummary {
            kind: kind.to_owned(),
            detail: "this folder, as long as nothing is added".to_owned(),
            is_enabled: true,
            ..ConnectorSummary::unreadable(name.to_owned())
        }
    }

    /// Returns the summary for programs.
    pub fn to_json(&self) -> Value {
        json!({
            "name": self.name,
            "kind": self.kind,
            "detail": self.detail,
            "isEnabled": self.is_enabled,
            "file": self.file.as_ref().map(|file| file.display().to_string()),
            "accounts": self.accounts,
            "state": self.state,
        })
    }
}

/// One line: the name, the state, the kind, the system, the accounts and the place.
impl fmt::Display for ConnectorSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match (&self.state, self.is_enabled) {
            (_, false) => "off",
            (Some(state), _) => state,
            (None, true) => "on",
        };
        write!(f, "{:<20} {state:<10} {:<9} {}", self.name, self.kind, self.detail)?;
        if !self.accounts.is_empty() {
            write!(f, "; accounts: {}", self.accounts.join(", "))?;
        }
        match &self.file {
            Some(file) => write!(f, "; in {}", file.display()),
            None => Ok(()),
        }
    }
}
