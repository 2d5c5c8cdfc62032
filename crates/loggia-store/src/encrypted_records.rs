//! The encrypted records of the vault: rows in the database, encrypted and decrypted with the master keys.
//!
//! The vault and the token stores of its namespaces both use them. Invariant: no plain text is written to the
//! database, and no record is read after its expiry.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use loggia_auth::clock::Clock;
use loggia_auth::secret::Secret;
use zeroize::Zeroizing;

use crate::database::{Database, SqlValue};
use crate::envelope::{self, Envelope, RecordId};
use crate::error::StoreError;
use crate::master::MasterKeys;

/// The kind of credential that a record holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CredentialKind {
    /// Tokens of an authorization server, with the data that belongs to them.
    OAuth,
    /// An API key.
    ApiKey,
    /// A name and a password.
    Basic,
    /// A record of Loggia itself.
    Internal,
}

impl CredentialKind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            CredentialKind::OAuth => "oauth",
            CredentialKind::ApiKey => "api_key",
            CredentialKind::Basic => "basic",
            CredentialKind::Internal => "internal",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<CredentialKind> {
        [CredentialKind::OAuth, CredentialKind::ApiKey, CredentialKind::Basic, CredentialKind::Internal]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }
}

impl fmt::Display for CredentialKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The encrypted records. Cheap to clone.
#[derive(Clone)]
pub(crate) struct EncryptedRecords {
    shared: Arc<RecordsState>,
}

struct RecordsState {
    database: Database,
    keys: RwLock<MasterKeys>,
    clock: Clock,
}

impl fmt::Debug for EncryptedRecords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EncryptedRecords")
    }
}

/// A decrypted record.
pub(crate) struct PlainRecord {
    pub(crate) kind: CredentialKind,
    pub(crate) plain: Secret,
    pub(crate) revision: i64,
}

impl EncryptedRecords {
    pub(crate) fn new(database: Database, keys: MasterKeys, clock: Clock) -> EncryptedRecords {
        EncryptedRecords { shared: Arc::new(RecordsState { database, keys: RwLock::new(keys), clock }) }
    }

    pub(crate) fn database(&self) -> &Database {
        &self.shared.database
    }

    /// Returns the time in microseconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        micros((self.shared.clock)())
    }

    /// Returns the master keys, newest first.
    pub(crate) fn keys(&self) -> MasterKeys {
        self.shared.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces the master keys. Records are written with the newest from now on.
    pub(crate) fn set_keys(&self, keys: MasterKeys) {
        *self.shared.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
    }

    /// Returns the values of a new row: owner, connector, name, kind, revision, time, expiry, master key, data key and
    /// record.
    pub(crate) fn row(
        &self,
        place: RecordId<'_>,
        plain: &Secret,
        until: Option<SystemTime>,
    ) -> Vec<SqlValue> {
        let keys = self.keys();
        let (master, key) = keys.newest_key();
        let Envelope { wrapped, sealed } = envelope::seal(key, place, plain.expose().as_bytes());
        let now = self.now();
        vec![
            place.owner.into(),
            place.connector.into(),
            place.name.into(),
            place.kind.into(),
            now.into(),
            now.into(),
            until.map(micros).into(),
            master.into(),
            wrapped.into(),
            sealed.into(),
        ]
    }

    /// Reads and decrypts a record; `None` if it does not exist or has expired.
    pub(crate) async fn read(
        &self,
        owner: &str,
        connector: &str,
        name: &str,
    ) -> Result<Option<PlainRecord>, StoreError> {
        let values = vec![owner.into(), connector.into(), name.into(), self.now().into()];
        let Some(mut row) = self.database().query(READ, values).await?.pop() else { return Ok(None) };
        let (kind, revision, master) = (row.text(0)?, row.int(1)?, row.text(2)?);
        let envelope = Envelope { wrapped: row.blob(3)?, sealed: row.blob(4)? };
        let place = RecordId { owner, connector, name, kind: &kind };
        let full_name = || format!("{owner}/{connector}/{name}");
        let plain = self.keys().get(&master).and_then(|key| envelope::open(key, place, &envelope));
        let plain = plain.ok_or_else(|| StoreError::Sealed(full_name()))?;
        let text = Zeroizing::new(
            String::from_utf8(plain.to_vec()).map_err(|_| StoreError::Unreadable(full_name()))?,
        );
        let kind = CredentialKind::parse(&kind).ok_or_else(|| StoreError::Unreadable(full_name()))?;
        Ok(Some(PlainRecord { kind, plain: Secret::new(text.as_str()), revision }))
    }
}

pub(crate) fn micros(time: SystemTime) -> i64 {
    i64::try_from(time.duration_since(UNIX_EPOCH).unwrap_or_default().as_micros()).unwrap_or(i64::MAX)
}

const READ: &str = "SELECT kind, revision, master, wrapped, sealed FROM secrets
    WHERE owner = ?1 AND connector = ?2 AND name = ?3 AND (until IS NULL OR until > ?4)";
