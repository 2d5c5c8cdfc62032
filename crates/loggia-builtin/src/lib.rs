//! Built-in connectors: they need no other program and run in the process that uses them.
//!
//! Each is an ordinary MCP server of the SDK behind a feature of its own, so that a program carries only those it names.
//! Invariant: no code of a gateway is in this crate.
//!
//! * `files` (feature `files`): a confined view of one folder.
//! * [`glob`]: globs from callers and configuration files, with bounds.

#[cfg(feature = "files")]
pub mod files;
pub mod glob;
