//! The rewriting of the tools of one connector: the transforms of its description, the bound of results, and the argument of
//! its accounts.
//!
//! Invariant: a tool that none of these changes is relayed as bytes.

use std::collections::BTreeMap;
use std::sync::Arc;

use loggia::model::Tool;

use crate::account_argument::AccountArgument;
use crate::result_limit::ResultLimit;
use crate::tool_transform::ToolTransform;

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
