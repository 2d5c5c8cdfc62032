//! Checks of titles and hints, and of tools that both read and write.

use loggia_openapi::OperationClass;
use serde_json::{Value, json};

use super::document::{DocumentEntry, ServerDocument};
use super::edit::{JsonEdit, child};
use super::finding::FindingList;

/// Arguments that choose what a tool does.
const SELECTORS: [&str; 8] =
    ["action", "command", "method", "http_method", "mode", "op", "operation", "verb"];
const SAFE_METHODS: [&str; 3] = ["get", "head", "options"];
const UNSAFE_METHODS: [&str; 4] = ["post", "put", "patch", "delete"];

/// Returns the words of a name in snake case, kebab case or camel case, as snake case.
fn snake_case(name: &str) -> String {
    let mut words = String::with_capacity(name.len() + 8);
    let mut is_lower = false;
    for c in name.chars() {
        if c.is_ascii_uppercase() && is_lower {
            words.push('_');
        }
        is_lower = c.is_ascii_lowercase() || c.is_ascii_digit();
        words.push(if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' });
    }
    words
}

/// Returns the class that the first verb of a name says.
fn class(name: &str) -> Option<OperationClass> {
    OperationClass::of_name(&snake_case(name))
}

/// Returns a title made of a name.
fn title_of(name: &str) -> String {
    let words = snake_case(name).replace('_', " ");
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut chars = words.chars();
    chars.next().map(|first| first.to_ascii_uppercase().to_string() + chars.as_str()).unwrap_or_default()
}

pub(super) fn title(document: &ServerDocument, found: &mut FindingList) {
    for tool in document.tools() {
        let titles = [&tool.value["title"], &tool.value["annotations"]["title"]];
        if titles.iter().all(|title| title.as_str().is_none_or(|title| title.trim().is_empty())) {
            let edits = vec![JsonEdit::Set(tool.at("title"), json!(title_of(tool.name())))];
            found.add_at(&tool.subject, tool.pointer.clone(), "it has no title", edits);
        }
    }
}

fn set_hint(tool: &DocumentEntry<'_>, hint: &str, value: bool) -> JsonEdit {
    JsonEdit::Set(child(&tool.at("annotations"), hint), json!(value))
}

pub(super) fn read_only(document: &ServerDocument, found: &mut FindingList) {
    for tool in document.tools().iter().filter(|tool| tool.hint("readOnlyHint").is_none()) {
        let edits = class(tool.name()).map(|class| {
            vec![set_hint(tool, "readOnlyHint", class == OperationClass::Read && !is_mixed(tool))]
        });
        found.add_at(
            &tool.subject,
            tool.pointer.clone(),
            "it has no readOnlyHint",
            edits.unwrap_or_default(),
        );
    }
}

pub(super) fn destructive(document: &ServerDocument, found: &mut FindingList) {
    let is_found = |tool: &&DocumentEntry<'_>| {
        tool.hint("readOnlyHint") != Some(true) && tool.hint("destructiveHint").is_none()
    };
    for tool in document.tools().iter().filter(is_found) {
        let edits = match class(tool.name()) {
            Some(OperationClass::Destructive) => vec![set_hint(tool, "destructiveHint", true)],
            Some(OperationClass::Read) if !is_mixed(tool) => vec![set_hint(tool, "destructiveHint", false)],
            _ => Vec::new(),
        };
        found.add_at(&tool.subject, tool.pointer.clone(), "it has no destructiveHint", edits);
    }
}

pub(super) fn open_world(document: &ServerDocument, found: &mut FindingList) {
    for tool in document.tools().iter().filter(|tool| tool.hint("openWorldHint").is_none()) {
        found.add(tool, "", "it has no openWorldHint");
    }
}

pub(super) fn conflict(document: &ServerDocument, found: &mut FindingList) {
    let is_both = |tool: &&DocumentEntry<'_>| {
        tool.hint("readOnlyHint") == Some(true) && tool.hint("destructiveHint") == Some(true)
    };
    for tool in document.tools().iter().filter(is_both) {
        let edits = vec![set_hint(tool, "readOnlyHint", false)];
        found.add_at(
            &tool.subject,
            tool.at("annotations"),
            "it is said to be read-only and destructive",
            edits,
        );
    }
}

pub(super) fn mismatch(document: &ServerDocument, found: &mut FindingList) {
    for tool in document.tools() {
        let Some(class) = class(tool.name()) else { continue };
        if class > OperationClass::Read && tool.hint("readOnlyHint") == Some(true) {
            let edits = vec![set_hint(&tool, "readOnlyHint", false)];
            let message = format!("it is said to be read-only, and its name says {class}");
            found.add_at(&tool.subject, tool.at("annotations"), message, edits);
        }
        if class == OperationClass::Destructive && tool.hint("destructiveHint") == Some(false) {
            let edits = vec![set_hint(&tool, "destructiveHint", true)];
            let message = "it is said not to be destructive, and its name says destructive";
            found.add_at(&tool.subject, tool.at("annotations"), message, edits);
        }
    }
}

/// Returns the classes of the values that an argument may have.
fn classes(values: &[Value]) -> Vec<OperationClass> {
    let class_of = |value: &Value| {
        let text = value.as_str()?.to_ascii_lowercase();
        if SAFE_METHODS.contains(&text.as_str()) {
            return Some(OperationClass::Read);
        }
        if UNSAFE_METHODS.contains(&text.as_str()) {
            return Some(OperationClass::Write);
        }
        class(&text)
    };
    values.iter().filter_map(class_of).collect()
}

/// Returns the argument of a tool that chooses between reading and writing.
fn selector<'t>(tool: &'t DocumentEntry<'_>) -> Option<&'t str> {
    let arguments = tool.value["inputSchema"]["properties"].as_object()?;
    let chooses = |name: &str, schema: &Value| {
        let classes = classes(schema["enum"].as_array().map(Vec::as_slice).unwrap_or_default());
        SELECTORS.contains(&snake_case(name).as_str())
            && classes.contains(&OperationClass::Read)
            && classes.iter().any(|class| *class > OperationClass::Read)
    };
    arguments.iter().find(|(name, schema)| chooses(name, schema)).map(|(name, _)| name.as_str())
}

fn is_mixed(tool: &DocumentEntry<'_>) -> bool {
    selector(tool).is_some()
}

pub(super) fn reads_and_writes(document: &ServerDocument, found: &mut FindingList) {
    for tool in document.tools() {
        if let Some(argument) = selector(&tool) {
            found.add(
                &tool,
                "inputSchema",
                format!("its argument `{argument}` chooses between reads and writes"),
            );
        }
    }
}
