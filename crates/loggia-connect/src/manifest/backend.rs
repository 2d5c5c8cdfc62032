//! The ways to reach a system.

use std::collections::BTreeMap;

use http::Method;
use serde_json::{Map, Value};

use super::{BackendAuth, BackendLimits, ManifestText, ManifestTool};
use crate::config_file::Transport;
use crate::filter::JsonFilter;
use crate::secret::Location;

/// A kind of backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ManifestBackendKind {
    /// An MCP server at a URL.
    Remote,
    /// An MCP server that runs as a program.
    Stdio,
    /// A REST API.
    OpenApi,
    /// A GraphQL API.
    GraphQl,
    /// A part of Loggia.
    Builtin,
}

const BACKEND_KINDS: [(&str, ManifestBackendKind); 5] = [
    ("remote", ManifestBackendKind::Remote),
    ("stdio", ManifestBackendKind::Stdio),
    ("openapi", ManifestBackendKind::OpenApi),
    ("graphql", ManifestBackendKind::GraphQl),
    ("builtin", ManifestBackendKind::Builtin),
];

impl ManifestBackendKind {
    pub(super) fn from_name(name: &str) -> Option<ManifestBackendKind> {
        BACKEND_KINDS.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind)
    }

    /// Returns the name in a manifest.
    pub fn as_str(self) -> &'static str {
        BACKEND_KINDS.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }

    /// Returns whether the manifest writes the tools: the system itself has no MCP server.
    pub fn is_direct(self) -> bool {
        matches!(self, ManifestBackendKind::OpenApi | ManifestBackendKind::GraphQl)
    }
}

/// One of the backends of a system.
#[derive(Debug, Clone)]
pub struct ManifestBackend {
    /// The name, unique in the manifest.
    pub name: String,
    /// The name for people.
    pub title: Option<String>,
    /// Facts that a person should know before.
    pub notes: Vec<String>,
    /// The reason why a person may be unable to use it.
    pub unusable_when: Option<String>,
    /// The transport and its settings.
    pub transport: ManifestTransport,
    /// The credential.
    pub auth: BackendAuth,
    /// The hosts that it may reach.
    pub allowed_hosts: Vec<String>,
    /// Bounds.
    pub limits: BackendLimits,
    /// The call that proves the credential.
    pub health: Option<HealthCheck>,
    /// The tools, or settings of the server's tools, in the order of the file.
    pub tools: Vec<ManifestTool>,
    /// The place in the manifest.
    pub location: Location,
}

/// The transport of a backend.
#[derive(Debug, Clone)]
pub enum ManifestTransport {
    /// An MCP server at a URL.
    Remote(RemoteServer),
    /// An MCP server that runs as a program.
    Stdio(ServerProgram),
    /// A REST API.
    OpenApi(DirectApi),
    /// A GraphQL API.
    GraphQl(GraphQlApi),
    /// A part of Loggia.
    Builtin(BuiltinServer),
}

/// An MCP server at a URL.
#[derive(Debug, Clone)]
pub struct RemoteServer {
    /// The endpoint.
    pub url: ManifestText,
    /// The transport.
    pub transport: Transport,
    /// Headers of each request.
    pub headers: BTreeMap<String, ManifestText>,
}

/// An MCP server that runs as a program.
#[derive(Debug, Clone)]
pub struct ServerProgram {
    /// The program.
    pub source: PackageSource,
    /// Its arguments.
    pub args: Vec<ManifestText>,
    /// Its environment variables.
    pub env: BTreeMap<String, ManifestText>,
    /// The folder it runs in.
    pub cwd: Option<ManifestText>,
}

/// The source of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PackageSource {
    /// A package of npm.
    Npm {
        /// The name, with its scope.
        name: String,
        /// The version.
        version: String,
        /// The digest, if one is pinned.
        digest: Option<String>,
    },
    /// A package of PyPI.
    PyPi {
        /// The name.
        name: String,
        /// The version.
        version: String,
        /// The digest, if one is pinned.
        digest: Option<String>,
    },
    /// An image of a container registry.
    Oci {
        /// The image with its tag.
        image: String,
        /// The digest, if one is pinned.
        digest: Option<String>,
    },
    /// An MCPB bundle.
    Bundle {
        /// The URL.
        url: String,
        /// The digest.
        digest: String,
    },
    /// A program that is installed.
    Command(ManifestText),
}

/// A REST API.
#[derive(Debug, Clone)]
pub struct DirectApi {
    /// The URL that paths are added to.
    pub base_url: Option<ManifestText>,
    /// The OpenAPI description, whose operations are all tools.
    pub description: Option<String>,
    /// Headers of each request.
    pub headers: BTreeMap<String, ManifestText>,
    /// The filter over a JSON response of success that gives the HTTP status it stands for; `null` if it is a success.
    pub failure: Option<JsonFilter>,
}

/// A GraphQL API.
#[derive(Debug, Clone)]
pub struct GraphQlApi {
    /// The endpoint.
    pub url: ManifestText,
    /// Headers of each request.
    pub headers: BTreeMap<String, ManifestText>,
}

/// A built-in connector.
#[derive(Debug, Clone)]
pub struct BuiltinServer {
    /// Its name.
    pub name: String,
    /// Its options; texts in them may have placeholders.
    pub options: Map<String, Value>,
}

/// A call that proves a credential.
#[derive(Debug, Clone)]
pub struct HealthCheck {
    /// The call.
    pub call: HealthCall,
    /// The filter over the result that gives a name of the account.
    pub account: Option<JsonFilter>,
}

/// The call of a health check.
#[derive(Debug, Clone, PartialEq)]
pub enum HealthCall {
    /// A tool of the backend.
    Tool {
        /// Its name.
        name: String,
        /// Its arguments.
        arguments: Map<String, Value>,
    },
    /// A request to the API.
    Request {
        /// The method.
        method: Method,
        /// The path.
        path: String,
    },
}

impl ManifestBackend {
    /// Returns the kind.
    pub fn kind(&self) -> ManifestBackendKind {
        match &self.transport {
            ManifestTransport::Remote(_) => ManifestBackendKind::Remote,
            ManifestTransport::Stdio(_) => ManifestBackendKind::Stdio,
            ManifestTransport::OpenApi(_) => ManifestBackendKind::OpenApi,
            ManifestTransport::GraphQl(_) => ManifestBackendKind::GraphQl,
            ManifestTransport::Builtin(_) => ManifestBackendKind::Builtin,
        }
    }

    /// Returns the tool of this name.
    pub fn tool(&self, name: &str) -> Option<&ManifestTool> {
        self.tools.iter().find(|tool| tool.name == name)
    }

    /// Returns whether `${credential}` has a value: the user enters it, or signs in and the backend sends the token.
    pub fn has_credential(&self) -> bool {
        let classes = || std::iter::once(&self.auth.class).chain(&self.auth.alternatives);
        classes().any(|class| class.is_entered() || (self.kind().is_direct() && class.is_oauth()))
    }
}
