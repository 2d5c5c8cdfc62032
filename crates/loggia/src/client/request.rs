//! One request of the program: it is answered from the cache, or sent with the required headers, and sent again with
//! the answers to the server's questions.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use loggia_wire::model::{ClientCapabilities, InputRequests, InputRequired, LoggingLevel, Meta};
use loggia_wire::{ErrorCode, Method, Params, RawJson};
use serde_json::Value;
use tokio::sync::oneshot;

use crate::client::command::{CallReceiver, Command, InputSource, NotificationSink, ask};
use crate::client::engine::{CallTiming, OutgoingCall, RawReply};
use crate::client::handler::InputHandler;
use crate::client::{Client, cache, params};
use crate::clock::runtime_now;
use crate::error::{Error, Result};

/// Options of one request. The defaults are those of the client.
#[derive(Clone, Default)]
pub struct RequestOptions {
    /// The time that the server may be silent; each progress notification starts it again.
    pub timeout: Option<Duration>,
    /// The time of the whole request.
    pub max_timeout: Option<Duration>,
    /// No time limits, for `subscriptions/listen`, which is answered when it ends.
    pub no_timeout: bool,
    /// Further keys of `_meta`: trace context, and keys of extensions. The client writes the protocol's own keys.
    pub meta: Meta,
    /// The least level of log messages (modern revisions; see [`Client::set_log_level`]).
    pub log_level: Option<LoggingLevel>,
    /// The capabilities of this request instead of the client's (modern revisions).
    pub capabilities: Option<ClientCapabilities>,
    /// Receives the progress and the log messages of this request. If it is set, the request asks for progress.
    pub on_notification: Option<NotificationSink>,
    /// The handling of the server's questions during the request.
    pub input: InputPolicy,
    /// True if a cached result may be used, and this result may be cached.
    pub cache: bool,
}

/// The handling of the server's questions during a request.
#[derive(Clone, Default)]
pub enum InputPolicy {
    /// The client's own handler answers.
    #[default]
    Handler,
    /// The caller handles them: an `input_required` result is returned unchanged. The questions of a legacy server go
    /// to the handler, or are refused if there is none.
    Surface(Option<Arc<dyn InputHandler>>),
}

impl Client {
    /// Sends one request and returns its result as the server wrote it. Dropping the future cancels the request.
    ///
    /// This is for gateways and for methods of extensions; the other methods have functions of their own.
    pub async fn request(
        &self,
        method: Method,
        params: impl Into<Params>,
        options: RequestOptions,
    ) -> Result<RawReply> {
        let params = params.into();
        let declared =
            options.capabilities.as_ref().and_then(|declared| serde_json::to_string(declared).ok());
        let key = if options.cache && self.common().options.cache {
            cache::CacheKey::of(&method, &params, declared)
        } else {
            None
        };
        let Some(key) = key else { return self.run(method, params, options).await };
        let context = self.common().context();
        if let Some(kept) = self.common().cache().get(&key, context.as_deref(), runtime_now()) {
            return Ok(kept);
        }
        let generation = self.common().cache().generation();
        let (reply, rounds) = self.run_counted(method, params, options).await?;
        if rounds == 0 {
            self.common().cache().put(key, context.as_deref(), reply.clone(), generation, runtime_now());
        }
        Ok(reply)
    }

    async fn run(&self, method: Method, params: Params, options: RequestOptions) -> Result<RawReply> {
        Ok(self.run_counted(method, params, options).await?.0)
    }

    /// Sends the request, and again for every round in which the server asks for input.
    async fn run_counted(
        &self,
        method: Method,
        params: Params,
        options: RequestOptions,
    ) -> Result<(RawReply, usize)> {
        let surfaces = matches!(options.input, InputPolicy::Surface(_));
        let most = self.common().options.limits.input_rounds;
        let mut round_params = params.clone();
        for round in 0..=most {
            let reply = self.mirrored(&method, round_params, &options).await?;
            if surfaces || !reply.version.is_modern() {
                return Ok((reply, round));
            }
            match kind_of(&method, &reply.result)? {
                ResultKind::Complete => return Ok((reply, round)),
                ResultKind::InputRequired(input) => {
                    round_params = self.next_round(&params, *input).await?;
                }
            }
        }
        Err(Error::Unanswered(format!(
            "the server asked for input {most} times and still has no answer to {method}"
        )))
    }

    /// Returns the params of the retry: the original ones, the answers, and the unchanged state.
    async fn next_round(&self, original: &RawJson, input: InputRequired) -> Result<Params> {
        let answers = match input.input_requests {
            Some(requests) => Some(self.answer_all(requests).await?),
            None => None,
        };
        let state = input.request_state.map(|state| RawJson::from(&Value::from(state)));
        let next = params::with_members(original, &[("inputResponses", answers), ("requestState", state)])?;
        Ok(next.into())
    }

    async fn answer_all(&self, requests: InputRequests) -> Result<RawJson> {
        let common = self.common();
        let answered = requests.into_iter().map(|(key, request)| async move {
            let method = request.method();
            match ask(common, &InputSource::Client, request).await {
                Ok(result) => Ok((key, Some(result))),
                Err(error) if error.code == ErrorCode::METHOD_NOT_FOUND => Err(Error::Unanswered(format!(
                    "the server asks for {method}, for which this client has no handler"
                ))),
                Err(error) => Err(Error::Unanswered(format!(
                    "the question {key:?} ({method}) found no answer: {error}"
                ))),
            }
        });
        let mut answers = Vec::new();
        for answered in join_all(answered).await {
            answers.push(answered?);
        }
        let members: Vec<(&str, Option<RawJson>)> =
            answers.iter().map(|(k, v)| (k.as_str(), v.clone())).collect();
        params::with_members(&RawJson::empty_object(), &members)
    }

    /// Sends the request with the headers of its tool. If the server says that a header is missing, the tool has
    /// changed: lists the tools and tries again, once.
    async fn mirrored(&self, method: &Method, params: Params, options: &RequestOptions) -> Result<RawReply> {
        if *method != Method::CallTool || !self.common().mirrors {
            return self.exchange(method, params, options, Vec::new()).await;
        }
        let headers = self.headers_of(&params);
        match self.exchange(method, params.clone(), options, headers).await {
            Err(Error::Rpc(error)) if error.code == ErrorCode::HEADER_MISMATCH => {
                tracing::debug!(%error, "the tools are listed again for their headers");
                self.common().cache().forget(&Method::ListTools);
                Box::pin(self.list_all_tools()).await?;
                let headers = self.headers_of(&params);
                self.exchange(method, params, options, headers).await
            }
            outcome => outcome,
        }
    }

    fn headers_of(&self, params: &Params) -> Vec<(String, String)> {
        if !self.common().tools().any_has_headers() {
            return Vec::new();
        }
        let known = params.name().and_then(|name| self.common().tools().get(&name));
        let Some(known) = known.filter(|known| !known.headers.is_empty()) else { return Vec::new() };
        let arguments =
            params::member(params, "arguments").and_then(|arguments| arguments.decode::<Value>().ok());
        known.header_values(arguments.as_ref())
    }

    async fn exchange(
        &self,
        method: &Method,
        params: Params,
        options: &RequestOptions,
        headers: Vec<(String, String)>,
    ) -> Result<RawReply> {
        let input = match &options.input {
            InputPolicy::Handler => InputSource::Client,
            InputPolicy::Surface(Some(handler)) => InputSource::Request(handler.clone()),
            InputPolicy::Surface(None) => InputSource::Unavailable,
        };
        let call = OutgoingCall {
            method: method.clone(),
            params,
            meta: options.meta.clone(),
            capabilities: options.capabilities.clone(),
            log_level: options.log_level.or_else(|| self.common().log_level()),
            progress: options.on_notification.is_some(),
            own_input: matches!(input, InputSource::Request(_)),
            timing: self.timing(options),
            headers,
        };
        #[cfg(feature = "http-client")]
        if let Some(outcome) = self.directly(&call, options.on_notification.as_ref()).await {
            return outcome;
        }
        let (reply, answered) = oneshot::channel();
        let caller = CallReceiver { reply, sink: options.on_notification.clone(), input };
        let id = self.common().ids.next();
        self.send(Command::Start { id, call: Box::new(call), caller })?;
        let mut guard = CancelOnDrop { client: self, id, armed: true };
        let outcome = answered.await;
        guard.armed = false;
        outcome.unwrap_or_else(|_| Err(self.gone()))
    }

    fn timing(&self, options: &RequestOptions) -> CallTiming {
        if options.no_timeout {
            return CallTiming::default();
        }
        let defaults = &self.common().options;
        let idle = options.timeout.unwrap_or(defaults.timeout);
        CallTiming {
            idle: Some(idle),
            total: Some(options.max_timeout.unwrap_or(defaults.max_timeout).max(idle)),
        }
    }
}

/// Tells the server on drop that an answer is no longer needed.
struct CancelOnDrop<'a> {
    client: &'a Client,
    id: i64,
    armed: bool,
}

impl Drop for CancelOnDrop<'_> {
    fn drop(&mut self) {
        if self.armed {
            // This fails only if the connection has ended, and the request with it.
            let _ = self.client.send(Command::Cancel(self.id));
        }
    }
}

enum ResultKind {
    Complete,
    InputRequired(Box<InputRequired>),
}

/// Returns the kind of a result. An unknown kind is an error ("ResultType").
fn kind_of(method: &Method, result: &RawJson) -> Result<ResultKind> {
    let wrong =
        |error: serde_json::Error| Error::Protocol(format!("the result of {method} is malformed: {error}"));
    let kind: Option<Cow<'_, str>> = match result.member("resultType") {
        None | Some(b"\"complete\"") => return Ok(ResultKind::Complete),
        Some(kind) => serde_json::from_slice(kind).map_err(wrong)?,
    };
    match kind.as_deref() {
        None | Some("complete") => Ok(ResultKind::Complete),
        Some("input_required") if method.may_require_input() => {
            let input: InputRequired = result.decode().map_err(wrong)?;
            if input.input_requests.is_none() && input.request_state.is_none() {
                return Err(Error::Protocol(format!("{method} requires input but does not say which")));
            }
            Ok(ResultKind::InputRequired(Box::new(input)))
        }
        Some("input_required") => Err(Error::Protocol(format!("{method} must not require input"))),
        // Methods of extensions have kinds of their own.
        Some(_) if matches!(method, Method::Other(_)) => Ok(ResultKind::Complete),
        Some(other) => Err(Error::Protocol(format!("the result of {method} has the unknown type {other:?}"))),
    }
}
