//! The variables of a server as values that the user gives: a site, a region, a version.
//!
//! Invariant: with the default values the address is that of the description.

use loggia_wire::RawJson;
use toml_edit::{Array, Item, Table, value};

use crate::document::{items, member, members, string};
use crate::name::snake_case;
use crate::operation::one_line;

/// Longest description of a value, in bytes.
const MAX_DESCRIPTION: usize = 300;

/// The base URL of a backend, and the values in it.
pub(super) struct ServerAddress {
    /// The URL, with `${config.NAME}` for each value.
    pub(super) base_url: String,
    /// The host, with a port if it has one.
    pub(super) host: String,
    /// The tables of the values; `None` if there are none.
    pub(super) config: Option<Table>,
}

impl ServerAddress {
    /// Returns the address for a URL without values.
    pub(super) fn fixed(url: &str) -> ServerAddress {
        let base_url = url.trim_end_matches('/').to_owned();
        ServerAddress { host: host_of(&base_url), base_url, config: None }
    }

    /// Returns the address of the first server that has variables ("Server Variable Object"); `None` if it has none, or is
    /// relative.
    pub(super) fn with_variables(servers: &RawJson) -> Option<ServerAddress> {
        let server = items(servers).into_iter().next()?;
        let mut url = string(&server, "url").filter(|url| url.starts_with("http"))?;
        let mut config = Table::new();
        config.set_implicit(true);
        for (name, variable) in member(&server, "variables").iter().flat_map(members) {
            let key = snake_case(&name);
            let place = format!("{{{name}}}");
            if url.contains(&place) && !key.is_empty() && !config.contains_key(&key) {
                url = url.replace(&place, &format!("${{config.{key}}}"));
                config.insert(&key, Item::Table(field(&name, &variable)));
            }
        }
        if config.is_empty() {
            return None;
        }
        Some(ServerAddress { config: Some(config), ..ServerAddress::fixed(&url) })
    }
}

fn field(name: &str, variable: &RawJson) -> Table {
    let choices = member(variable, "enum").map(|choices| items(&choices)).unwrap_or_default();
    let choices: Array =
        choices.iter().filter_map(|choice| Some(choice.as_text().as_str()?.into_owned())).collect();
    let mut field = Table::new();
    field["type"] = value(if choices.is_empty() { "string" } else { "choice" });
    field["title"] = value(snake_case(name).replace('_', " "));
    if let Some(description) = string(variable, "description").filter(|text| !text.trim().is_empty()) {
        field["description"] = value(one_line(&description, MAX_DESCRIPTION));
    }
    field["required"] = value(true);
    if let Some(default) = string(variable, "default") {
        field["default"] = value(default);
    }
    if !choices.is_empty() {
        field["choices"] = value(choices);
    }
    field
}

fn host_of(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split('/').next().unwrap_or_default().to_owned()
}
