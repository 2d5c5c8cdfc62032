//! Watches the credentials that users saved for connectors, so that a connection with an old one is opened again.
//!
//! Invariant: only keyed digests of credentials are compared; the credentials themselves are not kept.

use std::collections::BTreeMap;
use std::time::Duration;

use loggia_auth::error::AuthError;
use loggia_auth::jose::sha256;

use crate::credentials::Credentials;

/// The time between two looks.
const INTERVAL: Duration = Duration::from_secs(1);

/// A digest of all accounts of each connector.
pub(crate) type AccountDigests = BTreeMap<String, String>;

/// A watch on the saved accounts.
pub(crate) struct AccountWatch {
    credentials: Credentials,
    /// The key of the digests. It never leaves the process.
    key: String,
    seen: AccountDigests,
}

impl AccountWatch {
    /// Reads the accounts, and watches for differences.
    ///
    /// # Errors
    ///
    /// [`AuthError`] if the store cannot be read.
    pub(crate) async fn open(credentials: Credentials, key: String) -> Result<AccountWatch, AuthError> {
        let mut watch = AccountWatch { credentials, key, seen: AccountDigests::new() };
        watch.seen = watch.read().await?;
        Ok(watch)
    }

    /// Returns the digests as they were last read.
    pub(crate) fn digests(&self) -> &AccountDigests {
        &self.seen
    }

    /// Waits for a change. A store that cannot be read is tried again.
    pub(crate) async fn changed(&mut self) {
        loop {
            tokio::time::sleep(INTERVAL).await;
            match self.read().await {
                Ok(now) if now != self.seen => {
                    self.seen = now;
                    return;
                }
                Ok(_) => {}
                Err(error) => tracing::debug!(%error, "the saved accounts cannot be read for now"),
            }
        }
    }

    async fn read(&self) -> Result<AccountDigests, AuthError> {
        let mut digests = AccountDigests::new();
        for account in self.credentials.accounts(None).await? {
            let name = Some(account.name.as_str());
            let credential = self.credentials.account_credential(&account.connector, name).await?;
            let credential = credential.as_ref().map_or("", |credential| credential.expose());
            let before = digests.entry(account.connector).or_default();
            let parts = [&self.key, before, &account.name, &account.is_default.to_string(), credential];
            *before = sha256(parts.map(|part| format!("{}:{part}", part.len())).concat());
        }
        Ok(digests)
    }
}
