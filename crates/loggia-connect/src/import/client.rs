//! The servers of an AI application that the table knows.

use serde_json::Value;

use super::{Import, ImportError};
use crate::clients::{ClientApp, ClientInstaller, ClientTable, ConfigDocument, ConfigFormat, DocumentValue};

/// Keys that name a server. An entry without any is a part of the application.
const ADDRESSES: [&str; 6] = ["command", "cmd", "url", "serverUrl", "httpUrl", "uri"];

impl Import {
    /// Reads the servers that an application of this machine is configured with. Entries that this program added are left
    /// out: the gateway cannot be its own connector.
    ///
    /// # Errors
    ///
    /// As [`Import::parse`], and [`ImportError::Client`] where the application is not known or its file cannot be read.
    pub fn of_application(
        installer: &ClientInstaller,
        word: &str,
        names: &[String],
    ) -> Result<Import, ImportError> {
        let configuration = installer.configuration(word, None).map_err(ImportError::Client)?;
        let is_ours = |name: &str| installer.has_added(&configuration.file, name);
        Import::of_client(configuration.client, &configuration.text, names, is_ours)
    }

    /// Reads a configuration file whose client is not known. The servers are looked for at the places of all clients.
    ///
    /// # Errors
    ///
    /// As [`Import::parse`].
    pub fn parse_as(format: ConfigFormat, text: &str, names: &[String]) -> Result<Import, ImportError> {
        if format == ConfigFormat::Json {
            return Import::parse(text, names);
        }
        let document = parse(format, text)?;
        let table = ClientTable::embedded();
        let mut places = table.places().into_iter();
        let found = places.find(|(keys, list)| !document.servers(keys, *list).is_empty());
        let (keys, list) = found.ok_or(ImportError::NoServers)?;
        Import::of_document(document.servers(keys, list), names)
    }

    /// Reads the file of a client, in its format and at its place, without the entries that are left out.
    fn of_client(
        client: &ClientApp,
        text: &str,
        names: &[String],
        is_left_out: impl Fn(&str) -> bool,
    ) -> Result<Import, ImportError> {
        let document = parse(client.format.ok_or(ImportError::NoServers)?, text)?;
        let mut servers = document.servers(&client.keys, client.list.as_deref());
        servers.retain(|(name, _)| !is_left_out(name));
        Import::of_document(servers, names)
    }

    /// Reads servers. Parts of the application are left out, unless `names` has them.
    fn of_document(servers: Vec<(&str, &DocumentValue)>, names: &[String]) -> Result<Import, ImportError> {
        let all: Vec<(&str, Value)> =
            servers.into_iter().map(|(name, value)| (name, value.to_json())).collect();
        let is_server = |(name, value): &&(&str, Value)| {
            ADDRESSES.iter().any(|key| value.get(key).is_some()) || names.iter().any(|wanted| wanted == name)
        };
        let (servers, others): (Vec<_>, Vec<_>) = all.iter().partition(is_server);
        let servers: Vec<(&str, &Value)> = servers.into_iter().map(|(name, value)| (*name, value)).collect();
        let left_out = others.into_iter().map(|(name, _)| (*name).to_owned()).collect();
        Ok(Import { left_out, ..Import::of_servers(&servers, names)? })
    }
}

fn parse(format: ConfigFormat, text: &str) -> Result<ConfigDocument, ImportError> {
    ConfigDocument::parse(format, text)
        .map_err(|problem| ImportError::Syntax(format.title(), problem.to_string()))
}
