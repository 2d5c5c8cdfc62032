//! Built-in connectors: they need no other program and run in the process of the gateway.
//!
//! Each is an ordinary MCP server of the SDK behind a feature of its own, so that a program contains only those that
//! it uses. Invariant: this crate contains no code of a gateway.
//!
//! * `files` (feature `files`): a confined view of one folder.
//! * `sqlite` (feature `sqlite`): the schema and the rows of a SQLite file.
//! * [`glob`]: globs from callers and configuration files, with bounds.

#[cfg(feature = "sqlite")]
mod blocking;
#[cfg(feature = "files")]
pub mod files;
pub mod glob;
#[cfg(any(feature = "files", feature = "sqlite"))]
mod limiter;
#[cfg(feature = "sqlite")]
pub mod query_result;
#[cfg(feature = "sqlite")]
pub mod sqlite;
