//! Built-in connectors: they need no other program and run in the process of the gateway.
//!
//! Each is an ordinary MCP server of the SDK behind a feature of its own, so that a program contains only those that
//! it uses. Invariant: this crate contains no code of a gateway.
//!
//! * `files` (feature `files`): a confined view of one folder.
//! * [`glob`]: globs from callers and configuration files, with bounds.

#[cfg(feature = "files")]
pub mod files;
pub mod glob;
