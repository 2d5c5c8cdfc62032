//! A function for each request of the protocol.

use loggia_wire::VecMap;
use loggia_wire::json::ToJson;
use loggia_wire::model::{
    CallToolResult, CompleteParams, CompleteResult, EmptyResult, GetPromptParams, GetPromptResult,
    ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult, ListToolsResult, LoggingLevel,
    ReadResourceParams, ReadResourceResult, ServerResult, SetLevelParams, SubscribeParams,
};
use loggia_wire::{Method, RawJson, codec};

use crate::client::{Client, RequestOptions};
use crate::error::{Error, Result};

/// The type of the result of one method.
pub(crate) trait FromServerResult: Sized {
    fn take(result: ServerResult) -> Option<Self>;
}

macro_rules! results {
    ($($variant:ident: $type:ty),* $(,)?) => {
        $(impl FromServerResult for $type {
            fn take(result: ServerResult) -> Option<$type> {
                match result {
                    ServerResult::$variant(result) => Some(result),
                    _ => None,
                }
            }
        })*
    };
}

results! {
    ListTools: ListToolsResult,
    CallTool: CallToolResult,
    ListResources: ListResourcesResult,
    ListResourceTemplates: ListResourceTemplatesResult,
    ReadResource: ReadResourceResult,
    ListPrompts: ListPromptsResult,
    GetPrompt: GetPromptResult,
    Complete: CompleteResult,
    Empty: EmptyResult,
}

impl Client {
    /// Reads a resource.
    pub async fn read_resource(&self, uri: impl Into<String>) -> Result<ReadResourceResult> {
        let params = ReadResourceParams { uri: uri.into(), ..ReadResourceParams::default() };
        self.typed(Method::ReadResource, &params, cached()).await
    }

    /// Renders a prompt.
    pub async fn get_prompt<K: Into<String>, V: Into<String>>(
        &self,
        name: impl Into<String>,
        arguments: impl IntoIterator<Item = (K, V)>,
    ) -> Result<GetPromptResult> {
        let arguments: VecMap<String, String> =
            arguments.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        let arguments = (!arguments.is_empty()).then_some(arguments);
        let params = GetPromptParams { name: name.into(), arguments, ..GetPromptParams::default() };
        self.typed(Method::GetPrompt, &params, RequestOptions::default()).await
    }

    /// Completes an argument of a prompt or a resource template.
    pub async fn complete(&self, params: CompleteParams) -> Result<CompleteResult> {
        self.typed(Method::Complete, &params, RequestOptions::default()).await
    }

    /// Checks that the server answers. If the revision has no `ping`, sends `server/discover`.
    pub async fn ping(&self) -> Result<()> {
        let modern = self.server().await?.version.is_modern();
        let method = if modern { Method::Discover } else { Method::Ping };
        self.request(method, RawJson::empty_object(), RequestOptions::default()).await.map(drop)
    }

    /// Sets the least level of log messages from now on. In the legacy era the server gets a request; in the modern
    /// era every later request contains the level.
    pub async fn set_log_level(&self, level: LoggingLevel) -> Result<()> {
        self.common().set_log_level(level);
        let server = self.server().await?;
        if server.version.is_modern() || server.capabilities.logging.is_none() {
            return Ok(());
        }
        let params = SetLevelParams { level, meta: None, extra: Default::default() };
        self.typed::<EmptyResult>(Method::SetLogLevel, &params, RequestOptions::default()).await.map(drop)
    }

    /// Sends `resources/subscribe` or `resources/unsubscribe` (legacy era).
    pub(crate) async fn subscribe(&self, method: Method, uri: &str) -> Result<()> {
        let params = SubscribeParams { uri: uri.to_owned(), ..SubscribeParams::default() };
        self.typed::<EmptyResult>(method, &params, RequestOptions::default()).await.map(drop)
    }

    /// Makes a request and reads its result.
    pub(crate) async fn typed<T: FromServerResult>(
        &self,
        method: Method,
        params: &impl ToJson,
        options: RequestOptions,
    ) -> Result<T> {
        let reply = self.request(method.clone(), RawJson::of(params), options).await?;
        let result = codec::decode_complete_result(&method, &reply.result)
            .map_err(|error| Error::Protocol(error.to_string()))?;
        T::take(result)
            .ok_or_else(|| Error::Protocol(format!("{method} answered with the result of something else")))
    }
}

pub(crate) fn cached() -> RequestOptions {
    RequestOptions { cache: true, ..RequestOptions::default() }
}
