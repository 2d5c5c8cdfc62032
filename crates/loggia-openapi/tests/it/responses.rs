//! Results of each kind of response.

use bytes::Bytes;
use http::Response;
use loggia_openapi::{ResponseLimits, retry_after};
use serde_json::{Value, json};

use crate::{api, operation};

fn result(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Value {
    let api = api("{}", "get", "/files/x", json!({}));
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    let response = response.body(Bytes::copy_from_slice(body)).expect("a response");
    let limits = ResponseLimits { text: 40, binary: 8 };
    let result = operation(&api).result(&"{}".parse().expect("an object"), &response, limits);
    loggia_wire::RawJson::of(&result).to_value()
}

#[test]
fn contents_follow_the_media_type() {
    let long = format!("[{}1]", "\"é\",".repeat(30));
    let table: [(&str, &[u8]); 11] = [
        ("application/json", br#"{"a":1.50}"#),
        ("application/json", b"[1]"),
        ("application/json", b"not json"),
        ("", br#"{"a":1}"#),
        ("text/csv", b"a,b"),
        ("application/json", long.as_bytes()),
        ("image/png", b"png"),
        ("audio/mpeg", b"mp3"),
        ("application/pdf", b"pdf"),
        ("application/pdf", b"too large"),
        ("application/json", b""),
    ];
    let results: Vec<Value> =
        table.iter().map(|(kind, body)| result(200, &[("content-type", kind)], body)).collect();
    insta::assert_json_snapshot!(results);
}

#[test]
fn errors_say_what_to_do() {
    type Row = (u16, &'static [(&'static str, &'static str)], &'static [u8]);
    let table: [Row; 14] = [
        (400, &[], br#"{"object":"error","status":400,"code":"validation_error","message":"body failed"}"#),
        (401, &[], br#"{"error":"invalid_token","error_description":"expired"}"#),
        (402, &[], br#"{"errors":[{"message":"Search needs a paid plan"}]}"#),
        (403, &[], br#"{"status":403,"err":"Invalid token"}"#),
        (404, &[], br#"{"detail":"The requested resource does not exist"}"#),
        (409, &[], br#"{"title":"Conflict","detail":"Version 3 is newer"}"#),
        (422, &[], br#"{"message":"Validation Failed","errors":[{"message":"title is missing"},"x"]}"#),
        (400, &[], br#"{"errorMessages":[],"errors":{"summary":"Give a summary","due":"No date"}}"#),
        (404, &[], br#"{"errorMessages":["Issue does not exist"],"errors":{}}"#),
        (429, &[("retry-after", "7")], br#"{"error":{"type":"rate","message":"Too many requests"}}"#),
        (500, &[], b"<html>Oops</html>"),
        (503, &[], b"maintenance"),
        (418, &[], b""),
        (302, &[], b""),
    ];
    let texts: Vec<String> = table
        .iter()
        .map(|(status, headers, body)| {
            let result = result(*status, headers, body);
            assert_eq!(result["isError"], true);
            result["content"][0]["text"].as_str().expect("a text").to_owned()
        })
        .collect();
    insta::assert_snapshot!(texts.join("\n"));
}

#[test]
fn the_time_to_wait_is_in_seconds() {
    for (value, expected) in
        [("7", Some(7)), (" 0 ", Some(0)), ("-1", None), ("Wed, 21 Oct 2026 07:28:00 GMT", None)]
    {
        let response = Response::builder().header("retry-after", value).body(()).expect("a response");
        assert_eq!(retry_after(response.headers()).map(|wait| wait.as_secs()), expected, "{value}");
    }
}
