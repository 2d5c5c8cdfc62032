//! The configuration from the harness: the server, the era, and the operations.

use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Debug, Deserialize)]
pub(crate) struct Config {
    pub(crate) target: Target,
    pub(crate) era: String,
    pub(crate) ops: Vec<String>,
    pub(crate) plan: Plan,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Target {
    pub(crate) url: Option<String>,
    pub(crate) command: Option<Vec<String>>,
}

/// For each operation, what to call and what to expect.
#[derive(Debug, Deserialize)]
pub(crate) struct Plan {
    pub(crate) list: Option<List>,
    pub(crate) call: Option<Call>,
    pub(crate) error: Option<Call>,
    pub(crate) progress: Option<Progress>,
    pub(crate) cancel: Option<Cancel>,
    pub(crate) elicit: Option<Elicit>,
    pub(crate) sample: Option<Sample>,
    pub(crate) subscribe: Option<Subscribe>,
    pub(crate) read: Option<Read>,
    pub(crate) complete: Option<Complete>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct List {
    pub(crate) tools: Vec<String>,
}

/// A tool, and what its answer contains.
#[derive(Debug, Deserialize)]
pub(crate) struct Call {
    #[serde(flatten)]
    pub(crate) tool: Tool,
    pub(crate) expect: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Tool {
    #[serde(rename = "tool")]
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) arguments: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Progress {
    #[serde(flatten)]
    pub(crate) call: Call,
    #[serde(rename = "atLeast")]
    pub(crate) at_least: usize,
    /// The number of times that the count may begin again.
    #[serde(default)]
    pub(crate) restarts: usize,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Cancel {
    #[serde(flatten)]
    pub(crate) tool: Tool,
    /// Milliseconds.
    pub(crate) after: u64,
    /// A tool whose answer changes when the server noticed.
    pub(crate) confirm: Option<Call>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Elicit {
    #[serde(flatten)]
    pub(crate) tool: Tool,
    pub(crate) content: Map<String, Value>,
    pub(crate) expect: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Sample {
    #[serde(flatten)]
    pub(crate) call: Call,
    pub(crate) reply: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Subscribe {
    pub(crate) uri: String,
    pub(crate) trigger: Tool,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Read {
    pub(crate) uri: String,
    pub(crate) expect: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Complete {
    pub(crate) prompt: String,
    pub(crate) argument: String,
    pub(crate) value: String,
    pub(crate) expect: Vec<String>,
}
