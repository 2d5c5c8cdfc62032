//! Requests as an HTTP server receives them: each style of parameters with each kind of value, and each kind of body.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};

use crate::api;

/// A request as the server saw it.
struct Received {
    target: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Received {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let headers = request.headers().iter();
    let headers: Vec<Value> = headers
        .map(|(name, value)| json!([name.as_str(), String::from_utf8_lossy(value.as_bytes())]))
        .collect();
    let target = request.uri().to_string();
    let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let seen = json!({ "target": target, "headers": headers, "body": String::from_utf8_lossy(&body) });
    Ok(Response::new(Full::new(Bytes::from(seen.to_string()))))
}

/// Sends requests to an HTTP server on this machine, one connection for each, and returns them as the server saw them.
fn echo(requests: Vec<Request<Bytes>>) -> Vec<Received> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().expect("a runtime");
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let service = hyper::service::service_fn(answer);
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        let mut received = Vec::new();
        for request in requests {
            let stream = TcpStream::connect(address).await.expect("a connection");
            let (mut sender, connection) =
                hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("a handshake");
            tokio::spawn(connection);
            let (mut parts, body) = request.into_parts();
            let target = parts.uri.path_and_query().expect("a path").clone();
            parts.uri = target.into();
            parts.headers.insert("host", http::HeaderValue::from_static("api.example"));
            let response = sender.send_request(Request::from_parts(parts, Full::new(body))).await;
            let response = response.expect("a response").into_body().collect().await.expect("a body");
            let seen: Value = serde_json::from_slice(&response.to_bytes()).expect("JSON");
            let text = |value: &Value| value.as_str().expect("a text").to_owned();
            let headers = seen["headers"].as_array().expect("a list").iter();
            received.push(Received {
                target: text(&seen["target"]),
                headers: headers.map(|pair| (text(&pair[0]), text(&pair[1]))).collect(),
                body: text(&seen["body"]),
            });
        }
        received
    })
}

/// Each style of each place ("Parameter Object", "Style Values").
const STYLES: [(&str, &str); 9] = [
    ("path", "simple"),
    ("path", "label"),
    ("path", "matrix"),
    ("query", "form"),
    ("query", "spaceDelimited"),
    ("query", "pipeDelimited"),
    ("query", "deepObject"),
    ("header", "simple"),
    ("cookie", "form"),
];

/// A value of each type, as JSON text: members keep their order.
const VALUES: [&str; 10] = [
    r#""blue""#,
    r#""a b/c?d&e=f,g;h#é%""#,
    r#""""#,
    "-1.50",
    "true",
    r#"["blue","a,b",3]"#,
    r#"["one"]"#,
    "[]",
    r#"{"R":100,"G x":"a=b"}"#,
    "{}",
];

fn call(location: &str, style: &str, explode: bool, value: &str) -> Result<Request<Bytes>, String> {
    let parameter = json!({ "name": "color", "in": location, "required": location == "path", "style": style, "explode": explode, "schema": {} });
    let path = if location == "path" { "/x/{color}/y" } else { "/x" };
    let api = api(&json!({ "parameters": [parameter] }).to_string(), "get", path, json!({}));
    let base = api.base_url().expect("a server");
    let arguments = format!("{{\"color\":{value}}}").parse().expect("an object");
    api.operations()[0].request(&base, &arguments).map_err(|error| error.to_string())
}

#[test]
fn each_style_with_each_value_arrives() {
    let mut labels = Vec::new();
    let mut requests = Vec::new();
    for (location, style) in STYLES {
        for explode in [false, true] {
            for value in VALUES {
                let kind = if explode { "exploded" } else { "joined" };
                let request = call(location, style, explode, value);
                labels.push((
                    location,
                    format!("{location} {style} {kind} {value}"),
                    request.as_ref().err().cloned(),
                ));
                requests.extend(request);
            }
        }
    }
    let mut received = echo(requests).into_iter();
    let lines: Vec<String> = labels
        .into_iter()
        .map(|(location, label, refused)| {
            let seen = match refused {
                Some(error) => format!("refused: {error}"),
                None => {
                    let received = received.next().expect("each request arrives");
                    match location {
                        "header" => format!("color: {}", received.header("color").unwrap_or("absent")),
                        "cookie" => format!("cookie: {}", received.header("cookie").unwrap_or("absent")),
                        _ => received.target,
                    }
                }
            };
            format!("{label}\n    {seen}")
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}

/// Media type, schema, arguments, and the type and body that arrive.
#[test]
fn each_kind_of_body_arrives() {
    let open = json!({});
    let pet = json!({ "type": "object", "properties": { "name": { "type": "string" }, "tags": { "type": "array" }, "at": { "type": "object" } } });
    let photo = json!({ "type": "object", "properties": {
        "note": { "type": "string" },
        "photo": { "type": "string", "format": "binary" },
        "more": { "type": "array", "items": { "type": "string", "contentMediaType": "image/png" } },
    } });
    let table = [
        ("application/json", &pet, r#"{"name":"Rex","tags":["a"],"at":{"x":1.50}}"#),
        ("application/json", &open, r#"{"body":[1,null]}"#),
        ("application/x-www-form-urlencoded", &pet, r#"{"name":"Rex & Co","tags":["a","b"],"at":{"x":1}}"#),
        (
            "multipart/form-data",
            &photo,
            r#"{"note":"é","photo":"aGk=","more":[{"data":"aGk=","filename":"a.png","content_type":"image/png"},{"text":"b"}]}"#,
        ),
        ("text/plain", &open, r#"{"body":"é"}"#),
        ("application/xml", &open, r#"{"body":"<a/>"}"#),
        ("application/octet-stream", &open, r#"{"body":"aGk="}"#),
        ("image/*", &open, r#"{"body":"aGk="}"#),
    ];
    let requests = table.iter().map(|(media_type, schema, arguments)| {
        let content = json!({ *media_type: { "schema": schema } });
        let operation = json!({ "requestBody": { "required": true, "content": content } });
        let api = api(&operation.to_string(), "post", "/", json!({}));
        let base = api.base_url().expect("a server");
        api.operations()[0].request(&base, &arguments.parse().expect("an object")).expect("a request")
    });
    let received = echo(requests.collect());
    let lines: Vec<String> = received
        .iter()
        .zip(table)
        .map(|(seen, (media_type, _, arguments))| {
            let kind = seen.header("content-type").unwrap_or("absent");
            let length = seen.header("content-length").unwrap_or("absent");
            format!("{media_type} {arguments}\n=> {kind}, {length} bytes\n{}\n", seen.body.replace('\r', ""))
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}
