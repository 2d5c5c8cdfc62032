//! Asking the client in the middle of a call: the same handler in both eras, and the state that travels.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use loggia::limits::Limits;
use loggia::model::{
    CreateMessageParams, CreateMessageResult, InputRequest, InputRequired, SamplingContentBlock,
};
use loggia::prelude::*;
use loggia::server::StateKey;
use loggia::service::Principal;
use loggia::wire::Version;
use serde::Deserialize;
use serde_json::{Value, json};

use super::harness::{BOTH, Caller, message};

/// The counts of all servers of a test.
#[derive(Default)]
struct Desk {
    runs: AtomicU64,
    orders: AtomicU64,
    /// A part of the questions that changes between two runs of one call.
    wording: Mutex<String>,
}

#[derive(Deserialize, JsonSchema)]
struct Name {
    /// Your name
    #[schema(min_length = 2)]
    name: String,
}

/// Not for people: forms have no description.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "it is only shown")]
struct Everything {
    /// Any text
    #[schema(format = "email", max_length = 50)]
    text: Option<String>,
    #[schema(min = 0, max = 1, default = 0.5)]
    share: f64,
    count: u32,
    #[schema(default = true)]
    yes: bool,
    one: Size,
    titled: Colour,
    #[schema(min_items = 1)]
    some: Vec<Size>,
    all: std::collections::BTreeSet<Colour>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Size {
    Small,
    Large,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
enum Colour {
    #[schema(title = "Deep red")]
    Red,
    Blue,
}

#[derive(Deserialize, JsonSchema)]
struct Nested {
    #[allow(dead_code, reason = "it is never read: it cannot be asked")]
    inner: BTreeMap<String, Name>,
}

#[tools]
impl Desk {
    #[tool]
    async fn greet(&self, cx: &Cx) -> Result<String, ToolError> {
        self.runs.fetch_add(1, Ordering::Relaxed);
        Ok(match cx.ask::<Name>("name", "Who are you?").await? {
            Answer::Accept(given) => format!("hello {}", given.name),
            Answer::Decline => "declined".to_owned(),
            Answer::Cancel => "cancelled".to_owned(),
        })
    }

    /// Two questions in a row, and work that happens once.
    #[tool]
    async fn order(&self, cx: &Cx, what: String) -> Result<String, ToolError> {
        let number: u64 = cx.once("number", async || Ok(self.orders.fetch_add(1, Ordering::Relaxed))).await?;
        let first = cx.ask::<Name>("first", "First name?").await?.accepted();
        let last = cx.ask::<Name>("last", "Last name?").await?.accepted();
        let again = cx.ask::<Name>("first", "First name?").await?.accepted();
        let name = |given: Option<Name>| given.map_or("?".to_owned(), |given| given.name);
        Ok(format!("{what} {number} for {} {} ({})", name(first), name(last), name(again)))
    }

    /// Takes what `order` takes.
    #[tool]
    async fn reserve(&self, cx: &Cx, what: String) -> Result<String, ToolError> {
        cx.ask::<Name>("first", "First name?").await?;
        Ok(what)
    }

    /// Several questions in one round.
    #[tool]
    async fn together(&self, cx: &Cx) -> Result<String, ToolError> {
        let (name, url, model, roots) = tokio::join!(
            cx.ask::<Name>("name", "Name?"),
            cx.ask_url("url", "Sign in", "https://example.com/sign-in"),
            cx.sample("model", CreateMessageParams::prompt("Capital of Norway?", 10)),
            cx.roots("roots"),
        );
        let text = match model?.content.blocks().first() {
            Some(SamplingContentBlock::Text(text)) => text.text.clone(),
            other => format!("{other:?}"),
        };
        Ok(format!("{} {:?} {text} {}", name?.accepted().map_or(0, |n| n.name.len()), url?, roots?.len()))
    }

    #[tool]
    async fn fails_between(&self, cx: &Cx) -> Result<String, ToolError> {
        let tried = cx.once::<u64, _>("x", async || Err(ToolError::say("no luck"))).await;
        cx.ask::<Name>("name", "Name?").await?;
        Ok(format!("{:?}", tried.map_err(|error| error.to_string())))
    }

    #[tool]
    async fn reworded(&self, cx: &Cx) -> Result<String, ToolError> {
        let wording = self.wording.lock().expect("no test panicked").clone();
        let name = cx.ask::<Name>("name", &wording).await?.accepted();
        Ok(format!("{wording} {}", name.map_or(0, |name| name.name.len())))
    }

    #[tool]
    async fn one_key_for_two(&self, cx: &Cx) -> Result<String, ToolError> {
        cx.ask::<Name>("name", "First?").await?;
        cx.ask::<Name>("name", "Second?").await?;
        Ok(String::new())
    }

    #[tool]
    async fn unaskable(&self, cx: &Cx) -> Result<String, ToolError> {
        cx.ask::<Nested>("nested", "?").await?;
        Ok(String::new())
    }

    #[tool]
    async fn form(&self, cx: &Cx) -> Result<String, ToolError> {
        Ok(format!("{:?}", cx.ask::<Everything>("all", "Everything?").await?))
    }

    #[tool]
    async fn heavy(&self, cx: &Cx) -> Result<String, ToolError> {
        cx.once("much", async || Ok("x".repeat(10_000))).await?;
        cx.ask::<Name>("name", "Name?").await?;
        Ok("done".to_owned())
    }

    /// Asks for ever.
    #[tool]
    async fn insatiable(&self, cx: &Cx) -> Result<String, ToolError> {
        for n in 0.. {
            cx.ask::<Name>(&format!("name{n}"), "Name?").await?;
        }
        Ok(String::new())
    }

    /// A gateway's way: it returns the questions itself, and reads what comes back.
    #[tool]
    async fn gateway(&self, cx: &Cx) -> Result<loggia::server::ToolOutput, ToolError> {
        use loggia::server::IntoToolResult as _;
        if let Some(state) = cx.request_state() {
            return format!("{state} {}", cx.input_responses().len()).into_tool_result();
        }
        InputRequired { request_state: Some("mine".to_owned()), ..InputRequired::default() }
            .into_tool_result()
    }

    /// Work beside the question is dropped with it.
    #[tool]
    async fn beside(&self, cx: &Cx) -> Result<String, ToolError> {
        let cx2 = cx.clone();
        let asking =
            tokio::spawn(
                async move { cx2.ask::<Name>("name", "Name?").await.map(|answer| answer.accepted()) },
            );
        let name = asking.await??;
        Ok(format!("{}", name.map_or(0, |name| name.name.len())))
    }
}

#[prompts]
impl Desk {
    #[prompt]
    async fn letter(&self, cx: &Cx) -> Result<String, ToolError> {
        Ok(format!("Dear {:?}", cx.ask::<Name>("name", "To whom?").await?.accepted().map(|it| it.name)))
    }
}

#[resources]
impl Desk {
    #[resource("desk://{drawer}")]
    async fn drawer(&self, cx: &Cx, drawer: String) -> Result<String, ToolError> {
        Ok(format!("{drawer} {:?}", cx.ask::<Name>("name", "Whose?").await?.accepted().map(|it| it.name)))
    }
}

fn builder() -> loggia::server::ServerBuilder<Desk> {
    Server::new("desk", "1")
        .state(Desk::default())
        .tools(Desk::tools())
        .prompts(Desk::prompts())
        .resources(Desk::resources())
}

fn desk() -> Server {
    builder().build().expect("it is well made")
}

fn accept(name: &str) -> Value {
    json!({ "action": "accept", "content": { "name": name } })
}

/// Answers every kind of question.
fn helpful(request: &InputRequest) -> Value {
    match request {
        InputRequest::Elicit(params) => match &**params {
            loggia::model::ElicitParams::Form(form) => {
                accept(form.message.split(' ').next().unwrap_or_default())
            }
            loggia::model::ElicitParams::Url(_) => json!({ "action": "accept" }),
        },
        InputRequest::CreateMessage(_) => json!(CreateMessageResult::text("m", "Oslo")),
        InputRequest::ListRoots(_) => json!({ "roots": [{ "uri": "file:///a" }, { "uri": "file:///b" }] }),
    }
}

#[tokio::test]
async fn every_answer_reads_the_same_in_both_eras() {
    let table = [
        (accept("Ada"), "hello Ada"),
        (json!({ "action": "decline" }), "declined"),
        (json!({ "action": "cancel" }), "cancelled"),
    ];
    for version in BOTH {
        for (answer, text) in table.clone() {
            let caller = Caller::new(&desk(), version).answering(move |_| answer.clone());
            assert_eq!(caller.text("greet", json!({})).await, text);
        }
    }
}

#[tokio::test]
async fn questions_in_a_row_keep_their_answers_and_work_happens_once() {
    for (version, rounds) in [(Version::V2025_11_25, 0), (Version::V2026_07_28, 2)] {
        let caller = Caller::new(&desk(), version).answering(helpful);
        assert_eq!(caller.text("order", json!({ "what": "tea" })).await, "tea 0 for First Last (First)");
        assert_eq!(*caller.rounds.lock().expect("no test panicked"), rounds);
        assert_eq!(caller.text("order", json!({ "what": "tea" })).await, "tea 1 for First Last (First)");
    }
}

#[tokio::test]
async fn questions_asked_together_are_one_round() {
    for (version, rounds) in [(Version::V2025_11_25, 0), (Version::V2026_07_28, 1)] {
        let caller = Caller::new(&desk(), version).answering(helpful);
        assert_eq!(caller.text("together", json!({})).await, "5 Accept(()) Oslo 2");
        assert_eq!(*caller.rounds.lock().expect("no test panicked"), rounds);
    }
}

#[tokio::test]
async fn a_round_says_what_it_asks_and_nothing_else() {
    let caller = Caller::new(&desk(), Version::V2026_07_28).answering(helpful);
    let mut round = caller.once("tools/call", json!({ "name": "together" })).await.expect("a round");
    let state = round["requestState"].take();
    assert!(
        state.as_str().is_some_and(|state| state.starts_with("lg1.") && !state.contains("Capital")),
        "{state}"
    );
    insta::assert_json_snapshot!(round);
}

#[tokio::test]
async fn a_form_has_every_kind_of_field() {
    let answer = json!({ "action": "accept", "content": {
        "text": null, "share": 1, "count": 3, "yes": false, "one": "small", "titled": "Red", "some": ["large"], "all": ["Blue", "Red"],
    } });
    let mut shorter = answer.clone();
    shorter["content"]
        .as_object_mut()
        .expect("an object")
        .retain(|name, _| !["share", "yes"].contains(&name.as_str()));
    let text = |share: &str, yes: bool| {
        format!(
            "Accept(Everything {{ text: None, share: {share}, count: 3, yes: {yes}, one: Small, titled: Red, \
             some: [Large], all: {{Red, Blue}} }})"
        )
    };
    for version in BOTH {
        for (answer, text) in [(&answer, text("1.0", false)), (&shorter, text("0.5", true))] {
            let answer = answer.clone();
            let caller = Caller::new(&desk(), version).answering(move |_| answer.clone());
            assert_eq!(caller.text("form", json!({})).await, text);
        }
    }
    let caller = Caller::new(&desk(), Version::V2026_07_28);
    let round = caller.once("tools/call", json!({ "name": "form" })).await.expect("a round");
    insta::assert_json_snapshot!(round["inputRequests"]["all"]["params"]["requestedSchema"]);
}

#[tokio::test]
async fn prompts_and_resources_ask_too() {
    for version in BOTH {
        let caller = Caller::new(&desk(), version).answering(|_| accept("Ada"));
        let letter = caller.ask("prompts/get", json!({ "name": "letter" })).await.expect("messages");
        assert_eq!(letter["messages"][0]["content"]["text"], r#"Dear Some("Ada")"#);
        let drawer = caller.ask("resources/read", json!({ "uri": "desk://top" })).await.expect("contents");
        assert_eq!(drawer["contents"][0]["text"], r#"top Some("Ada")"#);
    }
}

#[tokio::test]
async fn a_question_asked_in_another_task_ends_the_call_too() {
    for version in BOTH {
        let caller = Caller::new(&desk(), version).answering(|_| accept("Ada"));
        assert_eq!(caller.text("beside", json!({})).await, "3");
    }
}

#[tokio::test]
async fn a_failure_is_not_kept() {
    for version in BOTH {
        let caller = Caller::new(&desk(), version).answering(|_| accept("Ada"));
        assert_eq!(caller.text("fails_between", json!({})).await, r#"Err("no luck")"#);
    }
}

#[tokio::test]
async fn an_answer_that_does_not_fit_is_refused_in_both_eras() {
    let table = [
        json!(12345),
        json!({ "action": "accept" }),
        json!({ "action": "accept", "content": { "name": 5 } }),
        json!({ "action": "accept", "content": { "name": "x" } }),
        json!({ "action": "shrug" }),
    ];
    for version in BOTH {
        for answer in table.clone() {
            let shown = answer.clone();
            let caller = Caller::new(&desk(), version).answering(move |_| answer.clone());
            let error = caller.tool("greet", json!({})).await.expect_err("it does not fit");
            assert_eq!(error["code"], -32602, "{shown}");
            let message = error["message"].as_str().unwrap_or_default();
            assert!(message.starts_with("The answer to \"name\" does not fit its question: "), "{message}");
        }
    }
}

#[tokio::test]
async fn a_client_that_cannot_be_asked_is_told_so() {
    let table = [
        ("greet", json!({ "elicitation": { "form": {} } }), "ask the person (elicitation)"),
        ("together", json!({ "sampling": {} }), "ask the client's model (sampling)"),
    ];
    for (tool, required, needs) in table {
        let mut caller = Caller::new(&desk(), Version::V2026_07_28);
        caller.capabilities = json!({});
        let error = caller.tool(tool, json!({})).await.expect_err("it cannot be asked");
        assert_eq!((&error["code"], &error["data"]["requiredCapabilities"]), (&json!(-32021), &required));
        let mut caller = Caller::new(&desk(), Version::V2025_11_25);
        caller.capabilities = json!({});
        let result = caller.tool(tool, json!({})).await.expect("a result that the model reads");
        assert_eq!(result["isError"], true);
        let text = format!("This needs to {needs}, which the client does not support");
        assert_eq!(result["content"][0]["text"], text);
    }
}

#[tokio::test]
async fn answers_may_come_unasked_and_what_nobody_asked_is_ignored() {
    let caller = Caller::new(&desk(), Version::V2026_07_28);
    let with = |responses: Value| json!({ "name": "greet", "inputResponses": responses });
    let eager = caller.once("tools/call", with(json!({ "name": accept("Ada"), "other": accept("x") }))).await;
    assert_eq!(eager.expect("a result")["content"][0]["text"], "hello Ada");
    for responses in [json!({ "wrong": accept("Ada") }), json!({}), json!(null)] {
        let round = caller.once("tools/call", with(responses.clone())).await.expect("a round");
        assert_eq!(round["resultType"], "input_required", "{responses}");
        assert_eq!(message_of(&round, "name"), "Who are you?");
    }
}

#[tokio::test]
async fn a_missing_answer_is_asked_for_again_and_the_others_are_kept() {
    let caller = Caller::new(&desk(), Version::V2026_07_28).answering(helpful);
    let params = json!({ "name": "together" });
    let round = caller.once("tools/call", params.clone()).await.expect("a round");
    let mut retry = caller.retry(&params, &round);
    retry["inputResponses"].as_object_mut().expect("an object").remove("roots");
    let round = caller.once("tools/call", retry).await.expect("a round");
    let asked: Vec<_> = round["inputRequests"].as_object().expect("questions").keys().collect();
    assert_eq!(asked, ["roots"]);
    let result = caller.once("tools/call", caller.retry(&params, &round)).await.expect("a result");
    assert_eq!(result["content"][0]["text"], "5 Accept(()) Oslo 2");
}

fn message_of(round: &Value, key: &str) -> String {
    let request: InputRequest =
        serde_json::from_value(round["inputRequests"][key].clone()).expect("a question");
    message(&request).to_owned()
}

/// Changes made to a sealed state, or to the request it comes back with.
#[tokio::test]
async fn state_that_was_changed_or_belongs_elsewhere_is_refused() {
    let server = desk();
    let caller = |who: Option<&str>| {
        let mut caller = Caller::new(&server, Version::V2026_07_28).answering(helpful);
        caller.principal = who.map(|who| Principal { subject: who.to_owned(), ..Principal::default() });
        caller
    };
    let params = json!({ "name": "order", "arguments": { "what": "tea" } });
    let ada = caller(Some("ada"));
    let round = ada.once("tools/call", params.clone()).await.expect("a round");
    let state = round["requestState"].as_str().expect("a state").to_owned();
    let retry = ada.retry(&params, &round);
    let with = |path: &str, value: Value| {
        let mut retry = retry.clone();
        *retry.pointer_mut(path).expect("it is there") = value;
        retry
    };
    let flip = |at: usize| {
        let mut bytes = state.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        String::from_utf8(bytes).expect("ASCII")
    };
    let refused = [
        ("appended", with("/requestState", json!(format!("{state}-TAMPERED")))),
        ("cut", with("/requestState", json!(state[..state.len() - 4]))),
        ("nonce", with("/requestState", json!(flip(6)))),
        ("middle", with("/requestState", json!(flip(state.len() / 2)))),
        ("tag", with("/requestState", json!(flip(state.len() - 6)))),
        ("empty", with("/requestState", json!("lg1."))),
        ("no base64", with("/requestState", json!("lg1.?!"))),
        ("not ours", with("/requestState", json!("something else"))),
        ("huge", with("/requestState", json!(format!("lg1.{}", "A".repeat(200_000))))),
        ("other tool", with("/name", json!("reserve"))),
        ("other arguments", with("/arguments/what", json!("coffee"))),
    ];
    for (what, params) in refused {
        let error = ada.once("tools/call", params).await.expect_err(what);
        let message = error["message"].as_str().unwrap_or_default();
        assert_eq!(error["code"], -32602, "{what}");
        assert!(message.contains("start the call again without it"), "{what}: {message}");
    }
    for who in [None, Some("eve")] {
        let error = caller(who).once("tools/call", retry.clone()).await.expect_err("another caller");
        assert_eq!(error["code"], -32602);
    }
    // Arguments that mean the same are the same.
    let reordered = ada.once("tools/call", retry).await.expect("a round");
    assert_eq!(message_of(&reordered, "last"), "Last name?");
}

/// State is opened by the first question or `once`: a call without either is the same with any.
#[tokio::test]
async fn a_call_that_asks_nothing_has_no_use_for_state() {
    let plain = Tool::build("plain").handler(|_: Arc<()>, _cx, _args| async { "done" });
    let server = loggia::server!().tool(plain).build().expect("it is well made");
    let params = json!({ "name": "plain", "requestState": "lg1.of another call" });
    let called = Caller::new(&server, Version::V2026_07_28).once("tools/call", params).await;
    assert_eq!(called.expect("it ran")["content"][0]["text"], "done");
}

#[tokio::test]
async fn state_expires_by_the_servers_clock() {
    let now = Arc::new(AtomicU64::new(1_000_000));
    let clock = now.clone();
    let server = builder()
        .clock(move || SystemTime::UNIX_EPOCH + Duration::from_secs(clock.load(Ordering::Relaxed)))
        .state_ttl(Duration::from_secs(60))
        .build()
        .expect("it is well made");
    let caller = Caller::new(&server, Version::V2026_07_28).answering(helpful);
    let params = json!({ "name": "greet" });
    let round = caller.once("tools/call", params.clone()).await.expect("a round");
    now.fetch_add(60, Ordering::Relaxed);
    assert!(caller.once("tools/call", caller.retry(&params, &round)).await.is_ok());
    now.fetch_add(1, Ordering::Relaxed);
    let error = caller.once("tools/call", caller.retry(&params, &round)).await.expect_err("it has expired");
    assert_eq!(
        error,
        json!({ "code": -32602, "message": "The requestState has expired: start the call again without it" })
    );
}

#[tokio::test]
async fn keys_rotate_and_strangers_have_others() {
    let with = |keys: &[u8]| {
        let keys = keys.iter().map(|byte| StateKey::new(&[*byte; 32]));
        let server =
            keys.fold(builder(), |builder, key| builder.state_key(key)).build().expect("it is well made");
        Caller::new(&server, Version::V2026_07_28).answering(helpful)
    };
    let params = json!({ "name": "greet" });
    let round = with(&[1]).once("tools/call", params.clone()).await.expect("a round");
    let retry = with(&[1]).retry(&params, &round);
    for (keys, opens) in [(&[1][..], true), (&[2, 1], true), (&[2], false), (&[], false)] {
        assert_eq!(with(keys).once("tools/call", retry.clone()).await.is_ok(), opens, "{keys:?}");
    }
}

#[tokio::test]
async fn an_answer_counts_for_the_very_question_it_was_given_to() {
    let desk = Arc::new(Desk { wording: Mutex::new("Delete one?".to_owned()), ..Desk::default() });
    let server = Server::new("s", "1")
        .shared_state(desk.clone())
        .tools(Desk::tools())
        .build()
        .expect("it is well made");
    let caller = Caller::new(&server, Version::V2026_07_28).answering(helpful);
    let params = json!({ "name": "reworded" });
    let round = caller.once("tools/call", params.clone()).await.expect("a round");
    *desk.wording.lock().expect("no test panicked") = "Delete all?".to_owned();
    let again = caller.once("tools/call", caller.retry(&params, &round)).await.expect("a round");
    assert_eq!(message_of(&again, "name"), "Delete all?");
}

#[tokio::test]
async fn an_authors_mistakes_are_internal_in_both_eras() {
    for version in BOTH {
        let caller = Caller::new(&desk(), version).answering(helpful);
        for tool in ["one_key_for_two", "unaskable"] {
            let text = caller.text(tool, json!({})).await;
            assert!(text.starts_with("The tool failed for an internal reason"), "{tool}: {text}");
        }
    }
}

#[tokio::test]
async fn state_and_rounds_have_a_bound() {
    let limits = Limits { request_state_bytes: 5_000, input_rounds: 3, ..Limits::default() };
    let server = builder().limits(limits).build().expect("it is well made");
    let caller = Caller::new(&server, Version::V2026_07_28).answering(helpful);
    let error = caller.tool("heavy", json!({})).await.expect_err("it is too large");
    assert_eq!(error["code"], -32603);
    let error = caller.tool("insatiable", json!({})).await.expect_err("it asks too often");
    assert_eq!(error["message"], "This call asked for input more than 3 times: start it again");
    assert_eq!(*caller.rounds.lock().expect("no test panicked"), 3);
}

#[tokio::test]
async fn a_gateway_returns_its_own_questions_and_reads_its_own_state() {
    for version in BOTH {
        // The second is of a server like this one, behind the gateway.
        for state in ["theirs", "lg1.theirs"] {
            let caller = Caller::new(&desk(), version);
            let params = json!({ "name": "gateway", "requestState": state, "inputResponses": { "a": {} } });
            let result = caller.once("tools/call", params).await.expect("a result");
            assert_eq!(result["content"][0]["text"], format!("{state} 1"));
        }
    }
    let round =
        Caller::new(&desk(), Version::V2026_07_28).once("tools/call", json!({ "name": "gateway" })).await;
    assert_eq!(round.expect("a round")["requestState"], "mine");
}

#[tokio::test]
async fn an_unanswered_question_drops_the_handler_and_reruns_it() {
    let desk = Arc::new(Desk::default());
    let server = Server::new("s", "1")
        .shared_state(desk.clone())
        .tools(Desk::tools())
        .build()
        .expect("it is well made");
    let caller = Caller::new(&server, Version::V2026_07_28).answering(|_| accept("Ada"));
    caller.text("greet", json!({})).await;
    assert_eq!(desk.runs.load(Ordering::Relaxed), 2);
}
