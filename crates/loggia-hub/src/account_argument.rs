//! The argument `account` of the tools of a connector with several accounts.
//!
//! Clients see the argument in each definition. A call without it uses the default account. The module is separate from the
//! connections of the accounts, because a definition is listed before they are open. Invariant: an argument of the connector
//! keeps its name, and only a connector with several accounts is rewritten.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};

use loggia::model::{CallToolResult, JsonObject, Tool};
use loggia::service::{BoxFuture, Request};
use loggia::wire::{Method, RawJson, RawObject, RpcError};
use serde_json::json;

use crate::request_params::invalid_params;
use crate::tool_transform::ToolTransform;

/// The names of the argument, in order of preference: a tool may have an argument of the first name itself.
const NAMES: [&str; 2] = ["account", "loggia_account"];
/// The member of the arguments that names the account inside the hub. It is removed before the call is sent.
const SELECTED: &str = "loggia/account";

/// The argument of all tools of one connector.
pub(crate) struct AccountArgument {
    /// The default is the first; there are at least two.
    accounts: Vec<String>,
    /// The tools with an argument of the first name themselves, as their last definitions have it.
    renamed: RwLock<BTreeSet<String>>,
}

/// Adds the argument to one tool, before its other transform.
pub(crate) struct AccountTransform {
    argument: Arc<AccountArgument>,
    /// The connector's own name of the tool.
    tool: String,
    inner: Arc<dyn ToolTransform>,
}

impl AccountArgument {
    /// Creates the argument; `None` for a connector with fewer than two accounts. The first one is the default.
    pub(crate) fn new(accounts: Vec<String>) -> Option<Arc<AccountArgument>> {
        if accounts.len() < 2 {
            return None;
        }
        Some(Arc::new(AccountArgument { accounts, renamed: RwLock::default() }))
    }

    /// Adds the argument to the tool that the connector calls `tool`.
    pub(crate) fn transform(
        self: &Arc<Self>,
        tool: &str,
        inner: Arc<dyn ToolTransform>,
    ) -> Arc<dyn ToolTransform> {
        Arc::new(AccountTransform { argument: self.clone(), tool: tool.to_owned(), inner })
    }

    /// Returns the name of the argument of a tool.
    fn name(&self, tool: &str) -> &'static str {
        let renamed = self.renamed.read().unwrap_or_else(PoisonError::into_inner);
        NAMES[usize::from(renamed.contains(tool))]
    }

    fn remember(&self, tool: &str, is_renamed: bool) {
        let mut renamed = self.renamed.write().unwrap_or_else(PoisonError::into_inner);
        match is_renamed {
            true => drop(renamed.insert(tool.to_owned())),
            false => drop(renamed.remove(tool)),
        }
    }

    fn property(&self) -> RawJson {
        let names = &self.accounts;
        let description = format!("The account to use: {} (default), {}", names[0], names[1..].join(", "));
        // Some clients send every argument, and null for those without a value.
        let values: Vec<Option<&String>> = names.iter().map(Some).chain([None]).collect();
        let property = json!({
            "type": ["string", "null"], "description": description, "enum": values, "default": names[0],
        });
        RawJson::from_written(property.to_string().into_bytes())
    }
}

impl ToolTransform for AccountTransform {
    fn definition(&self, tool: &Tool) -> Tool {
        let mut definition = self.inner.definition(tool);
        let mut schema = (*definition.input_schema).clone();
        let mut properties = schema.get("properties").and_then(|value| value.to_object()).unwrap_or_default();
        self.argument.remember(&self.tool, properties.contains_key(NAMES[0]));
        properties.insert(self.argument.name(&self.tool), self.argument.property());
        schema.insert("properties", properties.to_raw());
        definition.input_schema = schema.into();
        definition
    }

    fn changes_arguments(&self) -> bool {
        true
    }

    fn arguments(&self, given: &JsonObject) -> Result<JsonObject, String> {
        let (mut given, accounts) = (given.clone(), &self.argument.accounts);
        let named = given.remove(self.argument.name(&self.tool)).map(|named| named.to_value());
        let account = match &named {
            None | Some(serde_json::Value::Null) => accounts.first(),
            Some(named) => accounts.iter().find(|account| named == account.as_str()),
        };
        let Some(account) = account else {
            return Err(format!("There is no such account. The accounts are: {}.", accounts.join(", ")));
        };
        let mut arguments = match self.inner.changes_arguments() {
            true => self.inner.arguments(&given)?,
            false => given,
        };
        arguments.insert(SELECTED, account.as_str());
        Ok(arguments)
    }

    fn changes_result(&self) -> bool {
        self.inner.changes_result()
    }

    fn result(&self, result: CallToolResult) -> BoxFuture<'_, CallToolResult> {
        self.inner.result(result)
    }

    fn needs_confirmation(&self) -> bool {
        self.inner.needs_confirmation()
    }
}

/// Removes the selected account from the arguments of a call, and returns it. Other requests select none.
///
/// # Errors
///
/// An error for the client if the params cannot be read.
pub(crate) fn take_account(request: Request) -> Result<(Request, Option<String>), RpcError> {
    if request.method != Method::CallTool {
        return Ok((request, None));
    }
    let params = RawObject::of(&request.params).map_err(invalid_params)?;
    let Some(arguments) = params.value("arguments") else { return Ok((request, None)) };
    let mut arguments = arguments.decode::<JsonObject>().map_err(invalid_params)?;
    let Some(selected) = arguments.remove(SELECTED) else { return Ok((request, None)) };
    let account = selected.to_value().as_str().map(str::to_owned);
    let params = params.with(&[("arguments", &arguments.to_raw())]);
    Ok((Request { params: params.into(), ..request }, account))
}
