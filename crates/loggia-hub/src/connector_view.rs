//! The parts of a connector that the routing table and the description of the hub are made of.

use crate::transform::TransformChain;
use crate::upstream_lists::UpstreamLists;

/// One connector, as the routing table is made of it.
pub(crate) struct ConnectorView<'a> {
    pub(crate) prefix: &'a str,
    /// True if names are listed without the prefix, as far as they are free.
    pub(crate) unprefixed: bool,
    pub(crate) lists: Option<&'a UpstreamLists>,
    /// Lists that are no longer shown: their URIs lead to the connector all the same.
    pub(crate) unlisted: Option<&'a UpstreamLists>,
    /// The names under which its tools and prompts are exposed.
    pub(crate) chain: &'a TransformChain,
    /// The connector's name, where each user signs in to it.
    pub(crate) sign_in: Option<&'a str>,
}
