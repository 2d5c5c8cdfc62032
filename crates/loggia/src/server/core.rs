//! A built server: everything it offers, and who of it answers a request.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use loggia_wire::header::ParamHeaders;
use loggia_wire::{Method, RpcError};

use super::completion::Completer;
use super::cx::{CallContext, CallSubject, Cx, LogQuota};
use super::handlers::prompts::PromptEntry;
use super::handlers::resources::Resources;
use super::handlers::tools::ToolEntry;
use super::handlers::{Offer, RequestHandler};
use super::list::List;
use super::replay::InputContext;
use super::seal::Sealer;
use crate::changes::{ChangeSubscription, Changes};
use crate::clock::WallClock;
use crate::exchange::Exchange;
use crate::future::BoxFuture;
use crate::limits::Limits;
use crate::model::{InputResponses, SubscriptionFilter};
use crate::service::{Description, Outcome, Request};

pub(crate) struct ServerCore {
    pub(crate) description: Arc<Description>,
    pub(crate) tools: Option<Offer<List<ToolEntry>>>,
    pub(crate) prompts: Option<Offer<List<PromptEntry>>>,
    pub(crate) resources: Option<Offer<Resources>>,
    pub(crate) completions: Option<RequestHandler>,
    /// Completes what has no completer of its own.
    pub(crate) completer: Option<Completer<()>>,
    pub(crate) changes: Changes,
    pub(crate) limits: Limits,
    pub(crate) clock: WallClock,
    pub(crate) sealer: Sealer,
    pub(crate) state_ttl: Duration,
    /// The state argument of handlers that are bound to their state.
    pub(crate) no_state: Arc<()>,
}

impl ServerCore {
    pub(crate) fn now(&self) -> SystemTime {
        (self.clock)()
    }

    /// Answers one request.
    pub(crate) fn start(
        self: Arc<ServerCore>,
        request: Request,
        exchange: Exchange,
    ) -> BoxFuture<'static, Outcome> {
        let answer = match request.method {
            Method::ListTools | Method::CallTool => self.tools.as_ref().map(|tools| tools.answer),
            Method::ListPrompts | Method::GetPrompt => self.prompts.as_ref().map(|prompts| prompts.answer),
            Method::ListResources | Method::ListResourceTemplates | Method::ReadResource => {
                self.resources.as_ref().map(|resources| resources.answer)
            }
            Method::Complete => self.completions,
            _ => None,
        };
        match answer {
            Some(answer) => answer(self, request, exchange),
            None => {
                let error = RpcError::method_not_found(request.method.as_str());
                Box::pin(std::future::ready(Err(error)))
            }
        }
    }

    pub(crate) fn tools(&self) -> Option<&List<ToolEntry>> {
        self.tools.as_ref().map(|tools| &tools.list)
    }

    pub(crate) fn prompts(&self) -> Option<&List<PromptEntry>> {
        self.prompts.as_ref().map(|prompts| &prompts.list)
    }

    pub(crate) fn resources(&self) -> Option<&Resources> {
        self.resources.as_ref().map(|resources| &resources.list)
    }

    pub(crate) fn listen(&self, filter: SubscriptionFilter) -> ChangeSubscription {
        let offers = &self.description.capabilities;
        let if_offered = |wanted: Option<bool>, offered: bool| wanted.filter(|_| offered);
        self.changes.listen(SubscriptionFilter {
            tools_list_changed: if_offered(filter.tools_list_changed, offers.tools.is_some()),
            prompts_list_changed: if_offered(filter.prompts_list_changed, offers.prompts.is_some()),
            resources_list_changed: if_offered(filter.resources_list_changed, offers.resources.is_some()),
            resource_subscriptions: filter.resource_subscriptions.filter(|_| offers.resources.is_some()),
            ..SubscriptionFilter::default()
        })
    }

    pub(crate) fn param_headers(&self, tool: &str) -> Option<Arc<ParamHeaders>> {
        self.tools()?.get(tool)?.param_headers.clone()
    }

    pub(crate) fn cx(
        self: &Arc<ServerCore>,
        request: Request,
        exchange: Exchange,
        subject: CallSubject,
        responses: Option<InputResponses>,
        state: Option<String>,
    ) -> Cx {
        Cx::new(CallContext {
            core: self.clone(),
            meta: request.meta,
            principal: request.principal,
            exchange,
            subject,
            rounds: InputContext::new(self, responses, state),
            progress: Mutex::new(None),
            logged: Mutex::new(LogQuota::default()),
        })
    }
}
