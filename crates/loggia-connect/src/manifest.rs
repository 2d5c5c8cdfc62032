//! Connector manifests: one TOML file a vendor, which says what the connector is, the ways to reach it, and its tools.
//!
//! A manifest is data: it holds no secret and no code, so that a vendor is added without a change of the program.
//! Invariant: a [`ConnectorManifest`] is checked as a whole; what can be told from the text alone is not told later.
//!
//! ```
//! use loggia_connect::manifest::ConnectorManifest;
//!
//! let text = r#"
//! name = "acme"
//! title = "Acme"
//! version = "1.0.0"
//! description = "Pages of an Acme workspace."
//!
//! [[backends]]
//! kind = "remote"
//! url = "https://mcp.acme.example/mcp"
//! auth = { class = "dynamic_registration" }
//! "#;
//! let manifest = ConnectorManifest::parse(text, "acme.toml")?;
//! assert_eq!(manifest.backends[0].name, "remote");
//! # Ok::<(), loggia_connect::manifest::ManifestError>(())
//! ```

mod auth;
mod backend;
mod check;
mod config_field;
mod connector_test;
mod directory;
mod draft;
mod folders;
mod format;
mod limits;
mod mcpb;
mod network;
mod read;
mod read_backend;
mod read_tool;
mod read_value;
mod resolve;
mod schema;
mod search;
mod server_json;
mod source;
mod text;
mod tool;
mod tool_settings;
mod values;

use std::fmt;

use crate::problem::{Problem, write_problems};

pub use auth::{AuthClass, AuthStep, BackendAuth, CredentialPrompt, RequestPlace};
pub use backend::{
    BuiltinServer, DirectApi, GraphQlApi, HealthCall, HealthCheck, ManifestBackend, ManifestBackendKind,
    ManifestTransport, PackageSource, RemoteServer, ServerProgram,
};
pub use config_field::{ConfigChoice, ConfigField, ConfigFieldType};
pub use connector_test::{ConnectorTest, RecordedExchange, TestExpectation};
pub use directory::{
    DirectoryNotice, DuplicateManifest, ManifestDirectory, ManifestEntry, ManifestOrigin, embedded,
};
pub use draft::{ImportedManifest, ManifestImportError};
pub use folders::{ManifestFolders, read_manifest};
pub use limits::{BackendLimits, RequestRate};
pub use mcpb::{export_bundle_manifest, import_bundle_manifest};
pub use network::HostAllowlist;
pub(crate) use resolve::resolved_url;
pub use resolve::{BackendValueError, BundleProgram, ResolvedBackend};
pub use schema::schema;
pub use server_json::{export_server_json, import_server_json};
pub use text::ManifestText;
pub(crate) use tool::path_variables;
pub use tool::{
    GraphQlRequest, InputPlace, ManifestTool, PagingStyle, ToolInput, ToolOutput, ToolPaging, ToolRequest,
};
pub use tool_settings::ToolSettings;
pub use values::{ConfigProblem, ConnectorValues, MissingValue};

/// A connector, as its manifest describes it.
#[derive(Debug, Clone)]
pub struct ConnectorManifest {
    /// The name, which is the file's name.
    pub name: String,
    /// The name for people.
    pub title: String,
    /// The version of the manifest.
    pub version: String,
    /// One sentence for people.
    pub description: String,
    /// The vendor's page.
    pub website: Option<String>,
    /// Icons.
    pub icons: Vec<ConnectorIcon>,
    /// The categories to find it by.
    pub categories: Vec<String>,
    /// Facts that tests with a mock of the vendor cannot show.
    pub not_shown: Vec<String>,
    /// The values that the user gives, in the order of the file.
    pub config: Vec<ConfigField>,
    /// The ways to reach it, in order of preference; at least one.
    pub backends: Vec<ManifestBackend>,
    /// Calls that prove it with a real credential.
    pub tests: Vec<ConnectorTest>,
}

/// An icon, as in server.json.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectorIcon {
    /// The URL.
    pub src: String,
    /// The media type.
    pub mime_type: Option<String>,
    /// The sizes, such as `48x48` or `any`.
    pub sizes: Vec<String>,
    /// The background that it is made for: `light` or `dark`.
    pub theme: Option<String>,
}

/// The problems of a manifest, all of them in one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestError {
    /// The problems, in the order of the file; at least one.
    pub problems: Vec<Problem>,
}

impl ConnectorManifest {
    /// Longest text of a manifest, in bytes.
    pub const MAX_BYTES: usize = 1 << 20;

    /// Reads a manifest. `file` is the name that problems show.
    pub fn parse(text: &str, file: &str) -> Result<ConnectorManifest, ManifestError> {
        read::manifest(text, file)
    }

    /// Returns the backend of this name.
    pub fn backend(&self, name: &str) -> Option<&ManifestBackend> {
        self.backends.iter().find(|backend| backend.name == name)
    }
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_problems(f, &self.problems)
    }
}

impl std::error::Error for ManifestError {}
