//! The trait of stores.

use std::time::{Duration, SystemTime};

use loggia::service::BoxFuture;

use crate::error::AuthError;
use crate::secret::Secret;

/// A record with its revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRecord {
    /// The record. It contains secrets: a store on a disk or in a database must encrypt it, or restrict its readers.
    pub value: Secret,
    /// The revision, which grows with every write.
    pub revision: u64,
}

/// The future of a [`TokenStore`] operation.
pub type StoreFuture<'a, T> = BoxFuture<'a, Result<T, AuthError>>;

/// The revision of a record that exists and cannot be read.
pub const UNREADABLE: u64 = 0;

/// Storage for named records, with compare-and-swap writes and leases.
pub trait TokenStore: Send + Sync + 'static {
    /// Reads a record.
    fn load<'a>(&'a self, key: &'a str) -> StoreFuture<'a, Option<StoredRecord>>;

    /// Writes a record atomically if it still has the revision `expected` (`None`: if it does not exist). Returns the
    /// new revision, or `None` if the record was written meanwhile. A written record survives a crash. After `until`,
    /// if it is given, the store may delete the record.
    fn save<'a>(
        &'a self,
        key: &'a str,
        value: Secret,
        expected: Option<u64>,
        until: Option<SystemTime>,
    ) -> StoreFuture<'a, Option<u64>>;

    /// Removes a record if it still has the revision `expected`. Of several concurrent callers, one gets `true`. A
    /// damaged record, which cannot be loaded, has the revision [`UNREADABLE`].
    fn remove<'a>(&'a self, key: &'a str, expected: u64) -> StoreFuture<'a, bool>;

    /// Leases the right to change a record to `holder` for `time`, or extends the lease that `holder` has. Returns
    /// `false` if another holder has it.
    fn lease<'a>(&'a self, key: &'a str, holder: &'a str, time: Duration) -> StoreFuture<'a, bool>;

    /// Ends the lease of `holder`.
    fn release<'a>(&'a self, key: &'a str, holder: &'a str) -> StoreFuture<'a, ()>;

    /// Returns the names of the records that begin with `start`, sorted.
    fn keys<'a>(&'a self, start: &'a str) -> StoreFuture<'a, Vec<String>>;
}
