//! Storage for credentials, registrations and other records: the [`TokenStore`] trait, in memory and in files.
//!
//! A rotated refresh token is valid once, and using an old one ends the user's session. So a store writes a record
//! only if its revision is still the one that the writer read, and it leases the right to renew a record to one
//! holder at a time, among tasks, processes and replicas.

mod file;
#[cfg(feature = "client")]
pub(crate) mod lease;
mod memory;
#[cfg(feature = "client")]
pub(crate) mod record;
mod token_store;

pub use file::FileStore;
pub use memory::MemoryStore;
pub use token_store::{StoreFuture, StoredRecord, TokenStore, UNREADABLE};
