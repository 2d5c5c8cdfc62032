//! Opens the vault of a gateway: sign-ins, API keys and credentials of users, each record sealed. It is a file beside
//! the credentials of the user who runs the gateway, or a database that replicas share. Invariants: the environment
//! is read only if the program allows it, because its `DATABASE_URL` may be the program's own; a lost key is never
//! replaced by a new one, which could not open any record.

use std::env::VarError;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use loggia::transport::http::SessionKey;
use loggia_auth::jose::random;
use loggia_auth::keys::ApiKeys;
use loggia_auth::secret::Secret;
use loggia_auth::store::TokenStore;
use loggia_connect::config_file::VaultKey;
use loggia_store::{Database, KeyTool, MasterKeys, StoreError, Vault};

use crate::credentials::Credentials;
use crate::error::{GatewayError, Result};

/// The environment variable with the database that replicas share.
const DATABASE: &str = "DATABASE_URL";
/// The environment variable with the keys, newest first.
const MASTER_KEY: &str = "LOGGIA_MASTER_KEY";
/// The file of the vault on one machine, and the file of its key.
const FILE: &str = "vault.db";
const KEY_FILE: &str = "vault.key";
/// The time between two deletions of expired records.
const PURGE_INTERVAL: Duration = Duration::from_secs(10 * 60);
/// The account in the operating system's keyring.
const ACCOUNT: &str = "vault";

/// The location of a vault, and of the keys that seal its records.
#[derive(Debug, Clone, Default)]
pub enum VaultLocation {
    /// A file beside the credentials of the user who runs the gateway. `[server.vault]` says where its key is.
    #[default]
    File,
    /// The database and the keys in the environment (`DATABASE_URL`, `LOGGIA_MASTER_KEY`). If a variable is not set,
    /// the file or its key is used.
    Environment,
    /// A database that replicas share, and its keys.
    Database {
        /// `postgres://USER:PASSWORD@HOST/NAME` or `sqlite:PATH`.
        url: Secret,
        /// Keys of 32 bytes in base64, newest first, separated by spaces or commas.
        master_keys: Secret,
    },
}

impl VaultLocation {
    /// Opens the vault; creates it if there is none. `key` is the setting of `[server.vault]`.
    ///
    /// # Errors
    ///
    /// [`GatewayError::Vault`] if the database or the key cannot be used.
    pub async fn open(&self, credentials: &Credentials, key: &VaultKey) -> Result<Vault> {
        let keys = self.keys(credentials, key).await?;
        let url = match self.database()? {
            Some(url) => url,
            None => format!("sqlite:{}", credentials.folder()?.join(FILE).display()),
        };
        let opened = match Database::open(&url).await {
            Ok(database) => Vault::open(database, keys).await,
            Err(error) => Err(error),
        };
        opened.map_err(|error| self.failed(error))
    }

    /// Returns the file of the vault, which may not exist; `None` if it is in a database, or there is no folder.
    pub(crate) fn file(&self, credentials: &Credentials) -> Option<PathBuf> {
        match self.database() {
            Ok(None) => credentials.path().ok().map(|folder| folder.join(FILE)),
            _ => None,
        }
    }

    /// Returns the URL of the database, unless the vault is a file beside the credentials.
    pub(crate) fn database(&self) -> Result<Option<String>> {
        match self {
            VaultLocation::File => Ok(None),
            VaultLocation::Environment => database_of_environment(),
            VaultLocation::Database { url, .. } => Ok(Some(url.expose().to_owned())),
        }
    }

    async fn keys(&self, credentials: &Credentials, key: &VaultKey) -> Result<MasterKeys> {
        let is_set = || std::env::var_os(MASTER_KEY).is_some_and(|text| !text.is_empty());
        let keys = match (self, key) {
            (VaultLocation::Database { master_keys, .. }, _) => MasterKeys::parse(master_keys),
            (VaultLocation::Environment, _) if is_set() => MasterKeys::from_env(MASTER_KEY),
            (_, VaultKey::File) => {
                let folder = credentials.folder()?;
                self.check_key_file(folder)?;
                MasterKeys::from_file(folder.join(KEY_FILE))
            }
            (_, VaultKey::Command(command)) => KeyTool::command(command).load().await,
            (_, VaultKey::Keyring) => match KeyTool::keyring(ACCOUNT) {
                Some(keyring) => keyring.load_or_create().await,
                None => Err(StoreError::Key("this system has no tool for its keyring".to_owned())),
            },
        };
        keys.map_err(|error| self.failed(error))
    }

    /// Refuses a vault whose key is missing. A new key could not open any record, and would hide the problem.
    fn check_key_file(&self, folder: &Path) -> Result<()> {
        let (vault, key) = (folder.join(FILE), folder.join(KEY_FILE));
        if self.database()?.is_some() || key.exists() || !vault.exists() {
            return Ok(());
        }
        let message =
            format!("the vault {} cannot be opened: its key {} is gone", vault.display(), key.display());
        let or_variable = match self {
            VaultLocation::Environment => format!(", or give it in {MASTER_KEY}"),
            _ => String::new(),
        };
        let next_step = format!(
            "put the key back{or_variable}; without it nothing in the vault can be read: move the vault away, and everybody \
             signs in again"
        );
        Err(fault(&message, Some(next_step)))
    }

    fn failed(&self, error: StoreError) -> GatewayError {
        let message = format!("the vault cannot be opened: {error}");
        let next_step = match (self, error) {
            (VaultLocation::File, StoreError::Key(_)) => Some(
                "the key is a file beside the vault, unless [server.vault] names the keyring or a key_command".to_owned(),
            ),
            (VaultLocation::Environment, StoreError::Key(_)) => Some(format!(
                "the key is in a file beside the vault, unless {MASTER_KEY} is set, or [server.vault] names the keyring or a \
                 key_command"
            )),
            (VaultLocation::Environment, _) if std::env::var_os(DATABASE).is_some() => {
                Some(format!("{DATABASE} names the database"))
            }
            _ => None,
        };
        fault(&message, next_step)
    }
}

/// Returns the URL of the database in the environment, if there is one.
fn database_of_environment() -> Result<Option<String>> {
    match std::env::var(DATABASE) {
        Ok(url) => Ok(Some(url).filter(|url| !url.is_empty())),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => {
            let next_step = format!(
                "write {DATABASE}=postgres://USER@HOST/NAME, or unset it to use a file on this machine"
            );
            Err(fault(&format!("{DATABASE} is not UTF-8 text"), Some(next_step)))
        }
    }
}

/// Returns the key that seals session ids. It is stored, so that sessions continue after a restart and at other
/// replicas.
pub(crate) async fn session_key(vault: &Vault) -> Result<SessionKey> {
    let scope = vault.internal("sessions");
    let fresh = Secret::new(random(32));
    // If several processes start at the same time, only one writes it.
    scope.save("key", fresh, None, None).await?;
    let kept = scope.load("key").await?;
    let bytes = kept.and_then(|kept| URL_SAFE_NO_PAD.decode(kept.value.expose()).ok());
    let key: Option<[u8; 32]> = bytes.and_then(|bytes| bytes.try_into().ok());
    let lost = || fault("the vault cannot be used: its session key cannot be read", None);
    Ok(SessionKey::from_bytes(&key.ok_or_else(lost)?))
}

/// Deletes expired records periodically, until it is dropped.
pub(crate) async fn purge_expired(vault: Vault) {
    loop {
        tokio::time::sleep(PURGE_INTERVAL).await;
        if let Err(error) = vault.purge().await {
            tracing::warn!(%error, "expired records stay in the vault for now");
        }
    }
}

fn fault(message: &str, next_step: Option<String>) -> GatewayError {
    GatewayError::Vault { message: message.to_owned(), next_step }
}

/// Returns the API keys of a vault.
pub fn api_keys(vault: &Vault) -> ApiKeys {
    ApiKeys::new(Arc::new(vault.internal("api-keys")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(folder: &Path) -> Secret {
        Secret::new(format!("sqlite:{}", folder.join("shared.db").display()))
    }

    /// Each case: a location, a part of the error, and a part of the next step.
    #[tokio::test]
    async fn a_vault_that_cannot_be_opened_says_why() {
        let folder = tempfile::tempdir().expect("a folder");
        let credentials = Credentials::new(Some(folder.path().to_owned()), Vec::new(), Default::default());
        let database = |master_keys: &str| VaultLocation::Database {
            url: url(folder.path()),
            master_keys: Secret::new(master_keys),
        };
        let lost = VaultLocation::File;
        drop(lost.open(&credentials, &VaultKey::File).await.expect("opened"));
        std::fs::remove_file(folder.path().join(KEY_FILE)).expect("removed");
        for (location, expected, next_step) in [
            (lost, "its key", Some("put the key back; without it")),
            (database("no-key"), "the vault cannot be opened", None),
        ] {
            let opened = location.open(&credentials, &VaultKey::File).await;
            let error = opened.expect_err("it is refused");
            assert!(error.to_string().contains(expected), "{location:?}: {error}");
            let step = error.next_step();
            assert_eq!(step.is_some(), next_step.is_some(), "{location:?}: {step:?}");
            assert!(step.unwrap_or_default().contains(next_step.unwrap_or_default()), "{location:?}");
        }
    }

    #[tokio::test]
    async fn a_database_of_the_program_needs_no_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        let master_keys = Secret::new(base64::engine::general_purpose::STANDARD.encode([7; 32]));
        let location = VaultLocation::Database { url: url(folder.path()), master_keys };
        let nowhere = Credentials::new(None, Vec::new(), Default::default()).without_any();
        drop(location.open(&nowhere, &VaultKey::File).await.expect("opened"));
        assert!(folder.path().join("shared.db").exists());
    }
}
