//! The tests of a manifest as data: calls of tools, and the HTTP exchanges that answer them without the vendor.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use serde_json::{Map, Value};

use super::read_value::{object, request_of};
use super::source::{ManifestProblems, TableReader};
use crate::filter::JsonFilter;

/// A call that proves a connector.
#[derive(Debug, Clone, PartialEq)]
pub struct ConnectorTest {
    /// The tool. Without recorded exchanges it reads.
    pub tool: String,
    /// Its arguments.
    pub arguments: Map<String, Value>,
    /// The backend; without it, each one that has the tool.
    pub backend: Option<String>,
    /// The values of the user for recorded exchanges; a value that is missing gets an example.
    pub config: Map<String, Value>,
    /// The result that the call must have.
    pub expectation: TestExpectation,
    /// The requests that the call must send, with their responses. Without any, the test needs the vendor.
    pub exchanges: Vec<RecordedExchange>,
}

/// The result that a call of a test must have.
#[derive(Debug, Clone, PartialEq)]
pub enum TestExpectation {
    /// A filter over the result that gives `true`.
    Result(JsonFilter),
    /// A part of the error.
    Error(String),
}

/// A recorded request with its response.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedExchange {
    /// The method.
    pub method: Method,
    /// The path below the base URL, with the query if that is compared.
    pub path: String,
    /// The JSON body, if it is compared.
    pub body: Option<Value>,
    status: StatusCode,
    headers: HeaderMap,
    response: String,
}

impl RecordedExchange {
    /// Makes the response.
    pub fn response(&self) -> Response<Bytes> {
        let mut response = Response::new(Bytes::from(self.response.clone()));
        *response.status_mut() = self.status;
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(http::header::CONTENT_TYPE, json);
        response.headers_mut().extend(self.headers.clone());
        response
    }
}

/// Reads a test. Problems of its values are reported.
pub(super) fn test(table: &TableReader<'_>, problems: &mut ManifestProblems<'_>) -> Option<ConnectorTest> {
    let expectation = match (table.filter("expect"), table.owned("fails")) {
        (Some(filter), None) => TestExpectation::Result(filter),
        (None, Some(part)) => TestExpectation::Error(part),
        _ if table.has("expect") && !table.has("fails") => return None,
        _ => {
            return problems.add(&table.span, "a test needs 'expect' or 'fails', and not both");
        }
    };
    let exchanges = table.tables("exchanges");
    Some(ConnectorTest {
        tool: table.owned("tool")?,
        arguments: object(table, "arguments"),
        backend: table.owned("backend"),
        config: object(table, "config"),
        expectation,
        exchanges: exchanges.iter().filter_map(|table| exchange(table, problems)).collect(),
    })
}

fn exchange(table: &TableReader<'_>, problems: &mut ManifestProblems<'_>) -> Option<RecordedExchange> {
    let (method, path) = request_of(table.text("request")?)?;
    let status = table.json("status").map_or(Some(200), |status| status.as_u64());
    let status = status.and_then(|status| StatusCode::from_u16(u16::try_from(status).ok()?).ok());
    let Some(status) = status else {
        return problems.add(&table.span_of("status"), "the status is a number from 100 to 999");
    };
    let mut headers = HeaderMap::new();
    for (name, value) in object(table, "headers") {
        let value = value.as_str().and_then(|value| HeaderValue::from_str(value).ok());
        match (HeaderName::try_from(name.as_str()).ok(), value) {
            (Some(name), Some(value)) => drop(headers.insert(name, value)),
            _ => return problems.add(&table.span_of("headers"), format!("{name} is no header")),
        }
    }
    let response = match table.json("response") {
        None => String::new(),
        Some(Value::String(text)) => text,
        Some(value) => value.to_string(),
    };
    Some(RecordedExchange { method, path, body: table.json("body"), status, headers, response })
}
