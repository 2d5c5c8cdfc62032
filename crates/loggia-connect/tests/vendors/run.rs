//! Runs a scenario: the connector as an MCP server in memory, with a mock of the vendor behind it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::Response;
use loggia::client::Client;
use loggia_connect::direct::ManifestApi;
use loggia_connect::filter::{FilterLimits, JsonFilter};
use loggia_connect::manifest::{ConnectorManifest, ManifestBackend, embedded};
use loggia_connect::secret::Secret;
use serde_json::{Value, json};

use crate::scenario::{Scenario, Step, fill, fill_text};
use crate::sender::{MockSender, media_type};

type Outcome = Result<(), String>;

/// A connector whose vendor is a mock.
struct Connection {
    client: Client,
    sender: Arc<MockSender>,
}

/// A name, the responses, the error that they make, and the number of requests that the call sends.
type Refusal<'a> = (&'a str, Vec<Response<Bytes>>, Option<&'a str>, usize);

/// The result of a call.
struct Said {
    texts: Vec<String>,
    is_error: bool,
}

impl Connection {
    async fn open(scenario: &Scenario, mock: &str, page_size: Option<u64>) -> Result<Connection, String> {
        Connection::with_credential(scenario, mock, page_size, &scenario.credential).await
    }

    async fn with_credential(
        scenario: &Scenario,
        mock: &str,
        page_size: Option<u64>,
        credential: &str,
    ) -> Result<Connection, String> {
        let (manifest, mut backend) = manifest(scenario)?;
        if page_size.is_some() {
            let all = backend.tools.iter_mut().filter_map(|tool| tool.paging.as_mut());
            all.for_each(|paging| paging.default_size = page_size);
        }
        let values = manifest
            .values(&scenario.config, Some(Secret::new(credential)))
            .map_err(|problems| format!("{problems:?}"))?;
        let sender = Arc::new(MockSender::new(mock, &scenario.prefix));
        let api = ManifestApi::new(&backend, &values, sender.clone()).map_err(|error| error.to_string())?;
        if scenario.no_health.is_none() {
            let account = api.check_health().await.map_err(|error| format!("health check: {error}"))?;
            if account != scenario.account {
                return Err(format!("the account is {account:?}, not {:?}", scenario.account));
            }
        }
        let server = api.into_server(&manifest).map_err(|error| error.to_string())?;
        let client = Client::connect(&server).await.map_err(|error| error.to_string())?;
        Ok(Connection { client, sender })
    }

    async fn call(&self, tool: &str, arguments: Value) -> Said {
        match self.client.call_tool(tool, arguments).await {
            Ok(result) => {
                let texts = result.content.iter().map(|block| {
                    let block = serde_json::to_value(block).unwrap_or_default();
                    block["text"].as_str().map_or_else(|| block.to_string(), str::to_owned)
                });
                Said { texts: texts.collect(), is_error: result.is_error == Some(true) }
            }
            Err(error) => Said { texts: vec![error.to_string()], is_error: true },
        }
    }
}

impl Said {
    fn text(&self) -> String {
        self.texts.join("\n")
    }

    /// Returns the JSON of the result, or its text.
    fn json(&self) -> Value {
        let first = self.texts.first().map(String::as_str).unwrap_or_default();
        serde_json::from_str(first).unwrap_or_else(|_| Value::from(first))
    }

    fn cursor(&self) -> Option<String> {
        let last = self.texts.last()?.strip_prefix("There are more results: call again with cursor ")?;
        serde_json::from_str(last.trim_end_matches('.')).ok()
    }
}

/// Returns the connector's manifest, and its direct backend with the tools that are off at first.
fn manifest(scenario: &Scenario) -> Result<(ConnectorManifest, ManifestBackend), String> {
    let name = &scenario.connector;
    let (_, text) =
        embedded().find(|(known, _)| known == name).ok_or_else(|| format!("there is no {name}"))?;
    let manifest = ConnectorManifest::parse(text, name).map_err(|error| error.to_string())?;
    let backend = manifest.backend(&scenario.backend).ok_or_else(|| format!("no {}", scenario.backend))?;
    let mut backend = backend.clone();
    // A mock may be called faster than the vendor.
    backend.limits.rate = None;
    backend.tools.iter_mut().for_each(|tool| tool.is_enabled = true);
    Ok((manifest, backend))
}

/// Calls each tool of the connector, with the vendor's state behind it.
pub(crate) async fn steps(scenario: &Scenario, mock: &str) -> Outcome {
    let connection = Connection::open(scenario, mock, None).await?;
    let mut kept = BTreeMap::from([("tomorrow".to_owned(), tomorrow())]);
    for (n, step) in scenario.steps.iter().enumerate() {
        let done = self::step(&connection, step, &mut kept).await;
        done.map_err(|problem| format!("step {}, {}: {problem}", n + 1, step.tool))?;
    }
    Ok(())
}

/// Returns the time in 24 hours, in seconds since 1970.
fn tomorrow() -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Value::from(now.as_secs() + 86_400)
}

async fn step(connection: &Connection, step: &Step, kept: &mut BTreeMap<String, Value>) -> Outcome {
    let arguments = fill(&Value::Object(step.arguments.clone()), kept);
    let said = connection.call(&step.tool, arguments.clone()).await;
    let text = said.text();
    let shown = || format!("{arguments} gave {}", loggia::wire::text::truncated(&text, 3000));
    if let Some(fails) = &step.fails {
        let is_as_expected = said.is_error && text.contains(&fill_text(fails, kept));
        return if is_as_expected { Ok(()) } else { Err(format!("{fails:?} is missing: {}", shown())) };
    }
    if said.is_error {
        return Err(shown());
    }
    if let Some(cursor) = said.cursor() {
        kept.insert("cursor".to_owned(), cursor.into());
    }
    if step.more.is_some_and(|more| more != said.cursor().is_some()) {
        return Err(format!("more is {:?}: {}", step.more, shown()));
    }
    let result = said.json();
    if let Some(expect) = &step.expect {
        let expect = fill_text(expect, kept);
        if filtered(&expect, &result)? != Value::Bool(true) {
            return Err(format!("{expect} is not true: {}", shown()));
        }
    }
    if let Some(opens) = &step.opens {
        let url = filtered(opens, &result)?;
        let media_type = media_type(url.as_str().unwrap_or_default()).await?;
        if !media_type.starts_with("image/") {
            return Err(format!("{url} is {media_type:?}, not an image"));
        }
    }
    for (name, filter) in &step.keep {
        match filtered(filter, &result)? {
            Value::Null => return Err(format!("{filter} is null: {}", shown())),
            value => kept.insert(name.clone(), value),
        };
    }
    Ok(())
}

/// Reads lists page by page. Each page but the last is full, and no item is on two pages.
pub(crate) async fn pages(scenario: &Scenario, mock: &str) -> Outcome {
    for list in &scenario.pages {
        let connection = Connection::open(scenario, mock, Some(list.size)).await?;
        let mut arguments = list.arguments.clone();
        let (mut items, mut sizes) = (BTreeSet::new(), Vec::new());
        loop {
            let said = connection.call(&list.tool, arguments.clone().into()).await;
            let page = said.json();
            let page = page.as_array().filter(|_| !said.is_error);
            let page = page.ok_or_else(|| format!("{}: {}", list.tool, said.text()))?;
            sizes.push(page.len());
            items.extend(page.iter().map(Value::to_string));
            match said.cursor() {
                Some(cursor) if sizes.len() < 100 => arguments.insert("cursor".to_owned(), cursor.into()),
                _ => break,
            };
        }
        let full = usize::try_from(list.size).unwrap_or_default();
        let is_full = sizes.iter().rev().skip(1).all(|size| *size == full);
        let all: usize = sizes.iter().sum();
        if sizes.len() < 2 || !is_full || all != items.len() || all < list.items {
            return Err(format!(
                "{}: pages of {sizes:?} items, {} of them different",
                list.tool,
                items.len()
            ));
        }
    }
    Ok(())
}

fn filtered(filter: &str, input: &Value) -> Result<Value, String> {
    let compiled = JsonFilter::compile(filter).map_err(|error| format!("{filter}: {error}"))?;
    let value = compiled.first(input.to_string().as_bytes(), FilterLimits::default());
    let value = value.map_err(|error| format!("{filter}: {error}"))?;
    Ok(value.map(|value| value.to_value()).unwrap_or_default())
}

fn too_many(seconds: u64) -> Response<Bytes> {
    let response = Response::builder().status(429).header("retry-after", seconds);
    response.body(Bytes::from_static(b"{\"message\":\"slow down\"}")).expect("valid headers")
}

fn unauthorized() -> Response<Bytes> {
    let body = json!({ "message": "the token was revoked" }).to_string();
    Response::builder().status(401).body(Bytes::from(body)).expect("valid headers")
}

/// Calls the first tool of the scenario while the vendor refuses: too many requests, and a token that is not valid. After
/// each refusal the next call succeeds.
pub(crate) async fn faults(scenario: &Scenario, mock: &str) -> Outcome {
    let connection = Connection::open(scenario, mock, None).await?;
    let probe = scenario.steps.first().ok_or("a scenario has a step")?;
    let again = "the user has to connect the account again";
    let is_repeated = |response: Response<Bytes>| std::iter::repeat_n(response, 9);
    let mut table: Vec<Refusal<'_>> = vec![
        ("one refusal", vec![too_many(0)], None, 2),
        ("many refusals", is_repeated(too_many(0)).collect(), Some("then call again"), 2),
        ("a long wait", vec![too_many(3600)], Some("Wait 3600 s, then call again"), 1),
        ("no token", vec![unauthorized()], Some(again), 1),
    ];
    let own = scenario.faults.iter();
    table
        .extend(own.map(|fault| (fault.body.as_str(), vec![fault.response()], Some(fault.says.as_str()), 1)));
    for (name, responses, expected, requests) in table {
        let before = connection.sender.sent();
        connection.sender.give(responses);
        let said = connection.call(&probe.tool, probe.arguments.clone().into()).await;
        let sent = connection.sender.sent() - before;
        let text = said.text();
        let is_as_expected = match expected {
            Some(expected) => said.is_error && text.contains(expected),
            None => !said.is_error,
        };
        if !is_as_expected || sent != requests {
            return Err(format!(
                "{name}: expected {expected:?} after {requests} requests; {sent} sent: {text}"
            ));
        }
        if text.contains(&scenario.credential) {
            return Err(format!("{name}: the credential is in {text}"));
        }
        connection.sender.give([]);
        step(&connection, probe, &mut BTreeMap::new())
            .await
            .map_err(|text| format!("after {name}: {text}"))?;
    }
    Ok(())
}

/// Calls the first tool of the scenario while the mock refuses each second request with a credential.
pub(crate) async fn refusals(scenario: &Scenario, mock: &str) -> Outcome {
    let probe = scenario.steps.first().ok_or("a scenario has a step")?;
    let table = [
        ("limited", None, 2),
        ("stopped", Some("Wait 3600 s, then call again"), 1),
        ("lost", Some("the user has to connect the account again"), 1),
    ];
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    for (ending, expected, requests) in table {
        // The mock counts the requests of each credential.
        let credential = format!("{}-{ending}-{now}", scenario.credential);
        let connection = Connection::with_credential(scenario, mock, None, &credential).await?;
        let mut kept = BTreeMap::new();
        if connection.sender.sent() == 0 {
            step(&connection, probe, &mut kept).await?;
        }
        let before = connection.sender.sent();
        let said = connection.call(&probe.tool, probe.arguments.clone().into()).await;
        let (sent, text) = (connection.sender.sent() - before, said.text());
        let is_as_expected = match expected {
            Some(expected) => said.is_error && text.contains(expected),
            None => !said.is_error,
        };
        if !is_as_expected || sent != requests || text.contains(&credential) {
            return Err(format!(
                "{ending}: expected {expected:?} after {requests} requests; {sent} sent: {text}"
            ));
        }
        if expected.is_some() {
            step(&connection, probe, &mut kept).await.map_err(|text| format!("after {ending}: {text}"))?;
        }
    }
    let unknown = Connection::with_credential(scenario, mock, None, "ada@acme.example:unknown").await;
    match (unknown, &scenario.no_health) {
        (Err(_), None) | (_, Some(_)) => Ok(()),
        (Ok(_), None) => Err("the mock accepts an unknown credential".to_owned()),
    }
}
