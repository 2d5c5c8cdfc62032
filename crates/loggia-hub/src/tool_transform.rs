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
}

/// The transforms of the tools of one connector, by the connector's own names.
#[derive(Clone, Default)]
pub(crate) struct ToolTransformMap(BTreeMap<String, Arc<dyn ToolTransform>>);

impl ToolTransformMap {
    /// Sets the transform of a tool.
    pub(crate) fn insert(&mut self, name: String, transform: Arc<dyn ToolTransform>) {
        self.0.insert(name, transform);
    }

    /// Returns the transform of a tool.
    pub(crate) fn get(&self, name: &str) -> Option<&Arc<dyn ToolTransform>> {
        self.0.get(name)
    }

    /// Returns the definition that clients see; `None` if the tool is not rewritten.
    pub(crate) fn definition(&self, tool: &Tool) -> Option<Tool> {
        self.get(&tool.name).map(|transform| transform.definition(tool))
    }
}
