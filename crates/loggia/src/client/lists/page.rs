//! Reads one page of a list. If the page is too long or not valid, reads it entry by entry.

use loggia_wire::model::ServerResult;
use loggia_wire::{RawJson, codec};
use serde_json::value::RawValue;

use super::{ListPage, ListWarning};
use crate::client::params;
use crate::error::{Error, Result};
use crate::limits::Limits;

/// The numbers of bytes that may still be read.
#[derive(Debug, Clone, Copy)]
pub(super) struct PageBounds {
    /// For this list.
    pub(super) left: usize,
    /// For one entry.
    entry: usize,
    /// For a whole list, as text for the warning.
    total: usize,
}

impl PageBounds {
    pub(super) fn of(limits: &Limits) -> PageBounds {
        PageBounds { left: limits.list_bytes, entry: limits.entry_bytes, total: limits.list_bytes }
    }
}

/// The readable part of a page.
#[derive(Debug)]
pub(super) struct PageRead<P> {
    pub(super) page: P,
    /// The key of each entry, and its JSON text.
    pub(super) sources: Vec<(String, RawJson)>,
    pub(super) warnings: Vec<ListWarning>,
    /// The length of the page.
    pub(super) bytes: usize,
    /// True if the list exceeds its bound.
    pub(super) cut: bool,
}

/// Reads a page. Fails if neither its entries nor its cursor can be read.
pub(super) fn read<P: ListPage>(result: &RawJson, bounds: PageBounds) -> Result<PageRead<P>> {
    let bytes = result.as_bytes().len();
    if bytes > bounds.left.min(bounds.entry) {
        return read_entries(result, bounds, None);
    }
    match decode::<P>(result) {
        Ok(mut page) => {
            let sources = sources::<P>(page.entries(), result);
            Ok(PageRead { page, sources, warnings: Vec::new(), bytes, cut: false })
        }
        Err(error) => read_entries(result, bounds, Some(error)),
    }
}

/// Reads a page entry by entry. `error` is the reason why the whole page cannot be read, if there is one.
fn read_entries<P: ListPage>(
    result: &RawJson,
    bounds: PageBounds,
    error: Option<String>,
) -> Result<PageRead<P>> {
    let (page, invalid) = without_entries::<P>(result);
    let entries = result.member(P::MEMBER).map(serde_json::from_slice::<Vec<&RawValue>>);
    let bytes = result.as_bytes().len();
    let mut read = PageRead { page, sources: Vec::new(), warnings: Vec::new(), bytes, cut: false };
    match entries {
        Some(Ok(entries)) => take(&mut read, &entries, bounds),
        None | Some(Err(_)) => {
            let why = error.unwrap_or_else(|| format!("{:?} is no array", P::MEMBER));
            if read.page.cursor().is_none() {
                return Err(Error::Protocol(why));
            }
            read.warnings.push(ListWarning::InvalidPage(why));
        }
    }
    read.warnings.extend(invalid.map(ListWarning::InvalidPage));
    Ok(read)
}

/// Returns the key and the JSON text of each entry of a page. The texts are copied, so that keeping one of them does
/// not keep the whole page in memory.
fn sources<P: ListPage>(entries: &[P::Entry], result: &RawJson) -> Vec<(String, RawJson)> {
    let member = result.member(P::MEMBER).map(|text| result.part_at(text));
    let texts = member.as_ref().and_then(|member| member.as_text().items()).into_iter().flatten();
    entries.iter().zip(texts).map(|(entry, text)| (P::key(entry).to_owned(), text.to_raw())).collect()
}

/// Returns the members of a page without its entries. If they are not valid, only the cursor is kept.
fn without_entries<P: ListPage>(result: &RawJson) -> (P, Option<String>) {
    let empty = params::with_members(result, &[(P::MEMBER, Some(RawJson::from_written(b"[]".to_vec())))]);
    match empty.map_err(|error| error.to_string()).and_then(|rest| decode::<P>(&rest)) {
        Ok(page) => (page, None),
        Err(why) => {
            let mut page = P::default();
            let cursor = result.member("nextCursor").map(serde_json::from_slice::<Option<String>>);
            *page.cursor() = cursor.and_then(Result::ok).flatten();
            (page, Some(why))
        }
    }
}

/// Takes the valid entries within the bounds.
fn take<P: ListPage>(read: &mut PageRead<P>, entries: &[&RawValue], bounds: PageBounds) {
    let mut used = 0;
    for (index, entry) in entries.iter().enumerate() {
        let text = entry.get();
        if used + text.len() > bounds.left {
            read.cut = true;
            return read.warnings.push(ListWarning::TooManyBytes(bounds.total));
        }
        used += text.len();
        if text.len() > bounds.entry {
            read.warnings.push(ListWarning::EntryTooLong(label(index, text), bounds.entry));
            continue;
        }
        match one::<P>(text) {
            Ok(mut page) => {
                let source = RawJson::from_written(text.as_bytes().to_vec());
                let key = |entry: &P::Entry| (P::key(entry).to_owned(), source.clone());
                read.sources.extend(page.entries().iter().map(key));
                read.page.entries().append(page.entries());
            }
            Err(why) => read.warnings.push(ListWarning::InvalidEntry(label(index, text), why)),
        }
    }
    // The other members of the page count, too, so that an endless list reaches the bound.
    read.cut = read.bytes > bounds.left;
    if read.cut {
        read.warnings.push(ListWarning::TooManyBytes(bounds.total));
    }
}

/// Reads one entry, as a page that has only this entry. The error has the path within the entry.
fn one<P: ListPage>(entry: &str) -> Result<P, String> {
    let page = RawJson::from_written(format!("{{\"{}\":[{entry}]}}", P::MEMBER).into_bytes());
    let decoded = codec::decode_complete_result(&P::METHOD, &page);
    page_of(decoded.map_err(|error| within_entry(&error.reason, P::MEMBER).to_owned())?)
}

/// Removes the path of the only entry of the list `member` from the beginning of a reason: `tools.0.name: …` becomes
/// `name: …`.
fn within_entry<'r>(reason: &'r str, member: &str) -> &'r str {
    let place = reason.strip_prefix(member).and_then(|rest| rest.strip_prefix(".0"));
    place.and_then(|rest| rest.strip_prefix('.').or_else(|| rest.strip_prefix(": "))).unwrap_or(reason)
}

fn decode<P: ListPage>(result: &RawJson) -> Result<P, String> {
    let decoded = codec::decode_complete_result(&P::METHOD, result);
    page_of(decoded.map_err(|error| error.to_string())?)
}

fn page_of<P: ListPage>(result: ServerResult) -> Result<P, String> {
    P::take(result).ok_or_else(|| format!("{} answered with the result of something else", P::METHOD))
}

/// Returns the name or URI of an entry as the server wrote it, or its index.
fn label(index: usize, entry: &str) -> String {
    #[derive(serde::Deserialize)]
    struct EntryLabel {
        name: Option<serde_json::Value>,
        uri: Option<serde_json::Value>,
    }
    let named = serde_json::from_str::<EntryLabel>(entry).ok();
    let text = named.and_then(|named| {
        [named.name, named.uri].into_iter().flatten().find_map(|name| name.as_str().map(str::to_owned))
    });
    match text {
        Some(text) => format!("{text:?}"),
        None => format!("the entry number {}", index + 1),
    }
}

#[cfg(test)]
mod tests {
    use loggia_wire::model::ListToolsResult;

    use super::*;

    #[test]
    fn a_warning_names_the_place_within_the_entry_and_not_on_a_page_of_its_own() {
        let good = r#"{"name":"good","inputSchema":{}}"#;
        for (entry, expected) in [
            (r#"{"name":"a"}"#, r#""a" is not valid and is left out: missing field `inputSchema`"#),
            (
                r#"{"name":"a","inputSchema":7}"#,
                r#""a" is not valid and is left out: inputSchema: expected an object, got 7"#,
            ),
            (
                r#"{"name":"a","inputSchema":{},"annotations":{"title":7}}"#,
                r#""a" is not valid and is left out: annotations.title: expected a string, got 7"#,
            ),
            ("7", "the entry number 2 is not valid and is left out: expected an object, got 7"),
        ] {
            let page = RawJson::from_written(format!(r#"{{"tools":[{good},{entry}]}}"#).into_bytes());
            let read =
                read::<ListToolsResult>(&page, PageBounds::of(&Limits::default())).expect("it is kept");
            let warnings: Vec<String> = read.warnings.iter().map(ListWarning::to_string).collect();
            assert_eq!((read.page.tools.len(), &*warnings), (1, &[expected.to_owned()][..]));
        }
    }
}
