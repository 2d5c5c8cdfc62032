//! Paging in each of its forms.

use bytes::Bytes;
use http::Response;
use loggia_openapi::ResponseLimits;
use serde_json::{Value, json};

use crate::{api, arguments, operation, request, schema};

fn query(names: &[&str]) -> String {
    let parameters: Vec<Value> = names
        .iter()
        .map(|name| json!({ "name": name, "in": "query", "schema": { "type": "string" } }))
        .collect();
    json!({ "parameters": parameters }).to_string()
}

#[test]
fn the_next_cursor_is_found_and_sent() {
    let link = |url: &str, more: &str| {
        Some(format!("<https://a.example/?page=1>; rel=\"first\", <{url}>; rel=\"next\"{more}"))
    };
    let none: Option<String> = None;
    let table = [
        (vec!["cursor"], json!({}), &none, json!({ "next_cursor": "c2" }), Some("c2"), "cursor=c2"),
        (
            vec!["start_cursor", "page_size"],
            json!({}),
            &none,
            json!({ "has_more": true, "next_cursor": "n" }),
            Some("n"),
            "start_cursor=n",
        ),
        (vec!["start_cursor"], json!({}), &none, json!({ "has_more": false, "next_cursor": null }), None, ""),
        (vec!["pageToken"], json!({}), &none, json!({ "nextPageToken": "p" }), Some("p"), "pageToken=p"),
        (
            vec!["after", "limit"],
            json!({}),
            &none,
            json!({ "paging": { "next": { "after": "7" } } }),
            Some("7"),
            "after=7",
        ),
        (vec!["cursor"], json!({}), &none, json!({ "response_metadata": { "next_cursor": "" } }), None, ""),
        (
            vec!["starting_after", "limit"],
            json!({}),
            &none,
            json!({ "has_more": true, "data": [{ "id": "a" }, { "id": "b" }] }),
            Some("b"),
            "starting_after=b",
        ),
        (
            vec!["page", "per_page"],
            json!({ "cursor": "2", "per_page": 2 }),
            &none,
            json!([1, 2]),
            Some("3"),
            "page=3",
        ),
        (vec!["page", "per_page"], json!({ "per_page": 2 }), &none, json!([1]), None, ""),
        (
            vec!["offset", "limit"],
            json!({ "cursor": "4", "limit": 2 }),
            &none,
            json!({ "items": [1, 2] }),
            Some("6"),
            "offset=6",
        ),
        (
            vec!["offset"],
            json!({}),
            &none,
            json!({ "data": [], "next_page": { "offset": "xyz" } }),
            Some("xyz"),
            "offset=xyz",
        ),
        (vec!["page"], json!({}), &link("https://a.example/?q=1&page=5", ""), json!([]), Some("5"), "page=5"),
        (
            vec!["page[number]"],
            json!({}),
            &link("https://a.example/?page%5Bnumber%5D=5", ""),
            json!([]),
            Some("5"),
            "page%5Bnumber%5D=5",
        ),
        (
            vec!["cursor"],
            json!({}),
            &link("https://a.example/?cursor=0%3A100", "; results=\"true\""),
            json!([]),
            Some("0:100"),
            "cursor=0%3A100",
        ),
        (
            vec!["cursor"],
            json!({}),
            &link("https://a.example/?cursor=x", "; results=\"false\""),
            json!([]),
            None,
            "",
        ),
        (
            vec!["page"],
            json!({}),
            &Some("<https://a.example/?page=1>; rel=\"prev\"".to_owned()),
            json!([]),
            None,
            "",
        ),
    ];
    for (names, given, link, body, expected, sent) in table {
        let api = api(&query(&names), "get", "/", json!({}));
        let schema = schema(&api);
        let listed = schema["properties"].as_object().expect("an object");
        assert!(
            listed.contains_key("cursor") && (names[0] == "cursor" || !listed.contains_key(names[0])),
            "{names:?}: {schema}"
        );
        let mut response = Response::new(Bytes::from(body.to_string()));
        response.headers_mut().insert("content-type", http::HeaderValue::from_static("application/json"));
        if let Some(link) = link {
            response.headers_mut().insert("link", link.parse().expect("a value"));
        }
        let result = operation(&api).result(&arguments(&given), &response, ResponseLimits::default());
        let text = serde_json::to_string(&loggia_wire::RawJson::of(&result).to_value()).expect("JSON");
        match expected {
            Some(cursor) => {
                assert!(text.contains(&format!("with cursor \\\"{cursor}\\\"")), "{names:?} {body}: {text}");
                let next = request(&api, &json!({ "cursor": cursor })).expect("a request");
                assert_eq!(next.uri().query(), Some(sent), "{names:?}");
            }
            None => assert!(!text.contains("with cursor"), "{names:?} {body}: {text}"),
        }
    }
}

#[test]
fn what_only_looks_like_paging_stays() {
    let dates = api(&query(&["after", "before"]), "get", "/", json!({}));
    assert!(schema(&dates)["properties"].get("after").is_some());
    let required =
        json!({ "parameters": [{ "name": "page", "in": "query", "required": true, "schema": {} }] });
    assert!(schema(&api(&required.to_string(), "get", "/", json!({})))["properties"].get("page").is_some());
}
