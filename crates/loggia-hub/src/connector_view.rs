//! The parts of a connector from which the routing table and the description of the hub are built.

use std::sync::Arc;

use crate::tool_review::ToolReview;
use crate::tool_rewrite::ToolTransformMap;
use crate::transform::TransformChain;
use crate::upstream_lists::UpstreamLists;

/// One connector, for building the routing table.
pub(crate) struct ConnectorView<'a> {
    pub(crate) prefix: &'a str,
    /// True if names are listed without the prefix, unless they begin with the prefix of another connector.
    pub(crate) unprefixed: bool,
    pub(crate) lists: Option<&'a UpstreamLists>,
    /// Lists that are no longer shown: their URIs still belong to the connector.
    pub(crate) unlisted: Option<&'a UpstreamLists>,
    /// The names under which its tools and prompts are exposed.
    pub(crate) chain: &'a TransformChain,
    /// The transforms of its tools, if it has any.
    pub(crate) tool_transforms: Option<&'a ToolTransformMap>,
    /// The review of its tools, if it has one.
    pub(crate) review: Option<&'a Arc<dyn ToolReview>>,
    /// The connector's name, if each user signs in to it.
    pub(crate) sign_in: Option<&'a str>,
}
