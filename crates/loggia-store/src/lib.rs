//! Persistence: one file for a user or a team (SQLite), one database for many replicas (PostgreSQL).
//!
//! [`Database`] hides the differences between the two SQL dialects; no other crate contains SQL. The [`Vault`] stores
//! the credentials of users for their connectors, and Loggia's own secrets. It encrypts each record with a key of its
//! own.
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//!
//! use loggia_store::{Database, MasterKeys, SavedLogin, Vault};
//!
//! let keys = MasterKeys::from_file("loggia.key")?;
//! let vault = Vault::open(Database::open("sqlite:loggia.db").await?, keys).await?;
//! vault.put("ada", "tracker", "default", &SavedLogin::ApiKey("s3cret".into())).await?;
//! for entry in vault.list(Some("ada")).await? {
//!     println!("{} {}", entry.connector, entry.kind);
//! }
//! // A client renews its tokens in this store, across processes and replicas.
//! let tokens: Arc<dyn loggia_auth::store::TokenStore> = Arc::new(vault.scope("ada", "tracker"));
//! # let _ = tokens;
//! # Ok(())
//! # }
//! ```

mod added_connectors;
mod database;
mod encrypted_records;
mod envelope;
mod error;
mod master;
mod namespace;
mod results;
mod vault;

pub use added_connectors::{AddedConnector, AddedConnectors};
pub use database::Database;
pub use encrypted_records::CredentialKind;
pub use error::StoreError;
pub use master::{KeyTool, MasterKeys};
pub use namespace::Namespace;
pub use results::{KeptResult, MemoryResults, ResultStore, ResultStoreLimits};
pub use vault::{SavedLogin, Vault, VaultEntry};
