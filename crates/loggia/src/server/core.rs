//! A built server: its description, its lists and the parts that requests use.

use std::sync::Arc;

use super::completion::Completer;
use super::context::{ContextProvider, ServerContext};
use super::entries::prompts::PromptEntry;
use super::entries::resources::ResourceLists;
use super::entries::tools::ToolEntry;
use super::list::List;
use crate::changes::ChangeSubscription;
use crate::model::SubscriptionFilter;
use crate::service::Description;

/// A built server.
pub(crate) struct ServerCore {
    pub(crate) description: Arc<Description>,
    pub(crate) context: ServerContext,
    /// `None` if the server declares no tools.
    pub(crate) tools: Option<List<ToolEntry>>,
    pub(crate) prompts: Option<List<PromptEntry>>,
    pub(crate) resources: Option<ResourceLists>,
    /// True if anything can be completed.
    pub(crate) has_completions: bool,
    /// Completes what has no completer of its own.
    pub(crate) completer: Option<Completer<()>>,
    /// The state argument of handlers that are bound to their state.
    pub(crate) no_state: Arc<()>,
}

impl ContextProvider for ServerCore {
    fn context(&self) -> &ServerContext {
        &self.context
    }
}

impl ServerCore {
    /// Opens a stream of those changes in `filter` whose capability the server has.
    pub(crate) fn listen(&self, filter: SubscriptionFilter) -> ChangeSubscription {
        let offers = &self.description.capabilities;
        let if_offered = |wanted: Option<bool>, offered: bool| wanted.filter(|_| offered);
        self.context.changes.listen(SubscriptionFilter {
            tools_list_changed: if_offered(filter.tools_list_changed, offers.tools.is_some()),
            prompts_list_changed: if_offered(filter.prompts_list_changed, offers.prompts.is_some()),
            resources_list_changed: if_offered(filter.resources_list_changed, offers.resources.is_some()),
            resource_subscriptions: filter.resource_subscriptions.filter(|_| offers.resources.is_some()),
            ..SubscriptionFilter::default()
        })
    }
}
