//! A client's engine and a server's connection, joined by two pipes that take time. Nothing here waits: the
//! clock is a number, latency is data, and what both programs do comes from a schedule. Whatever the
//! schedule, every call ends as it should, with its own answer.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;
use loggia_wire::jsonrpc::Id;
use loggia_wire::model::{
    CallToolResult, ClientCapabilities, ElicitFormParams, ElicitParams, ElicitationCapability,
    Implementation, InputRequest, ListCapability, ProgressParams, ServerCapabilities, ServerNotification,
    ServerResult,
};
use loggia_wire::{Method, RawJson, RpcError, Version};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::engine::{CallTiming, Engine, EngineOutput, EngineSettings, OutgoingCall, RequestIds};
use super::era::Negotiation;
use super::link_event::{LinkEvent, decode};
use super::negotiate::OpeningTimeouts;
use crate::changes::Change;
use crate::edge::connection::{Action, AskKey, CallKey, DuplexConnection};
use crate::error::Error;
use crate::limits::Limits;
use crate::service::Description;

const PROBE: Duration = Duration::from_secs(5);
const LEGACY: Duration = Duration::from_secs(20);

/// A pipe: what goes in comes out in the same order, later.
#[derive(Default)]
struct PairPipe {
    messages: VecDeque<(Instant, Bytes)>,
    /// True if whatever goes in is lost.
    cut: bool,
}

impl PairPipe {
    fn send(&mut self, now: Instant, latency: Duration, message: Bytes) {
        let after_the_last = self.messages.back().map_or(now, |(at, _)| *at);
        if !self.cut {
            self.messages.push_back(((now + latency).max(after_the_last), message));
        }
    }

    fn receive(&mut self, now: Instant) -> Option<Bytes> {
        let due = self.due().is_some_and(|at| at <= now);
        due.then(|| self.messages.pop_front()).flatten().map(|(_, message)| message)
    }

    fn due(&self) -> Option<Instant> {
        self.messages.front().map(|(at, _)| *at)
    }
}

struct Pair {
    now: Instant,
    latency: Duration,
    client: Engine,
    ids: RequestIds,
    server: DuplexConnection,
    description: Description,
    to_server: PairPipe,
    to_client: PairPipe,
    /// The calls that run, and the number that the client put into each.
    running: BTreeMap<CallKey, i64>,
    streams: Vec<CallKey>,
    asked: u64,
    /// For each question the call that asked it.
    asked_by: BTreeMap<u64, i64>,
    /// Questions that the service waits for.
    waiting: BTreeSet<u64>,
    answers: BTreeMap<u64, Result<Value, RpcError>>,
    /// Calls the client has not heard the end of, and how those ended that it has.
    open: BTreeSet<i64>,
    ended: BTreeMap<i64, Result<Value, Error>>,
    /// Questions the client was asked and has not answered.
    questions: BTreeMap<Id, Value>,
    heard: Vec<(Option<i64>, Method)>,
    ready: Option<Version>,
    refused: Option<Error>,
}

fn description() -> Description {
    Description {
        identity: Implementation::new("server", "1"),
        capabilities: ServerCapabilities {
            tools: Some(ListCapability { list_changed: Some(true), ..ListCapability::default() }),
            ..ServerCapabilities::default()
        },
        instructions: None,
        versions: Version::ALL.to_vec(),
    }
}

impl Pair {
    fn new(negotiation: Negotiation) -> Pair {
        let ids = RequestIds::new();
        let settings = EngineSettings {
            identity: Implementation::new("client", "1"),
            capabilities: ClientCapabilities {
                elicitation: Some(ElicitationCapability::default()),
                ..ClientCapabilities::default()
            },
            negotiation,
            patience: OpeningTimeouts { probe: PROBE, legacy: LEGACY },
            start_limit: None,
            own_streams: false,
            reopens: false,
            sse_allowed: false,
            most_asks: 64,
            most_noise: 4096,
            span: tracing::Span::none(),
            most_opening: 1 << 20,
        };
        let limits = Limits { ask_timeout: Duration::from_secs(300), ..Limits::default() };
        Pair {
            now: Instant::now(),
            latency: Duration::ZERO,
            client: Engine::new(settings, ids.clone(), None),
            ids,
            server: DuplexConnection::new(limits),
            description: description(),
            to_server: PairPipe::default(),
            to_client: PairPipe::default(),
            running: BTreeMap::new(),
            streams: Vec::new(),
            asked: 0,
            asked_by: BTreeMap::new(),
            waiting: BTreeSet::new(),
            answers: BTreeMap::new(),
            open: BTreeSet::new(),
            ended: BTreeMap::new(),
            questions: BTreeMap::new(),
            heard: Vec::new(),
            ready: None,
            refused: None,
        }
    }

    /// Creates a pair that has agreed on `version`.
    fn ready(version: Version) -> Pair {
        let mut pair = Pair::new(Negotiation::Fixed(version));
        pair.client.opened(pair.now);
        pair.pass(Duration::from_secs(1));
        assert_eq!(pair.ready, Some(version));
        pair
    }

    /// Lets time pass: messages arrive, limits are reached, each at its moment.
    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        self.perform();
        while let Some(next) = self.next_event().filter(|at| *at <= until) {
            self.now = self.now.max(next);
            self.arrive();
            if self.client.deadline().is_some_and(|at| at <= self.now) {
                self.client.handle_timeout(self.now);
            }
            if self.server.poll_timeout().is_some_and(|at| at <= self.now) {
                self.server.handle_timeout(self.now);
            }
            self.perform();
        }
        self.now = until;
    }

    fn next_event(&self) -> Option<Instant> {
        let limits = [self.client.deadline(), self.server.poll_timeout()];
        limits.into_iter().chain([self.to_client.due(), self.to_server.due()]).flatten().min()
    }

    /// Delivers the oldest message that is due, if any.
    fn arrive(&mut self) {
        if let Some(text) = self.to_server.receive(self.now) {
            self.server.handle_frame(Ok(text), &self.description);
        } else if let Some(text) = self.to_client.receive(self.now) {
            for message in decode(&text) {
                let message = message.expect("the server sends messages");
                self.client.handle(self.now, LinkEvent::Message { stream: None, message });
            }
        }
    }

    /// Performs the actions of both machines, until there are none.
    fn perform(&mut self) {
        loop {
            if let Some(action) = self.server.poll_action() {
                self.act(action);
            } else if let Some(output) = self.client.poll() {
                self.note(output);
            } else if let Some(outgoing) = self.client.poll_transmit() {
                self.to_server.send(self.now, self.latency, outgoing.body);
            } else {
                return;
            }
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Send(message) => self.to_client.send(self.now, self.latency, message),
            Action::Call { key, request, .. } => {
                let params: Value = request.params.decode().expect("params are JSON");
                self.running
                    .insert(key, params["arguments"]["n"].as_i64().expect("every call has its number"));
            }
            Action::Abort(key) => drop(self.running.remove(&key)),
            Action::Listen { key, filter } => {
                self.streams.push(key);
                self.server.handle_listening(key, Ok(filter), &self.description);
            }
            Action::Unlisten(key) => self.streams.retain(|stream| *stream != key),
            Action::Answer { ask: AskKey(ask), outcome } => {
                assert!(self.waiting.remove(&ask), "a question is answered once");
                self.answers.insert(ask, outcome.map(|result| result.decode().expect("a result is JSON")));
            }
            Action::Close => self.to_client.cut = true,
        }
    }

    fn note(&mut self, output: EngineOutput) {
        match output {
            EngineOutput::Finished { id, outcome } => {
                assert!(self.open.remove(&id), "a call ends once, and not after it was cancelled");
                let outcome = outcome.map(|reply| reply.result.decode().expect("a result is JSON"));
                self.ended.insert(id, outcome);
            }
            EngineOutput::Notification { call, method, .. } => {
                if method == Method::Progress {
                    assert!(call.is_some_and(|call| self.open.contains(&call)), "progress of an open call");
                }
                self.heard.push((call, method));
            }
            EngineOutput::Ask { id, params, .. } => {
                let params = params.expect("a form has params").decode().expect("params are JSON");
                assert!(self.questions.insert(id, params).is_none(), "a question comes once");
            }
            EngineOutput::DropAsk(id) => drop(self.questions.remove(&id)),
            EngineOutput::Ready(facts) => self.ready = Some(facts.version),
            EngineOutput::Refused(error) => self.refused = Some(error),
            // A pipe has no streams of its own.
            EngineOutput::Abandon(_) => {}
            other => panic!("nothing ends this connection: {other:?}"),
        }
    }

    fn call(&mut self, timing: CallTiming) -> i64 {
        let id = self.ids.next();
        let params = RawJson::from(&json!({ "name": "t", "arguments": { "n": id } }));
        self.open.insert(id);
        self.client.start(
            self.now,
            id,
            OutgoingCall {
                params: params.into(),
                progress: true,
                timing,
                ..OutgoingCall::bare(Method::CallTool)
            },
        );
        self.perform();
        id
    }

    fn cancel(&mut self, id: i64) {
        self.open.remove(&id);
        self.client.cancel(id);
        self.perform();
    }

    /// The service answers a call with the number it was called with.
    fn finish(&mut self, key: CallKey) {
        let Some(number) = self.running.remove(&key) else { return };
        let result = ServerResult::from(CallToolResult::text(number.to_string()));
        self.server.handle_finished(key, Ok(result.into()), &self.description);
        self.perform();
    }

    fn progress(&mut self, key: CallKey) {
        let params = ProgressParams {
            progress_token: Id::Number(0),
            progress: self.heard.len() as f64,
            total: None,
            message: None,
            meta: None,
            extra: Default::default(),
        };
        self.server.handle_notification(key, ServerNotification::Progress(params));
        self.perform();
    }

    fn ask(&mut self, key: CallKey) -> u64 {
        self.asked += 1;
        let form: ElicitFormParams = serde_json::from_value(json!({
            "message": self.asked.to_string(), "requestedSchema": { "type": "object", "properties": {} },
        }))
        .expect("a valid form");
        self.waiting.insert(self.asked);
        self.asked_by.insert(self.asked, self.running[&key]);
        let question = InputRequest::Elicit(Box::new(ElicitParams::Form(form)));
        self.server.handle_ask(AskKey(self.asked), key, question, self.now);
        self.perform();
        self.asked
    }

    fn unask(&mut self, ask: u64) {
        self.waiting.remove(&ask);
        self.server.handle_unask(AskKey(ask));
        self.perform();
    }

    /// The user repeats the question.
    fn reply(&mut self, id: &Id) {
        let Some(question) = self.questions.remove(id) else { return };
        let answer = json!({ "action": "accept", "content": { "said": question["message"] } });
        self.client.answer(self.now, id, Ok(RawJson::from(&answer)));
        self.perform();
    }

    fn change(&mut self) {
        for key in self.streams.clone() {
            self.server.handle_change(key, Change::Tools);
        }
        self.perform();
    }

    /// Everything that is open comes to its end.
    fn settle(&mut self) {
        for _ in 0..4 {
            self.pass(Duration::from_secs(60));
            let questions: Vec<Id> = self.questions.keys().cloned().collect();
            questions.iter().for_each(|id| self.reply(id));
            let running: Vec<CallKey> = self.running.keys().copied().collect();
            running.into_iter().for_each(|key| self.finish(key));
        }
    }
}

fn result_text(ended: &Result<Value, Error>) -> Option<&str> {
    ended.as_ref().ok()?["content"][0]["text"].as_str()
}

/// One event of a schedule. Numbers choose among the open calls and questions.
#[derive(Debug, Clone)]
enum PairStep {
    Call { seconds: Option<u8> },
    Cancel(u8),
    Finish(u8),
    Progress(u8),
    Ask(u8),
    Unask(u8),
    Reply(u8),
    Change,
    Pass(u16),
    Latency(u16),
}

fn step() -> impl Strategy<Value = PairStep> {
    prop_oneof![
        4 => prop::option::weighted(0.2, 1..20u8).prop_map(|seconds| PairStep::Call { seconds }),
        2 => any::<u8>().prop_map(PairStep::Cancel),
        4 => any::<u8>().prop_map(PairStep::Finish),
        2 => any::<u8>().prop_map(PairStep::Progress),
        3 => any::<u8>().prop_map(PairStep::Ask),
        1 => any::<u8>().prop_map(PairStep::Unask),
        3 => any::<u8>().prop_map(PairStep::Reply),
        1 => Just(PairStep::Change),
        6 => (0..3000u16).prop_map(PairStep::Pass),
        2 => (0..2000u16).prop_map(PairStep::Latency),
    ]
}

fn pick<T: Clone>(from: impl IntoIterator<Item = T>, choice: u8) -> Option<T> {
    let all: Vec<T> = from.into_iter().collect();
    (!all.is_empty()).then(|| all[usize::from(choice) % all.len()].clone())
}

impl Pair {
    fn take(&mut self, step: PairStep, timed: &mut BTreeSet<i64>) {
        let running: Vec<CallKey> = self.running.keys().copied().collect();
        match step {
            PairStep::Call { seconds } => {
                let total = seconds.map(|seconds| Duration::from_secs(seconds.into()));
                let id = self.call(CallTiming { idle: None, total });
                timed.extend(total.map(|_| id));
            }
            PairStep::Cancel(choice) => {
                if let Some(id) = pick(self.open.iter().copied(), choice) {
                    self.cancel(id);
                }
            }
            PairStep::Finish(choice) => pick(running, choice).into_iter().for_each(|key| self.finish(key)),
            PairStep::Progress(choice) => {
                pick(running, choice).into_iter().for_each(|key| self.progress(key))
            }
            PairStep::Ask(choice) => pick(running, choice).into_iter().for_each(|key| {
                let _ = self.ask(key);
            }),
            PairStep::Unask(choice) => {
                if let Some(ask) = pick(self.waiting.iter().copied(), choice) {
                    self.unask(ask);
                }
            }
            PairStep::Reply(choice) => {
                if let Some(id) = pick(self.questions.keys().cloned(), choice) {
                    self.reply(&id);
                }
            }
            PairStep::Change => self.change(),
            PairStep::Pass(millis) => self.pass(Duration::from_millis(millis.into())),
            PairStep::Latency(millis) => self.latency = Duration::from_millis(millis.into()),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_schedule_every_call_ends_with_its_own_answer(
        version in prop::sample::select(Version::ALL.to_vec()),
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let mut pair = Pair::ready(version);
        let mut timed = BTreeSet::new();
        steps.into_iter().for_each(|step| pair.take(step, &mut timed));
        pair.settle();
        prop_assert_eq!(&pair.open, &BTreeSet::new(), "every call ends");
        prop_assert_eq!(&pair.running, &BTreeMap::new(), "what was cancelled or timed out was dropped");
        prop_assert!(pair.questions.is_empty(), "no question outlives its call");
        for (id, ended) in &pair.ended {
            let own = id.to_string();
            let late = timed.contains(id) && matches!(ended, Err(Error::Timeout(_)));
            prop_assert!(late || result_text(ended) == Some(&own), "{}: {:?}", id, ended);
        }
        for (ask, answer) in &pair.answers {
            let could_ask = version >= Version::V2025_06_18 && !version.is_modern();
            let wanted = pair.ended.get(&pair.asked_by[ask]).is_some_and(Result::is_ok);
            match answer {
                Ok(answer) => prop_assert_eq!(&answer["content"]["said"], &json!(ask.to_string())),
                Err(error) => prop_assert!(!(could_ask && wanted), "{}", error),
            }
        }
    }
}

#[test]
fn an_answer_and_a_cancellation_cross_on_the_way() {
    for version in Version::ALL {
        let mut pair = Pair::ready(version);
        pair.latency = Duration::from_secs(1);
        let id = pair.call(CallTiming::default());
        pair.pass(Duration::from_millis(1500));
        let key = *pair.running.keys().next().expect("the call has arrived");
        pair.finish(key);
        pair.cancel(id);
        pair.settle();
        assert!(pair.ended.is_empty(), "{version}: the late answer is ignored");
        let next = pair.call(CallTiming::default());
        pair.settle();
        assert_eq!(result_text(&pair.ended[&next]), Some(&*next.to_string()), "{version}");
    }
}

#[test]
fn a_late_answer_to_a_question_reaches_nobody() {
    let mut pair = Pair::ready(Version::V2025_11_25);
    let id = pair.call(CallTiming::default());
    pair.pass(Duration::from_secs(1));
    let key = *pair.running.keys().next().expect("the call has arrived");
    let ask = pair.ask(key);
    pair.pass(Duration::from_secs(1));
    let question = pair.questions.keys().next().cloned().expect("the question has arrived");
    pair.latency = Duration::from_secs(1);
    pair.reply(&question);
    pair.unask(ask);
    pair.settle();
    assert!(pair.answers.is_empty());
    assert_eq!(result_text(&pair.ended[&id]), Some(&*id.to_string()));
}

#[test]
fn a_server_that_falls_silent_costs_a_call_its_time_and_no_more() {
    for version in Version::ALL {
        let mut pair = Pair::ready(version);
        pair.to_client.cut = true;
        let total = Some(Duration::from_secs(7));
        let id = pair.call(CallTiming { idle: None, total });
        pair.pass(Duration::from_secs(6));
        assert!(pair.ended.is_empty());
        pair.pass(Duration::from_secs(2));
        assert!(matches!(pair.ended[&id], Err(Error::Timeout(_))), "{version}");
        assert!(pair.running.is_empty(), "{version}: the server was told");
    }
}

#[test]
fn a_server_that_never_spoke_is_given_up_after_both_openings() {
    let mut pair = Pair::new(Negotiation::Auto);
    pair.to_client.cut = true;
    pair.client.opened(pair.now);
    pair.pass(PROBE + LEGACY - Duration::from_secs(1));
    assert!(pair.refused.is_none());
    pair.pass(Duration::from_secs(2));
    assert!(pair.refused.is_some());
}

#[test]
fn a_client_negotiates_each_revision_the_server_serves() {
    let served = |versions: &[Version]| {
        let mut pair = Pair::new(Negotiation::Auto);
        pair.description.versions = versions.to_vec();
        pair.client.opened(pair.now);
        pair.pass(Duration::from_secs(1));
        pair.ready
    };
    for version in Version::ALL {
        assert_eq!(served(&[version]), Some(version));
    }
    assert_eq!(served(&Version::ALL), Some(Version::LATEST));
    assert_eq!(served(&Version::ALL[..4]), Some(Version::LATEST_LEGACY));
}
