//! The lists of a connected server as the document that the linter checks.
//!
//! The linter does no I/O; a program that has a client needs one call to get from one to the other.

use loggia::client::{ListReport, ServerReport};
use loggia::wire::RawJson;
use loggia::wire::json::ToJson;
use loggia_connect::lint::ServerDocument;
use serde_json::{Map, Value};

/// Returns the lists of a server as a document for the linter. The error names a list that cannot be read.
pub fn lint_document(report: &ServerReport) -> Result<ServerDocument, String> {
    let mut members = Map::new();
    let mut insert = |name: &str, value: Value| members.insert(name.to_owned(), value);
    insert("protocolVersion", report.version.as_str().into());
    if let Some(identity) = &report.identity {
        insert("serverInfo", value(&RawJson::of(identity))?);
    }
    if let Some(instructions) = &report.instructions {
        insert("instructions", instructions.as_str().into());
    }
    insert("tools", entries("tools", report.tools.as_ref())?);
    insert("prompts", entries("prompts", report.prompts.as_ref())?);
    insert("resources", entries("resources", report.resources.as_ref())?);
    // Servers with resources often have no list of templates, and answer with an error.
    let templates = entries("resource templates", report.templates.as_ref());
    insert("resourceTemplates", templates.unwrap_or_else(|_| Value::Array(Vec::new())));
    ServerDocument::new(Value::Object(members))
}

/// Returns the entries as the server wrote them.
fn entries<T: ToJson>(name: &str, list: Option<&ListReport<T>>) -> Result<Value, String> {
    let Some(list) = list else { return Ok(Value::Array(Vec::new())) };
    let listing = list.listing.as_ref().map_err(|error| format!("cannot list the {name}: {error}"))?;
    value(&match listing.sources.len() == listing.entries.len() {
        true => RawJson::of(&listing.sources),
        false => RawJson::of(&listing.entries),
    })
}

fn value(raw: &RawJson) -> Result<Value, String> {
    serde_json::from_slice(raw.as_bytes()).map_err(|error| format!("a list is not JSON: {error}"))
}
