//! A hand-written service whose tools do what a test needs, and a server around it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use loggia::changes::{ChangeSubscription, Changes};
use loggia::exchange::Exchange;
use loggia::limits::Limits;
use loggia::model::{
    CallToolResult, Implementation, InputRequest, InputRequired, LogParams, LoggingLevel, ProgressParams,
    ServerNotification, ServerResult, SubscriptionFilter,
};
use loggia::service::{BoxFuture, Description, Outcome, Principal, Reply, Request, Service};
use loggia::transport::http::{Http, http};
use loggia::transport::{Serve, Shutdown};
use loggia::wire::header::ParamHeaders;
use loggia::wire::{Id, Method, RpcError, Version};
use serde_json::{Value, json};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

/// The events that the fixture's tools report to the test.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    Started(String),
    Dropped(String),
    Finished(String),
}

pub struct Fixture {
    pub changes: Changes,
    pub gate: Arc<Notify>,
    events: mpsc::UnboundedSender<Event>,
    description: Arc<Description>,
    headers: Arc<ParamHeaders>,
}

/// Tells when a call's future is dropped before its end.
struct OnDrop {
    name: String,
    events: mpsc::UnboundedSender<Event>,
}

impl Drop for OnDrop {
    fn drop(&mut self) {
        let _ = self.events.send(Event::Dropped(self.name.clone()));
    }
}

impl Fixture {
    pub fn new(versions: &[Version]) -> (Arc<Fixture>, mpsc::UnboundedReceiver<Event>) {
        let (events, received) = mpsc::unbounded_channel();
        let capabilities = json!({
            "logging": {}, "tools": { "listChanged": true }, "resources": { "subscribe": true, "listChanged": true }
        });
        let description = Description {
            identity: Implementation::new("fixture", "1.0.0"),
            capabilities: serde_json::from_value(capabilities).expect("capabilities"),
            instructions: None,
            versions: versions.to_vec(),
        };
        let schema = json!({ "type": "object", "properties": {
            "region": { "type": "string", "x-mcp-header": "Region" }, "count": { "type": "integer", "x-mcp-header": "Count" }
        }});
        let headers =
            ParamHeaders::from_schema(&loggia::model::JsonObject::try_from(schema).expect("object"))
                .expect("valid");
        let fixture = Fixture {
            changes: Changes::new(),
            gate: Arc::new(Notify::new()),
            events,
            description: Arc::new(description),
            headers: Arc::new(headers),
        };
        (Arc::new(fixture), received)
    }

    async fn tool(&self, name: &str, arguments: &Value, request: &Request, exchange: &Exchange) -> Outcome {
        match name {
            "echo" => text(arguments["text"].as_str().unwrap_or("nothing")),
            "whoami" => text(request.principal.as_ref().map_or("nobody", |principal| &principal.subject)),
            "version" => text(request.meta.version.as_str()),
            "mirrored" => text(&arguments.to_string()),
            "report" => {
                exchange.notify(log(LoggingLevel::Info, "begun"));
                exchange.notify(progress(1.0));
                // The two must not be merged, so something stands between them.
                exchange.notify(log(LoggingLevel::Warning, "half"));
                exchange.notify(progress(2.0));
                text("done")
            }
            "wait" | "begin" => {
                let guard = OnDrop { name: name.to_owned(), events: self.events.clone() };
                if name == "begin" {
                    exchange.notify(log(LoggingLevel::Error, "begun"));
                }
                let _ = self.events.send(Event::Started(name.to_owned()));
                self.gate.notified().await;
                let _ = self.events.send(Event::Finished(name.to_owned()));
                std::mem::forget(guard);
                text("waited")
            }
            "begin-later" => {
                let _ = self.events.send(Event::Started(name.to_owned()));
                self.gate.notified().await;
                exchange.notify(log(LoggingLevel::Info, "begun"));
                text("waited")
            }
            "release" => {
                exchange.release();
                let _ = self.events.send(Event::Started(name.to_owned()));
                self.gate.notified().await;
                text("released")
            }
            "ask" => match exchange.client() {
                Some(client) => text(&String::from_utf8_lossy(client.ask(question()).await?.as_bytes())),
                None => Err(RpcError::internal("not live")),
            },
            "require" => match params(request).pointer("/inputResponses/q") {
                Some(answer) => text(&answer.to_string()),
                None => Ok(ServerResult::InputRequired(required()).into()),
            },
            "big" => text(&"x".repeat(arguments["bytes"].as_u64().unwrap_or(0) as usize)),
            "panic" => panic!("a tool of the fixture panics"),
            "missing-capability" => Err(RpcError::missing_capability(
                &serde_json::from_value(json!({ "sampling": {} })).expect("capabilities"),
            )),
            other => Err(RpcError::invalid_params(format!("Unknown tool: {other}"))),
        }
    }
}

fn params(request: &Request) -> Value {
    request.params.decode().expect("params")
}

fn text(text: &str) -> Outcome {
    Ok(Reply::from(ServerResult::CallTool(CallToolResult::text(text))))
}

fn log(level: LoggingLevel, text: &str) -> ServerNotification {
    ServerNotification::Log(LogParams::new(level, text))
}

fn progress(progress: f64) -> ServerNotification {
    ServerNotification::Progress(ProgressParams {
        progress_token: Id::Number(0),
        progress,
        total: Some(2.0),
        message: None,
        meta: None,
        extra: Default::default(),
    })
}

fn question() -> InputRequest {
    let params = json!({ "message": "Which?", "requestedSchema": { "type": "object", "properties": { "a": { "type": "string" } } } });
    serde_json::from_value(json!({ "method": "elicitation/create", "params": params })).expect("a question")
}

fn required() -> InputRequired {
    serde_json::from_value(json!({ "inputRequests": { "q": question() }, "requestState": "s" }))
        .expect("input required")
}

impl Service for Fixture {
    fn describe(&self) -> Arc<Description> {
        self.description.clone()
    }

    fn call(&self, request: Request, exchange: Exchange) -> BoxFuture<'_, Outcome> {
        Box::pin(async move {
            let params = params(&request);
            match &request.method {
                Method::ListTools => Ok(ServerResult::ListTools(Default::default()).into()),
                Method::ReadResource => {
                    Err(RpcError::resource_not_found(params["uri"].as_str().unwrap_or("?")))
                }
                Method::CallTool => {
                    let name = params["name"].as_str().unwrap_or_default().to_owned();
                    self.tool(&name, &params["arguments"], &request, &exchange).await
                }
                other => Err(RpcError::method_not_found(other.as_str())),
            }
        })
    }

    fn listen(
        &self,
        filter: SubscriptionFilter,
        _: Option<Arc<Principal>>,
    ) -> BoxFuture<'_, Result<ChangeSubscription, RpcError>> {
        Box::pin(async move { Ok(self.changes.listen(filter)) })
    }

    fn param_headers(&self, tool: &str) -> Option<Arc<ParamHeaders>> {
        (tool == "mirrored").then(|| self.headers.clone())
    }
}

/// A server that listens on a loopback address until it is dropped.
pub struct Server {
    pub address: SocketAddr,
    pub fixture: Arc<Fixture>,
    pub events: mpsc::UnboundedReceiver<Event>,
    pub shutdown: Shutdown,
    serving: JoinHandle<loggia::Result<()>>,
}

impl Server {
    pub async fn start() -> Server {
        Server::with(Limits::default(), |http| http).await
    }

    pub async fn with(limits: Limits, configure: impl FnOnce(Http) -> Http) -> Server {
        Server::of(&Version::ALL, limits, configure).await
    }

    pub async fn of(versions: &[Version], limits: Limits, configure: impl FnOnce(Http) -> Http) -> Server {
        let (fixture, events) = Fixture::new(versions);
        let http = configure(http("127.0.0.1:0")).layer(Authorize).bind().await.expect("a free port");
        let address = http.local_addr().expect("bound");
        let shutdown = Shutdown::new();
        let serving = tokio::spawn(http.serve(fixture.clone(), limits, shutdown.clone()));
        Server { address, fixture, events, shutdown, serving }
    }

    /// Waits for what a tool of the fixture reports.
    pub async fn event(&mut self) -> Event {
        self.events.recv().await.expect("the fixture lives")
    }

    pub async fn stop(self) {
        self.shutdown.begin();
        self.serving.await.expect("no panic").expect("no error");
    }
}

/// Believes the header `x-user`: what an authorization layer does after it has verified a token.
#[derive(Clone)]
struct Authorize;

#[derive(Clone)]
struct Authorized<S>(S);

impl<S> tower_layer::Layer<S> for Authorize {
    type Service = Authorized<S>;

    fn layer(&self, inner: S) -> Authorized<S> {
        Authorized(inner)
    }
}

impl<S: tower_service::Service<http::Request<B>>, B> tower_service::Service<http::Request<B>>
    for Authorized<S>
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, mut request: http::Request<B>) -> S::Future {
        if let Some(user) = request.headers().get("x-user").and_then(|user| user.to_str().ok()) {
            let principal = Principal { subject: user.to_owned(), ..Principal::default() };
            request.extensions_mut().insert(principal);
        }
        self.0.call(request)
    }
}

/// A clock that tests set.
#[derive(Clone)]
pub struct TestClock(Arc<Mutex<std::time::SystemTime>>);

impl TestClock {
    pub fn new() -> TestClock {
        TestClock(Arc::new(Mutex::new(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_800_000_000))))
    }

    pub fn advance(&self, by: std::time::Duration) {
        *self.0.lock().expect("not poisoned") += by;
    }

    pub fn now(&self) -> std::time::SystemTime {
        *self.0.lock().expect("not poisoned")
    }
}
