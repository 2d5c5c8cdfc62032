//! What a server may offer. Each kind is reached by way of what was registered: a server with tools alone does
//! not carry the code of prompts, resources and completions along.

pub(super) mod completions;
pub(super) mod prompts;
pub(super) mod resources;
pub(super) mod tools;

use std::collections::HashMap;
use std::sync::Arc;

use loggia_wire::json::FromJson;
use loggia_wire::{RawObject, RpcError};

use super::core::ServerCore;
use super::list::{List, ListEntry};
use crate::exchange::Exchange;
use crate::future::BoxFuture;
use crate::model::{CacheHints, ServerResult};
use crate::service::{Outcome, Reply, Request};

/// Answers the requests for one kind.
pub(crate) type RequestHandler = fn(Arc<ServerCore>, Request, Exchange) -> BoxFuture<'static, Outcome>;

/// Mistakes in a definition, one sentence each.
pub(crate) type Problems = Vec<String>;

/// One kind, as a server offers it: `L` lists what there is of it.
pub(crate) struct Offer<L> {
    pub(crate) list: L,
    pub(crate) answer: RequestHandler,
}

/// Size of the pages of a list, and their cache hints.
#[derive(Clone, Copy)]
pub(crate) struct Paging {
    /// Most entries on a page.
    pub(crate) size: usize,
    pub(crate) cache: CacheHints,
}

/// One kind, as it is being registered.
pub(crate) struct Registration<E, L> {
    what: &'static str,
    key: fn(&E) -> &str,
    list: fn(Vec<E>, Paging) -> L,
    answer: RequestHandler,
    entries: Vec<E>,
    /// Of the same type as the map of a list, and so compiled once.
    keys: HashMap<String, usize>,
    problems: Problems,
}

impl<E, L> Registration<E, L> {
    fn new(
        what: &'static str,
        key: fn(&E) -> &str,
        list: fn(Vec<E>, Paging) -> L,
        answer: RequestHandler,
    ) -> Registration<E, L> {
        let (entries, keys, problems) = Default::default();
        Registration { what, key, list, answer, entries, keys, problems }
    }

    /// Adds an entry, or what is wrong with it. No two have one key.
    pub(crate) fn add(&mut self, checked: Result<E, Problems>) {
        match checked {
            Ok(entry) => {
                let key = (self.key)(&entry);
                match self.keys.insert(key.to_owned(), self.entries.len()) {
                    Some(_) => self.problems.push(format!("{} {key:?} is registered twice", self.what)),
                    None => self.entries.push(entry),
                }
            }
            Err(more) => self.problems.extend(more),
        }
    }

    pub(crate) fn entries(&self) -> &[E] {
        &self.entries
    }

    pub(crate) fn take_problems(&mut self) -> Problems {
        std::mem::take(&mut self.problems)
    }

    pub(crate) fn offer(self, paging: Paging) -> Offer<L> {
        Offer { list: (self.list)(self.entries, paging), answer: self.answer }
    }
}

/// The page of `list` that is asked for.
fn page<T: ListEntry>(list: Option<&List<T>>, request: &Request) -> BoxFuture<'static, Outcome> {
    let not_found = || RpcError::method_not_found(request.method.as_str());
    let page = list.ok_or_else(not_found).and_then(|list| list.page(cursor(request)?.as_deref()));
    Box::pin(std::future::ready(page))
}

fn cursor(request: &Request) -> Result<Option<String>, RpcError> {
    RawObject::of(&request.params).map_err(invalid)?.get("cursor").map_err(invalid)
}

fn result(result: impl Into<ServerResult>) -> Reply {
    Reply::from(result.into())
}

fn read_params<T: FromJson>(request: &Request) -> Result<T, RpcError> {
    request.params.read().map_err(invalid)
}

fn invalid(reason: impl std::fmt::Display) -> RpcError {
    RpcError::invalid_params(format!("Invalid params: {reason}"))
}
