//! Entries in TOML: a section of its own at the end of the file, and cut out as whole lines.

use std::ops::Range;

use toml_edit::{Document, Item, Table};

use super::text::{TextEdits, line_ending, line_start, next_line, quoted};
use super::{DocumentValue, EntryPlace, SyntaxProblem};

/// Parses a text.
pub(super) fn value(text: &str) -> Result<DocumentValue, SyntaxProblem> {
    toml_edit::de::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        // The parser's message may quote the text.
        let reason = error.message().split(['`', '\'', '"']).next().unwrap_or_default().trim_end();
        SyntaxProblem::at(text, at, reason.split('\n').next().unwrap_or_default())
    })
}

/// Returns the texts with a new entry.
pub(super) fn insert(text: &str, place: &EntryPlace<'_>, entry: &DocumentValue) -> Vec<String> {
    let eol = line_ending(text);
    let section = section(place, entry, eol);
    vec![match text {
        "" => section,
        text if text.ends_with('\n') => format!("{text}{eol}{section}"),
        // The last line has no ending, and the new last line gets none.
        text => format!("{text}{eol}{eol}{}", section.trim_end()),
    }]
}

/// Returns the texts with another value of the entry.
pub(super) fn replace(text: &str, place: &EntryPlace<'_>, entry: &DocumentValue) -> Vec<String> {
    let Some(lines) = lines_of_entry(text, place) else { return Vec::new() };
    let mut written = section(place, entry, line_ending(text));
    if !text[lines.clone()].ends_with('\n') {
        written.truncate(written.trim_end().len());
    }
    vec![TextEdits::default().replace(lines, written).apply(text)]
}

/// Returns the texts without the entry.
pub(super) fn remove(text: &str, place: &EntryPlace<'_>) -> Vec<String> {
    let Some(lines) = lines_of_entry(text, place) else { return Vec::new() };
    // The blank line before the section goes too, and where the last line has no ending, that of the line before.
    let before = &text[..lines.start];
    let eol = line_ending(text);
    let mut start = match before.strip_suffix(eol) {
        Some(rest) if rest.is_empty() || rest.ends_with('\n') => rest.len(),
        _ => lines.start,
    };
    if lines.end == text.len() && !text.ends_with('\n') {
        start = text[..start].strip_suffix(eol).map_or(start, str::len);
    }
    vec![TextEdits::default().delete(start..lines.end).apply(text)]
}

/// Writes the section of an entry.
fn section(place: &EntryPlace<'_>, entry: &DocumentValue, eol: &str) -> String {
    let keys = place.keys.iter().map(|key| bare_key(key));
    let (header, entry) = match place.list {
        Some(list) => (format!("[[{}]]", keys.collect::<Vec<_>>().join(".")), place.item(list, entry)),
        None => {
            let keys = keys.chain([bare_key(place.name)]).collect::<Vec<_>>();
            (format!("[{}]", keys.join(".")), entry.clone())
        }
    };
    let mut text = header + eol;
    for (key, value) in entry.members().unwrap_or_default() {
        text.push_str(&format!("{} = {}{eol}", bare_key(key), inline(value)));
    }
    text
}

/// Writes a value on one line.
fn inline(value: &DocumentValue) -> String {
    match value {
        DocumentValue::List(items) => {
            format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", "))
        }
        DocumentValue::Map(members) => {
            let member =
                |(key, value): &(String, DocumentValue)| format!("{} = {}", bare_key(key), inline(value));
            format!("{{ {} }}", members.iter().map(member).collect::<Vec<_>>().join(", "))
        }
        DocumentValue::Null => "\"\"".to_owned(),
        value => value.to_json().to_string(),
    }
}

fn bare_key(key: &str) -> String {
    let is_bare = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    if is_bare { key.to_owned() } else { quoted(key) }
}

/// Returns the lines of the entry: its section with the sections below it, or its line in the section above.
fn lines_of_entry(text: &str, place: &EntryPlace<'_>) -> Option<Range<usize>> {
    let document = Document::parse(text).ok()?;
    let mut table: &Item = document.as_item();
    for key in place.keys {
        table = table.get(key)?;
    }
    let mut range = None;
    match place.list {
        Some(list) => {
            let tables = table.as_array_of_tables()?;
            let is_entry = |table: &&Table| table.get(list).and_then(Item::as_str) == Some(place.name);
            cover_table(tables.iter().find(is_entry)?, &mut range);
        }
        None => {
            let (key, item) = table.as_table_like()?.get_key_value(place.name)?;
            if !item.is_table() {
                cover(key.span(), &mut range);
            }
            cover_item(item, &mut range);
        }
    }
    let range = range?;
    Some(line_start(text, range.start)..next_line(text, range.end))
}

fn cover_item(item: &Item, range: &mut Option<Range<usize>>) {
    match item {
        Item::Table(table) => cover_table(table, range),
        Item::ArrayOfTables(tables) => tables.iter().for_each(|table| cover_table(table, range)),
        item => cover(item.span(), range),
    }
}

fn cover_table(table: &Table, range: &mut Option<Range<usize>>) {
    if !table.is_implicit() {
        cover(table.span(), range);
    }
    for (_, item) in table {
        cover_item(item, range);
    }
}

fn cover(span: Option<Range<usize>>, range: &mut Option<Range<usize>>) {
    let Some(span) = span else { return };
    *range = Some(match range.take() {
        Some(old) => old.start.min(span.start)..old.end.max(span.end),
        None => span,
    });
}
