//! An upstream that does one of everything, a hub in front of it, and a client in front of the hub.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use loggia::Service;
use loggia::changes::{ChangeSubscription, Changes};
use loggia::client::{Client, ClientBuilder};
use loggia::exchange::{ClientPeer, Exchange};
use loggia::model::{
    CallToolResult, CompleteResult, Completion, ElicitResult, GetPromptResult, Implementation, InputRequest,
    InputRequired, ListCapability, ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult,
    ListToolsResult, LogParams, LoggingLevel, Prompt, PromptMessage, ReadResourceResult, Resource,
    ResourceContents, ResourceTemplate, ResourcesCapability, ServerCapabilities, ServerNotification,
    ServerResult, SubscriptionFilter, Tool,
};
use loggia::service::{BoxFuture, Description, Outcome, Principal, Reply, Request};
use loggia::wire::{ErrorCode, Method, RawJson, RpcError, Version};
use loggia_hub::{Connector, Hub, HubLimits, Opened, RetryPolicy};
use serde_json::{Value, json};
use tokio::sync::Notify;

/// One revision of each era that differs from the other in how it asks.
pub(crate) const ERAS: [Version; 2] = [Version::V2026_07_28, Version::V2025_11_25];

/// Every pair of client and upstream.
pub(crate) fn pairs() -> impl Iterator<Item = (Version, Version)> {
    ERAS.into_iter().flat_map(|client| ERAS.into_iter().map(move |upstream| (client, upstream)))
}

/// An upstream that does one of everything.
pub(crate) struct Upstream {
    description: Arc<Description>,
    pub(crate) tools: Mutex<Vec<String>>,
    pub(crate) resources: Vec<&'static str>,
    pub(crate) changes: Changes,
    /// The number of subscriptions that it will still refuse.
    pub(crate) refusals: AtomicUsize,
    /// Told when a call of `hang` begins, and when one is cancelled.
    pub(crate) hanging: Arc<Notify>,
    pub(crate) cancelled: Arc<Notify>,
    pub(crate) calls: AtomicUsize,
    /// True if the user has opened the URL that `gated` needs.
    pub(crate) gate_open: AtomicBool,
}

impl Upstream {
    pub(crate) fn new() -> Arc<Upstream> {
        Upstream::with_resources(vec!["note:///one", "note:///two"])
    }

    pub(crate) fn with_resources(resources: Vec<&'static str>) -> Arc<Upstream> {
        let list = || Some(ListCapability { list_changed: Some(true), ..ListCapability::default() });
        let capabilities = ServerCapabilities {
            tools: list(),
            prompts: list(),
            resources: Some(ResourcesCapability {
                subscribe: Some(true),
                list_changed: Some(true),
                ..ResourcesCapability::default()
            }),
            completions: Some(Default::default()),
            logging: Some(Default::default()),
            ..ServerCapabilities::default()
        };
        let description = Description {
            identity: Implementation::new("upstream", "1.2.3"),
            capabilities,
            instructions: Some("Be kind to it.".to_owned()),
            versions: Version::ALL.to_vec(),
        };
        let tools = ["echo", "fail", "refuse", "steps", "hang", "ask", "interview", "sample", "roots", "log"];
        Arc::new(Upstream {
            description: Arc::new(description),
            tools: Mutex::new(tools.map(str::to_owned).to_vec()),
            resources,
            changes: Changes::new(),
            refusals: AtomicUsize::new(0),
            hanging: Arc::default(),
            cancelled: Arc::default(),
            calls: AtomicUsize::new(0),
            gate_open: AtomicBool::new(false),
        })
    }

    fn list_tools(&self) -> ListToolsResult {
        let schema = loggia::model::JsonObject::from([("type", "object")]);
        let names = self.tools.lock().expect("not poisoned");
        let tools = names.iter().map(|name| Tool::new(name.clone(), schema.clone())).collect();
        ListToolsResult { tools, ..ListToolsResult::default() }
    }

    async fn tool(&self, request: &Request, exchange: &Exchange) -> Outcome {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let params: Value = request.params.decode().expect("the edge checked it");
        let text = match params["name"].as_str().expect("the edge checked it") {
            "echo" => params["arguments"]["text"].as_str().unwrap_or("nothing").to_owned(),
            "fail" => return Ok(Reply::from(ServerResult::from(CallToolResult::error("it broke")))),
            "refuse" => {
                return Err(RpcError::new(ErrorCode(-32050), "not today").with_data(json!({ "why": "rain" })));
            }
            "steps" => steps(request, exchange),
            "hang" => return self.hang().await,
            "nap" => {
                tokio::time::sleep(Duration::from_secs(5)).await;
                "slept".to_owned()
            }
            "late-ask" => {
                tokio::time::sleep(Duration::from_secs(2)).await;
                return asked(request, exchange, &[form("name", "Who?")]).await;
            }
            "ask-and-tell" => {
                let _told = Told(self.cancelled.clone());
                return asked(request, exchange, &[form("name", "Who?")]).await;
            }
            "ask" => return asked(request, exchange, &[form("name", "Who?")]).await,
            "interview" => {
                return asked(request, exchange, &[form("name", "Who?"), form("age", "How old?")]).await;
            }
            "sample" => return asked(request, exchange, &[sampling()]).await,
            "roots" => return asked(request, exchange, &[roots()]).await,
            "log" => log(exchange),
            "gated" if self.gate_open.load(Ordering::SeqCst) => "inside".to_owned(),
            "gated" => return Err(gate_closed()),
            other => return Err(RpcError::invalid_params(format!("Unknown tool: {other}"))),
        };
        Ok(Reply::from(ServerResult::from(CallToolResult::text(text))))
    }

    async fn hang(&self) -> Outcome {
        let _told = Told(self.cancelled.clone());
        self.hanging.notify_one();
        std::future::pending().await
    }
}

fn gate_closed() -> RpcError {
    let elicitation =
        json!({ "mode": "url", "elicitationId": "gate-1", "url": "https://gate.example", "message": "Go" });
    RpcError::new(ErrorCode::URL_ELICITATION_REQUIRED, "Go there first")
        .with_data(json!({ "elicitations": [elicitation] }))
}

/// Tells when a call is over, for whatever reason.
struct Told(Arc<Notify>);

impl Drop for Told {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

fn steps(request: &Request, exchange: &Exchange) -> String {
    let Some(token) = request.meta.progress_token.clone() else { return "nobody watches".to_owned() };
    let progress = json!({ "progressToken": token, "progress": 0.5, "total": 1.0, "message": "half" });
    exchange.notify(ServerNotification::Progress(serde_json::from_value(progress).expect("progress")));
    "done".to_owned()
}

fn log(exchange: &Exchange) -> String {
    for (level, text) in [(LoggingLevel::Debug, "detail"), (LoggingLevel::Error, "trouble")] {
        exchange.notify(ServerNotification::Log(LogParams::new(level, text)));
    }
    "logged".to_owned()
}

fn form(field: &str, message: &str) -> (String, InputRequest) {
    let request = json!({
        "method": "elicitation/create",
        "params": {
            "mode": "form",
            "message": message,
            "requestedSchema": { "type": "object", "properties": { field: { "type": "string" } } },
        },
    });
    (field.to_owned(), serde_json::from_value(request).expect("a question"))
}

fn sampling() -> (String, InputRequest) {
    let params = json!({ "messages": [{ "role": "user", "content": { "type": "text", "text": "Hi" } }], "maxTokens": 9 });
    let request = json!({ "method": "sampling/createMessage", "params": params });
    ("model".to_owned(), serde_json::from_value(request).expect("a question"))
}

fn roots() -> (String, InputRequest) {
    ("roots".to_owned(), serde_json::from_value(json!({ "method": "roots/list" })).expect("a question"))
}

/// Asks one question after the other: live where the client can be asked, else in rounds. The answer is
/// what came, as text. The upstream's own state is how many answers it has, with the answers.
async fn asked(request: &Request, exchange: &Exchange, questions: &[(String, InputRequest)]) -> Outcome {
    let mut answers: Vec<Value> = Vec::new();
    match exchange.client() {
        Some(live) => {
            for (_, question) in questions {
                answers.push(live_answer(live, question.clone()).await?);
            }
        }
        None => {
            let params: Value = request.params.decode().expect("the edge checked it");
            if let Some(state) = params["requestState"].as_str() {
                answers = serde_json::from_str(state).expect("our own state");
            }
            if let Some((key, _)) = questions.get(answers.len())
                && let Some(answer) = params["inputResponses"].get(key)
            {
                answers.push(answer.clone());
            }
            if let Some((key, question)) = questions.get(answers.len()) {
                let input = InputRequired {
                    input_requests: Some([(key.clone(), question.clone())].into()),
                    request_state: Some(Value::from(answers).to_string()),
                    ..InputRequired::default()
                };
                return Ok(Reply::from(ServerResult::from(input)));
            }
        }
    }
    Ok(Reply::from(ServerResult::from(CallToolResult::text(Value::from(answers).to_string()))))
}

async fn live_answer(live: &Arc<dyn ClientPeer>, question: InputRequest) -> Result<Value, RpcError> {
    let answer: RawJson = live.ask(question).await?;
    Ok(answer.decode().expect("an answer is JSON"))
}

impl Service for Upstream {
    fn describe(&self) -> Arc<Description> {
        self.description.clone()
    }

    fn call(&self, request: Request, exchange: Exchange) -> BoxFuture<'_, Outcome> {
        Box::pin(async move {
            let params: Value = request.params.decode().expect("the edge checked it");
            let result: ServerResult = match &request.method {
                Method::ListTools => self.list_tools().into(),
                Method::CallTool => return self.tool(&request, &exchange).await,
                Method::ListPrompts => {
                    ListPromptsResult { prompts: vec![Prompt::new("greet")], ..ListPromptsResult::default() }
                        .into()
                }
                Method::GetPrompt => {
                    let who = params["arguments"]["who"].as_str().unwrap_or("world");
                    let messages = vec![PromptMessage::user(format!("{}: hello {who}", params["name"]))];
                    GetPromptResult { messages, ..GetPromptResult::default() }.into()
                }
                Method::ListResources => {
                    let resources = self.resources.iter().map(|uri| Resource::new(*uri, "note")).collect();
                    ListResourcesResult { resources, ..ListResourcesResult::default() }.into()
                }
                Method::ListResourceTemplates => {
                    let resource_templates = vec![ResourceTemplate::new("note:///by/{name}", "notes by")];
                    ListResourceTemplatesResult {
                        resource_templates,
                        ..ListResourceTemplatesResult::default()
                    }
                    .into()
                }
                Method::ReadResource => {
                    let uri = params["uri"].as_str().expect("the edge checked it");
                    if uri == "note:///missing" {
                        return Err(RpcError::resource_not_found(uri));
                    }
                    let contents =
                        vec![ResourceContents::text(uri, format!("{} says {uri}", self.resources[0]))];
                    ReadResourceResult { contents, ..ReadResourceResult::default() }.into()
                }
                Method::Complete => {
                    let values = [params["ref"].to_string(), params["argument"]["value"].to_string()];
                    CompleteResult { completion: Completion::of(values), ..CompleteResult::default() }.into()
                }
                other => return Err(RpcError::method_not_found(other.as_str())),
            };
            Ok(Reply::from(result))
        })
    }

    fn listen(
        &self,
        filter: SubscriptionFilter,
        _: Option<Arc<Principal>>,
    ) -> BoxFuture<'_, Result<ChangeSubscription, RpcError>> {
        let refused = filter.resource_subscriptions.is_some()
            && self
                .refusals
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
                .is_ok();
        Box::pin(async move {
            if refused { Err(RpcError::internal("busy")) } else { Ok(self.changes.listen(filter)) }
        })
    }
}

/// A connector whose upstream can be switched off and on, and speaks one revision.
pub(crate) struct Switch {
    pub(crate) on: Arc<AtomicBool>,
    /// The connection that is open, to be cut.
    pub(crate) open: Arc<Mutex<Option<Client>>>,
    pub(crate) attempts: Arc<AtomicUsize>,
}

pub(crate) fn switched(name: &str, upstream: &Arc<Upstream>, version: Version) -> (Connector, Switch) {
    let switch =
        Switch { on: Arc::new(AtomicBool::new(true)), open: Arc::default(), attempts: Arc::default() };
    let (upstream, on, open, attempts) =
        (upstream.clone(), switch.on.clone(), switch.open.clone(), switch.attempts.clone());
    let source = move |builder: ClientBuilder| -> BoxFuture<'static, loggia::Result<Opened>> {
        let (upstream, on, open, attempts) = (upstream.clone(), on.clone(), open.clone(), attempts.clone());
        Box::pin(async move {
            attempts.fetch_add(1, Ordering::SeqCst);
            if !on.load(Ordering::SeqCst) {
                return Err(loggia::Error::Connection("switched off".to_owned()));
            }
            let service: Arc<dyn Service> = upstream;
            let client = builder.version(version).connect(service).await?;
            *open.lock().expect("not poisoned") = Some(client.clone());
            Ok(Opened::Client(client))
        })
    };
    (Connector::new(name, source).kind("test"), switch)
}

impl Switch {
    /// Cuts the connection; the next attempts fail until [`Switch::turn_on`].
    pub(crate) async fn turn_off(&self) {
        self.on.store(false, Ordering::SeqCst);
        let open = self.open.lock().expect("not poisoned").take();
        if let Some(client) = open {
            client.close().await;
        }
    }

    pub(crate) fn turn_on(&self) {
        self.on.store(true, Ordering::SeqCst);
    }
}

pub(crate) fn connector(name: &str, upstream: &Arc<Upstream>, version: Version) -> Connector {
    switched(name, upstream, version).0
}

pub(crate) fn limits() -> HubLimits {
    HubLimits {
        retry: RetryPolicy { keep_listed: Duration::from_secs(600), ..RetryPolicy::default() },
        suspended_call_timeout: Duration::from_secs(300),
        ..HubLimits::default()
    }
}

/// A hub whose connectors have been tried.
pub(crate) async fn hub(connectors: Vec<Connector>) -> Arc<Hub> {
    hub_with(limits(), connectors).await
}

pub(crate) async fn hub_with(limits: HubLimits, connectors: Vec<Connector>) -> Arc<Hub> {
    let hub = Hub::start(Implementation::new("hub", "0"), connectors, limits).expect("good names");
    hub.tried().await;
    hub
}

/// One upstream behind a hub, under the name `up`.
pub(crate) async fn hub_of(upstream: &Arc<Upstream>, version: Version) -> Arc<Hub> {
    hub(vec![connector("up", upstream, version)]).await
}

pub(crate) fn builder(version: Version) -> ClientBuilder {
    Client::builder().version(version).cache(false).jitter(|| 0.0)
}

pub(crate) async fn client(hub: &Arc<Hub>, version: Version) -> Client {
    connect(builder(version), hub).await
}

pub(crate) async fn connect(builder: ClientBuilder, hub: &Arc<Hub>) -> Client {
    builder.connect(hub).await.expect("connects")
}

/// The text of a result.
pub(crate) fn text(result: &CallToolResult) -> &str {
    result.content.first().and_then(|block| block.as_text()).unwrap_or_default()
}

/// A form answered with this one field.
pub(crate) fn accepted(field: &str, value: &str) -> ElicitResult {
    ElicitResult::accept([(field.to_owned(), Value::from(value))].into())
}
