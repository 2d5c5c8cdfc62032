//! The attributes generate the code that a developer would write.

use loggia::model::PromptMessage;
use loggia::prelude::*;
use loggia::server::{Args, CompletionRequest, StringArgs, parameter};
use serde_json::json;

use super::harness::{BOTH, Caller};

/// Adds two numbers.
#[tool(read_only, idempotent, title = "Add", icon = "https://example.com/add.svg")]
fn add(
    /** The first */
    a: i64,
    /** The second */
    b: i64,
) -> i64 {
    a + b
}

/// Greets.
#[tool(open_world = false)]
async fn greet(#[state] greeting: &String, cx: &Cx, name: String) -> Result<String, ToolError> {
    cx.info("greeting");
    Ok(format!("{greeting} {name}"))
}

#[prompt]
async fn review(#[complete(languages)] language: String) -> PromptMessage {
    PromptMessage::user(language)
}

#[resource("a://{b}", mime = "text/plain")]
fn thing(b: String) -> String {
    b
}

async fn languages(typed: &CompletionRequest) -> Vec<String> {
    vec![format!("{}st", typed.value)]
}

/// Many parameters.
#[tool]
#[allow(clippy::too_many_arguments, unused_variables)]
fn many(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8) -> &'static str {
    "many"
}

#[tokio::test]
async fn a_free_function_is_registered_by_its_name_and_still_called() {
    assert_eq!(add(1, 2), 3);
    assert_eq!(thing("x".to_owned()), "x");
    assert_eq!(review("rust".to_owned()).await, PromptMessage::user("rust"));
    let server = Server::new("s", "1")
        .tool(add)
        .prompt(review)
        .resource(thing)
        .state("hello".to_owned())
        .tool(greet)
        .build()
        .expect("it is well made");
    for version in BOTH {
        let caller = Caller::new(&server, version);
        assert_eq!(caller.text("add", json!({ "a": 2, "b": 3 })).await, "5");
        assert_eq!(caller.text("greet", json!({ "name": "Ada" })).await, "hello Ada");
        let read = caller.ask("resources/read", json!({ "uri": "a://x" })).await.expect("contents");
        assert_eq!(read["contents"][0]["text"], "x");
        let typed = json!({ "ref": { "type": "ref/prompt", "name": "review" }, "argument": { "name": "language", "value": "ru" } });
        let proposals = caller.ask("completion/complete", typed).await.expect("proposals");
        assert_eq!(proposals["completion"]["values"], json!(["rust"]));
    }
}

struct Desk;

#[tools(first)]
impl Desk {
    /// A wrapped
    /// paragraph.
    ///
    /// - a list
    /// - of two
    ///
    /// ```text
    /// code
    ///   stays
    /// ```
    #[tool]
    async fn described(&self) {}

    #[tool(name = "other-name", description = "Said here.", destructive, read_only = false)]
    async fn named(&self, r#type: String) -> String {
        r#type
    }

    #[cfg(not(test))]
    #[tool]
    async fn left_out(&self) {}

    #[allow(dead_code)]
    fn not_a_tool(&self) {}
}

#[tools(second)]
impl Desk {
    #[tool]
    fn unnamed(&self) -> impl loggia::server::IntoToolResult + use<> {
        "whatever it is"
    }

    #[tool]
    #[allow(clippy::needless_lifetimes, reason = "a signature may have them")]
    async fn lifetimes<'a>(&'a self) -> std::borrow::Cow<'static, str> {
        "owned".into()
    }

    #[tool]
    async fn bounded(
        #[arg(min = 1, max = 10, example = 5)] n: u32,
        #[arg(min_length = 1, pattern = "^[a-z]+$", header = "Word", title = "A word", format = "word")] word: String,
        #[arg(default = -1.5)] x: f64,
        #[arg(min_items = 1, max_items = 3, description = "Said here.")] list: Vec<String>,
    ) -> String {
        format!("{n} {word} {x} {list:?}")
    }
}

#[test]
fn descriptions_and_schemas_are_what_the_code_says() {
    let tools: Vec<_> =
        Desk::first().into_iter().chain(Desk::second()).map(|tool| tool.definition().clone()).collect();
    insta::assert_json_snapshot!(tools);
}

#[test]
fn what_a_macro_writes_a_person_can_write() {
    use loggia::server::IntoTool as _;
    let written: Tool<()> = Tool::build("add")
        .description("Adds two numbers.")
        .read_only(true)
        .idempotent(true)
        .title("Add")
        .icon("https://example.com/add.svg")
        .parameter(parameter::<i64>("a").description("The first"))
        .parameter(parameter::<i64>("b").description("The second"))
        .handler(|_: Arc<()>, _: Cx, mut args: Args| async move {
            let (a, b): (i64, i64) = (args.take("a")?, args.take("b")?);
            Ok::<_, ToolError>(a + b)
        });
    let made: Tool<()> = add.into_tool();
    assert_eq!(made.definition(), written.definition());
}

#[tokio::test]
async fn one_server_can_hold_things_of_several_states() {
    let counted = |list: Vec<&str>| Arc::new(list.len());
    let tool = |name: &str| {
        Tool::build(name).handler(|state: Arc<usize>, _: Cx, _: Args| async move { state.to_string() })
    };
    let prompt = Prompt::build("p")
        .handler(|state: Arc<String>, _: Cx, _: StringArgs| async move { state.to_string() });
    let server = Server::new("s", "1")
        .shared_state(counted(vec!["a", "b"]))
        .tools([tool("two"), tool("also two").map(|definition| definition.name = "also_two".to_owned())])
        .state("text".to_owned())
        .prompt(prompt)
        .state(7_usize)
        .tool(tool("seven"))
        .build()
        .expect("it is well made");
    let caller = Caller::new(&server, BOTH[1]);
    for (name, text) in [("two", "2"), ("also_two", "2"), ("seven", "7")] {
        assert_eq!(caller.text(name, json!({})).await, text);
    }
}

#[test]
fn wrong_code_gets_a_short_error() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/*.rs");
}
