//! Each style of paging, behind one cursor.

use bytes::Bytes;
use http::Response;
use loggia::client::Client;
use serde_json::{Value, json};

use super::{RecordingApi, answer, api, text};

fn manifest(paging: &str, request: &str, input: &str) -> String {
    format!(
        "name = \"shop\"\ntitle = \"Shop\"\nversion = \"1.0.0\"\ndescription = \"D.\"\n[[backends]]\nkind = \"openapi\"\n\
         base_url = \"https://shop.example\"\nauth = {{ class = \"api_key\" }}\n[[backends.tools]]\nname = \"list\"\n\
         description = \"Lists.\"\nclass = \"read\"\nrequest = \"{request}\"\npaging = {paging}\n{input}"
    )
}

const LIMIT: &str = "[backends.tools.input.limit]\ntype = \"integer\"\ndescription = \"The page size\"\n";

fn linked(next: &str) -> Response<Bytes> {
    let response =
        Response::builder().header("link", format!("<https://shop.example/a?cursor={next}>; rel=\"next\""));
    response.header("content-type", "application/json").body(Bytes::from_static(b"[1]")).unwrap()
}

/// The paging, the request, inputs, the arguments, the response; then the URL and the body of the request, and the next cursor.
type PagingCase =
    (&'static str, &'static str, &'static str, Value, Response<Bytes>, &'static str, Option<&'static str>);

#[tokio::test]
async fn styles_of_paging() {
    let get = "GET /a";
    let table: [PagingCase; 16] = [
        (
            r#"{ cursor = "after", next = ".next" }"#,
            get,
            "",
            json!({}),
            answer(200, r#"{"next":"x"}"#),
            "/a",
            Some("x"),
        ),
        (
            r#"{ cursor = "after", next = ".next" }"#,
            get,
            "",
            json!({ "cursor": "x" }),
            answer(200, r#"{"next":null}"#),
            "/a?after=x",
            None,
        ),
        (
            r#"{ cursor = "after", next = ".next" }"#,
            get,
            "",
            json!({ "cursor": "" }),
            answer(200, r#"{"next":""}"#),
            "/a",
            None,
        ),
        (
            r#"{ cursor = "after", next = ".next" }"#,
            get,
            "",
            json!({}),
            answer(200, r#"{"next":12}"#),
            "/a",
            Some("12"),
        ),
        (
            r#"{ cursor = "after", next = ".next", size = "limit", default_size = 25, max_size = 50 }"#,
            get,
            LIMIT,
            json!({}),
            answer(200, "{}"),
            "/a?limit=25",
            None,
        ),
        (
            r#"{ cursor = "after", next = ".next", size = "limit", default_size = 25, max_size = 50 }"#,
            get,
            LIMIT,
            json!({ "limit": 100 }),
            answer(200, "{}"),
            "/a?limit=50",
            None,
        ),
        (
            r#"{ kind = "link", cursor = "cursor" }"#,
            get,
            "",
            json!({ "cursor": "1" }),
            linked("a%2Fb"),
            "/a?cursor=1",
            Some("a/b"),
        ),
        (r#"{ kind = "link", cursor = "cursor" }"#, get, "", json!({}), answer(200, "[1]"), "/a", None),
        (
            r#"{ kind = "page", cursor = "page", size = "limit", default_size = 2 }"#,
            get,
            "",
            json!({}),
            answer(200, "[1,2]"),
            "/a?limit=2",
            Some("2"),
        ),
        (
            r#"{ kind = "page", cursor = "page", size = "limit", default_size = 2 }"#,
            get,
            "",
            json!({ "cursor": "2" }),
            answer(200, "[1]"),
            "/a?page=2&limit=2",
            None,
        ),
        (
            r#"{ kind = "page", cursor = "page", next = ".more" }"#,
            get,
            "",
            json!({ "cursor": "2" }),
            answer(200, r#"{"more":true}"#),
            "/a?page=2",
            Some("3"),
        ),
        (
            r#"{ kind = "page", cursor = "page", next = ".more" }"#,
            get,
            "",
            json!({ "cursor": "2" }),
            answer(200, r#"{"more":false}"#),
            "/a?page=2",
            None,
        ),
        (
            r#"{ kind = "offset", cursor = "start", size = "limit", default_size = 2 }"#,
            get,
            "",
            json!({ "cursor": "4" }),
            answer(200, r#"{"items":[1,2],"total":9}"#),
            "/a?start=4&limit=2",
            Some("6"),
        ),
        (
            r#"{ kind = "offset", cursor = "start", next = ".at + 10" }"#,
            "POST /a",
            "",
            json!({ "cursor": "4" }),
            answer(200, r#"{"at":4}"#),
            r#"/a {"start":4}"#,
            Some("14"),
        ),
        // A caller may send any cursor.
        (
            r#"{ kind = "page", cursor = "page", next = ".more" }"#,
            get,
            "",
            json!({ "cursor": "18446744073709551615" }),
            answer(200, r#"{"more":true}"#),
            "/a?page=18446744073709551615",
            Some("18446744073709551615"),
        ),
        (
            r#"{ kind = "offset", cursor = "start", size = "limit", default_size = 2 }"#,
            get,
            "",
            json!({ "cursor": "18446744073709551615" }),
            answer(200, "[1,2]"),
            "/a?start=18446744073709551615&limit=2",
            Some("18446744073709551615"),
        ),
    ];
    for (paging, request, input, arguments, response, expected, next) in table {
        let sender = RecordingApi::with([response]);
        let (manifest, api) = api(&manifest(paging, request, input), json!({}), &sender);
        let client = Client::connect(&api.into_server(&manifest).unwrap()).await.unwrap();
        let result = client.call_tool("list", arguments.clone()).await.unwrap();
        let sent = sender.requests().remove(0);
        let (first, last) = (sent.lines().next().unwrap(), sent.rsplit('\n').next().unwrap());
        let url = first.split_once("https://shop.example").unwrap().1;
        let shown = if last.is_empty() { url.to_owned() } else { format!("{url} {last}") };
        let sorted = |text: &str| {
            let mut parts: Vec<String> = text.split(['?', '&']).map(str::to_owned).collect();
            parts.sort();
            parts
        };
        assert_eq!(sorted(&shown), sorted(expected), "{paging} {arguments}");
        let cursor = next.map(|next| format!("There are more results: call again with cursor {next:?}."));
        let said = text(&result);
        match cursor {
            Some(cursor) => assert!(said.ends_with(&cursor), "{paging} {arguments}: {said}"),
            None => assert!(!said.contains("more results"), "{paging} {arguments}: {said}"),
        }
    }
}
