//! Entries in YAML: whole lines in a block, or a member within braces.

use super::text::{TextEdits, indent_at, line_end, line_ending, line_start, next_line, quoted};
use super::yaml_tree::{YamlKind, YamlNode, YamlTree};
use super::{DocumentValue, EntryPlace, SyntaxProblem};

/// Indentation of a file that shows none.
const INDENT: usize = 2;
/// Words that are no texts in YAML 1.1 or 1.2.
const RESERVED: [&str; 10] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan"];

/// Parses a text. An empty file has no members.
pub(super) fn value(text: &str) -> Result<DocumentValue, SyntaxProblem> {
    let tree = YamlTree::parse(text).map_err(|(at, reason)| {
        let reason = reason.split(['\'', '"', '`', '\n']).next().unwrap_or_default().trim_end().to_owned();
        SyntaxProblem::at(text, at, reason)
    })?;
    if tree.documents > 1 {
        return Err(SyntaxProblem { line: 1, column: 1, reason: "it has several documents".to_owned() });
    }
    if tree.root.is_none() {
        return Ok(DocumentValue::Null);
    }
    let options = serde_saphyr::options! { strict_booleans: true, with_snippet: false };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let (line, column) = error.location().map_or((1, 1), |at| (at.line(), at.column()));
        let (line, column) = (usize::try_from(line).unwrap_or(1), usize::try_from(column).unwrap_or(1));
        SyntaxProblem { line, column, reason: "this value cannot be read".to_owned() }
    })
}

/// Returns the texts with a new entry.
pub(super) fn insert(text: &str, place: &EntryPlace<'_>, entry: &DocumentValue) -> Vec<String> {
    let Ok(tree) = YamlTree::parse(text) else { return Vec::new() };
    let layout = YamlLayout::of(text, tree.root.as_ref());
    let entry = match place.list {
        Some(list) => place.item(list, entry),
        None => DocumentValue::Map(vec![(place.name.to_owned(), entry.clone())]),
    };
    let mut missing = place.keys;
    let Some(mut node) = tree.root.as_ref() else {
        let whole = layout.below(missing, place.list.is_some(), &entry, 0);
        return vec![layout.append_lines(text.len(), &whole)];
    };
    let mut key_of_node = None;
    while let Some((key, rest)) = missing.split_first() {
        let Some((found, value)) = member(node, key) else { break };
        (node, key_of_node, missing) = (value, Some(found), rest);
    }
    let is_list = place.list.is_some();
    match (&node.kind, key_of_node) {
        (YamlKind::Scalar(_), Some(key)) if node.range.is_empty() => {
            let column = column(text, key) + layout.unit;
            let lines = layout.below(missing, is_list, &entry, column);
            vec![layout.append_lines(line_end(text, key.range.end), &lines)]
        }
        (YamlKind::Mapping { members, is_flow: false }, _) => {
            let Some((first, _)) = members.first() else { return Vec::new() };
            let lines = layout.below(missing, is_list, &entry, column(text, first));
            vec![
                layout.append_lines(line_end(text, node.range.end), &lines),
                layout.prepend_lines(line_start(text, first.range.start), &lines),
            ]
        }
        (YamlKind::Sequence { items, is_flow: false }, _) if missing.is_empty() => {
            let Some(first) = items.first() else { return Vec::new() };
            let lines = layout.below(missing, is_list, &entry, indent_at(text, first.range.start).len());
            vec![
                layout.append_lines(line_end(text, node.range.end), &lines),
                layout.prepend_lines(line_start(text, first.range.start), &lines),
            ]
        }
        (YamlKind::Mapping { members, is_flow: true }, _) => {
            let last = members.last().map(|(key, value)| key.range.end.max(value.range.end));
            let member = missing.iter().rev().fold(entry, |inner, key| {
                let inner = if is_list && !matches!(inner, DocumentValue::List(_)) {
                    DocumentValue::List(vec![inner])
                } else {
                    inner
                };
                DocumentValue::Map(vec![(key.clone(), inner)])
            });
            let written = flow(&member);
            vec![insert_flow(text, node, last, &written[1..written.len() - 1])]
        }
        (YamlKind::Sequence { items, is_flow: true }, _) if missing.is_empty() => {
            vec![insert_flow(text, node, items.last().map(|item| item.range.end), &flow(&entry))]
        }
        _ => Vec::new(),
    }
}

/// Returns the texts with another value of the entry.
pub(super) fn replace(text: &str, place: &EntryPlace<'_>, entry: &DocumentValue) -> Vec<String> {
    let Ok(tree) = YamlTree::parse(text) else { return Vec::new() };
    let layout = YamlLayout::of(text, tree.root.as_ref());
    let Some(found) = tree.root.as_ref().and_then(|root| YamlEntry::find(root, place)) else {
        return Vec::new();
    };
    let value = match place.list {
        Some(list) => place.item(list, entry),
        None => DocumentValue::Map(vec![(place.name.to_owned(), entry.clone())]),
    };
    if found.is_flow {
        let written = flow(&value);
        let written = if place.list.is_some() { written } else { written[1..written.len() - 1].to_owned() };
        return vec![TextEdits::default().replace(found.start..found.end, written).apply(text)];
    }
    let indent = indent_at(text, found.start).len();
    let lines = layout.below(&[], place.list.is_some(), &value, indent);
    let range = line_start(text, found.start)..line_end(text, found.end);
    vec![TextEdits::default().replace(range, lines.join(layout.eol)).apply(text)]
}

/// Returns the texts without the entry, or without the member at `path`.
pub(super) fn remove(text: &str, place: &EntryPlace<'_>, path: Option<&[String]>) -> Vec<String> {
    let Ok(tree) = YamlTree::parse(text) else { return Vec::new() };
    let Some(root) = tree.root.as_ref() else { return Vec::new() };
    let found = match path.and_then(<[String]>::split_last) {
        Some((name, keys)) => YamlEntry::find(root, &EntryPlace { keys, list: None, name }),
        None => YamlEntry::find(root, place),
    };
    let Some(found) = found else { return Vec::new() };
    if found.is_flow {
        let (start, end) = match (found.previous, found.next) {
            (_, Some(next)) => (found.start, next),
            (Some(previous), None) => (previous, found.end),
            (None, None) => (found.start, found.end),
        };
        return vec![TextEdits::default().delete(start..end).apply(text)];
    }
    let (start, end) = (line_start(text, found.start), next_line(text, found.end));
    let mut candidates = vec![TextEdits::default().delete(start..end)];
    if end == text.len() && !text.ends_with('\n') {
        // The last line had no ending, and the line before it gets none.
        let before = text[..start].trim_end_matches('\n').trim_end_matches('\r').len();
        candidates.insert(0, TextEdits::default().delete(before..end));
    }
    candidates.into_iter().map(|edits| edits.apply(text)).collect()
}

/// Returns the member of a mapping; of several, the last.
fn member<'n>(node: &'n YamlNode, key: &str) -> Option<(&'n YamlNode, &'n YamlNode)> {
    let YamlKind::Mapping { members, .. } = &node.kind else { return None };
    let is_key = |node: &YamlNode| matches!(&node.kind, YamlKind::Scalar(text) if text == key);
    members.iter().rev().find(|(name, _)| is_key(name)).map(|(name, value)| (name, value))
}

/// Returns the column of a node.
fn column(text: &str, node: &YamlNode) -> usize {
    text[line_start(text, node.range.start)..node.range.start].chars().count()
}

/// The place of an entry in a text.
struct YamlEntry {
    start: usize,
    end: usize,
    is_flow: bool,
    /// The end of the entry before it.
    previous: Option<usize>,
    /// The start of the entry after it.
    next: Option<usize>,
}

impl YamlEntry {
    fn find(root: &YamlNode, place: &EntryPlace<'_>) -> Option<YamlEntry> {
        let mut node = root;
        for key in place.keys {
            node = member(node, key)?.1;
        }
        let is_name = |node: &YamlNode| matches!(&node.kind, YamlKind::Scalar(text) if text == place.name);
        let (ranges, index, is_flow) = match (&node.kind, place.list) {
            (YamlKind::Mapping { members, is_flow }, None) => {
                let range = |(key, value): &(YamlNode, YamlNode)| {
                    (key.range.start, key.range.end.max(value.range.end))
                };
                let index = members.iter().rposition(|(key, _)| is_name(key))?;
                (members.iter().map(range).collect::<Vec<_>>(), index, *is_flow)
            }
            (YamlKind::Sequence { items, is_flow }, Some(list)) => {
                let index = items
                    .iter()
                    .position(|item| member(item, list).is_some_and(|(_, value)| is_name(value)))?;
                (items.iter().map(|item| (item.range.start, item.range.end)).collect(), index, *is_flow)
            }
            _ => return None,
        };
        let (start, end) = ranges[index];
        let previous = index.checked_sub(1).map(|index| ranges[index].1);
        Some(YamlEntry { start, end, is_flow, previous, next: ranges.get(index + 1).map(|range| range.0) })
    }
}

/// The look of a YAML file.
struct YamlLayout<'t> {
    text: &'t str,
    eol: &'static str,
    unit: usize,
}

impl<'t> YamlLayout<'t> {
    fn of(text: &'t str, root: Option<&YamlNode>) -> YamlLayout<'t> {
        let unit = root.and_then(|root| match &root.kind {
            YamlKind::Mapping { members, is_flow: false } => {
                members.iter().find_map(|(key, value)| match &value.kind {
                    YamlKind::Mapping { members, is_flow: false } => members
                        .first()
                        .and_then(|(first, _)| column(text, first).checked_sub(column(text, key))),
                    _ => None,
                })
            }
            _ => None,
        });
        YamlLayout { text, eol: line_ending(text), unit: unit.filter(|unit| *unit > 0).unwrap_or(INDENT) }
    }

    /// Returns the lines of the entry below the keys that are missing.
    fn below(&self, missing: &[String], is_list: bool, entry: &DocumentValue, column: usize) -> Vec<String> {
        let mut lines = Vec::new();
        let mut column = column;
        for (n, key) in missing.iter().enumerate() {
            lines.push(format!("{}{}:", " ".repeat(column), plain(key)));
            // The dashes of a list may stand below their key.
            column += if is_list && n + 1 == missing.len() { INDENT } else { self.unit };
        }
        let written = self.lines(entry, column);
        if is_list {
            let indent = " ".repeat(column);
            let inner = self.lines(entry, column + 2);
            lines.extend(inner.iter().enumerate().map(|(n, line)| match n {
                0 => format!("{indent}- {}", line.trim_start()),
                _ => line.clone(),
            }));
        } else {
            lines.extend(written);
        }
        lines
    }

    /// Writes the members of a map as lines.
    fn lines(&self, value: &DocumentValue, column: usize) -> Vec<String> {
        let mut lines = Vec::new();
        for (key, value) in value.members().unwrap_or_default() {
            let start = format!("{}{}:", " ".repeat(column), plain(key));
            match value {
                DocumentValue::Map(members) if !members.is_empty() => {
                    lines.push(start);
                    lines.extend(self.lines(value, column + self.unit));
                }
                value => lines.push(format!("{start} {}", flow(value))),
            }
        }
        lines
    }

    /// Inserts lines after the line that ends at `at`.
    fn append_lines(&self, at: usize, lines: &[String]) -> String {
        let (text, eol) = (self.text, self.eol);
        let written = lines.join(eol);
        let written = match at == text.len() && (text.is_empty() || text.ends_with('\n')) {
            true => format!("{written}{eol}"),
            false => format!("{eol}{written}"),
        };
        TextEdits::default().insert(at, written).apply(text)
    }

    /// Inserts lines before the line that starts at `at`.
    fn prepend_lines(&self, at: usize, lines: &[String]) -> String {
        TextEdits::default().insert(at, lines.join(self.eol) + self.eol).apply(self.text)
    }
}

/// Inserts a member within braces or brackets.
fn insert_flow(text: &str, node: &YamlNode, last: Option<usize>, written: &str) -> String {
    let edits = TextEdits::default();
    match last {
        Some(last) if text[last..node.range.end].trim_start().starts_with(',') => {
            let comma = last + text[last..].find(',').unwrap_or_default() + 1;
            edits.insert(comma, format!(" {written}"))
        }
        Some(last) => edits.insert(last, format!(", {written}")),
        None => edits.insert(node.range.start + 1, written),
    }
    .apply(text)
}

/// Writes a value on one line.
fn flow(value: &DocumentValue) -> String {
    match value {
        DocumentValue::List(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        DocumentValue::Map(members) => {
            let member = |(key, value): &(String, DocumentValue)| format!("{}: {}", plain(key), flow(value));
            format!("{{{}}}", members.iter().map(member).collect::<Vec<_>>().join(", "))
        }
        DocumentValue::Text(text) => plain(text),
        value => value.to_json().to_string(),
    }
}

/// Writes a text without quotes where it is a plain word, else as a string of JSON.
fn plain(text: &str) -> String {
    let is_word = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
        && !RESERVED.contains(&text.to_ascii_lowercase().as_str());
    if is_word { text.to_owned() } else { quoted(text) }
}
