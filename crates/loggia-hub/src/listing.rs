//! Reads the lists of a server in this process, page after page, like a client.

use std::collections::HashSet;
use std::sync::Arc;

use loggia::client::{ListWarning, Listing};
use loggia::exchange::Exchange;
use loggia::model::{ClientCapabilities, PageParams, Prompt, Resource, ResourceTemplate, ServerResult, Tool};
use loggia::service::{Reply, Request};
use loggia::wire::{Method, RawJson, RequestMeta, Version};
use loggia::{Error, Result, Service};

/// A function that returns the entries of a page and the cursor of the next page.
type PageReader<T> = fn(ServerResult) -> Option<(Vec<T>, Option<String>)>;

/// Reads the whole list of `method`, up to `most_pages` pages. The entries need no checks, because they are not
/// parsed.
pub(crate) async fn all<T>(
    service: &dyn Service,
    method: Method,
    take: PageReader<T>,
    most_pages: usize,
) -> Result<Listing<T>> {
    let mut listing = Listing::default();
    let mut cursors = HashSet::new();
    let mut cursor = None;
    for _ in 0..most_pages {
        let (exchange, _outbox, _guard) = Exchange::new(None);
        let reply = service.call(request(&method, cursor)?, exchange).await.map_err(Error::Rpc)?;
        let Some((page, next)) = take(result(&method, reply)?) else {
            return Err(Error::Protocol(format!("{method} answered with the result of something else")));
        };
        listing.entries.extend(page);
        match next {
            None => return Ok(listing),
            Some(next) if !cursors.insert(next.clone()) => {
                listing.warn(ListWarning::RepeatedCursor(next));
                return Ok(listing);
            }
            Some(next) => cursor = Some(next),
        }
    }
    listing.warn(ListWarning::TooManyPages(most_pages));
    Ok(listing)
}

fn request(method: &Method, cursor: Option<String>) -> Result<Request> {
    let params = PageParams { cursor, ..PageParams::default() };
    let params = RawJson::of(&params);
    let meta = RequestMeta {
        version: Version::LATEST,
        client_info: None,
        client_capabilities: ClientCapabilities::default(),
        log_level: None,
        progress_token: None,
        extra: Default::default(),
    };
    Ok(Request { method: method.clone(), params: params.into(), meta: Arc::new(meta), principal: None })
}

/// Returns the neutral form of a reply.
pub(crate) fn result(method: &Method, reply: Reply) -> Result<ServerResult> {
    match reply {
        Reply::Result(result) => Ok(result),
        Reply::Shared(shared) => Ok(shared.result().clone()),
        Reply::Raw(relayed) => relayed.decode(method).map_err(|error| Error::Protocol(error.to_string())),
    }
}

pub(crate) fn tools(result: ServerResult) -> Option<(Vec<Tool>, Option<String>)> {
    match result {
        ServerResult::ListTools(page) => Some((page.tools, page.next_cursor)),
        _ => None,
    }
}

pub(crate) fn prompts(result: ServerResult) -> Option<(Vec<Prompt>, Option<String>)> {
    match result {
        ServerResult::ListPrompts(page) => Some((page.prompts, page.next_cursor)),
        _ => None,
    }
}

pub(crate) fn resources(result: ServerResult) -> Option<(Vec<Resource>, Option<String>)> {
    match result {
        ServerResult::ListResources(page) => Some((page.resources, page.next_cursor)),
        _ => None,
    }
}

pub(crate) fn templates(result: ServerResult) -> Option<(Vec<ResourceTemplate>, Option<String>)> {
    match result {
        ServerResult::ListResourceTemplates(page) => Some((page.resource_templates, page.next_cursor)),
        _ => None,
    }
}
