//! The content of `loggia.toml`: the connectors with their transports, and the endpoint that serves them.
//!
//! ```toml
//! [server]
//! listen = "127.0.0.1:4000"
//!
//! [connectors.search]
//! kind = "stdio"
//! command = "npx"
//! args = ["-y", "some-search-server"]
//! env = { API_KEY = "${SEARCH_KEY}" }
//!
//! [connectors.wiki]
//! kind = "remote"
//! url = "https://wiki.example.com/mcp"
//! headers = { Authorization = "Bearer ${WIKI_TOKEN}" }
//! tools = { deny = ["delete_*"] }
//!
//! [connectors.shop]
//! kind = "openapi"
//! description = "https://shop.example.com/openapi.json"
//! credential = "${SHOP_TOKEN}"
//!
//! [connectors.notes]
//! kind = "builtin"
//! name = "files"
//! options = { path = "${HOME}/notes", write = true }
//! ```
//!
//! Reading happens in two steps. [`ConfigFile::parse`] checks everything that the text alone can tell, and
//! needs no environment. [`Connector::resolve`] fills in the variables of one connector when it is started,
//! so that a token that is missing for one keeps only that one from starting.

mod api;
mod auth;
mod builtin;
mod check;
mod error;
mod fingerprint;
mod gateway;
mod limits;
mod listen;
mod manifest_use;
mod name;
mod personal;
mod raw;
mod sandbox;
mod url;

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use loggia::limits::Limits;
use loggia::wire::Version;
use loggia_sandbox::SandboxMode;
use zeroize::Zeroizing;

use crate::redact::Redactor;
use crate::secret::{Environment, MissingVariable, Secret, Template};
use loggia_builtin::glob::BoundedGlob;

pub use auth::{
    Admitted, Assertions, AuthSection, Client, Introspection, Issuer, OpenId, Scopes, SubjectClaim, VaultKey,
};
pub(crate) use builtin::{BUILTIN_NAMES, BuiltinOptionError};
pub use builtin::{Builtin, BuiltinKind, BuiltinValue};
pub use error::{ConfigFileError, Problem, ResolveError};
pub use gateway::GatewayLimits;
pub(crate) use limits::{bytes_of, duration_of};
pub use listen::{Listen, PublicUrl};
pub use name::connector_name;
pub use personal::{KeyHeader, OwnClient, Personal};
pub use sandbox::{ProgramPermissions, ProgramSandbox};
pub(crate) use url::is_url;

/// The longest configuration file, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// The content of a configuration file.
#[derive(Debug, Clone)]
pub struct ConfigFile {
    /// The settings of the endpoint.
    pub server: ServerSection,
    /// The connectors, in the order of the file.
    pub connectors: Vec<Connector>,
    /// The folders with connector manifests. A relative path begins at `base`.
    pub manifests: Vec<PathBuf>,
    /// The directory that relative paths in it begin at: the one the file is in.
    pub base: PathBuf,
    /// All templates in it, whichever section they are in.
    templates: Vec<Template>,
}

/// The section `[server]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerSection {
    /// The address to listen on, if set.
    pub listen: Option<Listen>,
    /// The path of the endpoint.
    pub path: String,
    /// Host names under which the endpoint answers, besides those of this machine.
    pub allowed_hosts: Vec<String>,
    /// Origins whose web pages may use the endpoint.
    pub allowed_origins: Vec<String>,
    /// The bounds, those it does not mention at their defaults.
    pub limits: Limits,
    /// The bounds of the gateway itself.
    pub gateway: GatewayLimits,
    /// The URL under which clients reach it, if it says so.
    pub public_url: Option<PublicUrl>,
    /// The authorization of the endpoint, if set.
    pub auth: Option<AuthSection>,
    /// The place of the vault's key.
    pub vault_key: VaultKey,
    /// The strictness of sandboxes, where a connector does not say it.
    pub sandbox: Option<SandboxMode>,
}

impl Default for ServerSection {
    fn default() -> ServerSection {
        ServerSection {
            listen: None,
            path: "/mcp".to_owned(),
            allowed_hosts: Vec::new(),
            allowed_origins: Vec::new(),
            limits: Limits::default(),
            gateway: GatewayLimits::default(),
            public_url: None,
            auth: None,
            vault_key: VaultKey::File,
            sandbox: None,
        }
    }
}

/// One system and how it is reached.
#[derive(Debug, Clone)]
pub struct Connector {
    /// Its name, which [`connector_name`] makes of the one that is written.
    pub name: String,
    /// True if it is served.
    pub enabled: bool,
    /// The prefix of its tools' names, if it is not its own name.
    pub prefix: Option<String>,
    /// The time limit of one request to it, if set.
    pub timeout: Option<Duration>,
    /// Which of its tools are served.
    pub tools: ToolFilter,
    /// The revision of the protocol it is spoken to in, where it is not to be negotiated.
    pub protocol: Option<Version>,
    /// The rule for tools whose definitions are not the approved ones.
    pub pin: PinRule,
    /// The transport and its settings.
    pub backend: Backend<Template>,
}

/// The rule for tools whose definitions are not the approved ones. It applies where definitions were approved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PinRule {
    /// They are held back until they are approved.
    #[default]
    Hold,
    /// They are served, with a warning in the log and in the status.
    Warn,
    /// They are served.
    Off,
}

impl PinRule {
    /// Each rule, with its name in the configuration.
    pub const ALL: [(&'static str, PinRule); 3] =
        [("hold", PinRule::Hold), ("warn", PinRule::Warn), ("off", PinRule::Off)];

    /// Returns the name in the configuration.
    pub fn as_str(self) -> &'static str {
        PinRule::ALL.iter().find(|(_, rule)| *rule == self).map_or("", |(name, _)| name)
    }
}

/// The transport of a connector. `T` is a [`Template`] as written in the configuration file, or the [`Secret`] with its variables
/// filled in.
#[derive(Debug, Clone)]
pub enum Backend<T> {
    /// A program, spoken to over its standard input and output.
    Stdio(Stdio<T>),
    /// A server at a URL.
    Remote(Remote<T>),
    /// A REST API.
    OpenApi(OpenApi<T>),
    /// A system that a manifest describes.
    Manifest(ManifestUse<T>),
    /// Something in this process.
    Builtin(Builtin<T>),
}

/// A program to start.
#[derive(Debug, Clone)]
pub struct Stdio<T> {
    /// The program.
    pub command: T,
    /// Its arguments.
    pub args: Vec<T>,
    /// Environment variables it gets, besides the few every program needs.
    pub env: BTreeMap<String, T>,
    /// The directory it starts in.
    pub cwd: Option<T>,
    /// The time without any sign of work that it has before its first message; the default if absent.
    pub start_timeout: Option<Duration>,
    /// The sandbox.
    pub sandbox: ProgramSandbox<T>,
}

/// A server to connect to.
#[derive(Debug, Clone)]
pub struct Remote<T> {
    /// Its endpoint.
    pub url: T,
    /// Headers sent with each request.
    pub headers: BTreeMap<String, T>,
    /// By which transport.
    pub transport: Transport,
    /// The kind of credential that each user has there; `None` if all users share one credential.
    pub personal: Option<Personal<T>>,
    /// The issuer that gives tokens for it, where it lists that issuer with another slash at the end.
    pub issuer: Option<String>,
}

/// A REST API, whose operations are tools.
#[derive(Debug, Clone)]
pub struct OpenApi<T> {
    /// The description (OpenAPI 3.0, OpenAPI 3.1 or Swagger 2.0): a file, or a URL.
    pub description: T,
    /// The URL that paths are added to, instead of the one that the description names.
    pub base_url: Option<T>,
    /// The API key, token or `user:password`, for the security scheme that each operation names.
    pub credential: Option<T>,
    /// Headers sent with each request.
    pub headers: BTreeMap<String, T>,
}

/// A connector manifest, with the values of its user.
#[derive(Debug, Clone)]
pub struct ManifestUse<T> {
    /// The name of a manifest of the directory, or the path of a file.
    pub manifest: String,
    /// The backend; `None` for the first one of the manifest.
    pub backend: Option<String>,
    /// The API key, token or `user:password`; `None` for the one of the saved account.
    pub credential: Option<T>,
    /// The values of the fields in `[config]`.
    pub values: BTreeMap<String, ConfigValue<T>>,
    /// The strictness of the sandbox, if its backend is a program; `None` for the default.
    pub sandbox: Option<SandboxMode>,
}

/// A value of a field in a manifest's `[config]`.
#[derive(Debug, Clone)]
pub enum ConfigValue<T> {
    /// A text, which may be a secret.
    Text(T),
    /// A number, a boolean or a list.
    Json(serde_json::Value),
}

/// The transport of a remote connector.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Transport {
    /// Streamable HTTP, and the older HTTP+SSE where the server knows nothing else.
    #[default]
    Auto,
    /// Streamable HTTP.
    Streamable,
    /// HTTP+SSE, of 2024-11-05.
    Sse,
}

/// Which tools are served, by the names the connector itself gives them.
#[derive(Debug, Clone, Default)]
pub struct ToolFilter {
    allow: Option<Vec<BoundedGlob>>,
    deny: Vec<BoundedGlob>,
}

impl ToolFilter {
    /// Returns whether a tool is served: `deny` is stronger, and without `allow` everything else is.
    pub fn allows(&self, tool: &str) -> bool {
        let any = |globs: &[BoundedGlob]| globs.iter().any(|glob| glob.is_match(tool));
        !any(&self.deny) && self.allow.as_deref().is_none_or(any)
    }
}

impl ConfigFile {
    /// Reads the file `path`.
    pub fn read(path: &Path) -> Result<ConfigFile, ConfigFileError> {
        // The text may hold secrets.
        let mut bytes = Zeroizing::new(Vec::new());
        let unreadable = |reason: &dyn std::fmt::Display| ConfigFileError::unreadable(path, reason);
        let reader = std::fs::File::open(path).map_err(|error| unreadable(&error))?;
        reader.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|error| unreadable(&error))?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(unreadable(&"it is longer than 1 MiB"));
        }
        let text = std::str::from_utf8(&bytes).map_err(|error| {
            let line = bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
            unreadable(&format_args!("line {line} is not UTF-8 text; save the file as UTF-8"))
        })?;
        ConfigFile::parse(text, path)
    }

    /// Tells `redactor` the values of all variables in it, so that no text that is shown afterwards has one.
    pub fn redact(&self, redactor: &Redactor, environment: &Environment<'_>) {
        redactor.learn(&self.templates, environment);
    }

    /// Reads a configuration file that would be the file `path`.
    pub fn parse(text: &str, path: &Path) -> Result<ConfigFile, ConfigFileError> {
        check::config_file(text, path)
    }
}

impl Connector {
    /// The prefix of its tools; empty if they have none.
    pub fn prefix(&self) -> &str {
        self.prefix.as_deref().unwrap_or(&self.name)
    }

    /// Returns the name before the URIs of its resources, as `NAME+URI`: its prefix, or its name where the prefix is
    /// empty.
    pub fn qualifier(&self) -> &str {
        self.prefix.as_deref().filter(|prefix| !prefix.is_empty()).unwrap_or(&self.name)
    }

    /// Returns the transport with its variables filled in.
    pub fn resolve(&self, environment: &Environment<'_>) -> Result<Backend<Secret>, ResolveError> {
        let backend = self.backend.expand(environment)?;
        check::resolved(&self.backend, &backend)?;
        Ok(backend)
    }
}

impl Backend<Template> {
    fn expand(&self, environment: &Environment<'_>) -> Result<Backend<Secret>, MissingVariable> {
        let fill = |template: &Template| template.expand(environment);
        let fill_map =
            |map: &BTreeMap<String, Template>| -> Result<BTreeMap<String, Secret>, MissingVariable> {
                map.iter().map(|(name, value)| Ok((name.clone(), fill(value)?))).collect()
            };
        Ok(match self {
            Backend::Stdio(Stdio { command, args, env, cwd, start_timeout, sandbox }) => {
                Backend::Stdio(Stdio {
                    command: fill(command)?,
                    args: args.iter().map(fill).collect::<Result<_, _>>()?,
                    env: fill_map(env)?,
                    cwd: cwd.as_ref().map(fill).transpose()?,
                    start_timeout: *start_timeout,
                    sandbox: sandbox.map(fill)?,
                })
            }
            Backend::Remote(Remote { url, headers, transport, personal, issuer }) => {
                Backend::Remote(Remote {
                    url: fill(url)?,
                    headers: fill_map(headers)?,
                    transport: *transport,
                    personal: personal.as_ref().map(|personal| personal.expand(&fill)).transpose()?,
                    issuer: issuer.clone(),
                })
            }
            Backend::OpenApi(OpenApi { description, base_url, credential, headers }) => {
                Backend::OpenApi(OpenApi {
                    description: fill(description)?,
                    base_url: base_url.as_ref().map(fill).transpose()?,
                    credential: credential.as_ref().map(fill).transpose()?,
                    headers: fill_map(headers)?,
                })
            }
            Backend::Manifest(ManifestUse { manifest, backend, credential, values, sandbox }) => {
                let value = |value: &ConfigValue<Template>| match value {
                    ConfigValue::Text(text) => fill(text).map(ConfigValue::Text),
                    ConfigValue::Json(json) => Ok(ConfigValue::Json(json.clone())),
                };
                let values = values.iter().map(|(name, given)| Ok((name.clone(), value(given)?)));
                Backend::Manifest(ManifestUse {
                    manifest: manifest.clone(),
                    backend: backend.clone(),
                    credential: credential.as_ref().map(fill).transpose()?,
                    values: values.collect::<Result<_, MissingVariable>>()?,
                    sandbox: *sandbox,
                })
            }
            Backend::Builtin(builtin) => Backend::Builtin(builtin.try_map(fill)?),
        })
    }
}
