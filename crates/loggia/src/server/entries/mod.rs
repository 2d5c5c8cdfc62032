//! The entries of a server's lists: tools, prompts and resources, checked when they are registered.

pub(super) mod prompts;
pub(super) mod resources;
pub(super) mod tools;

use std::collections::HashMap;

use super::list::Paging;

/// Mistakes in a definition, one sentence each.
pub(crate) type Problems = Vec<String>;

/// One kind, as it is being registered.
pub(crate) struct Registration<E, L> {
    what: &'static str,
    key: fn(&E) -> &str,
    list: fn(Vec<E>, Paging) -> L,
    entries: Vec<E>,
    /// Of the same type as the map of a list, and so compiled once.
    keys: HashMap<String, usize>,
    problems: Problems,
}

impl<E, L> Registration<E, L> {
    fn new(what: &'static str, key: fn(&E) -> &str, list: fn(Vec<E>, Paging) -> L) -> Registration<E, L> {
        let (entries, keys, problems) = Default::default();
        Registration { what, key, list, entries, keys, problems }
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

    pub(crate) fn into_list(self, paging: Paging) -> L {
        (self.list)(self.entries, paging)
    }
}
