//! Built-in connectors: they need no other program and run in the process of the gateway.
//!
//! Each is an ordinary MCP server of the SDK behind a feature of its own, so that a program contains only those that
//! it uses. Invariant: this crate contains no code of a gateway.
//!
//! * `files` (feature `files`): a confined view of one folder.
//! * `fetch` (feature `fetch`): pages of the web as Markdown.
//! * `git` (feature `git`): history, differences and state of repositories, and commits.
//! * `memory` (feature `memory`): a durable store of knowledge with full-text search.
//! * `postgres` (feature `postgres`): the schema and the rows of a PostgreSQL database.
//! * `sqlite` (feature `sqlite`): the schema and the rows of a SQLite file.
//! * `time` (feature `time`): the time in the zones of the world.
//! * [`glob`]: globs from callers and configuration files, with bounds.

#[cfg(any(feature = "git", feature = "memory", feature = "sqlite"))]
mod blocking;
#[cfg(feature = "fetch")]
pub mod fetch;
#[cfg(feature = "files")]
pub mod files;
#[cfg(feature = "git")]
pub mod git;
pub mod glob;
#[cfg(any(
    feature = "fetch",
    feature = "files",
    feature = "git",
    feature = "memory",
    feature = "postgres",
    feature = "sqlite"
))]
mod limiter;
#[cfg(feature = "memory")]
pub mod memory;
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub mod query_result;
#[cfg(feature = "sqlite")]
pub mod sqlite;
#[cfg(feature = "time")]
pub mod time;
