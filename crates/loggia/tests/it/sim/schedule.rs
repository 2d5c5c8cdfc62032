//! Every order of events: a client and a service do random things to one connection, and whatever the order,
//! what the client is sent makes sense. The oracle below is a client that knows what it may expect.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use loggia::changes::Change;
use loggia::edge::connection::{AskKey, CallKey};
use loggia::limits::Limits;
use loggia::wire::Version;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::machine::{self, Machine, call, cancel, modern, request};

const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";
const MAX_CALLS: usize = 3;
const MAX_ASKS: usize = 2;

/// One thing that happens. Numbers choose among what is there.
#[derive(Debug, Clone)]
enum Step {
    Call {
        id: u8,
        modern: bool,
    },
    Ping {
        id: u8,
    },
    Subscribe {
        uri: u8,
        on: bool,
    },
    Listen {
        id: u8,
    },
    Batch(Vec<u8>),
    Cancel {
        id: u8,
    },
    CancelMember {
        id: u8,
    },
    /// The client answers a question, or one that is no longer open.
    Reply(u8),
    Finish(u8),
    Progress(u8),
    Ask(u8),
    Unask(u8),
    Open,
    Refuse,
    Change(u8),
    EndListen(u8),
    Pass(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let id = 0..6u8;
    prop_oneof![
        4 => (id.clone(), any::<bool>()).prop_map(|(id, modern)| Step::Call { id, modern }),
        1 => id.clone().prop_map(|id| Step::Ping { id }),
        2 => (0..3u8, any::<bool>()).prop_map(|(uri, on)| Step::Subscribe { uri, on }),
        2 => id.clone().prop_map(|id| Step::Listen { id }),
        1 => prop::collection::vec(id.clone(), 1..4).prop_map(Step::Batch),
        3 => id.clone().prop_map(|id| Step::Cancel { id }),
        1 => id.prop_map(|id| Step::CancelMember { id }),
        3 => any::<u8>().prop_map(Step::Reply),
        4 => any::<u8>().prop_map(Step::Finish),
        2 => any::<u8>().prop_map(Step::Progress),
        3 => any::<u8>().prop_map(Step::Ask),
        1 => any::<u8>().prop_map(Step::Unask),
        3 => Just(Step::Open),
        1 => Just(Step::Refuse),
        2 => any::<u8>().prop_map(Step::Change),
        1 => any::<u8>().prop_map(Step::EndListen),
        1 => (1..40u8).prop_map(Step::Pass),
    ]
}

/// The state of a request, as the client knows it.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Open {
    Request,
    /// It may be answered or not.
    Cancelled,
    Listen {
        acknowledged: bool,
    },
}

struct World {
    machine: Machine,
    session: Option<Version>,
    /// The client's requests without an answer.
    open: BTreeMap<i64, Open>,
    /// Subscriptions that the server ended: a cancellation may follow.
    ended: Vec<i64>,
    /// The server's questions without an answer, and all there ever were.
    questions: BTreeSet<i64>,
    every_question: Vec<i64>,
    streams: Vec<CallKey>,
    next_ask: u64,
    next_id: i64,
    progress: f64,
}

fn pick<T: Copy>(from: impl IntoIterator<Item = T>, choice: u8) -> Option<T> {
    let all: Vec<T> = from.into_iter().collect();
    (!all.is_empty()).then(|| all[usize::from(choice) % all.len()])
}

impl World {
    fn new(session: Option<Version>) -> World {
        let limits = Limits {
            requests_per_connection: MAX_CALLS,
            asks: MAX_ASKS,
            ask_timeout: Duration::from_secs(30),
            ..Limits::default()
        };
        let machine = match session {
            Some(version) => Machine::session_with(version, limits),
            None => Machine::with(limits, super::machine::everything()),
        };
        World {
            machine,
            session,
            open: BTreeMap::new(),
            ended: Vec::new(),
            questions: BTreeSet::new(),
            every_question: Vec::new(),
            streams: Vec::new(),
            next_ask: 0,
            next_id: 100,
            progress: 0.0,
        }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Call { id, modern } => {
                let mut message = call(i64::from(id));
                message["params"]["_meta"] = json!({ "progressToken": id });
                let wraps = modern || self.session.is_none();
                self.send(id.into(), if wraps { machine::modern(message) } else { message }, Open::Request);
            }
            Step::Ping { id } => {
                self.send(id.into(), request(i64::from(id), "ping", json!({})), Open::Request)
            }
            Step::Subscribe { uri, on } if self.session.is_some() => {
                // An id that is never used again: it may wait for its answer beyond a cancellation.
                self.next_id += 1;
                let method = if on { "resources/subscribe" } else { "resources/unsubscribe" };
                let message = request(self.next_id, method, json!({ "uri": format!("a:{uri}") }));
                self.send(self.next_id, message, Open::Request);
            }
            Step::Listen { id } => {
                let filter = json!({ "notifications": { "toolsListChanged": true } });
                let message = modern(request(i64::from(id), "subscriptions/listen", filter));
                self.send(id.into(), message, Open::Listen { acknowledged: false });
            }
            Step::Batch(ids) if self.session.is_some_and(Version::has_batches) => self.batch(&ids),
            Step::Cancel { id } => self.cancel(id.into()),
            Step::CancelMember { id } => self.cancel_member(50 + i64::from(id)),
            Step::Reply(choice) => self.reply(choice),
            Step::Pass(seconds) => self.machine.pass(Duration::from_secs(seconds.into())),
            other => self.serve(other),
        }
        self.hear();
    }

    /// Executes a step of the service.
    fn serve(&mut self, step: Step) {
        let calls: Vec<CallKey> = self.machine.calls.keys().copied().collect();
        match step {
            Step::Finish(choice) => pick(calls, choice).into_iter().for_each(|key| self.machine.finish(key)),
            Step::Progress(choice) => {
                self.progress += 1.0;
                let progress = self.progress;
                pick(calls, choice).into_iter().for_each(|key| self.machine.progress(key, progress));
            }
            Step::Ask(choice) => {
                let Some(key) = pick(calls, choice) else { return };
                self.next_ask += 1;
                self.machine.ask(self.next_ask, key);
            }
            Step::Unask(choice) => {
                let Some(ask) = pick(1..=self.next_ask, choice) else { return };
                self.machine.connection.handle_unask(AskKey(ask));
                self.machine.perform();
            }
            Step::Open | Step::Refuse => {
                let Some((key, filter)) = self.machine.opening.pop_front() else { return };
                let opened = match step {
                    Step::Open => Ok(filter),
                    _ => Err(loggia::wire::RpcError::internal("r")),
                };
                self.machine.connection.handle_listening(key, opened, &self.machine.server);
                self.machine.perform();
                self.streams.push(key);
            }
            Step::Change(choice) => {
                let Some(key) = pick(self.streams.iter().copied(), choice) else { return };
                self.machine.connection.handle_change(key, Change::Tools);
                self.machine.perform();
            }
            Step::EndListen(choice) => {
                let Some(key) = pick(self.streams.iter().copied(), choice) else { return };
                self.machine.connection.handle_listen_end(key, &self.machine.server);
                self.machine.perform();
            }
            _ => {}
        }
    }

    fn send(&mut self, id: i64, message: Value, as_what: Open) {
        let twice = self.open.contains_key(&id);
        self.machine.say(message);
        if twice {
            let refused = self.machine.sent.pop_back().expect("an id in use is refused at once");
            assert_eq!(
                (&refused["id"], &refused["error"]["code"]),
                (&json!(id), &json!(-32600)),
                "{refused}"
            );
        } else {
            self.open.insert(id, as_what);
        }
    }

    fn batch(&mut self, ids: &[u8]) {
        // Not the ids of single requests: while a batch is gathered, the server has answered what the client
        // has not heard.
        let ids = ids.iter().map(|id| 50 + i64::from(*id));
        let fresh: BTreeSet<i64> = ids.filter(|id| !self.open.contains_key(id)).collect();
        if !fresh.is_empty() {
            self.machine.say(fresh.iter().map(|id| call(*id)).collect());
            self.open.extend(fresh.into_iter().map(|id| (id, Open::Request)));
        }
    }

    /// From now on nothing may come for this request.
    fn cancel(&mut self, id: i64) {
        self.machine.say(cancel(id));
        self.open.remove(&id);
    }

    /// A member that was answered may have been gathered already: then its answer still comes.
    fn cancel_member(&mut self, id: i64) {
        self.machine.say(cancel(id));
        self.open.entry(id).and_modify(|open| *open = Open::Cancelled);
    }

    fn reply(&mut self, choice: u8) {
        if let Some(id) = pick(self.every_question.iter().copied(), choice) {
            self.machine.say(json!({ "jsonrpc": "2.0", "id": id, "result": { "action": "cancel" } }));
            self.questions.remove(&id);
        }
    }

    fn hear(&mut self) {
        for message in self.machine.hear_all() {
            match message {
                Value::Array(members) => members.iter().for_each(|member| self.judge(member)),
                message => self.judge(&message),
            }
        }
        assert!(self.machine.calls.len() <= MAX_CALLS, "no more run than may");
        assert!(self.questions.len() <= MAX_ASKS, "no more is asked than may be");
    }

    /// Checks that the client may get this message now.
    fn judge(&mut self, message: &Value) {
        let id = message["id"].as_i64();
        let params = &message["params"];
        match (message["method"].as_str(), id) {
            (None, Some(id)) => {
                let open = self.open.remove(&id);
                assert!(open.is_some(), "an answer to nothing that is open: {message}");
                if matches!(open, Some(Open::Listen { .. })) && message["error"].is_null() {
                    assert_eq!(message["result"]["_meta"][SUBSCRIPTION], id, "{message}");
                    self.ended.push(id);
                }
            }
            (Some("elicitation/create"), Some(id)) => {
                assert!(
                    self.session >= Some(Version::V2025_06_18),
                    "this client has no elicitation: {message}"
                );
                assert!(!self.every_question.contains(&id), "an id is used once: {message}");
                self.questions.insert(id);
                self.every_question.push(id);
            }
            (Some("notifications/cancelled"), None) => {
                let id = params["requestId"].as_i64().expect("every id here is a number");
                let withdrawn = self.questions.remove(&id);
                assert!(withdrawn || self.ended.contains(&id), "a cancellation of nothing: {message}");
            }
            (Some("notifications/progress"), None) => {
                let token = params["progressToken"].as_i64().expect("every token here is a number");
                assert!(self.open.contains_key(&token), "progress of nothing that is open: {message}");
            }
            (Some("notifications/subscriptions/acknowledged"), None) => {
                let id = params["_meta"][SUBSCRIPTION].as_i64().expect("every id here is a number");
                let before = self.open.insert(id, Open::Listen { acknowledged: true });
                assert_eq!(before, Some(Open::Listen { acknowledged: false }), "{message}");
            }
            (Some("notifications/tools/list_changed"), None) => {
                match params["_meta"][SUBSCRIPTION].as_i64() {
                    Some(id) => assert_eq!(self.open[&id], Open::Listen { acknowledged: true }, "{message}"),
                    None => {
                        assert!(self.session.is_some(), "only a session hears of changes unasked: {message}")
                    }
                }
            }
            _ => panic!("nothing a server says: {message}"),
        }
    }

    /// The service does all it was asked to, and the connection closes.
    fn end(mut self) {
        while let Some(key) = self.machine.calls.keys().next().copied() {
            self.machine.finish(key);
        }
        self.machine.open_streams();
        self.hear();
        self.open.retain(|_, open| *open == Open::Request);
        assert_eq!(self.open, BTreeMap::new(), "every request that was not cancelled is answered");
        assert_eq!(self.questions, BTreeSet::new(), "no question outlives its request");
        self.machine.connection.handle_end(self.machine.now, &self.machine.server);
        self.machine.perform();
        assert!(self.machine.closed, "an idle connection closes");
        assert_eq!(self.machine.connection.poll_timeout(), None);
    }
}

fn sessions() -> impl Strategy<Value = Option<Version>> {
    let legacy = Version::ALL.into_iter().filter(|version| !version.is_modern()).map(Some);
    prop::sample::select([None].into_iter().chain(legacy).collect::<Vec<_>>())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_order_the_client_is_told_what_makes_sense(
        session in sessions(),
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let mut world = World::new(session);
        steps.into_iter().for_each(|step| world.take(step));
        world.end();
    }
}
