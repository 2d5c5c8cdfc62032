//! The last documents, so that the pages of one document come from one version of it. Invariant: it has a bound on
//! documents and on their age.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The maximum number of documents.
const MOST: usize = 8;

/// The time that a document is kept.
const TIME: Duration = Duration::from_secs(300);

/// A document that was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WebDocument {
    /// The URL after redirects.
    pub(super) url: String,
    pub(super) media_type: String,
    pub(super) title: Option<String>,
    pub(super) text: String,
}

/// Documents by URL and form.
#[derive(Debug, Default)]
pub(super) struct DocumentCache(Mutex<VecDeque<CachedDocument>>);

#[derive(Debug)]
struct CachedDocument {
    key: (String, bool),
    end: Instant,
    document: Arc<WebDocument>,
}

impl DocumentCache {
    pub(super) fn get(&self, url: &str, raw: bool, now: Instant) -> Option<Arc<WebDocument>> {
        let documents = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = documents.iter().find(|cached| cached.key.0 == url && cached.key.1 == raw);
        found.filter(|cached| now < cached.end).map(|cached| cached.document.clone())
    }

    pub(super) fn put(&self, url: &str, raw: bool, document: Arc<WebDocument>, now: Instant) {
        let mut documents = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (url.to_owned(), raw);
        documents.retain(|cached| cached.key != key && now < cached.end);
        if documents.len() == MOST {
            documents.pop_front();
        }
        documents.push_back(CachedDocument { key, end: now + TIME, document });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_end_by_age_and_number() {
        let cache = DocumentCache::default();
        let now = Instant::now();
        let document = Arc::new(WebDocument {
            url: String::new(),
            media_type: String::new(),
            title: None,
            text: String::new(),
        });
        for number in 0..=MOST {
            cache.put(&number.to_string(), false, document.clone(), now);
        }
        assert!(cache.get("0", false, now).is_none(), "the first made room");
        assert!(cache.get("1", false, now).is_some());
        assert!(cache.get("1", true, now).is_none(), "the other form");
        assert!(cache.get("1", false, now + TIME).is_none(), "too old");
    }
}
