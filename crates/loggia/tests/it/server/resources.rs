//! Resources and templates.

use loggia::model::{CacheHints, CacheScope, Completion, ResourceContents};
use loggia::prelude::*;
use loggia::server::{CompletionRequest, StringArgs};
use loggia::wire::Version;
use serde_json::json;

use super::harness::{BOTH, Caller};

struct Library;

#[resources]
impl Library {
    /// The opening hours.
    #[resource("library://hours", mime = "text/plain", title = "Hours", size = 9)]
    async fn hours(&self) -> &'static str {
        "9 to 5"
    }

    /// A book.
    #[resource("library://books/{id}", mime = "text/plain")]
    async fn book(&self, cx: &Cx, #[complete(ids)] id: u32) -> Option<String> {
        (id < 10).then(|| format!("book {id} at {}", cx.uri().unwrap_or_default()))
    }

    #[resource("library://pages/{book}{?page}")]
    async fn pages(&self, book: String, page: Option<u32>) -> Result<Vec<ResourceContents>, ToolError> {
        Ok(vec![
            ResourceContents::text(format!("library://x/{book}"), format!("{page:?}")),
            ResourceContents::blob("", "AA=="),
        ])
    }

    #[resource("library://json", mime = "text/never")]
    async fn json(&self) -> Json<serde_json::Value> {
        Json(json!({ "a": 1 }))
    }

    #[resource("library://bytes", mime = "application/x")]
    async fn bytes(&self) -> Vec<u8> {
        vec![1, 2, 3]
    }

    async fn ids(&self, typed: &CompletionRequest) -> Completion {
        typed.matching((0..10).map(|id| id.to_string()))
    }
}

fn library() -> Server {
    Server::new("library", "1")
        .state(Library)
        .resources(Library::resources())
        .build()
        .expect("it is well made")
}

#[tokio::test]
async fn resources_and_templates_are_two_lists() {
    let caller = Caller::new(&library(), BOTH[1]);
    insta::assert_json_snapshot!(
        "resources",
        caller.once("resources/list", json!({})).await.expect("a list")
    );
    insta::assert_json_snapshot!(
        "templates",
        caller.once("resources/templates/list", json!({})).await.expect("a list")
    );
}

#[tokio::test]
async fn contents_know_their_uri_and_type() {
    let table = [
        (
            "library://hours",
            json!([{ "uri": "library://hours", "mimeType": "text/plain", "text": "9 to 5" }]),
        ),
        (
            "library://books/7",
            json!([{ "uri": "library://books/7", "mimeType": "text/plain", "text": "book 7 at library://books/7" }]),
        ),
        (
            "library://pages/a?page=3",
            json!([
                { "uri": "library://x/a", "text": "Some(3)" },
                { "uri": "library://pages/a?page=3", "blob": "AA==" }
            ]),
        ),
        (
            "library://pages/a",
            json!([{ "uri": "library://x/a", "text": "None" }, { "uri": "library://pages/a", "blob": "AA==" }]),
        ),
        (
            "library://json",
            json!([{ "uri": "library://json", "mimeType": "application/json", "text": "{\"a\":1}" }]),
        ),
        (
            "library://bytes",
            json!([{ "uri": "library://bytes", "mimeType": "application/x", "blob": "AQID" }]),
        ),
    ];
    for version in BOTH {
        let caller = Caller::new(&library(), version);
        for (uri, contents) in &table {
            let read = caller.ask("resources/read", json!({ "uri": uri })).await.expect("contents");
            assert_eq!(&read["contents"], contents);
        }
    }
}

#[tokio::test]
async fn what_is_not_there_is_not_found_in_the_eras_own_code() {
    for (version, code) in [(Version::V2025_11_25, -32002), (Version::V2026_07_28, -32602)] {
        for uri in ["library://books/11", "library://nothing", "", "library://books/a/b"] {
            let error = Caller::new(&library(), version).ask("resources/read", json!({ "uri": uri })).await;
            let error = error.expect_err("it is not there");
            assert_eq!((&error["code"], &error["data"]["uri"]), (&json!(code), &json!(uri)));
        }
    }
    let unparsed =
        Caller::new(&library(), BOTH[1]).ask("resources/read", json!({ "uri": "library://books/x" })).await;
    assert_eq!(
        unparsed.expect_err("x is no number")["message"],
        "Invalid arguments: id: invalid digit found in string"
    );
}

#[tokio::test]
async fn contents_are_not_kept_unless_the_author_says_so() {
    let kept = Resource::build("a://kept", "kept")
        .cache(CacheHints::new(1000, CacheScope::Public))
        .handler(|_: Arc<()>, _: Cx, _: StringArgs| async move { "x" });
    let fresh =
        Resource::build("a://fresh", "fresh").handler(|_: Arc<()>, _: Cx, _: StringArgs| async move { "x" });
    let server = Server::new("s", "1").resources([kept, fresh]).build().expect("it is well made");
    let caller = Caller::new(&server, BOTH[1]);
    for (uri, ttl, scope) in [("a://kept", 1000, "public"), ("a://fresh", 0, "private")] {
        let read = caller.ask("resources/read", json!({ "uri": uri })).await.expect("contents");
        assert_eq!((&read["ttlMs"], &read["cacheScope"]), (&json!(ttl), &json!(scope)));
    }
}

#[tokio::test]
async fn variables_are_completed() {
    let complete = |uri: &str, name: &str| json!({ "ref": { "type": "ref/resource", "uri": uri }, "argument": { "name": name, "value": "3" } });
    let caller = Caller::new(&library(), BOTH[0]);
    let proposals =
        caller.once("completion/complete", complete("library://books/{id}", "id")).await.expect("proposals");
    assert_eq!(proposals["completion"]["values"], json!(["3"]));
    let none = caller
        .once("completion/complete", complete("library://pages/{book}{?page}", "book"))
        .await
        .expect("proposals");
    assert_eq!(none["completion"]["values"], json!([]));
    for (uri, name) in [("library://books/{id}", "title"), ("library://nothing/{id}", "id")] {
        let error =
            caller.once("completion/complete", complete(uri, name)).await.expect_err("it is not there");
        assert_eq!(error["code"], -32602);
    }
}
