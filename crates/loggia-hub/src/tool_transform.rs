//! Transforms of tools: they rewrite the definitions that clients see, the arguments for the connector, and the results
//! for clients.
//!
//! A vendor describes its tools for everyone; a transform fits a tool to the models of the hub's clients. Transforms of
//! names ([`crate::transform`]) are separate, because most connectors have only those.
//!
//! Invariant: a tool without a transform is relayed as bytes.

use std::collections::BTreeMap;
use std::sync::Arc;

use loggia::model::{CallToolResult, JsonObject, Tool};
use loggia::service::BoxFuture;

use crate::account_argument::AccountArgument;
use crate::result_limit::ResultLimit;

/// Rewrites one tool of a connector.
pub trait ToolTransform: Send + Sync + 'static {
    /// Returns the definition that clients see, from the connector's own. Its name is not used: names have
    /// transforms of their own.
    fn definition(&self, tool: &Tool) -> Tool {
        tool.clone()
    }

    /// Returns whether the arguments of calls are rewritten. If not, their bytes are relayed. False by default.
    fn changes_arguments(&self) -> bool {
        false
    }

    /// Returns the arguments for the connector, from the caller's. The error is a text for the model.
    fn arguments(&self, given: &JsonObject) -> Result<JsonObject, String> {
        Ok(given.clone())
    }

    /// Returns whether results are rewritten. If not, their bytes are relayed. False by default.
    fn changes_result(&self) -> bool {
        false
    }

    /// Returns the result for the client. Errors of the tool are not passed to it. Work that takes more than a few
    /// milliseconds belongs on another thread than the runtime's.
    fn result(&self, result: CallToolResult) -> BoxFuture<'_, CallToolResult> {
        Box::pin(std::future::ready(result))
    }

    /// Returns whether the user is asked before each call. False by default.
    fn needs_confirmation(&self) -> bool {
        false
    }

    /// Returns whether the tool is left out of the list. It can be called by its name. False by default.
    fn is_deferred(&self) -> bool {
        false
    }
}

/// The rewriting of one tool: its transform, and the bound of its results.
#[derive(Clone)]
pub(crate) struct ToolRewrite {
    pub(crate) transform: Arc<dyn ToolTransform>,
    pub(crate) limit: Option<ResultLimit>,
}

/// The rewriting of the tools of one connector: the transforms, by the connector's own names, and the bound of all results.
#[derive(Clone)]
pub(crate) struct ToolTransformMap {
    transforms: BTreeMap<String, Arc<dyn ToolTransform>>,
    limit: Option<ResultLimit>,
    /// True if deferred tools are listed like the others.
    lists_deferred: bool,
    /// The argument `account` of all tools, if there are several accounts.
    accounts: Option<Arc<AccountArgument>>,
    /// The transform of tools that have none, if results are bounded or there are accounts.
    identity: Arc<dyn ToolTransform>,
}

/// The transform that changes nothing.
struct IdentityTransform;

impl ToolTransform for IdentityTransform {}

impl Default for ToolTransformMap {
    fn default() -> ToolTransformMap {
        let identity = Arc::new(IdentityTransform);
        let (transforms, limit, accounts) = (BTreeMap::new(), None, None);
        ToolTransformMap { transforms, limit, lists_deferred: false, accounts, identity }
    }
}

impl ToolRewrite {
    /// Returns the definition that clients see. A result that is cut has no structured content.
    pub(crate) fn definition(&self, tool: &Tool) -> Tool {
        let definition = self.transform.definition(tool);
        match self.limit {
            Some(_) => Tool { output_schema: None, ..definition },
            None => definition,
        }
    }
}

impl ToolTransformMap {
    /// Sets the transform of a tool.
    pub(crate) fn insert(&mut self, name: String, transform: Arc<dyn ToolTransform>) {
        self.transforms.insert(name, transform);
    }

    /// Sets the bound of all results.
    pub(crate) fn set_limit(&mut self, limit: Option<ResultLimit>) {
        self.limit = limit;
    }

    /// Sets the accounts; the default is the first.
    pub(crate) fn set_accounts(&mut self, accounts: Vec<String>) {
        self.accounts = AccountArgument::new(accounts);
    }

    /// Lists deferred tools like the others.
    pub(crate) fn list_deferred(&mut self) {
        self.lists_deferred = true;
    }

    /// Returns whether a tool is left out of the list.
    pub(crate) fn is_deferred(&self, name: &str) -> bool {
        !self.lists_deferred && self.transforms.get(name).is_some_and(|transform| transform.is_deferred())
    }

    /// Returns the rewriting of a tool; `None` for a tool that is relayed as bytes.
    pub(crate) fn get(&self, name: &str) -> Option<ToolRewrite> {
        let transform = match self.transforms.get(name) {
            Some(transform) => transform,
            None if self.limit.is_some() || self.accounts.is_some() => &self.identity,
            None => return None,
        };
        let transform = match &self.accounts {
            Some(accounts) => accounts.transform(name, transform.clone()),
            None => transform.clone(),
        };
        Some(ToolRewrite { transform, limit: self.limit })
    }

    /// Returns the definition that clients see; `None` if the tool is not rewritten.
    pub(crate) fn definition(&self, tool: &Tool) -> Option<Tool> {
        self.get(&tool.name).map(|rewrite| rewrite.definition(tool))
    }
}
