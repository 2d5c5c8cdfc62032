//! The entry of the gateway: a URL, or the command of a bridge, in the shape that an application reads.

use std::path::PathBuf;

use super::document::DocumentValue;

/// The URL of a gateway that runs with its default address.
const DEFAULT_URL: &str = "http://127.0.0.1:4000/mcp";

/// The endpoint of a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayAddress {
    url: String,
}

/// The command that connects standard input and output with the gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BridgeCommand {
    /// The program. Applications often start it with another `PATH`, so it is an absolute path.
    pub program: PathBuf,
    /// Arguments before the URL.
    pub args: Vec<String>,
}

/// The transport between an application and the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GatewayTransport {
    /// Streamable HTTP, at the URL of the gateway.
    Http,
    /// A bridge that the application starts.
    Stdio,
}

impl Default for GatewayAddress {
    /// Returns the address of `loggia up` without options.
    fn default() -> GatewayAddress {
        GatewayAddress { url: DEFAULT_URL.to_owned() }
    }
}

impl GatewayAddress {
    /// Checks a URL.
    ///
    /// # Errors
    ///
    /// A sentence that says what is wrong.
    pub fn parse(url: &str) -> Result<GatewayAddress, String> {
        let uri: http::Uri = url.parse().map_err(|_| format!("{url:?} is no URL"))?;
        match (uri.scheme_str(), uri.host()) {
            (Some("http" | "https"), Some(_)) => Ok(GatewayAddress { url: url.to_owned() }),
            _ => Err(format!("{url:?} is no URL of a server: it begins with http:// or https://")),
        }
    }

    /// Returns the address of a toolset: its name is a part of the path.
    ///
    /// # Errors
    ///
    /// A sentence that says which characters a name has.
    pub fn with_toolset(self, toolset: &str) -> Result<GatewayAddress, String> {
        check_name(toolset)?;
        let (base, query) = self.url.split_at(self.url.find(['?', '#']).unwrap_or(self.url.len()));
        Ok(GatewayAddress { url: format!("{}/{toolset}{query}", base.trim_end_matches('/')) })
    }

    /// Returns the URL.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl GatewayTransport {
    /// Returns the name of the transport for people.
    pub fn as_str(self) -> &'static str {
        match self {
            GatewayTransport::Http => "URL",
            GatewayTransport::Stdio => "command",
        }
    }
}

/// Checks the name of an entry or a toolset. Applications build names of tools from it, and some allow no more.
pub(super) fn check_name(name: &str) -> Result<(), String> {
    let is_name = !name.is_empty()
        && name.len() <= 32
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    match is_name {
        true => Ok(()),
        false => Err(format!("{name:?} cannot be a name: use letters, digits, - and _, at most 32")),
    }
}

/// Fills the shape of an entry.
pub(super) fn filled(shape: &DocumentValue, name: &str, url: &str, bridge: &BridgeCommand) -> DocumentValue {
    match shape {
        DocumentValue::Text(text) => match text.as_str() {
            "{url}" => url.into(),
            "{name}" => name.into(),
            "{command}" => DocumentValue::Text(bridge.program.display().to_string()),
            text => text.into(),
        },
        DocumentValue::List(items) => {
            let item = |item: &DocumentValue| match item.as_text() {
                Some("{args}") => {
                    bridge.args.iter().map(String::as_str).chain([url]).map(DocumentValue::from).collect()
                }
                _ => vec![filled(item, name, url, bridge)],
            };
            DocumentValue::List(items.iter().flat_map(item).collect())
        }
        DocumentValue::Map(members) => {
            let member =
                |(key, value): &(String, DocumentValue)| (key.clone(), filled(value, name, url, bridge));
            DocumentValue::Map(members.iter().map(member).collect())
        }
        value => value.clone(),
    }
}
