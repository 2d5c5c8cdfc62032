//! Paging. APIs page by a cursor, a page number, an offset or the `Link` header (RFC 8288); tools show one argument,
//! `cursor`, for all of them.
//!
//! Invariant: a cursor is the next value of the API's own argument, so the crate keeps no state between two calls.

use http::HeaderMap;
use http::header::LINK;
use loggia_wire::{JsonObject, RawJson};

use crate::arguments::{Argument, CURSOR};
use crate::document::{boolean, items, member, members, string};
use crate::parameter::plain;

/// The meaning of the argument that pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PagingKind {
    /// A text that the response before named.
    Cursor,
    /// The id of the last item.
    LastItem,
    /// A page's number, from 1.
    Page,
    /// The number of items before the page.
    Offset,
}

/// The paging of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Paging {
    /// The argument that pages, which the tool does not show.
    pub(crate) argument: String,
    /// Its name in the API.
    pub(crate) native: String,
    pub(crate) kind: PagingKind,
    /// The argument for the number of items.
    pub(crate) size: Option<String>,
}

const CURSORS: [&str; 12] = [
    "cursor",
    "start_cursor",
    "page_token",
    "pagetoken",
    "next_token",
    "nexttoken",
    "continuation",
    "continuation_token",
    "after",
    "next_cursor",
    "page_cursor",
    "marker",
];
const LAST_ITEMS: [&str; 1] = ["starting_after"];
const PAGES: [&str; 3] = ["page", "page_number", "pagenumber"];
const OFFSETS: [&str; 4] = ["offset", "skip", "start_at", "startat"];
const SIZES: [&str; 8] =
    ["limit", "per_page", "page_size", "pagesize", "perpage", "max_results", "maxresults", "count"];
/// Paths to the next cursor in a response.
pub(crate) const NEXT: [&[&str]; 13] = [
    &["next_cursor"],
    &["nextCursor"],
    &["next_page_token"],
    &["nextPageToken"],
    &["next_token"],
    &["nextToken"],
    &["continuation"],
    &["response_metadata", "next_cursor"],
    &["paging", "next", "after"],
    &["next_page", "offset"],
    &["pagination", "next_cursor"],
    &["meta", "next_cursor"],
    &["pageInfo", "endCursor"],
];

impl Paging {
    /// Recognises the paging of an operation by the names of its arguments.
    pub(crate) fn recognise(arguments: &[Argument]) -> Option<Paging> {
        // An argument that must be given is no page: the first one needs none.
        let optional = || arguments.iter().filter(|argument| !argument.required);
        let find = |names: &[&str]| {
            optional().find(|argument| names.contains(&argument.name.to_ascii_lowercase().as_str()))
        };
        let size = find(&SIZES);
        let kinds: [(&[&str], PagingKind); 4] = [
            (&CURSORS, PagingKind::Cursor),
            (&LAST_ITEMS, PagingKind::LastItem),
            (&PAGES, PagingKind::Page),
            (&OFFSETS, PagingKind::Offset),
        ];
        let (argument, kind) = kinds.into_iter().find_map(|(names, kind)| Some((find(names)?, kind)))?;
        // `after` without a size is more often a date or a commit.
        if argument.name.eq_ignore_ascii_case("after") && size.is_none() {
            return None;
        }
        // Another argument of this name would be hidden.
        let is_taken = argument.name != CURSOR && arguments.iter().any(|argument| argument.name == CURSOR);
        (!is_taken).then(|| Paging {
            argument: argument.name.clone(),
            native: argument.api_name.clone(),
            kind,
            size: size.map(|argument| argument.name.clone()),
        })
    }

    /// Returns the JSON value of the API's own argument for a cursor.
    pub(crate) fn native_value(&self, cursor: &str) -> RawJson {
        let number =
            cursor.parse::<u64>().ok().filter(|_| matches!(self.kind, PagingKind::Page | PagingKind::Offset));
        let written = match number {
            Some(number) => number.to_string().into_bytes(),
            None => serde_json::to_vec(cursor).unwrap_or_else(|_| b"null".to_vec()),
        };
        RawJson::from_written(written)
    }

    /// Returns the cursor of the next page; `None` if there is none.
    pub(crate) fn next(
        &self,
        arguments: &JsonObject,
        headers: &HeaderMap,
        body: Option<&RawJson>,
    ) -> Option<String> {
        if let Some(link) = linked(headers) {
            return link.and_then(|url| query_value(&url, &self.native));
        }
        let body = body?;
        let current = || arguments.get(CURSOR).and_then(plain).and_then(|cursor| cursor.parse::<u64>().ok());
        let count = list_of(body).map_or(0, |items| items.len() as u64);
        let more = ["has_more", "hasMore", "has_next"].iter().find_map(|name| boolean(body, name));
        match self.kind {
            PagingKind::Cursor => {
                let named = NEXT.iter().find_map(|path| at(body, path));
                named.filter(|_| more != Some(false) && page_info(body) != Some(false))
            }
            PagingKind::LastItem => {
                let last = list_of(body)?.pop()?;
                (more == Some(true)).then(|| string(&last, "id")).flatten()
            }
            PagingKind::Page | PagingKind::Offset if at(body, &["next_page", "offset"]).is_some() => {
                at(body, &["next_page", "offset"])
            }
            PagingKind::Page => {
                let is_full = self.size_of(arguments).is_some_and(|size| count >= size);
                more.unwrap_or(is_full).then(|| (current().unwrap_or(1) + 1).to_string())
            }
            PagingKind::Offset => {
                let is_full = self.size_of(arguments).is_some_and(|size| count >= size);
                (count > 0 && more.unwrap_or(is_full)).then(|| (current().unwrap_or(0) + count).to_string())
            }
        }
    }

    fn size_of(&self, arguments: &JsonObject) -> Option<u64> {
        arguments.get(self.size.as_ref()?).and_then(plain)?.parse().ok()
    }
}

/// Returns the list of a response: the response itself, or its one member that is a list.
fn list_of(body: &RawJson) -> Option<Vec<RawJson>> {
    if body.as_text().is_array() {
        return Some(items(body));
    }
    let mut lists = members(body).into_iter().filter(|(_, value)| value.as_text().is_array());
    let (_, list) = lists.next()?;
    lists.next().is_none().then(|| items(&list))
}

fn at(body: &RawJson, path: &[&str]) -> Option<String> {
    let mut value = body.clone();
    for name in path {
        value = member(&value, name)?;
    }
    plain(value.as_text()).filter(|text| !text.is_empty())
}

fn page_info(body: &RawJson) -> Option<bool> {
    boolean(&member(body, "pageInfo")?, "hasNextPage")
}

/// Returns the URL of `rel="next"`. `None` without a `Link` header that pages; `Some(None)` on the last page.
fn linked(headers: &HeaderMap) -> Option<Option<String>> {
    let mut pages = false;
    for value in headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok()) {
        for link in value.split(",<").flat_map(|part| part.split(", <")) {
            let Some((url, parameters)) = link.trim_start_matches('<').split_once('>') else { continue };
            let has = |text: &str| {
                parameters.split(';').any(|parameter| parameter.trim().eq_ignore_ascii_case(text))
            };
            // Some APIs name a next page that has no results.
            if (has("rel=\"next\"") || has("rel=next")) && !has("results=\"false\"") {
                return Some(Some(url.to_owned()));
            }
            pages |= ["next", "prev", "first", "last", "previous"]
                .iter()
                .any(|rel| has(&format!("rel=\"{rel}\"")));
        }
    }
    pages.then_some(None)
}

/// Returns the value of a query parameter in the URL of the next page that the `Link` header names (RFC 8288).
pub fn next_link_value(headers: &HeaderMap, name: &str) -> Option<String> {
    linked(headers).flatten().and_then(|url| query_value(&url, name))
}

fn query_value(url: &str, name: &str) -> Option<String> {
    let query = url.split_once('?')?.1.split('#').next()?;
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let decode = |text: &str| {
        percent_encoding::percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
    };
    pairs.into_iter().find(|(key, _)| decode(key) == name).map(|(_, value)| decode(value))
}
