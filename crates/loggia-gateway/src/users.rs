//! Administration of the users of a gateway: their sign-ins, API keys and credentials for connectors, and the end of
//! all access when a user leaves. It uses the vault, so the gateway may be running. Invariant: sign-ins and keys end
//! before credentials are deleted, so that no new credential is saved meanwhile.

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
use crate::user_report::{EndedAccess, ForgottenCredentials, RemovedUser, RevocationFailure, UserList};
use crate::vault::{VaultLocation, api_keys};

/// The prefix of the names of tokens. Unfinished sign-ins have other names.
const TOKENS: &str = "credential/";
/// The next steps after a name that is not found.
const LIST: &str = "`loggia auth people list` lists the users who have signed in";
const LIST_CREDENTIALS: &str = "`loggia auth people list` lists the users and their credentials";

/// The users of a gateway.
pub struct Users {
    vault: Vault,
    accounts: UserAccounts,
    connectors: Vec<PersonalConnector>,
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

    /// Returns the users who are signed in to the gateway or have credentials for its connectors.
    ///
    /// # Errors
    ///
    /// [`GatewayError`] if the vault cannot be read.
    pub async fn list(&self) -> Result<UserList> {
        let credentials = self.credentials(None).await?;
        Ok(UserList { signed_in: self.sessions().signed_in().await?, credentials })
    }

    /// Ends the sign-ins of a user, and revokes the user's API keys.
    ///
    /// # Errors
    ///
    /// [`GatewayError::NotFound`] if the user has neither, and [`GatewayError::Auth`] if the vault cannot be written.
    pub async fn sign_out(&self, owner: &str) -> Result<EndedAccess> {
        let ended = self.end_access(owner).await?;
        match ended.is_empty() {
            true => Err(not_found(format!("{owner:?} is not signed in, and has no API key"), LIST)),
            false => Ok(ended),
        }
    }

    /// Ends all access of a user who leaves, and deletes the user's credentials.
    ///
    /// # Errors
    ///
    /// [`GatewayError::NotFound`] if the user has no access and no credential, and else [`GatewayError`] if the vault cannot be
    /// written.
    pub async fn remove(&self, owner: &str) -> Result<RemovedUser> {
        let access = self.end_access(owner).await?;
        let forgotten = self.delete(owner, self.credentials(Some(owner)).await?).await?;
        if access.is_empty() && forgotten.credentials.is_empty() {
            let what = format!("there is no sign-in, API key or credential of {owner:?}");
            return Err(not_found(what, LIST));
        }
        Ok(RemovedUser { access, forgotten })
    }

    /// Deletes a user's credential for a connector, by any spelling of its name, or those for all connectors, and revokes
    /// them at the servers that issued them.
    ///
    /// # Errors
    ///
    /// [`GatewayError::NotFound`] if there is none, and [`GatewayError::Configuration`] if the vault cannot be written.
    pub async fn forget(&self, owner: &str, connector: Option<&str>) -> Result<ForgottenCredentials> {
        let mut credentials = self.credentials(Some(owner)).await?;
        let name = connector.map(|written| connector_name(written).unwrap_or_else(|_| written.to_owned()));
        credentials.retain(|entry| name.as_ref().is_none_or(|name| entry.connector == *name));
        if credentials.is_empty() {
            return Err(not_found(format!("there is no such credential of {owner:?}"), LIST_CREDENTIALS));
        }
        self.delete(owner, credentials).await
    }

    /// Returns the credentials of users for connectors; only those of `owner` if it is given.
    async fn credentials(&self, owner: Option<&str>) -> Result<Vec<VaultEntry>> {
        let mut entries = self.vault.list(owner).await.map_err(failed)?;
        entries.retain(|entry| entry.name.starts_with(TOKENS) || entry.name == API_KEY);
        Ok(entries)
    }

    async fn end_access(&self, owner: &str) -> Result<EndedAccess> {
        let sign_ins = self.sessions().sign_out(owner).await?;
        let keys = api_keys(&self.vault).revoke_all(owner, SystemTime::now()).await?;
        Ok(EndedAccess { owner: owner.to_owned(), sign_ins, keys })
    }

    async fn delete(&self, owner: &str, credentials: Vec<VaultEntry>) -> Result<ForgottenCredentials> {
        let mut failures = Vec::new();
        for entry in &credentials {
            if let Err(reason) = self.revoke(owner, &entry.connector).await {
                failures.push(RevocationFailure { connector: entry.connector.clone(), reason });
            }
            self.vault.forget_connector(owner, &entry.connector).await.map_err(failed)?;
        }
        Ok(ForgottenCredentials { credentials, failures })
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

fn not_found(message: String, next_step: &str) -> GatewayError {
    GatewayError::NotFound { message, next_step: next_step.to_owned() }
}

fn failed(error: StoreError) -> GatewayError {
    GatewayError::configuration(error)
}
