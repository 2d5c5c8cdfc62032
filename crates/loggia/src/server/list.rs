//! Lists of a server: entries in the order in which they were registered, cut into pages that are built
//! once and shared by every request until the list changes.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use loggia_wire::RpcError;
use std::collections::BTreeMap;

use crate::model::{CacheHints, ServerResult};
use crate::service::{Reply, SharedResult};

/// Size of the pages of a list, and their cache hints.
#[derive(Clone, Copy)]
pub(crate) struct Paging {
    /// Most entries on a page.
    pub(crate) size: usize,
    pub(crate) cache: CacheHints,
}

/// Something that is listed.
pub(crate) trait ListEntry: Send + Sync + 'static {
    /// The form of the entry in the list.
    type Item;
    /// The result that carries a page.
    type Page: Into<ServerResult>;
    /// Tells cursors of different lists apart.
    const LIST: char;

    /// Its name or URI, unique in its list.
    fn key(&self) -> &str;
    /// The form of the entry in the list.
    fn item(&self) -> Self::Item;
    /// One page.
    fn page(items: Vec<Self::Item>, next_cursor: Option<String>, cache: CacheHints) -> Self::Page;
}

/// A list that can be changed while it is read: a reader holds a snapshot.
pub(crate) struct List<T> {
    paging: Paging,
    current: RwLock<Arc<ListSnapshot<T>>>,
}

struct ListSnapshot<T> {
    /// In order of their numbers. A number is never used again, so a cursor stays true when others go.
    entries: Vec<(u64, Arc<T>)>,
    /// Index of each key among the entries.
    by_key: HashMap<String, usize>,
    /// Pages by the number after which they begin.
    pages: BTreeMap<u64, Arc<SharedResult>>,
    next: u64,
}

impl<T: ListEntry> List<T> {
    /// A list of `entries`, whose keys must differ.
    pub(crate) fn new(entries: Vec<T>, paging: Paging) -> List<T> {
        let next = entries.len() as u64 + 1;
        let entries = (1..).zip(entries.into_iter().map(Arc::new)).collect();
        let list = List { paging, current: RwLock::new(Arc::new(ListSnapshot::empty())) };
        list.replace(entries, next);
        list
    }

    pub(crate) fn get(&self, key: &str) -> Option<Arc<T>> {
        let snapshot = self.snapshot();
        snapshot.by_key.get(key).map(|at| snapshot.entries[*at].1.clone())
    }

    /// The first entry that `select` makes something of, in order.
    pub(crate) fn find_map<R>(&self, select: impl Fn(&Arc<T>) -> Option<R>) -> Option<R> {
        self.snapshot().entries.iter().find_map(|(_, entry)| select(entry))
    }

    /// Adds an entry, in the place of one with the same key where there is one.
    pub(crate) fn insert(&self, entry: T) {
        self.change(|entries, next| {
            let entry = Arc::new(entry);
            match entries.iter_mut().find(|(_, other)| other.key() == entry.key()) {
                Some((_, place)) => *place = entry,
                None => {
                    entries.push((*next, entry));
                    *next += 1;
                }
            }
            true
        });
    }

    /// Removes an entry. `false` where there is none.
    pub(crate) fn remove(&self, key: &str) -> bool {
        self.change(|entries, _| {
            let before = entries.len();
            entries.retain(|(_, entry)| entry.key() != key);
            entries.len() != before
        })
    }

    /// The page that `cursor` names.
    pub(crate) fn page(&self, cursor: Option<&str>) -> Result<Reply, RpcError> {
        let snapshot = self.snapshot();
        let after = match cursor {
            None => 0,
            Some(cursor) => {
                read_cursor::<T>(cursor).filter(|after| *after < snapshot.next).ok_or_else(|| {
                    RpcError::invalid_params("The cursor is not one of this list: start again without it")
                })?
            }
        };
        match snapshot.pages.get(&after) {
            Some(page) => Ok(Reply::Shared(page.clone())),
            // The list changed since the cursor was given; its place in the order is still known.
            None => Ok(Reply::Result(self.build_page(&snapshot.entries, after).0.into())),
        }
    }

    fn snapshot(&self) -> Arc<ListSnapshot<T>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change(&self, edit: impl FnOnce(&mut Vec<(u64, Arc<T>)>, &mut u64) -> bool) -> bool {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let (mut entries, mut next) = (current.entries.clone(), current.next);
        let changed = edit(&mut entries, &mut next);
        if changed {
            *current = Arc::new(self.build(entries, next));
        }
        changed
    }

    fn replace(&self, entries: Vec<(u64, Arc<T>)>, next: u64) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(self.build(entries, next));
    }

    fn build(&self, entries: Vec<(u64, Arc<T>)>, next: u64) -> ListSnapshot<T> {
        let by_key =
            entries.iter().enumerate().map(|(at, (_, entry))| (entry.key().to_owned(), at)).collect();
        let mut pages = BTreeMap::new();
        let mut after = Some(0);
        while let Some(start) = after {
            let (page, following) = self.build_page(&entries, start);
            pages.insert(start, Arc::new(SharedResult::new(page)));
            after = following;
        }
        ListSnapshot { entries, by_key, pages, next }
    }

    /// The page that begins after the number `after`, and where the next begins.
    fn build_page(&self, entries: &[(u64, Arc<T>)], after: u64) -> (T::Page, Option<u64>) {
        let start = entries.partition_point(|(number, _)| *number <= after);
        let end = entries.len().min(start + self.paging.size);
        let page = &entries[start..end];
        let following = page.last().filter(|_| end < entries.len()).map(|(number, _)| *number);
        let items = page.iter().map(|(_, entry)| entry.item()).collect();
        (T::page(items, following.map(write_cursor::<T>), self.paging.cache), following)
    }
}

impl<T> ListSnapshot<T> {
    fn empty() -> ListSnapshot<T> {
        ListSnapshot { entries: Vec::new(), by_key: HashMap::new(), pages: BTreeMap::new(), next: 1 }
    }
}

fn write_cursor<T: ListEntry>(after: u64) -> String {
    URL_SAFE_NO_PAD.encode(format!("{}{after}", T::LIST))
}

fn read_cursor<T: ListEntry>(cursor: &str) -> Option<u64> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    text.strip_prefix(T::LIST)?.parse().ok()
}
