//! A direct backend with several accounts, as one MCP server: each tool takes the account as an argument.
//!
//! Invariant: an argument of the manifest keeps its name, and with one account the tools are those of the manifest.

use std::sync::Arc;

use loggia::Server;
use loggia::model::{CallToolResult, Tool as ToolDefinition};
use loggia::server::{Args, Cx, Tool, ToolError};
use loggia::wire::JsonObject;
use serde_json::{Value, json};

use super::{ManifestApi, raw, server};
use crate::manifest::ConnectorManifest;

/// The names of the argument, in order of preference: a tool may have an argument of the first name itself.
const ACCOUNT: [&str; 2] = ["account", "loggia_account"];

/// A direct backend with one connection for each account.
#[derive(Debug)]
pub struct AccountApis {
    /// The default account is the first; there is at least one.
    accounts: Vec<(String, ManifestApi)>,
}

impl AccountApis {
    /// Serves the accounts in this order; calls that name none use the first. Returns `None` if there is no account.
    pub fn new(accounts: Vec<(String, ManifestApi)>) -> Option<AccountApis> {
        (!accounts.is_empty()).then_some(AccountApis { accounts })
    }

    /// Makes an MCP server of the tools.
    ///
    /// # Errors
    ///
    /// The errors of [`loggia::server::ServerBuilder::build`].
    pub fn into_server(mut self, manifest: &ConnectorManifest) -> loggia::Result<Server> {
        if self.accounts.len() == 1 {
            return self.accounts.remove(0).1.into_server(manifest);
        }
        let definitions: Vec<ToolDefinition> = self.accounts[0].1.tools().collect();
        let tools: Vec<Tool<AccountApis>> = definitions.into_iter().map(|tool| self.served(tool)).collect();
        server(self, tools, manifest)
    }

    fn served(&self, definition: ToolDefinition) -> Tool<AccountApis> {
        let (definition, argument) = self.with_account(definition);
        let name = definition.name.clone();
        let tool = Tool::build(name.clone()).input_schema((*definition.input_schema).clone());
        let handler = tool.handler(move |apis: Arc<AccountApis>, _: Cx, args: Args| {
            let name = name.clone();
            async move { apis.call(&name, argument, args.into_object()).await }
        });
        handler.map(move |own| *own = definition)
    }

    /// Adds the argument, and returns its name.
    fn with_account(&self, mut definition: ToolDefinition) -> (ToolDefinition, &'static str) {
        let mut schema = (*definition.input_schema).clone();
        let mut properties = schema.get("properties").and_then(|value| value.to_object()).unwrap_or_default();
        let argument = ACCOUNT.into_iter().find(|name| properties.get(name).is_none());
        let argument = argument.unwrap_or(ACCOUNT[1]);
        let names: Vec<&str> = self.accounts.iter().map(|(name, _)| name.as_str()).collect();
        let description = format!("The account to use: {} (default), {}", names[0], names[1..].join(", "));
        // Some clients send every argument, and null for those without a value.
        let values: Vec<Option<&str>> = names.iter().copied().map(Some).chain([None]).collect();
        let property = json!({
            "type": ["string", "null"], "description": description, "enum": values, "default": names[0],
        });
        properties.insert(argument, raw(&property));
        schema.insert("properties", properties.to_raw());
        definition.input_schema = schema.into();
        (definition, argument)
    }

    async fn call(
        &self,
        tool: &str,
        argument: &str,
        mut arguments: JsonObject,
    ) -> Result<CallToolResult, ToolError> {
        let named = arguments.remove(argument);
        let found = match named.as_ref().map(loggia::wire::RawJson::to_value) {
            None | Some(Value::Null) => self.accounts.first(),
            Some(named) => self.accounts.iter().find(|(known, _)| named == known.as_str()),
        };
        match found {
            Some((_, api)) => api.call(tool, &arguments).await,
            None => {
                let names: Vec<&str> = self.accounts.iter().map(|(name, _)| name.as_str()).collect();
                Err(ToolError::say(format!(
                    "There is no such account. The accounts are: {}.",
                    names.join(", ")
                )))
            }
        }
    }
}
