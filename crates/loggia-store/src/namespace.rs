//! The records of one owner in the vault: the tokens of a client, or the state of the authorization server. A record
//! is changed only if its revision is the one that was read. A lease is the right to change a record for a limited
//! time.

use std::time::{Duration, SystemTime};

use loggia_auth::secret::Secret;
use loggia_auth::store::{StoreFuture, StoredRecord, TokenStore};

use crate::database::SqlValue;
use crate::encrypted_records::{CredentialKind, EncryptedRecords};
use crate::envelope::RecordId;
use crate::error::StoreError;

/// The records of one owner for one connector. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Namespace {
    records: EncryptedRecords,
    owner: String,
    connector: String,
    kind: CredentialKind,
}

impl Namespace {
    pub(crate) fn new(
        records: EncryptedRecords,
        owner: String,
        connector: String,
        kind: CredentialKind,
    ) -> Namespace {
        Namespace { records, owner, connector, kind }
    }

    fn place<'a>(&'a self, name: &'a str) -> RecordId<'a> {
        RecordId { owner: &self.owner, connector: &self.connector, name, kind: self.kind.as_str() }
    }

    /// Returns the name of a lease. The lengths of its parts make it unambiguous.
    fn lease_name(&self, name: &str) -> String {
        format!("{}:{}{}:{}{name}", self.owner.len(), self.owner, self.connector.len(), self.connector)
    }

    async fn write(
        &self,
        name: &str,
        value: &Secret,
        expected: Option<u64>,
        until: Option<SystemTime>,
    ) -> Result<Option<u64>, StoreError> {
        let mut values = self.records.row(self.place(name), value, until);
        let revision = match expected {
            None => self.records.now(),
            Some(expected) => number(expected)?.saturating_add(1).max(self.records.now()),
        };
        values[4] = revision.into();
        let statement = match expected {
            None => CREATE,
            Some(expected) => {
                values.push(number(expected)?.into());
                UPDATE
            }
        };
        let written = self.records.database().query(statement, values).await?.pop();
        written.map(|mut row| Ok(row.int(0)?.unsigned_abs())).transpose()
    }

    async fn take_lease(&self, name: &str, holder: &str, time: Duration) -> Result<bool, StoreError> {
        let now = self.records.now();
        let until = now.saturating_add(i64::try_from(time.as_micros()).unwrap_or(i64::MAX));
        let values = vec![SqlValue::from(&*self.lease_name(name)), holder.into(), until.into(), now.into()];
        Ok(self.records.database().execute(LEASE, values).await? > 0)
    }
}

fn number(revision: u64) -> Result<i64, StoreError> {
    i64::try_from(revision).map_err(|_| StoreError::Database("there is no such revision".to_owned()))
}

impl TokenStore for Namespace {
    fn load<'a>(&'a self, key: &'a str) -> StoreFuture<'a, Option<StoredRecord>> {
        Box::pin(async move {
            let opened = self.records.read(&self.owner, &self.connector, key).await?;
            Ok(opened
                .map(|opened| StoredRecord { value: opened.plain, revision: opened.revision.unsigned_abs() }))
        })
    }

    fn save<'a>(
        &'a self,
        key: &'a str,
        value: Secret,
        expected: Option<u64>,
        until: Option<SystemTime>,
    ) -> StoreFuture<'a, Option<u64>> {
        Box::pin(async move { Ok(self.write(key, &value, expected, until).await?) })
    }

    fn remove<'a>(&'a self, key: &'a str, expected: u64) -> StoreFuture<'a, bool> {
        Box::pin(async move {
            let values = vec![
                self.owner.as_str().into(),
                self.connector.as_str().into(),
                key.into(),
                number(expected)?.into(),
                micros_now(&self.records),
            ];
            Ok(self.records.database().execute(REMOVE, values).await? > 0)
        })
    }

    fn lease<'a>(&'a self, key: &'a str, holder: &'a str, time: Duration) -> StoreFuture<'a, bool> {
        Box::pin(async move { Ok(self.take_lease(key, holder, time).await?) })
    }

    fn release<'a>(&'a self, key: &'a str, holder: &'a str) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            let values = vec![SqlValue::from(&*self.lease_name(key)), holder.into()];
            self.records.database().execute(RELEASE, values).await?;
            Ok(())
        })
    }

    fn keys<'a>(&'a self, start: &'a str) -> StoreFuture<'a, Vec<String>> {
        Box::pin(async move {
            let values = vec![
                self.owner.as_str().into(),
                self.connector.as_str().into(),
                start.into(),
                micros_now(&self.records),
            ];
            let rows = self.records.database().query(NAMES, values).await?;
            Ok(rows.into_iter().map(|mut row| row.text(0)).collect::<Result<_, _>>()?)
        })
    }
}

fn micros_now(records: &EncryptedRecords) -> SqlValue {
    records.now().into()
}

/// Creates a record, or replaces one that has expired.
const CREATE: &str = "INSERT INTO secrets
    (owner, connector, name, kind, revision, created, updated, until, master, wrapped, sealed)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7, ?8, ?9, ?10)
    ON CONFLICT (owner, connector, name) DO UPDATE SET
        kind = excluded.kind, created = excluded.created, updated = excluded.updated, until = excluded.until,
        master = excluded.master, wrapped = excluded.wrapped, sealed = excluded.sealed,
        revision = CASE WHEN excluded.revision > secrets.revision THEN excluded.revision ELSE secrets.revision + 1 END
    WHERE secrets.until <= ?6 RETURNING revision";

const UPDATE: &str = "UPDATE secrets SET kind = ?4, revision = ?5, updated = ?6, until = ?7, master = ?8,
    wrapped = ?9, sealed = ?10
    WHERE owner = ?1 AND connector = ?2 AND name = ?3 AND revision = ?11 AND (until IS NULL OR until > ?6)
    RETURNING revision";

const REMOVE: &str = "DELETE FROM secrets WHERE owner = ?1 AND connector = ?2 AND name = ?3 AND revision = ?4
    AND (until IS NULL OR until > ?5)";

const NAMES: &str = "SELECT name FROM secrets WHERE owner = ?1 AND connector = ?2
    AND substr(name, 1, length(CAST(?3 AS TEXT))) = CAST(?3 AS TEXT) AND (until IS NULL OR until > ?4) ORDER BY name";

const LEASE: &str = "INSERT INTO leases (name, holder, until) VALUES (?1, ?2, ?3)
    ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until
    WHERE leases.holder = excluded.holder OR leases.until <= ?4";

const RELEASE: &str = "DELETE FROM leases WHERE name = ?1 AND holder = ?2";
