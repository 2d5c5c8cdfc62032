//! A legacy session as a value: the values that `initialize` settled, the settings that the client changed since, and the
//! answers to the requests that exist only in sessions. No I/O, no clock; a duplex connection holds one,
//! HTTP seals one into the session id.

#[cfg(feature = "http-server")]
mod replica_form;

use std::sync::Arc;

use loggia_wire::json::{FromJson, VecMap};
use loggia_wire::model::{
    ClientCapabilities, EmptyResult, Extra, InitializeResult, LoggingLevel, Meta, ServerCapabilities,
    ServerResult, SetLevelParams, SubscribeParams, SubscriptionFilter,
};
use loggia_wire::{Era, Method, Params, RawJson, RawObject, RequestMeta, RpcError, Version};

use crate::limits::Limits;
use crate::service::Description;

/// One legacy session, from the answer to `initialize` on.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    /// The metadata of requests that have none.
    meta: Arc<RequestMeta>,
    initialized: bool,
    subscriptions: VecMap<String, ()>,
}

/// The level of log messages until the client sets another one ("Logging" leaves it to the server).
const DEFAULT_LOG_LEVEL: LoggingLevel = LoggingLevel::Info;

impl Session {
    /// Answers `initialize`: the session, and the result to send. A version we do not serve is answered with
    /// our newest legacy revision ("Version Negotiation"); a server of the modern era alone answers
    /// with an error that names what it serves, since an old client can show its user nothing else.
    pub(crate) fn initialize(
        params: Option<&RawJson>,
        server: &Description,
    ) -> Result<(Session, ServerResult), RpcError> {
        let params = params.map_or(&b"{}"[..], RawJson::as_bytes);
        let params = RawObject::read(params).map_err(|_| invalid("expected an object"))?;
        let requested: String = params.get("protocolVersion").map_err(invalid)?;
        // Some old clients leave out what the schema requires.
        let capabilities: Option<ClientCapabilities> = params.get("capabilities").map_err(invalid)?;
        let version = negotiate(&requested, &server.versions)?;
        let meta = RequestMeta {
            version,
            client_info: params.get("clientInfo").map_err(invalid)?,
            client_capabilities: capabilities.unwrap_or_default(),
            log_level: server.capabilities.logging.is_some().then_some(DEFAULT_LOG_LEVEL),
            progress_token: None,
            extra: Meta::new(),
        };
        let result = InitializeResult {
            protocol_version: version.to_string(),
            capabilities: server.capabilities.clone(),
            server_info: server.identity.clone(),
            instructions: server.instructions.clone(),
            meta: None,
            extra: Extra::new(),
        };
        let session = Session { meta: Arc::new(meta), initialized: false, subscriptions: VecMap::new() };
        Ok((session, ServerResult::from(result)))
    }

    /// The negotiated revision.
    pub(crate) fn version(&self) -> Version {
        self.meta.version
    }

    /// Returns the metadata of the client, from `initialize` and later requests.
    pub(crate) fn meta(&self) -> &RequestMeta {
        &self.meta
    }

    /// Returns whether the client said `notifications/initialized`: before it, the server asks nothing.
    pub(crate) fn is_initialized(&self) -> bool {
        self.initialized
    }

    /// Call it on `notifications/initialized`.
    pub(crate) fn initialized(&mut self) {
        self.initialized = true;
    }

    /// Returns the metadata of a request of this session.
    pub(crate) fn request_meta(&self, params: Option<&Params>) -> Result<Arc<RequestMeta>, RpcError> {
        RequestMeta::from_session(params, &self.meta)
    }

    /// Answers the requests that belong to the session: `ping`, `logging/setLevel`, `resources/subscribe`,
    /// `resources/unsubscribe`. `None` for every other method: the service answers it. After a change of
    /// subscriptions [`filter`](Session::filter) has a new value.
    pub(crate) fn answer(
        &mut self,
        method: &Method,
        params: Option<&RawJson>,
        server: &Description,
        limits: &Limits,
    ) -> Option<Result<ServerResult, RpcError>> {
        let done = match method {
            Method::Initialize => Err(already_initialized(self.meta.version)),
            Method::Ping => Ok(()),
            Method::SetLogLevel => self.set_log_level(params, &server.capabilities),
            Method::Subscribe => self.subscribe(params, &server.capabilities, limits),
            Method::Unsubscribe => self.unsubscribe(params, &server.capabilities),
            _ => return None,
        };
        Some(done.map(|()| ServerResult::Empty(EmptyResult::default())))
    }

    /// Returns the changes to report to the client: every list that the server declares to announce, and the resources
    /// it subscribed to.
    pub(crate) fn filter(&self, server: &ServerCapabilities) -> SubscriptionFilter {
        let declared = |list_changed: Option<bool>| list_changed.filter(|declared| *declared);
        let subscriptions =
            (!self.subscriptions.is_empty()).then(|| self.subscriptions.keys().cloned().collect());
        SubscriptionFilter {
            tools_list_changed: declared(server.tools.as_ref().and_then(|tools| tools.list_changed)),
            prompts_list_changed: declared(server.prompts.as_ref().and_then(|prompts| prompts.list_changed)),
            resources_list_changed: declared(server.resources.as_ref().and_then(|r| r.list_changed)),
            resource_subscriptions: subscriptions,
            ..SubscriptionFilter::default()
        }
    }

    /// Takes back a subscription that the service refused.
    pub(crate) fn forget(&mut self, uri: &str) {
        self.subscriptions.remove(uri);
    }

    fn set_log_level(
        &mut self,
        params: Option<&RawJson>,
        server: &ServerCapabilities,
    ) -> Result<(), RpcError> {
        declared(server.logging.is_some(), &Method::SetLogLevel)?;
        let level = decode::<SetLevelParams>(params)?.level;
        Arc::make_mut(&mut self.meta).log_level = Some(level);
        Ok(())
    }

    fn subscribe(
        &mut self,
        params: Option<&RawJson>,
        server: &ServerCapabilities,
        limits: &Limits,
    ) -> Result<(), RpcError> {
        declared(offers_subscriptions(server), &Method::Subscribe)?;
        let SubscribeParams { uri, .. } = decode(params)?;
        if uri.len() > limits.uri_bytes {
            return Err(RpcError::invalid_params(format!(
                "The uri is longer than {} bytes",
                limits.uri_bytes
            )));
        }
        if self.subscriptions.len() >= limits.subscriptions && !self.subscriptions.contains_key(&uri) {
            let most = limits.subscriptions;
            return Err(RpcError::invalid_params(format!(
                "At most {most} resources can be subscribed to at once"
            )));
        }
        let bytes = self.subscriptions.keys().map(String::len).sum::<usize>() + uri.len();
        if bytes > limits.subscription_bytes && !self.subscriptions.contains_key(&uri) {
            return Err(super::listen::too_many_bytes(limits));
        }
        self.subscriptions.insert(uri, ());
        Ok(())
    }

    fn unsubscribe(&mut self, params: Option<&RawJson>, server: &ServerCapabilities) -> Result<(), RpcError> {
        declared(offers_subscriptions(server), &Method::Unsubscribe)?;
        self.subscriptions.remove(&decode::<SubscribeParams>(params)?.uri);
        Ok(())
    }
}

fn negotiate(requested: &str, served: &[Version]) -> Result<Version, RpcError> {
    let wanted = Version::negotiate_legacy(requested);
    let newest = || served.iter().copied().filter(|v| v.era() == Era::Legacy).max();
    served
        .contains(&wanted)
        .then_some(wanted)
        .or_else(newest)
        .ok_or_else(|| RpcError::unsupported_version(requested, served))
}

fn decode<T: FromJson>(params: Option<&RawJson>) -> Result<T, RpcError> {
    T::from_json(params.map_or(b"{}", RawJson::as_bytes)).map_err(invalid)
}

fn invalid(reason: impl std::fmt::Display) -> RpcError {
    RpcError::invalid_params(format!("Invalid params: {reason}"))
}

fn declared(offered: bool, method: &Method) -> Result<(), RpcError> {
    if offered { Ok(()) } else { Err(RpcError::method_not_found(method.as_str())) }
}

fn offers_subscriptions(server: &ServerCapabilities) -> bool {
    server.resources.as_ref().and_then(|resources| resources.subscribe) == Some(true)
}

fn already_initialized(version: Version) -> RpcError {
    RpcError::invalid_request(format!(
        "This session is already initialized ({version}): open a new connection to initialize again"
    ))
}
