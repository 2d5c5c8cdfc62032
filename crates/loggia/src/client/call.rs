//! One call of a tool, configured step by step.

use std::sync::Arc;
use std::time::Duration;

use loggia_wire::json::ToJson;
use loggia_wire::model::{
    CallToolParams, CallToolResult, LogParams, LoggingLevel, ProgressParams, ServerNotification,
};
use loggia_wire::{JsonObject, Method, RawJson};
use serde::Serialize;

use crate::client::{Client, NotificationSink, RequestOptions};
use crate::error::{Error, Result};

/// A call that has not been sent: set its options, then call [`send`](ToolCall::send). Dropping the future of `send`
/// cancels the call.
#[must_use = "a call is made by `send`"]
pub struct ToolCall<'a> {
    client: &'a Client,
    name: String,
    arguments: Result<Option<JsonObject>, String>,
    options: RequestOptions,
    hears: Vec<NotificationSink>,
}

impl Client {
    /// Calls a tool, with options.
    pub fn call(&self, tool: impl Into<String>) -> ToolCall<'_> {
        ToolCall {
            client: self,
            name: tool.into(),
            arguments: Ok(None),
            options: RequestOptions::default(),
            hears: Vec::new(),
        }
    }

    /// Calls a tool with these arguments: any value that serializes to a JSON object.
    pub async fn call_tool(
        &self,
        tool: impl Into<String>,
        arguments: impl Serialize,
    ) -> Result<CallToolResult> {
        self.call(tool).args(arguments).send().await
    }
}

impl ToolCall<'_> {
    /// Sets the arguments: any value that serializes to a JSON object.
    pub fn args(mut self, arguments: impl Serialize) -> Self {
        let encoded = RawJson::encode(&arguments).map_err(|error| error.to_string());
        let object =
            encoded.and_then(|raw| JsonObject::read(raw.as_bytes()).map_err(|error| error.to_string()));
        self.arguments = object.map(Some);
        self
    }

    /// Sets the time that the server may be silent; each progress notification starts it again.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = Some(timeout);
        self
    }

    /// Sets the time of the whole call.
    pub fn max_timeout(mut self, timeout: Duration) -> Self {
        self.options.max_timeout = Some(timeout);
        self
    }

    /// Adds a key to `_meta`.
    pub fn meta(mut self, key: impl AsRef<str>, value: impl ToJson) -> Self {
        self.options.meta.insert(key.as_ref(), value);
        self
    }

    /// Sets the least level of log messages of this call (modern revisions).
    pub fn log_level(mut self, level: LoggingLevel) -> Self {
        self.options.log_level = Some(level);
        self
    }

    /// Sets a function that gets the progress of the call. It must not block.
    pub fn on_progress(self, f: impl Fn(ProgressParams) + Send + Sync + 'static) -> Self {
        self.on_notification(move |notification| {
            if let ServerNotification::Progress(progress) = notification {
                f(progress);
            }
        })
    }

    /// Sets a function that gets the log messages of this call. It must not block.
    pub fn on_log(self, f: impl Fn(LogParams) + Send + Sync + 'static) -> Self {
        self.on_notification(move |notification| {
            if let ServerNotification::Log(message) = notification {
                f(message);
            }
        })
    }

    /// Sets a function that gets all notifications of this call. It must not block.
    pub fn on_notification(mut self, f: impl Fn(ServerNotification) + Send + Sync + 'static) -> Self {
        self.hears.push(Arc::new(f));
        self
    }

    /// Sends the call. A tool that fails is a result, too: see [`CallToolResult::failed`].
    pub async fn send(mut self) -> Result<CallToolResult> {
        let arguments = self.arguments.map_err(|error| {
            Error::Configuration(format!(
                "the arguments of the tool {:?} cannot be written as a JSON object: {error}",
                self.name
            ))
        })?;
        self.options.on_notification = match self.hears.len() {
            0 => None,
            1 => self.hears.pop(),
            _ => {
                let hears = self.hears;
                Some(Arc::new(move |notification: ServerNotification| {
                    hears.iter().for_each(|hear| hear(notification.clone()));
                }))
            }
        };
        let common = self.client.common();
        let facts = common.options.validate_output.then(|| common.tools().get(&self.name)).flatten();
        if let Some(facts) = &facts {
            facts.check_schema(&self.name)?;
        }
        let params = CallToolParams { name: self.name.clone(), arguments, ..CallToolParams::default() };
        let result: CallToolResult = self.client.typed(Method::CallTool, &params, self.options).await?;
        if let Some(facts) = &facts {
            facts.check_output(&self.name, &result)?;
        }
        Ok(result)
    }
}
