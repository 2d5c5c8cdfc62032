//! A scenario: the calls of one connector, with what they must return.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::Response;
use serde::Deserialize;
use serde_json::{Map, Value};

/// A file of `interop/vendors/scenarios/`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scenario {
    /// The name of the connector.
    pub(crate) connector: String,
    /// The direct backend.
    pub(crate) backend: String,
    /// The name of the mock.
    pub(crate) mock: String,
    /// The part of the vendor's paths that the mock does not have.
    #[serde(default)]
    pub(crate) prefix: String,
    /// The credential of the mock.
    pub(crate) credential: String,
    /// The values of the user.
    #[serde(default)]
    pub(crate) config: Map<String, Value>,
    /// The name of the account that the health check gives.
    pub(crate) account: Option<String>,
    /// The reason why the mock cannot answer the health check.
    pub(crate) no_health: Option<String>,
    /// True if the mock refuses requests of credentials with an ending for it.
    #[serde(default)]
    pub(crate) refuses: bool,
    /// Tools that the mock cannot answer, with the reason.
    #[serde(default)]
    pub(crate) untested: BTreeMap<String, String>,
    /// The calls, in order.
    pub(crate) steps: Vec<Step>,
    /// Lists that are read page by page.
    #[serde(default)]
    pub(crate) pages: Vec<PagedList>,
    /// Responses that the vendor documents for limits and lost tokens.
    #[serde(default)]
    pub(crate) faults: Vec<Fault>,
}

/// A call of a tool.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    pub(crate) tool: String,
    /// The arguments. `${name}` stands for a value that an earlier step kept; `${cursor}` for the
    /// last cursor, `${tomorrow}` for a time in seconds since 1970.
    #[serde(default)]
    pub(crate) arguments: Map<String, Value>,
    /// The filter over the result that gives `true`.
    pub(crate) expect: Option<String>,
    /// Filters over the result whose values later steps use.
    #[serde(default)]
    pub(crate) keep: BTreeMap<String, String>,
    /// The filter over the result that gives the URL of a picture, which must open without a credential.
    pub(crate) opens: Option<String>,
    /// Whether there is another page.
    pub(crate) more: Option<bool>,
    /// A part of the error that the call must return.
    pub(crate) fails: Option<String>,
}

/// A list that is read page by page, to its end.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PagedList {
    pub(crate) tool: String,
    #[serde(default)]
    pub(crate) arguments: Map<String, Value>,
    /// The page size that is sent.
    pub(crate) size: u64,
    /// The least number of items.
    pub(crate) items: usize,
}

/// A response of the vendor that is an error.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fault {
    pub(crate) status: u16,
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
    /// A part of the error that the call must return.
    pub(crate) says: String,
}

impl Fault {
    pub(crate) fn response(&self) -> Response<Bytes> {
        let response = Response::builder().status(self.status).header("content-type", "application/json");
        let response =
            self.headers.iter().fold(response, |response, (name, value)| response.header(name, value));
        response.body(Bytes::from(self.body.clone())).expect("the scenario writes valid headers")
    }
}

/// Fills the placeholders of a JSON value. A text that is one placeholder takes the type of the value.
pub(crate) fn fill(value: &Value, kept: &BTreeMap<String, Value>) -> Value {
    match value {
        Value::String(text) => {
            let only = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
            match only.and_then(|name| kept.get(name)) {
                Some(value) => value.clone(),
                None => Value::String(fill_text(text, kept)),
            }
        }
        Value::Array(items) => items.iter().map(|item| fill(item, kept)).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), fill(value, kept)))
            .collect::<Map<_, _>>()
            .into(),
        value => value.clone(),
    }
}

/// Fills the placeholders of a text.
pub(crate) fn fill_text(text: &str, kept: &BTreeMap<String, Value>) -> String {
    kept.iter().fold(text.to_owned(), |text, (name, value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        text.replace(&format!("${{{name}}}"), &value)
    })
}
