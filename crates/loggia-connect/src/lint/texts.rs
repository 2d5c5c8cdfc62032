//! Checks of texts: descriptions, hidden characters, and phrases that direct the model.

use std::sync::LazyLock;

use loggia::wire::text::{escape_line, is_layout, is_unsafe, truncated};
use regex_lite::Regex;
use serde_json::{Value, json};

use super::document::{DocumentEntry, ServerDocument};
use super::edit::{JsonEdit, child};
use super::finding::FindingList;

/// The maximum length of a function's description at OpenAI, in characters.
const MAX_DESCRIPTION: usize = 1024;
/// Fewest words of a description that says something.
const MIN_WORDS: usize = 3;
/// The maximum nesting of a value whose texts are checked.
const MAX_DEPTH: usize = 128;
/// The length of a quoted phrase, in bytes.
const MAX_QUOTED: usize = 80;

/// Phrases of tool poisoning: they direct the model beyond the use of the tool.
const PHRASES: [&str; 9] = [
    r"(ignore|disregard|forget) (all |any )?(of )?(the |your )?(previous|prior|above|earlier|other) (instructions|prompts|rules|context)",
    r"<\s*/?\s*(important|system|secret|instructions?)\s*>",
    r"(do not|don't|never) (tell|inform|mention|reveal|show|notify)[^.]{0,40}\buser",
    r"(before|after|instead of) (using|calling|invoking|running) (any|all|every|each|another|other)( of the)?( other)? tools?",
    r"(always|must) (first )?(call|use|run|invoke) this tool (first|before)",
    r"(never|do not|don't) (use|call|invoke) (any|the) other tools?",
    r"(send|include|pass|copy|append|attach)[^.]{0,40}(system prompt|conversation history|chat history|previous messages)",
    r"(read|fetch|follow|obey) (the |all |any )?instructions (from|at|in|of) ",
    r"~/\.ssh|id_rsa|\.aws/credentials|/etc/passwd",
];

static PATTERNS: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    let patterns = PHRASES.iter().map(|phrase| Regex::new(&format!("(?i){phrase}")));
    patterns.collect::<Result<_, _>>().expect("the phrases are patterns, as the tests show")
});

pub(super) fn missing(document: &ServerDocument, found: &mut FindingList) {
    without_description(&document.tools(), found);
}

pub(super) fn prompts(document: &ServerDocument, found: &mut FindingList) {
    without_description(&document.prompts(), found);
}

fn without_description(entries: &[DocumentEntry<'_>], found: &mut FindingList) {
    for entry in entries.iter().filter(|entry| entry.text("description").trim().is_empty()) {
        found.add(entry, "", "it has no description");
    }
}

pub(super) fn prompt_arguments(document: &ServerDocument, found: &mut FindingList) {
    for prompt in document.prompts() {
        let arguments = prompt.value["arguments"].as_array().map(Vec::as_slice).unwrap_or_default();
        let is_bare = |one: &&Value| one["description"].as_str().is_none_or(|text| text.trim().is_empty());
        for argument in arguments.iter().filter(is_bare) {
            let name = argument["name"].as_str().unwrap_or("?");
            found.add(&prompt, "arguments", format!("its argument `{name}` has no description"));
        }
    }
}

pub(super) fn length(document: &ServerDocument, found: &mut FindingList) {
    for tool in document.tools() {
        let length = tool.text("description").chars().count();
        if length > MAX_DESCRIPTION {
            found.add(&tool, "description", format!("the description has {length} characters"));
        }
    }
}

pub(super) fn vague(document: &ServerDocument, found: &mut FindingList) {
    for tool in document.tools() {
        let words = tool.text("description").split_whitespace().count();
        if (1..MIN_WORDS).contains(&words) {
            found.add(&tool, "description", "the description has fewer than three words");
        }
    }
}

pub(super) fn injection(document: &ServerDocument, found: &mut FindingList) {
    each_text(document, |subject, pointer, text| {
        if let Some(phrase) = PATTERNS.iter().find_map(|pattern| pattern.find(text)) {
            let quoted = escape_line(truncated(phrase.as_str(), MAX_QUOTED));
            found.add_at(subject, pointer, format!("a text directs the model: {quoted:?}"), Vec::new());
        }
    });
}

pub(super) fn hidden(document: &ServerDocument, found: &mut FindingList) {
    let is_hidden = |c: char| is_unsafe(c) && !is_layout(c) && c != '\r';
    each_text(document, |subject, pointer, text| {
        if text.contains(is_hidden) {
            let hidden: String = text.chars().filter(|c| is_hidden(*c)).take(8).collect();
            let cleaned: String = text.chars().filter(|c| !is_hidden(*c)).collect();
            let edits = vec![JsonEdit::Set(pointer.clone(), json!(cleaned))];
            found.add_at(
                subject,
                pointer,
                format!("a text has hidden characters: {}", escape_line(&hidden)),
                edits,
            );
        }
    });
}

/// Calls `check` for each text of the lists, of the server's information, and for the instructions.
fn each_text(document: &ServerDocument, mut check: impl FnMut(&str, String, &str)) {
    for entry in document.all() {
        walk(entry.value, entry.pointer.clone(), 0, &mut |pointer, text| {
            check(&entry.subject, pointer, text)
        });
    }
    if let Some(text) = document.member("instructions").and_then(Value::as_str) {
        check("instructions", document.pointer("instructions"), text);
    }
}

fn walk(value: &Value, pointer: String, depth: usize, check: &mut dyn FnMut(String, &str)) {
    match value {
        Value::String(text) => check(pointer, text),
        _ if depth > MAX_DEPTH => {}
        Value::Array(items) => {
            let items = items.iter().enumerate();
            items.for_each(|(n, item)| walk(item, format!("{pointer}/{n}"), depth + 1, check));
        }
        Value::Object(members) => {
            members.iter().for_each(|(name, member)| walk(member, child(&pointer, name), depth + 1, check));
        }
        _ => {}
    }
}
