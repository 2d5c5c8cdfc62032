//! Each style of each place, with the values of the table in OpenAPI 3.1, "Style Examples".

use serde_json::{Value, json};

use crate::{api, request};

fn parameter(location: &str, style: &str, explode: bool) -> Value {
    json!({ "name": "color", "in": location, "required": location == "path", "style": style, "explode": explode, "schema": {} })
}

#[test]
fn styles_of_paths_and_queries() {
    let (text, list, object) =
        (json!("blue"), json!(["blue", "black", "brown"]), json!({ "R": 100, "G": 200, "B": 150 }));
    let table = [
        ("path", "matrix", false, &text, "/;color=blue"),
        ("path", "matrix", false, &list, "/;color=blue,black,brown"),
        ("path", "matrix", false, &object, "/;color=R,100,G,200,B,150"),
        ("path", "matrix", true, &list, "/;color=blue;color=black;color=brown"),
        ("path", "matrix", true, &object, "/;R=100;G=200;B=150"),
        ("path", "label", false, &text, "/.blue"),
        ("path", "label", false, &list, "/.blue,black,brown"),
        ("path", "label", false, &object, "/.R,100,G,200,B,150"),
        ("path", "label", true, &list, "/.blue.black.brown"),
        ("path", "label", true, &object, "/.R=100.G=200.B=150"),
        ("path", "simple", false, &text, "/blue"),
        ("path", "simple", false, &list, "/blue,black,brown"),
        ("path", "simple", false, &object, "/R,100,G,200,B,150"),
        ("path", "simple", true, &list, "/blue,black,brown"),
        ("path", "simple", true, &object, "/R=100,G=200,B=150"),
        ("query", "form", false, &text, "/?color=blue"),
        ("query", "form", false, &list, "/?color=blue,black,brown"),
        ("query", "form", false, &object, "/?color=R,100,G,200,B,150"),
        ("query", "form", true, &list, "/?color=blue&color=black&color=brown"),
        ("query", "form", true, &object, "/?R=100&G=200&B=150"),
        ("query", "spaceDelimited", false, &list, "/?color=blue%20black%20brown"),
        ("query", "spaceDelimited", false, &object, "/?color=R%20100%20G%20200%20B%20150"),
        ("query", "pipeDelimited", false, &list, "/?color=blue%7Cblack%7Cbrown"),
        ("query", "pipeDelimited", false, &object, "/?color=R%7C100%7CG%7C200%7CB%7C150"),
        ("query", "deepObject", true, &object, "/?color%5BR%5D=100&color%5BG%5D=200&color%5BB%5D=150"),
        ("query", "deepObject", true, &list, "/?color%5B%5D=blue&color%5B%5D=black&color%5B%5D=brown"),
    ];
    for (location, style, explode, value, expected) in table {
        let path = if location == "path" { "/{color}" } else { "/" };
        let operation = json!({ "parameters": [parameter(location, style, explode)] });
        // The order of members is the caller's.
        let text = format!(
            "{{\"color\":{}}}",
            if value == &object { r#"{"R":100,"G":200,"B":150}"#.to_owned() } else { value.to_string() }
        );
        let api = api(&operation.to_string(), "get", path, json!({}));
        let base = api.base_url().expect("a server");
        let request =
            api.operations()[0].request(&base, &text.parse().expect("an object")).expect("a request");
        let written = request.uri().path_and_query().expect("a path").as_str();
        assert_eq!(written, expected, "{location} {style} {explode} {value}");
    }
}

#[test]
fn headers_and_cookies() {
    let table = [
        ("header", "simple", false, json!(["a", "b"]), "color", "a,b"),
        ("header", "simple", true, json!({ "R": 1 }), "color", "R=1"),
        ("header", "simple", false, json!("x y"), "color", "x y"),
        ("cookie", "form", true, json!("x y"), "cookie", "color=x%20y"),
        ("cookie", "form", false, json!(["a", "b"]), "cookie", "color=a,b"),
    ];
    for (location, style, explode, value, header, expected) in table {
        let operation = json!({ "parameters": [parameter(location, style, explode)] });
        let request =
            request(&api(&operation.to_string(), "get", "/", json!({})), &json!({ "color": value }))
                .expect("a request");
        assert_eq!(request.headers()[header], expected, "{location} {value}");
    }
}

#[test]
fn values_cannot_leave_their_place() {
    let path = json!({ "parameters": [{ "name": "id", "in": "path", "required": true, "schema": { "type": "string" } }] });
    let api_of_path = api(&path.to_string(), "get", "/items/{id}/x", json!({}));
    for (id, expected) in [
        (json!("../admin"), Ok("/items/..%2Fadmin/x")),
        (json!("a?b#c"), Ok("/items/a%3Fb%23c/x")),
        (json!(".."), Err("must not be \"..\"")),
        (json!(""), Err("must not be empty")),
        (json!(12345678901234567890u64), Ok("/items/12345678901234567890/x")),
        (json!([["a"]]), Err("must hold texts")),
    ] {
        match (request(&api_of_path, &json!({ "id": id })), expected) {
            (Ok(request), Ok(expected)) => assert_eq!(request.uri().path(), expected),
            (Err(error), Err(expected)) => assert!(error.contains(expected), "{error}"),
            (outcome, expected) => panic!("{id}: {outcome:?}, not {expected:?}"),
        }
    }
    let header = json!({ "parameters": [parameter("header", "simple", false)] });
    let refused = request(&api(&header.to_string(), "get", "/", json!({})), &json!({ "color": "a\r\nx: y" }));
    assert!(refused.expect_err("a line break").contains("line breaks"));
}

#[test]
fn reserved_characters_json_content_and_names() {
    let operation = json!({ "parameters": [
        { "name": "path", "in": "query", "allowReserved": true, "schema": { "type": "string" } },
        { "name": "filter", "in": "query", "content": { "application/json": { "schema": { "type": "object" } } } },
        { "name": "ids[]", "in": "query", "schema": { "type": "array" } },
        { "name": "id", "in": "query", "schema": {} },
        { "name": "id", "in": "header", "schema": {} },
        { "name": "Authorization", "in": "header", "schema": {} },
    ] });
    let api = api(&operation.to_string(), "get", "/", json!({}));
    let request = request(
        &api,
        &json!({ "path": "/a/b&c=d", "filter": { "a": [1] }, "ids": ["x"], "id_query": 1, "id_header": 2 }),
    )
    .expect("a request");
    assert_eq!(
        request.uri().query(),
        Some("path=/a/b%26c%3Dd&filter=%7B%22a%22%3A%5B1%5D%7D&ids%5B%5D=x&id=1")
    );
    assert_eq!(request.headers()["id"], "2");
    assert!(!request.headers().contains_key("authorization"));
}

#[test]
fn wrong_arguments_are_named() {
    let operation = json!({ "parameters": [
        { "name": "id", "in": "query", "required": true, "schema": {} }, { "name": "size", "in": "query", "schema": {} },
    ] });
    let api = api(&operation.to_string(), "get", "/", json!({}));
    for (arguments, expected) in [
        (json!({}), "call needs the argument id"),
        (json!({ "id": null }), "call needs the argument id"),
        (json!({ "id": 1, "sise": 2 }), "takes no argument \"sise\"; it takes id, size"),
    ] {
        let error = request(&api, &arguments).expect_err("wrong");
        assert!(error.contains(expected), "{error}");
    }
    let without = request(&api, &json!({ "id": 1, "size": null })).expect("a request");
    assert_eq!(without.uri().query(), Some("id=1"));
}

proptest::proptest! {
    #[test]
    fn a_value_arrives_as_it_was(text in "\\PC{0,40}") {
        let operation = json!({ "parameters": [{ "name": "q", "in": "query", "schema": { "type": "string" } }] });
        let request = request(&api(&operation.to_string(), "get", "/", json!({})), &json!({ "q": text })).expect("a request");
        let query = request.uri().query().expect("a query").strip_prefix("q=").expect("the name").to_owned();
        let decoded = percent_encoding::percent_decode_str(&query).decode_utf8().expect("UTF-8").into_owned();
        proptest::prop_assert_eq!(decoded, text);
    }

    /// A value in a path stays one segment, so that it cannot name another resource.
    #[test]
    fn a_value_in_a_path_is_one_segment(text in "\\PC{1,40}") {
        let operation = json!({ "parameters": [{ "name": "id", "in": "path", "required": true, "schema": { "type": "string" } }] });
        let Ok(request) = request(&api(&operation.to_string(), "get", "/a/{id}/b", json!({})), &json!({ "id": text })) else {
            proptest::prop_assert!(matches!(text.as_str(), "." | ".."), "only these are refused: {text:?}");
            return Ok(());
        };
        let segments: Vec<&str> = request.uri().path().split('/').collect();
        proptest::prop_assert_eq!((segments.len(), segments[1], segments[3]), (4, "a", "b"));
        let decoded = percent_encoding::percent_decode_str(segments[2]).decode_utf8().expect("UTF-8").into_owned();
        proptest::prop_assert_eq!((decoded, request.uri().query()), (text, None));
    }
}
