//! A caller without a transport. It asks as a client of either era would: in the modern era it answers
//! `input_required` by calling again, in the legacy era it is asked live.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use loggia::exchange::{ClientPeer, Exchange};
use loggia::model::{ClientCapabilities, InputRequest, InputRequests, ServerNotification};
use loggia::service::{BoxFuture, Principal, Request, Service};
use loggia::wire::jsonrpc::Id;
use loggia::wire::{Method, RawJson, RequestMeta, RpcError, Version};
use serde_json::{Value, json};

/// Returns the answer to a question.
pub type Answers = Arc<dyn Fn(&InputRequest) -> Value + Send + Sync>;

/// Both eras: what holds for one holds for the other.
pub const BOTH: [Version; 2] = [Version::V2025_11_25, Version::V2026_07_28];

pub struct Caller {
    pub server: Arc<dyn Service>,
    pub version: Version,
    pub capabilities: Value,
    pub principal: Option<Principal>,
    pub meta: Value,
    pub answers: Answers,
    /// The notifications of the server during the request.
    pub told: Mutex<Vec<ServerNotification>>,
    /// The number of times that the handler was run again.
    pub rounds: Mutex<usize>,
}

/// The outcome of a request, as JSON: the `result` or the `error` member.
pub type Answered = Result<Value, Value>;

impl Caller {
    pub fn new(server: &loggia::Server, version: Version) -> Caller {
        Caller {
            server: Arc::new(server.clone()),
            version,
            capabilities: json!({ "elicitation": { "form": {}, "url": {} }, "sampling": { "tools": {} }, "roots": {} }),
            principal: None,
            meta: json!({}),
            answers: Arc::new(|request| panic!("nobody answers {request:?}")),
            told: Mutex::default(),
            rounds: Mutex::default(),
        }
    }

    pub fn answering(mut self, answer: impl Fn(&InputRequest) -> Value + Send + Sync + 'static) -> Caller {
        self.answers = Arc::new(answer);
        self
    }

    /// One request, once.
    pub async fn once(&self, method: &str, params: Value) -> Answered {
        let method = Method::from(method);
        let identity = self.server.describe().identity.clone();
        let request = Request {
            method: method.clone(),
            params: RawJson::from(&params).into(),
            meta: Arc::new(self.request_meta(&params)),
            principal: self.principal.clone().map(Arc::new),
        };
        let live: Option<Arc<dyn ClientPeer>> = match self.version.is_modern() {
            true => None,
            false => Some(Arc::new(Live(self.answers.clone()))),
        };
        let (exchange, outbox, _guard) = Exchange::new(live);
        let outcome = self.server.call(request, exchange).await;
        while let Some(notification) = outbox.try_next() {
            self.told.lock().expect("no test panicked").push(notification);
        }
        let written = outcome.and_then(|reply| reply.write(&Id::from(1), &method, self.version, &identity));
        written
            .map(|response| {
                let mut response: Value = serde_json::from_slice(&response).expect("responses are JSON");
                response["result"].take()
            })
            .map_err(|error| serde_json::to_value(error.for_version(self.version)).expect("errors are JSON"))
    }

    /// One request with as many rounds as it takes.
    pub async fn ask(&self, method: &str, params: Value) -> Answered {
        let mut next = params.clone();
        loop {
            let answer = self.once(method, next).await?;
            if answer["resultType"] != "input_required" {
                return Ok(answer);
            }
            *self.rounds.lock().expect("no test panicked") += 1;
            next = self.retry(&params, &answer);
        }
    }

    /// The request that answers `input_required`.
    pub fn retry(&self, params: &Value, answer: &Value) -> Value {
        let requests: InputRequests =
            serde_json::from_value(answer["inputRequests"].clone()).expect("these are questions");
        let responses: BTreeMap<&String, Value> =
            requests.iter().map(|(key, request)| (key, (self.answers)(request))).collect();
        let mut params = params.clone();
        params["inputResponses"] = json!(responses);
        params["requestState"] = answer["requestState"].clone();
        params
    }

    /// Calls a tool, with as many rounds as it takes.
    pub async fn tool(&self, name: &str, arguments: Value) -> Answered {
        self.ask("tools/call", json!({ "name": name, "arguments": arguments })).await
    }

    /// Calls a tool; the first text it gives.
    pub async fn text(&self, name: &str, arguments: Value) -> String {
        let result =
            self.tool(name, arguments).await.unwrap_or_else(|error| panic!("{name} was refused: {error}"));
        result["content"][0]["text"]
            .as_str()
            .unwrap_or_else(|| panic!("{name} gave no text: {result}"))
            .to_owned()
    }

    fn request_meta(&self, params: &Value) -> RequestMeta {
        let mut meta = self.meta.as_object().cloned().unwrap_or_default();
        meta.extend(params["_meta"].as_object().cloned().unwrap_or_default());
        let mut take = |key: &str| meta.remove(key).filter(|value| !value.is_null());
        RequestMeta {
            version: self.version,
            client_info: None,
            client_capabilities: serde_json::from_value::<ClientCapabilities>(self.capabilities.clone())
                .expect("these are capabilities"),
            log_level: take("log").map(|level| serde_json::from_value(level).expect("this is a level")),
            progress_token: take("progressToken")
                .map(|token| serde_json::from_value(token).expect("this is a token")),
            extra: meta.into(),
        }
    }
}

struct Live(Answers);

impl ClientPeer for Live {
    fn ask(&self, request: InputRequest) -> BoxFuture<'_, Result<RawJson, RpcError>> {
        let answer = (self.0)(&request);
        Box::pin(async move {
            // An answer that takes a moment: other questions of the same round go out meanwhile.
            tokio::task::yield_now().await;
            Ok(RawJson::from(&answer))
        })
    }
}

/// The message of a form or a URL.
pub fn message(request: &InputRequest) -> &str {
    match request {
        InputRequest::Elicit(params) => params.message(),
        _ => "",
    }
}
