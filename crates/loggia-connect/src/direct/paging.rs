//! Paging of tools that a manifest writes: any style of the API, behind one argument `cursor`.
//!
//! Invariant: a cursor is the next value of the API's own parameter, so that no state is kept between two calls.

use bytes::Bytes;
use http::HeaderMap;
use loggia_openapi::next_link_value;
use serde_json::Value;

use crate::filter::FilterRunner;
use crate::manifest::{PagingStyle, ToolPaging};

/// The page that a call asks for.
#[derive(Debug, Clone, Default)]
pub(super) struct PageRequest {
    /// The cursor of the caller.
    pub(super) cursor: Option<String>,
    /// The page size that was sent.
    pub(super) size: Option<u64>,
}

/// Returns the value of the API's parameter for a cursor.
pub(super) fn native_value(paging: &ToolPaging, cursor: &str) -> Value {
    let is_number = matches!(paging.style, PagingStyle::Page | PagingStyle::Offset);
    let number = cursor.parse::<u64>().ok().filter(|_| is_number);
    number.map_or_else(|| Value::from(cursor), Value::from)
}

/// Returns the cursor of the next page; `None` if there is none.
pub(super) async fn next(
    paging: &ToolPaging,
    page: &PageRequest,
    headers: &HeaderMap,
    body: &Bytes,
    filters: &FilterRunner,
) -> Option<String> {
    if paging.style == PagingStyle::Link {
        return next_link_value(headers, &paging.cursor);
    }
    let current = || page.cursor.as_deref().and_then(|cursor| cursor.parse::<u64>().ok());
    let following = |count: u64| match paging.style {
        PagingStyle::Page => current().unwrap_or(1).saturating_add(1).to_string(),
        _ => current().unwrap_or(0).saturating_add(count).to_string(),
    };
    let Some(filter) = &paging.next else {
        // Without a filter, a full page may have another one behind it.
        let count = count_of(body)?;
        let is_full = count > 0 && page.size.is_some_and(|size| count >= size);
        return is_full.then(|| following(count));
    };
    match filters.first(filter, body.clone()).await.ok()??.to_value() {
        Value::String(cursor) => Some(cursor).filter(|cursor| !cursor.is_empty()),
        Value::Number(cursor) => Some(cursor.to_string()),
        Value::Bool(true) if paging.style != PagingStyle::Cursor => {
            Some(following(page.size.or_else(|| count_of(body)).unwrap_or(0)))
        }
        _ => None,
    }
}

/// Returns the length of the list in a response: the response itself, or its one member that is a list.
fn count_of(body: &[u8]) -> Option<u64> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let list = match &body {
        Value::Array(items) => items,
        Value::Object(members) => {
            let mut lists = members.values().filter_map(Value::as_array);
            let list = lists.next()?;
            if lists.next().is_some() {
                return None;
            }
            list
        }
        _ => return None,
    };
    Some(list.len() as u64)
}
