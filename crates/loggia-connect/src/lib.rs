//! Connectors as data.
//!
//! A connector is one system that Loggia gives access to. What it is and how it is reached is written down
//! in a file, not in code: no vendor's name appears in this crate. The crate reads those descriptions and
//! holds the backends they name.
//!
//! * [`bundle`]: MCPB bundles: programs in a ZIP file.
//! * [`clients`]: AI applications as clients of a gateway, and the gateway's entry in their files.
//! * [`config_file`]: what `loggia.toml` says, with errors that point at the place.
//! * [`connector_test`]: the tests of a manifest, with recorded exchanges or over a connection.
//! * [`direct`]: APIs whose tools a manifest writes.
//! * [`filter`]: jq expressions that shape arguments and results, with bounds.
//! * [`import`]: the servers of an MCP client, as connectors.
//! * [`lint`]: rules of directories, clients and vendors about the lists of a server.
//! * [`manifest`]: connector manifests, one file a vendor.
//! * [`pins`]: the tool definitions that a user approved.
//! * [`redact`]: texts without the values that variables stand for.
//! * [`secret`]: what must not be shown, and what stands for it in a file.
//! * [`builtin`]: the connectors that run in this process and need no other program, of `loggia-builtin`.
//! * [`openapi`]: REST APIs as connectors.

pub use loggia_builtin as builtin;

pub mod bundle;
pub mod clients;
pub mod config_file;
pub mod connector_test;
pub mod direct;
mod file_text;
pub mod filter;
pub mod import;
pub mod lint;
pub mod manifest;
pub mod openapi;
pub mod pins;
mod problem;
pub mod redact;
pub mod secret;
