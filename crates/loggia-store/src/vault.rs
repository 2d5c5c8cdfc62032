//! The vault: credentials of users, encrypted at rest. It keeps tokens and API keys out of configuration files.
//!
//! Invariant: a record belongs to one user and one connector, can be listed without being decrypted, and is deleted
//! from the database by `forget`.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use loggia_auth::clock::{self, Clock};
use loggia_auth::secret::Secret;
use serde::{Deserialize, Serialize};

use crate::database::{Database, Row, SqlValue};
use crate::encrypted_records::{CredentialKind, EncryptedRecords};
use crate::envelope::{self, RecordId};
use crate::error::StoreError;
use crate::master::MasterKeys;
use crate::namespace::Namespace;

/// A credential that the user entered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SavedLogin {
    /// An API key or a token that does not change.
    ApiKey(Secret),
    /// A name and a password.
    Basic {
        /// The name.
        user: String,
        /// The password.
        password: Secret,
    },
}

/// The stored form of a [`SavedLogin`].
#[derive(Serialize, Deserialize)]
struct LoginRecord {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(serialize_with = "Secret::reveal")]
    secret: Secret,
}

/// The description of a record, read without decrypting it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultEntry {
    /// The user that it belongs to.
    pub owner: String,
    /// The connector that it is for.
    pub connector: String,
    /// Its name, for users with several credentials of one connector.
    pub name: String,
    /// The kind of the credential.
    pub kind: CredentialKind,
    /// The time when it was first written.
    pub created: SystemTime,
    /// The time when it was last written.
    pub updated: SystemTime,
    /// The time when it expires.
    pub until: Option<SystemTime>,
    /// The name of the master key that encrypts it.
    pub master: String,
}

/// The vault. Cheap to clone.
#[derive(Clone)]
pub struct Vault {
    records: EncryptedRecords,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault")
    }
}

/// The number of records that one step of a rotation encrypts again.
const BATCH: i64 = 200;

impl Vault {
    /// Opens the vault. Fails if a record is encrypted with a key that is not in `keys`, so that a missing key is
    /// found at the start and not when the record is needed.
    pub async fn open(database: Database, keys: MasterKeys) -> Result<Vault, StoreError> {
        Vault::open_at(database, keys, clock::system()).await
    }

    /// Opens the vault with another clock, for tests.
    pub async fn open_at(database: Database, keys: MasterKeys, clock: Clock) -> Result<Vault, StoreError> {
        let vault = Vault { records: EncryptedRecords::new(database, keys, clock) };
        vault.purge().await?;
        for name in vault.masters().await? {
            if vault.records.keys().get(&name).is_none() {
                return Err(StoreError::Key(format!(
                    "records are sealed with the key {name}, which is not among those given ({})",
                    vault.records.keys().names().join(", ")
                )));
            }
        }
        Ok(vault)
    }

    /// Returns the records of one user for one connector, as the store of an OAuth client.
    pub fn scope(&self, owner: impl Into<String>, connector: impl Into<String>) -> Namespace {
        Namespace::new(self.records.clone(), owner.into(), connector.into(), CredentialKind::OAuth)
    }

    /// Returns Loggia's own records: the state of the authorization server, API keys.
    pub fn internal(&self, part: impl Into<String>) -> Namespace {
        Namespace::new(self.records.clone(), String::new(), part.into(), CredentialKind::Internal)
    }

    /// Saves a credential that a user entered, and replaces the previous one.
    pub async fn put(
        &self,
        owner: &str,
        connector: &str,
        name: &str,
        login: &SavedLogin,
    ) -> Result<(), StoreError> {
        let (kind, written) = match login {
            SavedLogin::ApiKey(secret) => {
                (CredentialKind::ApiKey, LoginRecord { user: None, secret: secret.clone() })
            }
            SavedLogin::Basic { user, password } => {
                (CredentialKind::Basic, LoginRecord { user: Some(user.clone()), secret: password.clone() })
            }
        };
        let text =
            serde_json::to_string(&written).map_err(|error| StoreError::Unreadable(error.to_string()))?;
        let place = RecordId { owner, connector, name, kind: kind.as_str() };
        self.records
            .database()
            .execute(REPLACE, self.records.row(place, &Secret::new(text), None))
            .await
            .map(|_| ())
    }

    /// Returns a credential that a user entered.
    pub async fn get(
        &self,
        owner: &str,
        connector: &str,
        name: &str,
    ) -> Result<Option<SavedLogin>, StoreError> {
        let Some(opened) = self.records.read(owner, connector, name).await? else { return Ok(None) };
        let unreadable = || StoreError::Unreadable(format!("{owner}/{connector}/{name}"));
        let written: LoginRecord = serde_json::from_str(opened.plain.expose()).map_err(|_| unreadable())?;
        match (opened.kind, written) {
            (CredentialKind::ApiKey, written) => Ok(Some(SavedLogin::ApiKey(written.secret))),
            (CredentialKind::Basic, LoginRecord { user: Some(user), secret }) => {
                Ok(Some(SavedLogin::Basic { user, password: secret }))
            }
            _ => Err(unreadable()),
        }
    }

    /// Lists the records of one user, or of all. Decrypts nothing.
    pub async fn list(&self, owner: Option<&str>) -> Result<Vec<VaultEntry>, StoreError> {
        let values = vec![
            SqlValue::from(owner.unwrap_or_default()),
            i64::from(owner.is_none()).into(),
            self.records.now().into(),
        ];
        let rows = self.records.database().query(LIST, values).await?;
        rows.into_iter().map(entry).collect()
    }

    /// Deletes one record, and returns whether it existed.
    pub async fn forget(&self, owner: &str, connector: &str, name: &str) -> Result<bool, StoreError> {
        let values = vec![owner.into(), connector.into(), name.into()];
        Ok(self.records.database().execute(FORGET, values).await? > 0)
    }

    /// Deletes all records of a user for a connector, and returns their number. The caller should revoke tokens at
    /// their issuer first.
    pub async fn forget_connector(&self, owner: &str, connector: &str) -> Result<u64, StoreError> {
        self.records.database().execute(FORGET_CONNECTOR, vec![owner.into(), connector.into()]).await
    }

    /// Deletes all records of a user, and returns their number.
    pub async fn forget_owner(&self, owner: &str) -> Result<u64, StoreError> {
        self.records.database().execute(FORGET_OWNER, vec![owner.into()]).await
    }

    /// Deletes expired records, and returns their number.
    pub async fn purge(&self) -> Result<u64, StoreError> {
        let now = self.records.now();
        self.records.database().execute(PURGE_LEASES, vec![now.into()]).await?;
        self.records.database().execute(PURGE, vec![now.into()]).await
    }

    /// Encrypts every record with the newest of `keys`, which must include the older ones, and returns the number of
    /// records that changed. A rotation that stopped can be started again. Other processes that have the new keys can
    /// read and write meanwhile.
    pub async fn rotate(&self, keys: MasterKeys) -> Result<u64, StoreError> {
        self.records.set_keys(keys);
        let keys = self.records.keys();
        let (newest, key) = keys.newest_key();
        let mut moved = 0;
        loop {
            let rows =
                self.records.database().query(OTHERWISE_SEALED, vec![newest.into(), BATCH.into()]).await?;
            if rows.is_empty() {
                return Ok(moved);
            }
            for mut row in rows {
                let (owner, connector, name, kind) = (row.text(0)?, row.text(1)?, row.text(2)?, row.text(3)?);
                let (old, wrapped) = (row.text(4)?, row.blob(5)?);
                let place = RecordId { owner: &owner, connector: &connector, name: &name, kind: &kind };
                let anew = keys.get(&old).and_then(|old| envelope::rewrap(old, key, place, &wrapped));
                let anew = anew.ok_or_else(|| StoreError::Sealed(format!("{owner}/{connector}/{name}")))?;
                let values = vec![
                    SqlValue::from(&*owner),
                    connector.as_str().into(),
                    name.as_str().into(),
                    wrapped.into(),
                    newest.into(),
                    anew.into(),
                ];
                // If a process wrote the record meanwhile, it used the newest key, and no row matches.
                moved += self.records.database().execute(REWRAP, values).await?;
            }
        }
    }

    /// Returns the names of the master keys that encrypt at least one record.
    pub async fn masters(&self) -> Result<Vec<String>, StoreError> {
        let rows = self.records.database().query(MASTERS, Vec::new()).await?;
        rows.into_iter().map(|mut row| row.text(0)).collect()
    }
}

fn entry(mut row: Row) -> Result<VaultEntry, StoreError> {
    let kind = row.text(3)?;
    Ok(VaultEntry {
        owner: row.text(0)?,
        connector: row.text(1)?,
        name: row.text(2)?,
        kind: CredentialKind::parse(&kind).ok_or(StoreError::Unreadable(kind))?,
        created: from_micros(row.int(4)?),
        updated: from_micros(row.int(5)?),
        until: row.maybe_int(6)?.map(from_micros),
        master: row.text(7)?,
    })
}

fn from_micros(micros: i64) -> SystemTime {
    UNIX_EPOCH + std::time::Duration::from_micros(u64::try_from(micros).unwrap_or_default())
}

const REPLACE: &str = "INSERT INTO secrets
    (owner, connector, name, kind, revision, created, updated, until, master, wrapped, sealed)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7, ?8, ?9, ?10)
    ON CONFLICT (owner, connector, name) DO UPDATE SET
        kind = excluded.kind, updated = excluded.updated, until = excluded.until, master = excluded.master,
        wrapped = excluded.wrapped, sealed = excluded.sealed,
        revision = CASE WHEN excluded.revision > secrets.revision THEN excluded.revision ELSE secrets.revision + 1 END";

const LIST: &str = "SELECT owner, connector, name, kind, created, updated, until, master FROM secrets
    WHERE owner <> '' AND (owner = ?1 OR CAST(?2 AS BIGINT) = 1) AND (until IS NULL OR until > ?3)
    ORDER BY owner, connector, name";

const FORGET: &str = "DELETE FROM secrets WHERE owner = ?1 AND connector = ?2 AND name = ?3";

const FORGET_CONNECTOR: &str = "DELETE FROM secrets WHERE owner = ?1 AND connector = ?2";

const FORGET_OWNER: &str = "DELETE FROM secrets WHERE owner = ?1";

const PURGE: &str = "DELETE FROM secrets WHERE until <= ?1";

const PURGE_LEASES: &str = "DELETE FROM leases WHERE until <= ?1";

const MASTERS: &str = "SELECT DISTINCT master FROM secrets";

const OTHERWISE_SEALED: &str = "SELECT owner, connector, name, kind, master, wrapped FROM secrets
    WHERE master <> ?1 LIMIT ?2";

const REWRAP: &str = "UPDATE secrets SET master = ?5, wrapped = ?6
    WHERE owner = ?1 AND connector = ?2 AND name = ?3 AND wrapped = ?4";
