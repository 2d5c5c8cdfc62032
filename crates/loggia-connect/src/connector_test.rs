//! Runs the tests of a manifest: against its recorded exchanges, or over a connection to the vendor.
//!
//! Authors see whether a tool sends what the API takes and returns what its description says, without an account.
//! Invariant: a test that is run with recorded exchanges opens no connection.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use loggia::model::CallToolResult;
use loggia::service::BoxFuture;
use loggia::wire::{JsonObject, RawJson};
use loggia_openapi::OperationClass;
use serde_json::{Map, Value, json};

use crate::direct::ManifestApi;
use crate::filter::FilterLimits;
use crate::import::bounded_text;
use crate::manifest::{
    ConfigFieldType, ConnectorManifest, ConnectorTest, ManifestBackend, ManifestTransport, RecordedExchange,
    TestExpectation, embedded,
};
use crate::openapi::HttpSender;
use crate::secret::Secret;

/// Longest part of a result that a report shows, in bytes.
const MOST_SHOWN: usize = 600;

/// Reads the manifest of a connector: a file, or a name of the manifests that are compiled in.
pub fn tested_manifest(source: &str) -> Result<ConnectorManifest, String> {
    let is_file = source.contains(['/', '\\', '.']);
    if !is_file && let Some((_, text)) = embedded().find(|(name, _)| *name == source) {
        return ConnectorManifest::parse(text, source).map_err(|error| error.to_string());
    }
    let text = std::fs::File::open(source).and_then(bounded_text);
    let text = text.map_err(|error| match is_file {
        true => format!("cannot read {source}: {error}"),
        false => format!("there is no connector {source:?}: give its name, or the path of a manifest"),
    })?;
    ConnectorManifest::parse(&text, source).map_err(|error| error.to_string())
}

/// Calls the tools of a connection.
pub trait ToolCaller: Send + Sync {
    /// Calls a tool. The error is that of the connection or of the tool.
    fn call(&self, tool: &str, arguments: &JsonObject) -> BoxFuture<'_, Result<CallToolResult, String>>;
}

/// The outcome of one test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TestOutcome {
    /// The result is as expected.
    Passed,
    /// The reason why it is not.
    Failed(String),
    /// The reason why the test was not run.
    Skipped(String),
}

/// One test with its outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestRecord {
    /// The place of the test in the manifest, from 1.
    pub number: usize,
    /// The tool.
    pub tool: String,
    /// The backend; `None` over a connection that was opened by the caller.
    pub backend: Option<String>,
    /// The outcome.
    pub outcome: TestOutcome,
}

/// The outcomes of the tests of a manifest. Its text has one line for each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TestReport {
    /// The tests, in the order of the manifest.
    pub records: Vec<TestRecord>,
}

impl TestReport {
    /// Returns true if no test failed, and at least one passed.
    pub fn is_ok(&self) -> bool {
        let count = |outcome: fn(&TestOutcome) -> bool| {
            self.records.iter().filter(|record| outcome(&record.outcome)).count()
        };
        count(|one| matches!(one, TestOutcome::Failed(_))) == 0
            && count(|one| *one == TestOutcome::Passed) > 0
    }

    /// Returns the report as JSON.
    pub fn to_json(&self) -> Value {
        let tests = self.records.iter().map(|record| {
            let (outcome, reason) = record.outcome.parts();
            json!({
                "number": record.number, "tool": record.tool, "backend": record.backend, "outcome": outcome, "reason": reason,
            })
        });
        json!({ "isOk": self.is_ok(), "tests": tests.collect::<Vec<_>>() })
    }
}

impl TestOutcome {
    fn parts(&self) -> (&'static str, Option<&str>) {
        match self {
            TestOutcome::Passed => ("passed", None),
            TestOutcome::Failed(reason) => ("failed", Some(reason)),
            TestOutcome::Skipped(reason) => ("skipped", Some(reason)),
        }
    }
}

impl fmt::Display for TestReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for TestRecord { number, tool, backend, outcome } in &self.records {
            let (word, reason) = outcome.parts();
            write!(f, "{word:<8} {number} {tool}")?;
            if let Some(backend) = backend {
                write!(f, " ({backend})")?;
            }
            match reason {
                Some(reason) => writeln!(f, ": {reason}")?,
                None => writeln!(f)?,
            }
        }
        if self.records.is_empty() {
            writeln!(f, "the manifest has no [[tests]] for this backend")?;
        }
        Ok(())
    }
}

/// Runs the tests that have recorded exchanges, for one backend or for all that have the tool. Others are skipped.
pub async fn run_recorded(manifest: &ConnectorManifest, backend: Option<&str>) -> TestReport {
    let mut report = TestReport::default();
    for (place, test) in manifest.tests.iter().enumerate() {
        let wanted = test.backend.as_deref();
        let chosen = manifest.backends.iter().filter(|one| {
            let has_tool = one.tools.iter().any(|tool| tool.name == test.tool);
            one.kind().is_direct()
                && has_tool
                && wanted.is_none_or(|name| one.name == name)
                && backend.is_none_or(|name| one.name == name)
        });
        let chosen: Vec<&ManifestBackend> = chosen.collect();
        let mut add = |backend: Option<&ManifestBackend>, outcome| {
            let backend = backend.map(|one| one.name.clone());
            report.records.push(TestRecord { number: place + 1, tool: test.tool.clone(), backend, outcome });
        };
        if test.exchanges.is_empty() {
            add(None, TestOutcome::Skipped("it has no recorded exchange: run it with --live".to_owned()));
            continue;
        }
        if chosen.is_empty() {
            add(None, TestOutcome::Skipped("no API backend that was chosen has the tool".to_owned()));
        }
        for one in chosen {
            add(
                Some(one),
                recorded(manifest, one, test)
                    .await
                    .map_or_else(TestOutcome::Failed, |()| TestOutcome::Passed),
            );
        }
    }
    report
}

/// Runs the tests that read over a connection to the vendor; others are skipped.
pub async fn run_live(manifest: &ConnectorManifest, caller: &dyn ToolCaller) -> TestReport {
    let mut report = TestReport::default();
    for (place, test) in manifest.tests.iter().enumerate() {
        let outcome = if !is_read(manifest, test) {
            TestOutcome::Skipped("its tool does not only read".to_owned())
        } else if matches!(test.expectation, TestExpectation::Error(_)) {
            TestOutcome::Skipped("it is about a recorded refusal".to_owned())
        } else {
            let result = caller.call(&test.tool, &arguments(test)).await;
            judge(test, result).map_or_else(TestOutcome::Failed, |()| TestOutcome::Passed)
        };
        report.records.push(TestRecord {
            number: place + 1,
            tool: test.tool.clone(),
            backend: None,
            outcome,
        });
    }
    report
}

/// Returns true if each backend that has the tool says that it reads.
fn is_read(manifest: &ConnectorManifest, test: &ConnectorTest) -> bool {
    let mut tools = manifest.backends.iter().flat_map(|one| &one.tools).filter(|tool| tool.name == test.tool);
    tools.all(|tool| tool.class == Some(OperationClass::Read))
}

fn arguments(test: &ConnectorTest) -> JsonObject {
    // An object that serde_json wrote can be read.
    Value::Object(test.arguments.clone()).to_string().parse().unwrap_or_default()
}

async fn recorded(
    manifest: &ConnectorManifest,
    backend: &ManifestBackend,
    test: &ConnectorTest,
) -> Result<(), String> {
    let vendor = Arc::new(RecordedVendor::new(backend, &test.exchanges));
    let (manifest, backend) = with_example_values(manifest, backend, test);
    let config = example_config(&manifest, test);
    let credential = Some(Secret::new("recorded"));
    let values = manifest.values(&config, credential).map_err(|problems| {
        problems.iter().map(|one| format!("{}: {}", one.field, one.message)).collect::<Vec<_>>().join("; ")
    })?;
    let api = ManifestApi::new(&backend, &values, vendor.clone()).map_err(|error| error.to_string())?;
    let result = api.call(&test.tool, &arguments(test)).await.map_err(|error| error.to_string());
    vendor.check()?;
    judge(test, result)
}

/// Returns the manifest and the backend as a test with examples needs them: the tool is on, there is no pace, and neither
/// a value nor the credential has a form.
fn with_example_values(
    manifest: &ConnectorManifest,
    backend: &ManifestBackend,
    test: &ConnectorTest,
) -> (ConnectorManifest, ManifestBackend) {
    let (mut manifest, mut backend) = (manifest.clone(), backend.clone());
    manifest.config.iter_mut().for_each(|field| field.pattern = None);
    backend.tools.retain(|tool| tool.name == test.tool);
    backend.tools.iter_mut().for_each(|tool| tool.is_enabled = true);
    backend.limits.rate = None;
    backend.health = None;
    backend.auth.credential = None;
    (manifest, backend)
}

fn example_config(manifest: &ConnectorManifest, test: &ConnectorTest) -> Map<String, Value> {
    let mut config = test.config.clone();
    for field in manifest.config.iter().filter(|field| field.is_required && field.default.is_none()) {
        let example = || match field.field_type {
            ConfigFieldType::Number => json!(field.min.unwrap_or(1.0)),
            ConfigFieldType::Boolean => json!(true),
            ConfigFieldType::Choice => json!(field.choices.first().map(|choice| &choice.value)),
            _ => json!("example"),
        };
        config.entry(field.name.clone()).or_insert_with(example);
    }
    config
}

/// Compares a result with the expectation of its test.
fn judge(test: &ConnectorTest, result: Result<CallToolResult, String>) -> Result<(), String> {
    let (texts, is_error) = match result {
        Ok(result) => (texts_of(&result), result.is_error == Some(true)),
        Err(error) => (vec![error], true),
    };
    let shown = loggia::wire::text::truncated(&texts.join("\n"), MOST_SHOWN).to_owned();
    match &test.expectation {
        TestExpectation::Error(part) if is_error && shown.contains(part) => Ok(()),
        TestExpectation::Error(part) => Err(format!("the error {part:?} is missing: {shown}")),
        TestExpectation::Result(_) if is_error => Err(shown),
        TestExpectation::Result(filter) => {
            let first = texts.first().map(String::as_str).unwrap_or_default();
            let input = match serde_json::from_str::<Value>(first) {
                Ok(value) => value.to_string(),
                Err(_) => Value::from(first).to_string(),
            };
            let value = filter.first(input.as_bytes(), FilterLimits::default());
            let value = value.map_err(|error| format!("expect: {error}"))?.map(|value| value.to_value());
            if value == Some(Value::Bool(true)) {
                return Ok(());
            }
            let value = value.map_or("nothing".to_owned(), |value| value.to_string());
            Err(format!("expect gives {value}, not true, for {shown}"))
        }
    }
}

fn texts_of(result: &CallToolResult) -> Vec<String> {
    let texts = result.content.iter().map(|block| {
        let block = RawJson::of(block).to_value();
        block["text"].as_str().map_or_else(|| block.to_string(), str::to_owned)
    });
    texts.collect()
}

/// Answers requests with recorded exchanges, in their order.
struct RecordedVendor {
    /// The path of the base URL.
    base: String,
    state: Mutex<RecordedState>,
}

#[derive(Default)]
struct RecordedState {
    exchanges: VecDeque<RecordedExchange>,
    problem: Option<String>,
}

impl RecordedVendor {
    fn new(backend: &ManifestBackend, exchanges: &[RecordedExchange]) -> RecordedVendor {
        let url = match &backend.transport {
            ManifestTransport::OpenApi(api) => api.base_url.as_ref().map(ToString::to_string),
            ManifestTransport::GraphQl(api) => Some(api.url.to_string()),
            _ => None,
        };
        let url = url.unwrap_or_default();
        let rest = url.split_once("://").map_or("", |(_, rest)| rest);
        let base = rest.split_once('/').map_or(String::new(), |(_, path)| format!("/{path}"));
        let exchanges = exchanges.iter().cloned().collect();
        let state = RecordedState { exchanges, problem: None };
        RecordedVendor { base: base.trim_end_matches('/').to_owned(), state: Mutex::new(state) }
    }

    fn answer(&self, request: &Request<Bytes>) -> Result<Response<Bytes>, String> {
        let mut state = self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let sent = format!("{} {}", request.method(), self.path_of(request));
        let Some(exchange) = state.exchanges.pop_front() else {
            let problem = format!("the call sends one request more than recorded: {sent}");
            return Err(state.problem.get_or_insert(problem).clone());
        };
        match self.difference(&exchange, request) {
            None => Ok(exchange.response()),
            Some(difference) => Err(state.problem.get_or_insert(difference).clone()),
        }
    }

    /// Returns the path below the base URL, with the query.
    fn path_of(&self, request: &Request<Bytes>) -> String {
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let below = path.strip_prefix(&self.base).unwrap_or(path);
        if below.starts_with('/') { below.to_owned() } else { format!("/{below}") }
    }

    fn difference(&self, exchange: &RecordedExchange, request: &Request<Bytes>) -> Option<String> {
        let (sent, recorded) = (self.path_of(request), &exchange.path);
        let is_same_path = match recorded.split_once('?') {
            Some(recorded) => sent
                .split_once('?')
                .is_some_and(|(path, query)| path == recorded.0 && sorted(query) == sorted(recorded.1)),
            None => sent.split('?').next() == Some(recorded),
        };
        if *request.method() != exchange.method || !is_same_path {
            let method = request.method();
            return Some(format!("the call sends {method} {sent}, not {} {recorded}", exchange.method));
        }
        let body = exchange.body.as_ref()?;
        let sent: Value = serde_json::from_slice(request.body()).unwrap_or(Value::Null);
        (sent != *body).then(|| format!("the call sends the body {sent}, not {body}"))
    }

    /// Checks that each exchange was used, and that no request differed.
    fn check(&self) -> Result<(), String> {
        let state = self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        match (&state.problem, state.exchanges.front()) {
            (Some(problem), _) => Err(problem.clone()),
            (None, Some(next)) => Err(format!("the call does not send {} {}", next.method, next.path)),
            (None, None) => Ok(()),
        }
    }
}

/// Returns the pairs of a query in one order.
fn sorted(query: &str) -> Vec<&str> {
    let mut pairs: Vec<&str> = query.split('&').collect();
    pairs.sort_unstable();
    pairs
}

impl HttpSender for RecordedVendor {
    fn send(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response<Bytes>, String>> {
        let answer = self.answer(&request);
        Box::pin(std::future::ready(answer))
    }
}
