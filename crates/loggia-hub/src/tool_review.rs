//! Reviews of tool definitions: which tools of a connector are served, by the definitions that its server lists now.
//!
//! A server can change the description of a tool after its user approved the tool. The review compares each definition
//! with the approved one. It is separate from the filter of names, which the administrator writes.
//!
//! Invariant: a tool that is held back is not listed, and each call of it says why.

use std::sync::Arc;

use loggia::model::{JsonObject, Tool};

use crate::tool_rewrite::ToolRewrite;
use crate::tool_transform::ToolTransform;

/// Decides which tools of one connector are served.
pub trait ToolReview: Send + Sync + 'static {
    /// Returns the reason why a tool is held back, as text for the model and the user; `None` for a tool that is served.
    /// The tool is as the connector's server lists it.
    fn refusal(&self, tool: &Tool) -> Option<String>;

    /// Returns the problem that the administrator sees in the status of the connector with these tools; `None` if there is
    /// none.
    fn problem(&self, tools: &[&Tool]) -> Option<String> {
        let is_withheld = |tool: &&&Tool| self.refusal(tool).is_some();
        let withheld: Vec<&str> = tools.iter().filter(is_withheld).map(|tool| tool.name.as_str()).collect();
        (!withheld.is_empty()).then(|| format!("held back: {}", withheld.join(", ")))
    }
}

/// The transform of a tool that is held back: no call reaches the connector.
struct WithheldTool(String);

impl ToolTransform for WithheldTool {
    fn changes_arguments(&self) -> bool {
        true
    }

    fn arguments(&self, _: &JsonObject) -> Result<JsonObject, String> {
        Err(self.0.clone())
    }
}

/// Returns the rewriting of a tool that `review` holds back; `None` for a tool that is served.
pub(crate) fn withheld(review: &Arc<dyn ToolReview>, tool: &Tool) -> Option<ToolRewrite> {
    let reason = review.refusal(tool)?;
    Some(ToolRewrite { transform: Arc::new(WithheldTool(reason)), limit: None })
}
