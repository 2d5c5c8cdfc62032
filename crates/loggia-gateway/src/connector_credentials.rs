//! The accounts of connectors. A connector may have several, each with a name and one credential, and one of them is the
//! default. A credential is a key or password that the user entered, or that of a sign-in to the API of a direct backend.
//!
//! The first sign-in to an MCP server belongs to its URL ([`Credentials::sign_in`]); an account can stand for it.
//!
//! Invariant: a connector that has an account has a default account.

use loggia_auth::error::AuthError;
use loggia_auth::store::{FileStore, StoredRecord, TokenStore};
use loggia_connect::secret::Secret;

use crate::account_record::{ACCOUNTS, account_key, is_server_credential, learn, oauth_credential};
use crate::credentials::Credentials;

/// The prefix of the names of records that name the default account of a connector.
const DEFAULTS: &str = "account-default/";
/// The most characters of an account's name.
const LONGEST_NAME: usize = 64;
/// The most attempts to write a record that other processes write too.
const ATTEMPTS: usize = 8;

/// An account of a connector, whose credential is saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedAccount {
    /// The connector.
    pub connector: String,
    /// The name, which the user chose.
    pub name: String,
    /// True if calls that name no account use it.
    pub is_default: bool,
}

impl Credentials {
    /// Saves the credential of an account, or replaces it. The first account of a connector becomes its default.
    ///
    /// # Errors
    ///
    /// [`AuthError`] if the name cannot be that of an account, or the store cannot be written.
    pub async fn save_account(
        &self,
        connector: &str,
        account: &str,
        credential: Secret,
    ) -> Result<(), AuthError> {
        check_account_name(account)?;
        let store = FileStore::open(self.folder()?)?;
        // The first account is recorded as the default before it exists; until then the record stands for nothing.
        if default_account(&store, connector).await?.is_none() {
            write(&store, &default_key(connector), account).await?;
        }
        write(&store, &account_key(connector, account), credential.expose()).await
    }

    /// Returns the credential of an account, or with `None` that of the default account: the key, or the access token as it
    /// is now. The redactor learns it. An account that stands for the sign-in of a URL has none here.
    ///
    /// # Errors
    ///
    /// [`AuthError`] if the store cannot be read.
    pub async fn account_credential(
        &self,
        connector: &str,
        account: Option<&str>,
    ) -> Result<Option<Secret>, AuthError> {
        let Some(record) = self.account_record(connector, account).await? else { return Ok(None) };
        if is_server_credential(&record) {
            return Ok(None);
        }
        if let Some(credential) = oauth_credential(&record) {
            learn(self, connector, &credential);
            return Ok(Some(credential.access_token));
        }
        self.redactor().learn_secret(&record, &format!("[the credential of {connector}]"));
        Ok(Some(record))
    }

    /// Returns the record of an account, or with `None` that of the default account.
    pub(crate) async fn account_record(
        &self,
        connector: &str,
        account: Option<&str>,
    ) -> Result<Option<Secret>, AuthError> {
        let Some(store) = self.existing_store()? else { return Ok(None) };
        let account = match account {
            Some(account) => account.to_owned(),
            None => match default_account(&store, connector).await? {
                Some(account) => account,
                None => return Ok(None),
            },
        };
        Ok(store.load(&account_key(connector, &account)).await?.map(|record| record.value))
    }

    /// Returns a text that differs for another credential of an account. A renewal of its token changes nothing.
    pub(crate) async fn account_version(
        &self,
        connector: &str,
        account: &str,
    ) -> Result<Option<Secret>, AuthError> {
        let record = self.account_record(connector, Some(account)).await?;
        Ok(record.map(|record| match oauth_credential(&record) {
            Some(credential) => Secret::new(format!("{} {}", credential.issuer, credential.session)),
            None => record,
        }))
    }

    /// Returns the accounts of a connector, or with `None` those of all connectors, sorted by their names.
    ///
    /// # Errors
    ///
    /// [`AuthError`] if the store cannot be read.
    pub async fn accounts(&self, connector: Option<&str>) -> Result<Vec<SavedAccount>, AuthError> {
        let Some(store) = self.existing_store()? else { return Ok(Vec::new()) };
        let start = connector.map_or_else(|| ACCOUNTS.to_owned(), |connector| account_key(connector, ""));
        let mut accounts: Vec<SavedAccount> = Vec::new();
        for key in store.keys(&start).await? {
            let parts = key.strip_prefix(ACCOUNTS).and_then(|rest| rest.split_once('/'));
            let Some((connector, name)) = parts else { continue };
            let (connector, name) = (connector.to_owned(), name.to_owned());
            accounts.push(SavedAccount { connector, name, is_default: false });
        }
        for account in &mut accounts {
            let default = default_account(&store, &account.connector).await?;
            account.is_default = default.as_deref() == Some(account.name.as_str());
        }
        accounts.sort_by(|one, other| (&one.connector, &one.name).cmp(&(&other.connector, &other.name)));
        Ok(accounts)
    }

    /// Removes an account with its credential. If it was the default, the first of the others becomes the default. Returns
    /// `false` if there is no such account.
    ///
    /// # Errors
    ///
    /// [`AuthError`] if the store cannot be written.
    pub async fn remove_account(&self, connector: &str, account: &str) -> Result<bool, AuthError> {
        let Some(store) = self.existing_store()? else { return Ok(false) };
        let is_removed = remove(&store, &account_key(connector, account)).await?;
        // The default that is recorded may be gone now: the first of the others is recorded in its place.
        match default_account(&store, connector).await? {
            Some(default) => write(&store, &default_key(connector), &default).await?,
            None => drop(remove(&store, &default_key(connector)).await?),
        }
        Ok(is_removed)
    }

    /// Removes all accounts of a connector. Returns their number.
    ///
    /// # Errors
    ///
    /// [`AuthError`] if the store cannot be written.
    pub async fn remove_accounts(&self, connector: &str) -> Result<usize, AuthError> {
        let accounts = self.accounts(Some(connector)).await?;
        for account in &accounts {
            self.remove_account(connector, &account.name).await?;
        }
        Ok(accounts.len())
    }

    /// Renames an account. It stays the default if it is.
    ///
    /// # Errors
    ///
    /// [`AuthError`] if there is no such account, if another has the new name, or the store cannot be written.
    pub async fn rename_account(&self, connector: &str, account: &str, new: &str) -> Result<(), AuthError> {
        check_account_name(new)?;
        let store = FileStore::open(self.folder()?)?;
        let record = store.load(&account_key(connector, account)).await?;
        let record = record.ok_or_else(|| no_account(connector, account))?;
        let is_default = default_account(&store, connector).await?.as_deref() == Some(account);
        if store.save(&account_key(connector, new), record.value, None, None).await?.is_none() {
            return Err(AuthError::Configuration(format!(
                "the connector {connector} has an account {new} already"
            )));
        }
        if is_default {
            write(&store, &default_key(connector), new).await?;
        }
        remove(&store, &account_key(connector, account)).await.map(drop)
    }

    /// Makes an account the default.
    ///
    /// # Errors
    ///
    /// [`AuthError`] if there is no such account, or the store cannot be written.
    pub async fn set_default_account(&self, connector: &str, account: &str) -> Result<(), AuthError> {
        let store = FileStore::open(self.folder()?)?;
        match store.load(&account_key(connector, account)).await? {
            Some(_) => write(&store, &default_key(connector), account).await,
            None => Err(no_account(connector, account)),
        }
    }

    /// Removes a record, if it exists.
    pub(crate) async fn remove_record(&self, key: &str) -> Result<(), AuthError> {
        match self.existing_store()? {
            Some(store) => remove(&store, key).await.map(drop),
            None => Ok(()),
        }
    }

    fn existing_store(&self) -> Result<Option<FileStore>, AuthError> {
        self.existing_folder().map(FileStore::open).transpose()
    }
}

/// Checks a name of an account, which people choose: an address of mail fits.
///
/// # Errors
///
/// [`AuthError::Configuration`] with the rule.
pub(crate) fn check_account_name(name: &str) -> Result<(), AuthError> {
    let is_allowed = |c: char| !c.is_control() && c != '/';
    let length = name.chars().count();
    if (1..=LONGEST_NAME).contains(&length) && name.trim() == name && name.chars().all(is_allowed) {
        return Ok(());
    }
    Err(AuthError::Configuration(format!(
        "{name:?} cannot name an account: a name has 1 to {LONGEST_NAME} characters without '/', and no space at its ends"
    )))
}

fn default_key(connector: &str) -> String {
    format!("{DEFAULTS}{connector}")
}

fn no_account(connector: &str, account: &str) -> AuthError {
    AuthError::Configuration(format!("the connector {connector} has no account {account:?}"))
}

/// Returns the account that is recorded as the default, if it exists, or else the first one.
async fn default_account(store: &FileStore, connector: &str) -> Result<Option<String>, AuthError> {
    let start = account_key(connector, "");
    let keys = store.keys(&start).await?;
    let mut names: Vec<&str> = keys.iter().filter_map(|key| key.strip_prefix(&start)).collect();
    names.sort_unstable();
    let recorded = store.load(&default_key(connector)).await?;
    let recorded = recorded.as_ref().map(|record| record.value.expose());
    let found = names.iter().find(|name| Some(**name) == recorded).or(names.first());
    Ok(found.map(|name| (*name).to_owned()))
}

/// Writes a record over the one that is there.
async fn write(store: &FileStore, key: &str, value: &str) -> Result<(), AuthError> {
    for _ in 0..ATTEMPTS {
        let revision = store.load(key).await?.map(|record| record.revision);
        let value = loggia_auth::secret::Secret::new(value);
        if store.save(key, value, revision, None).await?.is_some() {
            return Ok(());
        }
    }
    Err(AuthError::Store("other processes write the same account; try again".to_owned()))
}

async fn remove(store: &FileStore, key: &str) -> Result<bool, AuthError> {
    match store.load(key).await? {
        Some(StoredRecord { revision, .. }) => store.remove(key, revision).await,
        None => Ok(false),
    }
}

#[cfg(test)]
mod tests {
    use loggia_connect::redact::Redactor;

    use super::*;

    fn credentials(folder: &tempfile::TempDir) -> Credentials {
        Credentials::new(Some(folder.path().join("credentials")), Vec::new(), Redactor::default())
    }

    /// Writes the accounts of all connectors, with their credentials: the default has a star.
    async fn written(credentials: &Credentials) -> String {
        let mut lines = Vec::new();
        for SavedAccount { connector, name, is_default } in credentials.accounts(None).await.expect("read") {
            let credential = credentials.account_credential(&connector, Some(&name)).await.expect("read");
            let credential = credential.map(|credential| credential.expose().to_owned()).unwrap_or_default();
            let star = if is_default { "*" } else { "" };
            lines.push(format!("{connector}/{name}{star}={credential}"));
        }
        lines.join(" ")
    }

    #[tokio::test]
    async fn accounts_are_saved_renamed_and_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let all = credentials(&folder);
        assert_eq!(all.account_credential("notion", None).await.expect("read").map(drop), None);
        assert!(!folder.path().join("credentials").exists(), "reading creates nothing");

        for (connector, account, credential) in
            [("notion", "work", "k1"), ("notion", "home", "k2"), ("notion-2", "a@b.example", "k3")]
        {
            all.save_account(connector, account, Secret::new(credential)).await.expect("saved");
        }
        assert_eq!(written(&all).await, "notion/home=k2 notion/work*=k1 notion-2/a@b.example*=k3");
        all.save_account("notion", "work", Secret::new("k4")).await.expect("replaced");
        all.rename_account("notion", "work", "office").await.expect("renamed");
        assert_eq!(written(&all).await, "notion/home=k2 notion/office*=k4 notion-2/a@b.example*=k3");
        all.set_default_account("notion", "home").await.expect("set");
        let default = all.account_credential("notion", None).await.expect("read");
        assert_eq!(default.expect("a default").expose(), "k2");
        all.save_account("notion", "long", Secret::new("key_123456")).await.expect("saved");
        all.account_credential("notion", Some("long")).await.expect("read").expect("an account");
        assert_eq!(all.redactor().redact("no key_123456"), "no [the credential of notion]");
        assert!(all.remove_account("notion", "long").await.expect("removed"));
        assert!(all.remove_account("notion", "home").await.expect("removed"));
        assert_eq!(written(&all).await, "notion/office*=k4 notion-2/a@b.example*=k3");
        assert!(!all.remove_account("notion", "home").await.expect("nothing to remove"));
        assert_eq!(all.accounts(Some("notion")).await.expect("read").len(), 1, "and not those of notion-2");
        assert_eq!(all.remove_accounts("notion").await.expect("removed"), 1);
        // A new first account is the default, whatever the connector had before.
        all.save_account("notion", "new", Secret::new("k5")).await.expect("saved");
        assert_eq!(written(&all).await, "notion/new*=k5 notion-2/a@b.example*=k3");
    }

    #[tokio::test]
    async fn an_account_that_cannot_be_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let all = credentials(&folder);
        for account in ["work", "home"] {
            all.save_account("notion", account, Secret::new("k")).await.expect("saved");
        }
        for name in ["", "a/b", " a", "a\n", &"x".repeat(65)] {
            let error = all.save_account("notion", name, Secret::new("s3cret")).await.expect_err("refused");
            assert!(error.to_string().contains("cannot name an account"), "{name:?}: {error}");
        }
        let taken = all.rename_account("notion", "work", "home").await.expect_err("refused");
        assert!(taken.to_string().contains("has an account home already"), "{taken}");
        for missing in [
            all.rename_account("notion", "none", "other").await,
            all.set_default_account("notion", "none").await,
        ] {
            assert!(missing.expect_err("refused").to_string().contains("has no account \"none\""));
        }
        assert_eq!(written(&all).await, "notion/home=k notion/work*=k");
    }
}
