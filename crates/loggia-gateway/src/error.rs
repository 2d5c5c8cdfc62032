//! The errors of the gateway. Each says what is wrong; [`GatewayError::next_step`] says what the administrator can do.
//! They do not depend on exit codes and options of a command line, so that an embedding program chooses their
//! presentation. Invariant: no text contains a value of the configuration that may be a secret.

use std::fmt;
use std::io;
use std::path::PathBuf;

use loggia_auth::error::AuthError;
use loggia_connect::config_file::{ConfigFileError, Listen};

use crate::port_holder;

/// The reason why a gateway cannot be built, started or served.
#[derive(Debug)]
#[non_exhaustive]
pub enum GatewayError {
    /// The configuration file is wrong. Each problem names the file, the line and the column.
    ConfigFile(ConfigFileError),
    /// The configuration file has no connector that is enabled.
    NoConnectors(PathBuf),
    /// The folder to serve does not exist, or is not a folder.
    NoFolder(PathBuf),
    /// A connector was added, and the configuration file has one of the same name.
    DuplicateConnector {
        /// The name.
        name: String,
        /// The configuration file.
        file: PathBuf,
    },
    /// Authorization is on, but the URL by which clients know the gateway is unknown. The address is one that other
    /// machines can reach; `None` if a program serves the gateway itself.
    NoPublicUrl(Option<String>),
    /// A part of the configuration cannot be used.
    Configuration(String),
    /// The vault cannot be opened.
    Vault {
        /// The fault.
        message: String,
        /// The next step for the administrator.
        next_step: Option<String>,
    },
    /// The gateway cannot listen on the address.
    Bind {
        /// The address.
        listen: Listen,
        /// The error of the operating system.
        source: io::Error,
        /// The process that has the port, where that can be found out.
        holder: Option<String>,
    },
    /// The user or the thing that a command names does not exist.
    NotFound {
        /// The name, and what it was looked for as.
        message: String,
        /// The next step for the administrator.
        next_step: String,
    },
    /// Credentials cannot be read, saved or checked.
    Auth(AuthError),
    /// A connector or the MCP transport failed.
    Mcp(loggia::Error),
}

/// The result of an operation of the gateway.
pub type Result<T, E = GatewayError> = std::result::Result<T, E>;

impl GatewayError {
    /// Creates the error of an address that cannot be listened on.
    pub(crate) fn bind(listen: Listen, source: io::Error) -> GatewayError {
        let is_in_use = source.kind() == io::ErrorKind::AddrInUse;
        let holder = if is_in_use { port_holder::holder(listen.port) } else { None };
        GatewayError::Bind { listen, source, holder }
    }

    /// Creates the error for a configuration that cannot be used.
    pub(crate) fn configuration(what: impl fmt::Display) -> GatewayError {
        GatewayError::Configuration(what.to_string())
    }

    /// Returns what the administrator can do about it, if that is known.
    pub fn next_step(&self) -> Option<String> {
        match self {
            GatewayError::NoConnectors(_) => {
                Some("a connector is a section [connectors.NAME] with a kind".to_owned())
            }
            GatewayError::DuplicateConnector { name, .. } => Some(format!(
                "remove one of them: the section [connectors.{name}] in the file, or `loggia connectors remove {name}`"
            )),
            GatewayError::NoPublicUrl(_) => {
                Some("name the URL in server.public_url, or turn authorization off".to_owned())
            }
            GatewayError::Vault { next_step, .. } => next_step.clone(),
            GatewayError::NotFound { next_step, .. } => Some(next_step.clone()),
            GatewayError::Bind { .. } => Some("choose another address or port".to_owned()),
            _ => None,
        }
    }
}

impl fmt::Display for GatewayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GatewayError::ConfigFile(error) => error.fmt(f),
            GatewayError::NoConnectors(file) => {
                write!(f, "{} has no connector that is enabled", file.display())
            }
            GatewayError::NoFolder(path) => write!(f, "{} is no folder", path.display()),
            GatewayError::DuplicateConnector { name, file } => write!(
                f,
                "the connector {name:?} is declared twice: in {} and by `loggia add`",
                file.display()
            ),
            GatewayError::NoPublicUrl(Some(address)) => write!(
                f,
                "other machines can reach {address}, so authorization is on, and then clients must know under which URL"
            ),
            GatewayError::NoPublicUrl(None) => f.write_str(
                "authorization is on, and then clients must know under which URL the gateway is served",
            ),
            GatewayError::Configuration(what) => f.write_str(what),
            GatewayError::Vault { message, .. } | GatewayError::NotFound { message, .. } => {
                f.write_str(message)
            }
            GatewayError::Bind { listen, source, holder } => match (source.kind(), holder) {
                (io::ErrorKind::AddrInUse, Some(holder)) => {
                    write!(f, "{listen} is already in use by {holder}")
                }
                (io::ErrorKind::AddrInUse, None) => write!(f, "{listen} is already in use"),
                (io::ErrorKind::PermissionDenied, _) => {
                    write!(f, "{listen} may not be listened on: {source}")
                }
                _ => write!(f, "cannot listen on {listen}: {source}"),
            },
            GatewayError::Auth(error) => error.fmt(f),
            GatewayError::Mcp(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for GatewayError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            GatewayError::ConfigFile(error) => Some(error),
            GatewayError::Bind { source, .. } => Some(source),
            GatewayError::Auth(error) => Some(error),
            GatewayError::Mcp(error) => Some(error),
            _ => None,
        }
    }
}

impl From<ConfigFileError> for GatewayError {
    fn from(error: ConfigFileError) -> GatewayError {
        GatewayError::ConfigFile(error)
    }
}

impl From<AuthError> for GatewayError {
    fn from(error: AuthError) -> GatewayError {
        GatewayError::Auth(error)
    }
}

impl From<loggia::Error> for GatewayError {
    fn from(error: loggia::Error) -> GatewayError {
        GatewayError::Mcp(error)
    }
}
