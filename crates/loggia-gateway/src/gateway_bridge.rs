//! AI applications of the user who runs the program. The module says where this program keeps its records, and what the
//! bridge serves that an application starts. Invariant: a bridge adds no name of its own to those of the gateway.

use std::path::Path;

use loggia_connect::clients::{BridgeCommand, ClientError, ClientInstaller, InstallRecords, MachinePaths};
use loggia_connect::redact::Redactor;

use crate::config::GatewayConfig;
use crate::credentials::Credentials;
use crate::error::Result;

/// The folder of records, in that of the credentials: copies of clients' files may hold secrets too.
const FOLDER: &str = "clients";
/// The name of the connector of a bridge.
const BRIDGE: &str = "gateway";

/// Returns the installer for the AI applications of the user who runs this program. Applications that start a command
/// start this program with the arguments `bridge URL`.
///
/// # Errors
///
/// [`ClientError`] where the user has no folder, or this program's file is not known.
pub fn client_installer(credentials: &Credentials) -> std::result::Result<ClientInstaller, ClientError> {
    let machine = MachinePaths::current().ok_or(ClientError::NoHome)?;
    let folder = credentials.path().map_err(|error| ClientError::Request(error.to_string()))?;
    let program = std::env::current_exe().map_err(|error| ClientError::Request(error.to_string()))?;
    let bridge = BridgeCommand { program, args: vec!["bridge".to_owned()] };
    Ok(ClientInstaller::new(machine, InstallRecords::at(folder.join(FOLDER)), bridge))
}

impl GatewayConfig {
    /// Configures the server at `url` as the only connector, with its own names of tools. The gateway is then a bridge: to
    /// clients of other transports and revisions than the server's.
    ///
    /// # Errors
    ///
    /// [`GatewayError::ConfigFile`](crate::GatewayError::ConfigFile) if `url` is no URL of a server.
    pub fn of_url(url: &str, redactor: &Redactor) -> Result<GatewayConfig> {
        let mut connector = toml_edit::Table::new();
        connector.insert("kind", toml_edit::value("remote"));
        // The text itself: no variable of the environment is meant.
        connector.insert("url", toml_edit::value(url.replace("${", "$${")));
        connector.insert("prefix", toml_edit::value(""));
        let mut document = toml_edit::DocumentMut::new();
        document["connectors"][BRIDGE] = toml_edit::Item::Table(connector);
        let mut config = GatewayConfig::parse(&document.to_string(), Path::new(url), redactor)?;
        config.file = None;
        Ok(config)
    }
}
