//! What lasts: one file for a person or a team (SQLite), one database for many replicas (PostgreSQL).
//!
//! [`Database`] is the only place that speaks SQL's dialects, and this crate the only one that has SQL at
//! all. On it stands the [`Vault`]: the credentials of people for their connectors, and whatever else must be
//! secret at rest, each record sealed with a key of its own.
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//!
//! use loggia_store::{Database, Login, MasterKeys, Vault};
//!
//! let keys = MasterKeys::from_file("loggia.key")?;
//! let vault = Vault::open(Database::open("sqlite:loggia.db").await?, keys).await?;
//! vault.put("ada", "tracker", "default", &Login::ApiKey("s3cret".into())).await?;
//! for entry in vault.list(Some("ada")).await? {
//!     println!("{} {}", entry.connector, entry.kind);
//! }
//! // What a client needs to keep its tokens fresh, across processes and replicas.
//! let tokens: Arc<dyn loggia_auth::client::TokenStore> = Arc::new(vault.scope("ada", "tracker"));
//! # let _ = tokens;
//! # Ok(())
//! # }
//! ```

mod database;
mod envelope;
mod error;
mod master;
mod namespace;
mod vault;

pub use database::Database;
pub use error::StoreError;
pub use master::{KeyTool, MasterKeys};
pub use namespace::Namespace;
pub use vault::{Entry, Kind, Login, Vault};
