//! Prompts and completion.

use loggia::model::{Completion, GetPromptResult};
use loggia::prelude::*;
use loggia::server::CompletionRequest;
use serde_json::json;

use super::harness::{BOTH, Caller};

struct Reviewer;

#[prompts]
impl Reviewer {
    /// Reviews code.
    #[prompt(title = "Review")]
    async fn review(
        &self,
        /** The language */
        #[complete(languages)]
        language: String,
        #[complete(Self::frameworks)] framework: Option<String>,
        #[complete(lines)] lines: Option<u32>,
    ) -> Vec<PromptMessage> {
        vec![
            PromptMessage::user(format!("Review {language} {framework:?} {lines:?}")),
            PromptMessage::assistant("Gladly."),
        ]
    }

    #[prompt]
    fn plain(&self) -> &'static str {
        "Hello."
    }

    #[prompt]
    async fn custom(&self, cx: &Cx) -> Result<GetPromptResult, ToolError> {
        match cx.principal() {
            Some(_) => {
                Ok(GetPromptResult { description: Some("mine".to_owned()), ..GetPromptResult::default() })
            }
            None => Err(ToolError::say("sign in first")),
        }
    }

    async fn languages(&self, typed: &CompletionRequest) -> Completion {
        typed.matching(["rust", "Ruby", "python"])
    }

    fn frameworks(typed: &CompletionRequest) -> Vec<String> {
        let language = typed.context.get("language").map_or("?", String::as_str);
        (0..150).map(|n| format!("{language}{n}")).collect()
    }
}

async fn lines(_typed: &CompletionRequest) -> Result<Vec<&'static str>, ToolError> {
    Err(ToolError::say("count them yourself"))
}

fn reviewer() -> Server {
    Server::new("reviewer", "1")
        .state(Reviewer)
        .prompts(Reviewer::prompts())
        .build()
        .expect("it is well made")
}

#[tokio::test]
async fn prompts_are_described_by_their_functions() {
    let list = Caller::new(&reviewer(), BOTH[1]).once("prompts/list", json!({})).await.expect("a list");
    insta::assert_json_snapshot!(list);
}

#[tokio::test]
async fn prompts_get_their_arguments_parsed() {
    for version in BOTH {
        let caller = Caller::new(&reviewer(), version);
        let params = json!({ "name": "review", "arguments": { "language": "rust", "lines": "12" } });
        let result = caller.ask("prompts/get", params).await.expect("messages");
        assert_eq!(result["description"], "Reviews code.");
        assert_eq!(result["messages"][0]["content"]["text"], "Review rust None Some(12)");
        assert_eq!(result["messages"][1]["role"], "assistant");
        let plain = caller.ask("prompts/get", json!({ "name": "plain" })).await.expect("messages");
        assert_eq!(
            plain["messages"],
            json!([{ "role": "user", "content": { "type": "text", "text": "Hello." } }])
        );
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_prompts_request_is_invalid_params() {
    let table = [
        (json!({ "name": "review" }), "Missing required argument: language"),
        (
            json!({ "name": "review", "arguments": { "language": "rust", "lines": "x" } }),
            "Invalid arguments: lines: invalid digit found in string",
        ),
        (json!({ "name": "nothing" }), "Unknown prompt: nothing"),
        (json!({ "name": "custom" }), "sign in first"),
    ];
    for version in BOTH {
        for (params, message) in &table {
            let error = Caller::new(&reviewer(), version)
                .ask("prompts/get", params.clone())
                .await
                .expect_err("refused");
            assert_eq!(error, json!({ "code": -32602, "message": message }));
        }
    }
}

#[tokio::test]
async fn arguments_are_completed() {
    let complete = |argument: &str, value: &str| {
        json!({
            "ref": { "type": "ref/prompt", "name": "review" },
            "argument": { "name": argument, "value": value },
            "context": { "arguments": { "language": "c" } }
        })
    };
    for version in BOTH {
        let caller = Caller::new(&reviewer(), version);
        let languages =
            caller.once("completion/complete", complete("language", "ru")).await.expect("proposals");
        assert_eq!(
            languages["completion"],
            json!({ "values": ["rust", "Ruby"], "total": 2, "hasMore": false })
        );
        let frameworks =
            caller.once("completion/complete", complete("framework", "")).await.expect("proposals");
        let completion = &frameworks["completion"];
        assert_eq!(completion["values"].as_array().map(Vec::len), Some(100));
        assert_eq!(
            (&completion["values"][0], &completion["total"], &completion["hasMore"]),
            (&json!("c0"), &json!(150), &json!(true))
        );
        for (argument, message) in
            [("lines", "count them yourself"), ("colour", "The prompt review has no argument colour")]
        {
            let error =
                caller.once("completion/complete", complete(argument, "")).await.expect_err("refused");
            assert_eq!(error, json!({ "code": -32602, "message": message }));
        }
    }
}

#[tokio::test]
async fn one_completer_can_serve_all() {
    #[prompt]
    fn greet(name: String) -> String {
        format!("Hello, {name}.")
    }
    let server = Server::new("s", "1")
        .prompt(greet)
        .completion(
            |_: Arc<()>, _: Cx, typed: CompletionRequest| async move { typed.matching(["Ada", "Grace"]) },
        )
        .build()
        .expect("it is well made");
    let params = json!({ "ref": { "type": "ref/prompt", "name": "greet" }, "argument": { "name": "name", "value": "a" } });
    let proposals =
        Caller::new(&server, BOTH[1]).once("completion/complete", params).await.expect("proposals");
    assert_eq!(proposals["completion"]["values"], json!(["Ada"]));
}
