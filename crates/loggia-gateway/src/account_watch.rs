//! Watches the credentials that users saved for connectors, so that a connection with an old one is opened again.
//!
//! Invariant: only keyed digests of credentials are compared; the credentials themselves are not kept. A folder that has not
//! changed is not read, because a read takes its lock and opens each of its files.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use loggia_auth::error::AuthError;
use loggia_auth::jose::sha256;

use crate::credentials::Credentials;

/// The time between two looks.
const INTERVAL: Duration = Duration::from_secs(1);
/// The age from which the time of a change is not that of the next change, too: file systems count in steps.
const SETTLED: Duration = Duration::from_secs(3);

/// The saved accounts of each connector.
pub(crate) type AccountDigests = BTreeMap<String, AccountDigest>;

/// The saved accounts of one connector.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct AccountDigest {
    /// A digest of the names and the credentials.
    pub(crate) digest: String,
    /// The names; the default is the first.
    pub(crate) names: Vec<String>,
}

/// A watch on the saved accounts.
pub(crate) struct AccountWatch {
    credentials: Credentials,
    /// The key of the digests. It never leaves the process.
    key: String,
    seen: AccountDigests,
    /// The time of the folder's last change before it was read, if nothing can have changed at that time since.
    read_at: Option<SystemTime>,
}

impl AccountWatch {
    /// Reads the accounts, and watches for differences.
    ///
    /// # Errors
    ///
    /// [`AuthError`] if the store cannot be read.
    pub(crate) async fn open(credentials: Credentials, key: String) -> Result<AccountWatch, AuthError> {
        let mut watch = AccountWatch { credentials, key, seen: AccountDigests::new(), read_at: None };
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
            match self.has_changed().await {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => tracing::debug!(%error, "the saved accounts cannot be read for now"),
            }
        }
    }

    async fn has_changed(&mut self) -> Result<bool, AuthError> {
        let changed_at = self.changed_at();
        if changed_at.is_some() && changed_at == self.read_at {
            return Ok(false);
        }
        // A time in the future has no age; then the folder is read each time.
        let settled_at = changed_at.filter(|at| at.elapsed().is_ok_and(|age| age > SETTLED));
        let now = self.read().await?;
        self.read_at = settled_at;
        let has_changed = now != self.seen;
        self.seen = now;
        Ok(has_changed)
    }

    /// Returns the time at which a record was last written or removed.
    fn changed_at(&self) -> Option<SystemTime> {
        std::fs::metadata(self.credentials.existing_folder()?).ok()?.modified().ok()
    }

    async fn read(&self) -> Result<AccountDigests, AuthError> {
        let mut digests = AccountDigests::new();
        for account in self.credentials.accounts(None).await? {
            let credential = self.credentials.account_version(&account.connector, &account.name).await?;
            let credential = credential.as_ref().map_or("", |credential| credential.expose());
            let before = digests.entry(account.connector).or_default();
            let is_default = account.is_default.to_string();
            let parts = [&self.key, &before.digest, &account.name, &is_default, credential];
            before.digest = sha256(parts.map(|part| format!("{}:{part}", part.len())).concat());
            let at = if account.is_default { 0 } else { before.names.len() };
            before.names.insert(at, account.name);
        }
        Ok(digests)
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs::File;

    use loggia_connect::redact::Redactor;
    use loggia_connect::secret::Secret;

    use super::*;

    /// Each step: whether the folder is marked as changed, and whether the change of a record is seen.
    #[tokio::test]
    async fn a_folder_is_read_again_when_it_has_changed() {
        let folder = tempfile::tempdir().expect("a folder");
        let all = Credentials::new(Some(folder.path().to_owned()), Vec::new(), Redactor::default());
        all.save_account("acme", "work", Secret::new("key-0")).await.expect("saved");
        let mark = |age: u64| {
            let at = SystemTime::now() - Duration::from_secs(age);
            File::open(folder.path()).and_then(|folder| folder.set_modified(at)).expect("marked");
        };
        mark(1000);
        let mut watch = AccountWatch::open(all.clone(), "k".to_owned()).await.expect("read");
        assert!(!watch.has_changed().await.expect("read"), "nothing changed");
        for (n, (age, is_seen)) in [(1000, false), (500, true), (0, true), (0, true)].into_iter().enumerate()
        {
            let before = watch.read_at;
            all.save_account("acme", "work", Secret::new(format!("key-{}", n + 1))).await.expect("saved");
            match is_seen {
                true => mark(age),
                false => File::open(folder.path())
                    .and_then(|folder| folder.set_modified(before.expect("settled")))
                    .expect("marked"),
            }
            assert_eq!(watch.has_changed().await.expect("read"), is_seen, "step {n}");
            assert!(!watch.has_changed().await.expect("read"), "step {n} is reported once");
        }
    }
}
