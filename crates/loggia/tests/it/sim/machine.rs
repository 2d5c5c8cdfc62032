//! A connection's machine with both of its neighbours played by the test: the client that writes and reads
//! messages, and the service that runs what it is given.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;
use loggia::edge::connection::{Action, AskKey, CallKey, DuplexConnection};
use loggia::limits::Limits;
use loggia::model::{
    CallToolResult, ElicitFormParams, ElicitParams, Implementation, InputRequest, ListCapability,
    ProgressParams, ResourcesCapability, ServerCapabilities, ServerNotification, ServerResult,
    SubscriptionFilter,
};
use loggia::service::{Description, Request};
use loggia::wire::{Id, RawJson, RpcError, Version};
use serde_json::{Value, json};

pub struct Machine {
    pub connection: DuplexConnection,
    pub server: Description,
    pub now: Instant,
    /// The running calls.
    pub calls: BTreeMap<CallKey, Request>,
    pub aborted: Vec<CallKey>,
    /// Streams to be reported open, oldest first.
    pub opening: VecDeque<(CallKey, SubscriptionFilter)>,
    pub unlistened: Vec<CallKey>,
    pub answers: BTreeMap<AskKey, Result<RawJson, RpcError>>,
    /// The messages to the client that it has not read.
    pub sent: VecDeque<Value>,
    pub closed: bool,
}

/// A server that offers and announces everything, in every revision.
pub fn everything() -> Description {
    let list = || Some(ListCapability { list_changed: Some(true), ..ListCapability::default() });
    Description {
        identity: Implementation::new("sim", "1.0.0"),
        capabilities: ServerCapabilities {
            logging: Some(Default::default()),
            completions: Some(Default::default()),
            prompts: list(),
            resources: Some(ResourcesCapability {
                subscribe: Some(true),
                list_changed: Some(true),
                ..ResourcesCapability::default()
            }),
            tools: list(),
            ..ServerCapabilities::default()
        },
        instructions: Some("Be kind.".to_owned()),
        versions: Version::ALL.to_vec(),
    }
}

impl Machine {
    pub fn new() -> Machine {
        Machine::with(Limits::default(), everything())
    }

    pub fn with(limits: Limits, server: Description) -> Machine {
        Machine {
            connection: DuplexConnection::new(limits),
            server,
            now: Instant::now(),
            calls: BTreeMap::new(),
            aborted: Vec::new(),
            opening: VecDeque::new(),
            unlistened: Vec::new(),
            answers: BTreeMap::new(),
            sent: VecDeque::new(),
            closed: false,
        }
    }

    /// A machine whose client has opened a session of `version`.
    pub fn session(version: Version) -> Machine {
        Machine::session_with(version, Limits::default())
    }

    pub fn session_with(version: Version, limits: Limits) -> Machine {
        let mut machine = Machine::with(limits, everything());
        machine.initialize(version);
        machine.open_streams();
        machine
    }

    pub fn initialize(&mut self, version: Version) {
        self.say(initialize(0, version.as_str()));
        assert_eq!(self.hear()["result"]["protocolVersion"], version.as_str());
        self.say(json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
    }

    pub fn say(&mut self, message: Value) {
        self.say_text(message.to_string());
    }

    pub fn say_text(&mut self, text: impl Into<Bytes>) {
        self.connection.handle_frame(Ok(text.into()), &self.server);
        self.perform();
    }

    /// The oldest message that the client has not looked at.
    pub fn hear(&mut self) -> Value {
        self.sent.pop_front().expect("the client was sent something")
    }

    pub fn hear_all(&mut self) -> Vec<Value> {
        self.sent.drain(..).collect()
    }

    #[track_caller]
    pub fn hears_nothing(&self) {
        assert!(self.sent.is_empty(), "{:?}", self.sent);
    }

    /// The newest call.
    pub fn last_call(&self) -> CallKey {
        *self.calls.last_key_value().expect("a call runs").0
    }

    pub fn finish(&mut self, key: CallKey) {
        let result = ServerResult::CallTool(CallToolResult::text("done"));
        self.calls.remove(&key);
        self.connection.handle_finished(key, Ok(result.into()), &self.server);
        self.perform();
    }

    pub fn notify(&mut self, key: CallKey, notification: ServerNotification) {
        self.connection.handle_notification(key, notification);
        self.perform();
    }

    pub fn progress(&mut self, key: CallKey, progress: f64) {
        let params = ProgressParams {
            progress_token: Id::Number(-1),
            progress,
            total: None,
            message: None,
            meta: None,
            extra: Default::default(),
        };
        self.notify(key, ServerNotification::Progress(params));
    }

    /// The call asks its client to fill in a form.
    pub fn ask(&mut self, ask: u64, call: CallKey) {
        self.connection.handle_ask(AskKey(ask), call, form(), self.now);
        self.perform();
    }

    /// Reports every stream that was to be opened as open, with all it asked for.
    pub fn open_streams(&mut self) {
        while let Some((key, filter)) = self.opening.pop_front() {
            self.connection.handle_listening(key, Ok(filter), &self.server);
            self.perform();
        }
    }

    pub fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(at) = self.connection.poll_timeout().filter(|at| *at <= until) {
            self.now = at;
            self.connection.handle_timeout(at);
            self.perform();
        }
        self.now = until;
    }

    pub fn perform(&mut self) {
        while let Some(action) = self.connection.poll_action() {
            assert!(!self.closed, "closing is the last action");
            match action {
                Action::Send(message) => self.sent.push_back(json_of(&message)),
                Action::Call { key, request, .. } => drop(self.calls.insert(key, *request)),
                Action::Abort(key) => {
                    self.calls.remove(&key);
                    self.aborted.push(key);
                }
                Action::Listen { key, filter } => self.opening.push_back((key, filter)),
                Action::Unlisten(key) => self.unlistened.push(key),
                Action::Answer { ask, outcome } => {
                    assert!(self.answers.insert(ask, outcome).is_none(), "a question is answered once");
                }
                Action::Close => self.closed = true,
            }
        }
    }
}

fn json_of(message: &[u8]) -> Value {
    assert!(!message.contains(&b'\n'), "a message is one line");
    serde_json::from_slice(message).expect("the server sends JSON")
}

pub fn initialize(id: i64, version: &str) -> Value {
    let capabilities = json!({ "elicitation": {}, "sampling": {}, "roots": {} });
    let info = json!({ "name": "client", "version": "1" });
    request(
        id,
        "initialize",
        json!({ "protocolVersion": version, "capabilities": capabilities, "clientInfo": info }),
    )
}

pub fn request(id: impl Into<Value>, method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id.into(), "method": method, "params": params })
}

pub fn call(id: impl Into<Value>) -> Value {
    request(id, "tools/call", json!({ "name": "t", "arguments": {} }))
}

pub fn cancel(id: impl Into<Value>) -> Value {
    let params = json!({ "requestId": id.into(), "reason": "enough" });
    json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": params })
}

/// `message` as a request of the modern revision.
pub fn modern(mut message: Value) -> Value {
    let meta = &mut message["params"]["_meta"];
    meta["io.modelcontextprotocol/protocolVersion"] = json!("2026-07-28");
    meta["io.modelcontextprotocol/clientCapabilities"] = json!({});
    message
}

/// A question to the person.
pub fn form() -> InputRequest {
    let form: ElicitFormParams = serde_json::from_value(json!({
        "message": "Which city?",
        "requestedSchema": { "type": "object", "properties": { "city": { "type": "string" } } },
    }))
    .expect("a valid form");
    InputRequest::Elicit(Box::new(ElicitParams::Form(form)))
}
