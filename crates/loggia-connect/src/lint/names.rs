//! Checks of names: length, characters, duplicates, and collisions after a client has changed them.

use std::collections::HashMap;

use super::document::{DocumentEntry, ServerDocument};
use super::finding::FindingList;

/// The maximum length of a function's name at the model vendors, and in the directory of Claude.
const MAX_NAME: usize = 64;
/// The maximum length of server and tool name together in Cursor.
const MAX_WITH_SERVER: usize = 60;

/// Returns whether the name has only the characters of SEP-986.
fn is_specified(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-./".contains(c))
}

/// Returns whether all model vendors accept the name of a function.
fn is_portable(name: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    name.starts_with(is_letter) && !name.contains(['.', '/'])
}

/// Returns the name as a client that allows only letters, digits, `_` and `-` writes it.
fn normalized(name: &str) -> String {
    let keep = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    name.chars().map(keep).take(MAX_NAME).collect()
}

pub(super) fn length(document: &ServerDocument, found: &mut FindingList) {
    for tool in document.tools() {
        let length = tool.name().chars().count();
        if length > MAX_NAME {
            found.add(&tool, "name", format!("the name has {length} characters"));
        }
    }
}

pub(super) fn characters(document: &ServerDocument, found: &mut FindingList) {
    for entry in document.tools().iter().filter(|entry| !is_specified(entry.name())) {
        found.add(entry, "name", "the name has characters other than A-Z, a-z, 0-9, _, -, . and /");
    }
}

pub(super) fn portable(document: &ServerDocument, found: &mut FindingList) {
    let is_found = |name: &str| is_specified(name) && !is_portable(name);
    for tool in document.tools().iter().filter(|tool| is_found(tool.name())) {
        found.add(tool, "name", "the name has . or /, or does not begin with a letter or _");
    }
}

pub(super) fn duplicates(document: &ServerDocument, found: &mut FindingList) {
    equal(&document.tools(), "name", |name| name.to_owned(), found);
}

pub(super) fn collisions(document: &ServerDocument, found: &mut FindingList) {
    let tools = document.tools();
    let mut seen: HashMap<String, &str> = HashMap::new();
    for tool in &tools {
        let first = *seen.entry(normalized(tool.name())).or_insert(tool.name());
        if first != tool.name() {
            found.add(tool, "name", format!("some clients make the same name of it as of `{first}`"));
        }
    }
}

pub(super) fn room(document: &ServerDocument, found: &mut FindingList) {
    let server = document.server_info().and_then(|info| info.get("name")).and_then(|name| name.as_str());
    let Some(server) = server else { return };
    for tool in document.tools() {
        let length = server.chars().count() + tool.name().chars().count();
        if length > MAX_WITH_SERVER && tool.name().chars().count() <= MAX_NAME {
            found.add(&tool, "name", format!("with the server's name it has {length} characters"));
        }
    }
}

pub(super) fn prompt_names(document: &ServerDocument, found: &mut FindingList) {
    for prompt in document.prompts().iter().filter(|prompt| !is_specified(prompt.name())) {
        found.add(prompt, "name", "the name has characters other than A-Z, a-z, 0-9, _, -, . and /");
    }
}

pub(super) fn prompt_duplicates(document: &ServerDocument, found: &mut FindingList) {
    equal(&document.prompts(), "name", |name| name.to_owned(), found);
}

pub(super) fn resource_duplicates(document: &ServerDocument, found: &mut FindingList) {
    equal(&document.resources(), "uri", |uri| uri.to_owned(), found);
}

pub(super) fn descriptions(document: &ServerDocument, found: &mut FindingList) {
    let key = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    equal(&document.tools(), "description", key, found);
}

/// Adds each entry whose member is equal to that of an earlier entry.
fn equal(entries: &[DocumentEntry<'_>], member: &str, key: impl Fn(&str) -> String, found: &mut FindingList) {
    let mut seen: HashMap<String, &str> = HashMap::new();
    for entry in entries.iter().filter(|entry| !entry.text(member).trim().is_empty()) {
        match seen.get(&key(entry.text(member))) {
            Some(first) => found.add(entry, member, format!("the {member} is that of {first} too")),
            None => {
                seen.insert(key(entry.text(member)), &entry.subject);
            }
        }
    }
}

/// The names of a schema's properties that the API of Anthropic refuses.
pub(super) fn arguments(document: &ServerDocument, found: &mut FindingList) {
    let is_accepted = |name: &str| {
        (1..=MAX_NAME).contains(&name.len())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
    };
    for tool in document.tools() {
        let names = tool.value["inputSchema"]["properties"].as_object();
        for name in names.into_iter().flat_map(|members| members.keys()).filter(|name| !is_accepted(name)) {
            found.add(
                &tool,
                "inputSchema",
                format!("the argument `{name}` does not match [a-zA-Z0-9_.-]{{1,64}}"),
            );
        }
    }
}
