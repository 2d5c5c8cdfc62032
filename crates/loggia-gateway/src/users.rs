//! Administration of the users of a gateway: their sign-ins, API keys and credentials for connectors, and the end of
//! all access when a user leaves. It uses the vault, so the gateway may be running. Invariant: sign-ins and keys end
//! before credentials are deleted, so that no new credential is saved meanwhile.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use loggia_auth::clock::system;
use loggia_auth::server::SessionAdmin;
use loggia_connect::config_file::connector_name;
use loggia_store::{StoreError, Vault, VaultEntry};

use crate::accounts::{API_KEY, UserAccounts};
use crate::auth_stack::AUTHORIZATION;
use crate::config::GatewayConfig;
use crate::connector::PersonalConnector;
use crate::credentials::Credentials;
use crate::error::{GatewayError, Result};
use crate::vault::{VaultLocation, api_keys};

/// The prefix of the names of tokens. Unfinished sign-ins have other names.
const TOKENS: &str = "credential/";

/// The users of a gateway.
pub struct Users {
    vault: Vault,
    accounts: UserAccounts,
    connectors: Vec<PersonalConnector>,
}

/// The access of a user that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndedAccess {
    /// The number of sign-ins.
    pub sign_ins: usize,
    /// The number of API keys.
    pub keys: usize,
}

/// The access and the credentials of a user that were removed.
#[derive(Debug, Clone)]
pub struct RemovedUser {
    /// The access that was ended.
    pub access: EndedAccess,
    /// The credentials that were deleted.
    pub credentials: Vec<VaultEntry>,
    /// Those of them that could not be revoked.
    pub failures: Vec<RevocationFailure>,
}

/// A credential that was deleted here, but could not be revoked at the server that issued it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevocationFailure {
    /// The connector.
    pub connector: String,
    /// The reason.
    pub reason: String,
}

impl Users {
    /// Opens the vault of a gateway with this configuration.
    ///
    /// # Errors
    ///
    /// [`GatewayError::Vault`] if the vault cannot be opened.
    pub async fn open(
        config: &GatewayConfig,
        credentials: &Credentials,
        vault: &VaultLocation,
    ) -> Result<Users> {
        let vault = vault.open(credentials, &config.server.vault_key).await?;
        let accounts = UserAccounts::new("", None, &vault, credentials);
        Ok(Users { vault, accounts, connectors: config.personal() })
    }

    /// Returns the users who are signed in to the gateway, each with the number of programs.
    ///
    /// # Errors
    ///
    /// [`GatewayError::Auth`] if the vault cannot be read.
    pub async fn signed_in(&self) -> Result<BTreeMap<String, usize>> {
        Ok(self.sessions().signed_in().await?)
    }

    /// Returns the credentials that users have for connectors; only those of `owner` if it is given.
    ///
    /// # Errors
    ///
    /// [`GatewayError::Configuration`] if the vault cannot be read.
    pub async fn credentials(&self, owner: Option<&str>) -> Result<Vec<VaultEntry>> {
        let mut entries = self.vault.list(owner).await.map_err(failed)?;
        entries.retain(|entry| entry.name.starts_with(TOKENS) || entry.name == API_KEY);
        Ok(entries)
    }

    /// Returns the credentials of a user for one connector, by any spelling of its name; for all where `connector` is `None`.
    ///
    /// # Errors
    ///
    /// [`GatewayError::Configuration`] where the vault cannot be read.
    pub async fn credentials_at(&self, owner: &str, connector: Option<&str>) -> Result<Vec<VaultEntry>> {
        let mut entries = self.credentials(Some(owner)).await?;
        let name = connector.map(|written| connector_name(written).unwrap_or_else(|_| written.to_owned()));
        entries.retain(|entry| name.as_ref().is_none_or(|name| entry.connector == *name));
        Ok(entries)
    }

    /// Ends the sign-ins of a user, and revokes the user's API keys.
    ///
    /// # Errors
    ///
    /// [`GatewayError::Auth`] if the vault cannot be written.
    pub async fn end_access(&self, owner: &str) -> Result<EndedAccess> {
        let sign_ins = self.sessions().sign_out(owner).await?;
        let keys = api_keys(&self.vault).revoke_all(owner, SystemTime::now()).await?;
        Ok(EndedAccess { sign_ins, keys })
    }

    /// Ends all access of a user who leaves, and deletes their credentials. Sign-ins and keys end first, so that nothing new
    /// begins meanwhile.
    ///
    /// # Errors
    ///
    /// As [`Users::end_access`] and [`Users::forget`].
    pub async fn remove(&self, owner: &str) -> Result<RemovedUser> {
        let access = self.end_access(owner).await?;
        let credentials = self.credentials(Some(owner)).await?;
        let failures = self.forget(owner, &credentials).await?;
        Ok(RemovedUser { access, credentials, failures })
    }

    /// Deletes credentials of a user, and revokes them at the servers that issued them. Returns those that could not be
    /// revoked.
    ///
    /// # Errors
    ///
    /// [`GatewayError::Configuration`] if the vault cannot be written.
    pub async fn forget(&self, owner: &str, credentials: &[VaultEntry]) -> Result<Vec<RevocationFailure>> {
        let mut failures = Vec::new();
        for entry in credentials {
            if let Err(reason) = self.revoke(owner, &entry.connector).await {
                failures.push(RevocationFailure { connector: entry.connector.clone(), reason });
            }
            self.vault.forget_connector(owner, &entry.connector).await.map_err(failed)?;
        }
        Ok(failures)
    }

    async fn revoke(&self, owner: &str, connector: &str) -> Result<(), String> {
        let connector = self.connectors.iter().find(|known| known.name() == connector);
        let connector = connector.ok_or("the configuration has no such connector any more")?;
        self.accounts.at(connector.clone()).sign_out(owner).await.map_err(|error| error.to_string())
    }

    fn sessions(&self) -> SessionAdmin {
        SessionAdmin::new(Arc::new(self.vault.internal(AUTHORIZATION)), system())
    }
}

impl EndedAccess {
    /// Returns whether the user had no access.
    pub fn is_empty(&self) -> bool {
        self.sign_ins + self.keys == 0
    }
}

fn failed(error: StoreError) -> GatewayError {
    GatewayError::configuration(error)
}
