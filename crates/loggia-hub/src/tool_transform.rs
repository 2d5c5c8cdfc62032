//! Transforms of tools: they rewrite the definitions that clients see, the arguments for the connector, and the results
//! for clients.
//!
//! A vendor describes its tools for everyone; a transform fits a tool to the models of the hub's clients. Transforms of
//! names ([`crate::transform`]) are separate, because most connectors have only those.
//!
//! Invariant: a tool without a transform is relayed as bytes.

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

    /// Returns whether the tool is left out of the list. It can be called by its name. False by default.
    fn is_deferred(&self) -> bool {
        false
    }
}
