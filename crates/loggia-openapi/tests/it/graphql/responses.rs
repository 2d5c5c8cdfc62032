//! Responses: data, partial data, errors, limits and pages.

use bytes::Bytes;
use http::Response;
use loggia_openapi::ResponseLimits;
use loggia_openapi::graphql::{GraphqlCall, SelectionLimits, is_rate_limited};
use serde_json::{Value, json};

use super::shop;

fn response(status: u16, headers: &[(&str, &str)], body: &str) -> Response<Bytes> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(Bytes::copy_from_slice(body.as_bytes())).expect("a response")
}

/// Status, headers and body of a response.
type ResponseRow = (u16, &'static [(&'static str, &'static str)], &'static str);

const RESPONSES: [ResponseRow; 21] = [
    (200, &[], r#"{"data":{"order":{"id":"7","total":1.50}}}"#),
    (200, &[], r#"{"data":{"a":1,"b":{"c":2}},"extensions":{"cost":3}}"#),
    (200, &[], r#"{"data":{"order":null}}"#),
    (200, &[], r#"{"data":{"list":["12345678901234567890","12345678901234567890","12345678901234567890"]}}"#),
    (
        200,
        &[],
        r#"{"data":{"order":{"id":"7","customer":null}},"errors":[{"message":"No access","path":["order","customer"],"extensions":{"code":"FORBIDDEN"}}]}"#,
    ),
    (
        200,
        &[],
        r#"{"data":{"order":null},"errors":[{"message":"Not found.","path":["order"],"extensions":{"code":"NOT_FOUND"}}]}"#,
    ),
    (
        200,
        &[],
        r#"{"data":null,"errors":[{"message":"Entity not found","type":"NOT_FOUND"},{"message":"b"},{"message":"c"},{"message":"d"},{"message":"e"},{"message":"f"}]}"#,
    ),
    (200, &[], r#"{"errors":[{"message":"Rate limit exceeded","extensions":{"code":"RATELIMITED"}}]}"#),
    (
        400,
        &[("retry-after", "9")],
        r#"{"errors":[{"message":"Rate limit exceeded","extensions":{"code":"RATELIMITED","userPresentableMessage":"Too many requests."}}]}"#,
    ),
    (200, &[], r#"{"data":null,"errors":[{"type":"RATE_LIMITED","message":"API rate limit exceeded"}]}"#),
    (429, &[("retry-after", "3")], r#"{"errors":[{"message":"slow down"}]}"#),
    (429, &[("retry-after", "3")], r#"{"message":"slow down"}"#),
    (
        400,
        &[],
        r#"{"errors":[{"message":"Argument Validation Error","extensions":{"code":"INVALID_INPUT","userPresentableMessage":"id must be a UUID"}}]}"#,
    ),
    (
        400,
        &[],
        r#"{"errors":[{"message":"Authentication required, not authenticated","extensions":{"code":"AUTHENTICATION_ERROR"}}]}"#,
    ),
    (401, &[], r#"{"errors":["Bad token"]}"#),
    (500, &[], r#"{"errors":[{"extensions":{"code":"INTERNAL_SERVER_ERROR"}}]}"#),
    (403, &[], r#"{"message":"Forbidden"}"#),
    (200, &[("content-type", "text/html")], "<html>"),
    (200, &[], r#"{"ok":true}"#),
    (200, &[], r#"{"data":null}"#),
    (200, &[], r#"{"data":{"order":{"id":1}},"errors":[]}"#),
];

#[test]
fn results_say_what_happened_and_what_to_do() {
    let call = GraphqlCall::new("get_order", "query { order { id } }", None);
    let limits = ResponseLimits { text: 60, binary: 8 };
    let seen: Vec<String> = RESPONSES
        .iter()
        .map(|(status, headers, body)| {
            let response = response(*status, headers, body);
            let is_limited = is_rate_limited(&response);
            let result = loggia_wire::RawJson::of(&call.result(&response, limits)).to_value();
            let contents = result["content"].as_array().expect("a list").iter();
            let texts: Vec<&str> = contents.map(|block| block["text"].as_str().expect("a text")).collect();
            format!(
                "{status} {body}\n=> {}{}{}\n   structured: {}\n",
                if result["isError"] == true { "ERROR " } else { "" },
                if is_limited { "LIMITED " } else { "" },
                texts.join("\n   "),
                result["structuredContent"],
            )
        })
        .collect();
    insta::assert_snapshot!(seen.join("\n"));
}

/// The document or the tool, the member `data`, and the next cursor.
#[test]
fn the_next_cursor_is_told() {
    let page = |next: bool, cursor: Value| json!({ "nodes": [], "pageInfo": { "hasNextPage": next, "endCursor": cursor } });
    let in_customer = "query C($after: String) { order(id: 1) { customer { id } ... on Order { n: notes(first: 2, after: $after) { nodes { id } pageInfo { hasNextPage endCursor } } } } }";
    let no_page = "query C($after: String) { orders(after: $after) { nodes { id } } }";
    let constant = "query C { orders(after: \"x\") { nodes { id } pageInfo { hasNextPage endCursor } } }";
    let spread = "query C($from: String) { orders(after: $from) { ...P } } fragment P on OrderConnection { pageInfo { endCursor hasNextPage } }";
    let table = [
        ("orders", json!({ "orders": page(true, json!("c2")) }), Some("c2")),
        ("orders", json!({ "orders": page(false, json!("c2")) }), None),
        ("orders", json!({ "orders": page(true, json!(null)) }), None),
        (
            "customers",
            json!({ "customers": { "edges": [], "pageInfo": { "hasNextPage": true, "endCursor": "e" } } }),
            Some("e"),
        ),
        (in_customer, json!({ "order": { "n": page(true, json!("n2")) } }), Some("n2")),
        (no_page, json!({ "orders": page(true, json!("c2")) }), None),
        (constant, json!({ "orders": page(true, json!("c2")) }), None),
        (spread, json!({ "orders": page(true, json!("c2")) }), None),
    ];
    let schema = shop();
    for (document, data, expected) in table {
        let operation = match document.contains('{') {
            true => schema.operation(document).expect(document),
            false => {
                let mut all = schema.operations(SelectionLimits::default()).into_iter();
                all.find(|operation| operation.name() == document).expect(document)
            }
        };
        let body = json!({ "data": data }).to_string();
        let result = operation.result(
            &"{}".parse().expect("an object"),
            &response(200, &[], &body),
            ResponseLimits::default(),
        );
        let text = loggia_wire::RawJson::of(&result).to_value().to_string();
        let tool: Value = serde_json::from_str(operation.tool().input_schema.as_str()).expect("JSON");
        match expected {
            Some(cursor) => assert!(
                text.contains(&format!("call again with cursor \\\"{cursor}\\\"")),
                "{document}: {text}"
            ),
            None => assert!(!text.contains("call again"), "{document}: {text}"),
        }
        let is_paged = tool["properties"].get("cursor").is_some();
        assert_eq!(is_paged, ![no_page, constant, spread].contains(&document), "{document}: {tool}");
    }
}
