//! Calling tools: arguments, results, errors, what a handler can do meanwhile.

use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;

use loggia::model::{CallToolResult, LoggingLevel, ServerNotification};
use loggia::prelude::*;
use loggia::server::{Args, Audio, Image, parameter};
use loggia::service::Principal;
use loggia::wire::ErrorCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::harness::{BOTH, Caller};

#[derive(Default)]
struct Kitchen {
    served: AtomicU64,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Dish {
    name: String,
    /// In minutes
    time: Option<u32>,
}

#[tools]
impl Kitchen {
    /// Cooks a dish.
    #[tool]
    async fn cook(
        &self,
        /** What to cook */
        dish: String,
        #[arg(min = 1, max = 12, default = 2)] guests: u8,
        #[arg(name = "type")] kind: Option<String>,
    ) -> String {
        self.served.fetch_add(u64::from(guests), Ordering::Relaxed);
        format!("{guests} x {dish}, {}", kind.unwrap_or_else(|| "plain".to_owned()))
    }

    #[tool]
    async fn dish(&self, dish: Dish) -> Json<Dish> {
        Json(dish)
    }

    #[tool]
    fn served(&self) -> u64 {
        self.served.load(Ordering::Relaxed)
    }

    #[tool]
    async fn say(&self) -> Result<(), ToolError> {
        Err(ToolError::say("the oven is cold"))
    }

    #[tool]
    async fn reject(&self) -> Result<(), ToolError> {
        Err(ToolError::reject(ErrorCode(-32050), "closed"))
    }

    #[tool]
    async fn fail(&self) -> Result<f64, ToolError> {
        Ok("secret-path".parse::<f64>()?)
    }

    #[tool]
    async fn fail_plainly(&self) -> Result<f64, std::num::ParseFloatError> {
        "secret-path".parse()
    }

    #[tool]
    async fn whoami(&self, #[extract] who: Principal) -> String {
        who.subject
    }

    #[tool]
    async fn maybe(&self, #[extract] who: Option<Principal>) -> bool {
        who.is_some()
    }

    #[tool]
    async fn nothing(&self) {}

    #[tool]
    async fn pictures(&self) -> Vec<ContentBlock> {
        vec![Image::png([1, 2, 3]).into(), Audio::new([4], "audio/wav").into()]
    }

    #[tool]
    async fn work(&self, cx: &Cx) -> &'static str {
        for step in [1.0, 3.0, 2.0, f64::NAN, 3.0, 4.0] {
            cx.progress(step).total(4.0).message(format!("step {step}"));
            cx.info(format!("at {step}"));
        }
        cx.debug(json!({ "fine": true }));
        "done"
    }

    #[tool]
    async fn chatter(&self, cx: &Cx) {
        for n in 0..1000 {
            cx.error(n);
        }
    }

    /// Waits for ever, and says when it is given up.
    #[tool]
    async fn wait(&self, cx: &Cx) {
        struct GivenUp<'a>(&'a AtomicU64);
        impl Drop for GivenUp<'_> {
            fn drop(&mut self) {
                self.0.fetch_add(100, Ordering::Relaxed);
            }
        }
        let _given_up = GivenUp(&self.served);
        cx.info("waiting");
        std::future::pending().await
    }

    #[tool]
    async fn meta(&self, cx: &Cx) -> String {
        json!(cx.meta()).to_string()
    }
}

fn kitchen() -> Server {
    Server::new("kitchen", "1.0.0")
        .state(Kitchen::default())
        .tools(Kitchen::tools())
        .build()
        .expect("it is well made")
}

fn is_error(result: &Value) -> bool {
    result["isError"] == true
}

#[tokio::test]
async fn arguments_are_checked_with_a_path_and_the_model_reads_what_is_wrong() {
    let table = [
        (json!({ "dish": "soup" }), false, "2 x soup, plain"),
        (json!({ "dish": "soup", "guests": 3, "type": "hot" }), false, "3 x soup, hot"),
        // A model's way to leave something out.
        (json!({ "dish": "soup", "guests": null, "type": null }), false, "2 x soup, plain"),
        (json!({}), true, "Invalid arguments for cook: at $: the required property \"dish\" is missing"),
        (
            json!({ "dish": 5 }),
            true,
            "Invalid arguments for cook: at $.dish: expected a string, got the number 5",
        ),
        (
            json!({ "dish": "soup", "guests": 13 }),
            true,
            "Invalid arguments for cook: at $.guests: expected a number that is at most 12, got 13",
        ),
        (
            json!({ "dish": "soup", "gests": 1 }),
            true,
            "Invalid arguments for cook: at $: the property \"gests\" is not allowed (allowed: \"dish\", \"guests\", \"type\")",
        ),
    ];
    for version in BOTH {
        let caller = Caller::new(&kitchen(), version);
        for (arguments, fails, text) in &table {
            let result = caller.tool("cook", arguments.clone()).await.expect("an argument error is a result");
            assert_eq!(
                (is_error(&result), result["content"][0]["text"].as_str()),
                (*fails, Some(*text)),
                "{arguments}"
            );
        }
    }
}

#[tokio::test]
async fn an_argument_that_only_its_type_refuses_is_named_too() {
    let server = Server::new("s", "1")
        .tool(Tool::build("narrow").parameter(parameter::<u8>("n")).handler(
            |_: Arc<()>, _: Cx, mut args: Args| async move { args.take::<u8>("n").map(|n| n.to_string()) },
        ))
        .build()
        .expect("it is well made");
    let result = Caller::new(&server, BOTH[1]).tool("narrow", json!({ "n": 300 })).await.expect("a result");
    assert_eq!(
        result["content"][0]["text"],
        "Invalid arguments: n: invalid value: integer `300`, expected u8"
    );
    assert!(is_error(&result));
}

#[tokio::test]
async fn arguments_may_be_left_out() {
    for version in BOTH {
        let caller = Caller::new(&kitchen(), version);
        let left_out = caller.ask("tools/call", json!({ "name": "served" })).await.expect("it answers");
        assert_eq!(left_out["content"][0]["text"], "0");
    }
}

#[tokio::test]
async fn each_kind_of_error_reaches_its_reader_alone() {
    for version in BOTH {
        let caller = Caller::new(&kitchen(), version);
        let said = caller.tool("say", json!({})).await.expect("a result");
        assert_eq!((is_error(&said), &said["content"][0]["text"]), (true, &json!("the oven is cold")));
        let rejected = caller.tool("reject", json!({})).await.expect_err("a JSON-RPC error");
        assert_eq!(rejected, json!({ "code": -32050, "message": "closed" }));
        for name in ["fail", "fail_plainly"] {
            let failed = caller.tool(name, json!({})).await.expect("a result");
            let text = failed["content"][0]["text"].as_str().expect("text");
            assert!(
                is_error(&failed) && text.starts_with("The tool failed for an internal reason (reference "),
                "{text}"
            );
            assert!(!failed.to_string().contains("float"), "the cause must not reach the client: {failed}");
        }
        let unknown = caller.tool("fly", json!({})).await.expect_err("a JSON-RPC error");
        assert_eq!(unknown, json!({ "code": -32602, "message": "Unknown tool: fly" }));
    }
}

#[tokio::test]
async fn results_take_the_shape_of_what_is_returned() {
    for version in BOTH {
        let caller = Caller::new(&kitchen(), version);
        let dish =
            caller.tool("dish", json!({ "dish": { "name": "soup", "time": 5 } })).await.expect("a result");
        assert_eq!(dish["structuredContent"], json!({ "name": "soup", "time": 5 }));
        assert_eq!(dish["content"][0]["text"], r#"{"name":"soup","time":5}"#);
        let nothing = caller.tool("nothing", json!({})).await.expect("a result");
        assert_eq!(nothing["content"], json!([]));
        let pictures = caller.tool("pictures", json!({})).await.expect("a result");
        assert_eq!(
            pictures["content"][0],
            json!({ "type": "image", "data": "AQID", "mimeType": "image/png" })
        );
        assert_eq!(
            pictures["content"][1],
            json!({ "type": "audio", "data": "BA==", "mimeType": "audio/wav" })
        );
    }
}

#[tokio::test]
async fn what_is_extracted_comes_from_the_request() {
    let mut caller = Caller::new(&kitchen(), BOTH[1]);
    let refused = caller.tool("whoami", json!({})).await.expect("a result");
    assert_eq!(refused["content"][0]["text"], "This is only for callers who are signed in");
    assert_eq!(caller.text("maybe", json!({})).await, "false");
    caller.principal = Some(Principal { subject: "ada".to_owned(), ..Principal::default() });
    assert_eq!(caller.text("whoami", json!({})).await, "ada");
    assert_eq!(caller.text("maybe", json!({})).await, "true");
}

#[tokio::test]
async fn progress_grows_and_is_sent_only_where_it_is_wanted() {
    for version in BOTH {
        let mut caller = Caller::new(&kitchen(), version);
        caller.text("work", json!({})).await;
        assert_eq!(caller.told.lock().expect("no test panicked").len(), 0, "nobody asked for anything");
        caller.meta = json!({ "progressToken": "t", "log": "debug" });
        caller.text("work", json!({})).await;
        let told = std::mem::take(&mut *caller.told.lock().expect("no test panicked"));
        let progress: Vec<_> = told
            .iter()
            .filter_map(|one| match one {
                ServerNotification::Progress(params) => Some((params.progress, params.message.clone())),
                _ => None,
            })
            .collect();
        let expected: Vec<_> = [1.0, 3.0, 4.0].map(|step| (step, Some(format!("step {step}")))).into();
        assert_eq!(progress, expected);
    }
}

#[tokio::test]
async fn log_messages_keep_to_the_level_and_to_the_rate() {
    for (level, count) in [("debug", 7), ("info", 6), ("error", 0)] {
        let mut caller = Caller::new(&kitchen(), BOTH[0]);
        caller.meta = json!({ "log": level });
        caller.text("work", json!({})).await;
        let told = caller.told.lock().expect("no test panicked");
        let logged = told.iter().filter(|one| matches!(one, ServerNotification::Log(_))).count();
        assert_eq!(logged, count, "{level}");
    }
    let fixed = kitchen_at_one_moment();
    let mut caller = Caller::new(&fixed, BOTH[1]);
    caller.meta = json!({ "log": LoggingLevel::Debug });
    caller.tool("chatter", json!({})).await.expect("it answers");
    assert_eq!(caller.told.lock().expect("no test panicked").len(), 100);
}

fn kitchen_at_one_moment() -> Server {
    Server::new("kitchen", "1.0.0")
        .state(Kitchen::default())
        .tools(Kitchen::tools())
        .clock(|| std::time::SystemTime::UNIX_EPOCH)
        .build()
        .expect("it is well made")
}

#[tokio::test]
async fn a_handler_sees_the_callers_meta_and_not_the_protocols() {
    let mut caller = Caller::new(&kitchen(), BOTH[1]);
    caller.meta = json!({ "progressToken": 1, "example.com/tenant": "a" });
    assert_eq!(caller.text("meta", json!({})).await, r#"{"example.com/tenant":"a"}"#);
}

#[tokio::test]
async fn a_schema_of_ones_own_is_published_as_it_is_and_enforced() {
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": { "a": { "$anchor": "a", "type": "string" } },
        "properties": { "a": { "$ref": "#/$defs/a" }, "b": { "type": "integer" } },
        "additionalProperties": false
    });
    let tool = Tool::build("own")
        .input_schema(schema.clone())
        .handler(|_: Arc<()>, _: Cx, args: Args| async move { json!(args.into_object()).to_string() });
    let server = Server::new("s", "1").tool(tool).build().expect("it is well made");
    for version in BOTH {
        let caller = Caller::new(&server, version);
        let list = caller.once("tools/list", json!({})).await.expect("a list");
        assert_eq!(list["tools"][0]["inputSchema"], schema);
        assert_eq!(caller.text("own", json!({ "a": "x" })).await, r#"{"a":"x"}"#);
        // The author's schema says what null means, not we.
        let refused = caller.tool("own", json!({ "b": null })).await.expect("a result");
        assert!(is_error(&refused), "{refused}");
    }
}

#[tokio::test]
async fn a_whole_type_can_be_the_input() {
    let tool = Tool::build("whole")
        .input::<Dish>()
        .handler(|_: Arc<()>, _: Cx, dish: Dish| async move { format!("{} {:?}", dish.name, dish.time) });
    let server = Server::new("s", "1").tool(tool).build().expect("it is well made");
    let caller = Caller::new(&server, BOTH[0]);
    assert_eq!(caller.text("whole", json!({ "name": "soup" })).await, "soup None");
}

#[tokio::test]
async fn a_promise_about_the_output_is_kept() {
    let tool = |name: &str, structured: Option<Value>| {
        Tool::build(name).output_schema(json!({ "type": "object", "required": ["a"] })).handler(
            move |_: Arc<()>, _: Cx, _: Args| {
                let structured_content = structured.clone().map(loggia::wire::RawJson::from);
                async move { CallToolResult { structured_content, ..CallToolResult::text("x") } }
            },
        )
    };
    let failing = Tool::build("failing")
        .output_schema(json!({ "type": "object", "required": ["a"] }))
        .handler(|_: Arc<()>, _: Cx, _: Args| async move { Err::<(), _>(ToolError::say("no")) });
    let server = Server::new("s", "1")
        .tools([
            tool("kept", Some(json!({ "a": 1 }))),
            tool("broken", Some(json!({}))),
            tool("forgotten", None),
            failing,
        ])
        .build()
        .expect("it is well made");
    for version in BOTH {
        let caller = Caller::new(&server, version);
        assert_eq!(
            caller.tool("kept", json!({})).await.expect("a result")["structuredContent"],
            json!({ "a": 1 })
        );
        for name in ["broken", "forgotten"] {
            let result = caller.tool(name, json!({})).await.expect("a result");
            let text = result["content"][0]["text"].as_str().unwrap_or_default();
            assert!(
                is_error(&result) && text.starts_with("The tool failed for an internal reason"),
                "{result}"
            );
        }
        assert_eq!(caller.text("failing", json!({})).await, "no");
    }
}

#[tokio::test]
async fn a_real_client_calls_in_both_eras() {
    let versions = std::sync::Mutex::new(Vec::new());
    loggia::testing::in_both_eras(&kitchen(), async |client| {
        let result = client.call_tool("cook", json!({ "dish": "soup" })).await?;
        assert_eq!(result.content[0].as_text(), Some("2 x soup, plain"));
        versions.lock().expect("no test panicked").extend(client.version());
        Ok(())
    })
    .await
    .expect("both eras work");
    assert_eq!(*versions.lock().expect("no test panicked"), loggia::testing::ERAS);
}

#[tokio::test]
async fn every_revision_lists_and_calls() {
    for version in loggia::wire::Version::ALL {
        let caller = Caller::new(&kitchen(), version);
        let list = caller.once("tools/list", json!({})).await.expect("a list");
        let first = &list["tools"][0];
        assert_eq!((&first["name"], &first["description"]), (&json!("cook"), &json!("Cooks a dish.")));
        assert_eq!(caller.text("cook", json!({ "dish": "soup" })).await, "2 x soup, plain", "{version}");
    }
}

#[tokio::test]
async fn a_call_that_is_given_up_drops_its_handler() {
    let kitchen = Arc::new(Kitchen::default());
    let server = Server::new("s", "1")
        .shared_state(kitchen.clone())
        .tools(Kitchen::tools())
        .build()
        .expect("well made");
    for version in BOTH {
        kitchen.served.store(0, Ordering::Relaxed);
        let caller = Caller::new(&server, version);
        let mut call = Box::pin(caller.tool("wait", json!({})));
        let pending = std::future::poll_fn(|task| Poll::Ready(call.as_mut().poll(task).is_pending())).await;
        assert!(pending);
        assert_eq!(kitchen.served.load(Ordering::Relaxed), 0);
        drop(call);
        assert_eq!(kitchen.served.load(Ordering::Relaxed), 100);
    }
}
