//! The cache of results that a server allows to keep (`ttlMs`, `cacheScope`), each page separately. It reads no
//! clock: the time is an argument.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use loggia_wire::model::{CacheHints, CacheScope};
use loggia_wire::{Method, RawJson};
use serde_json::Value;

use crate::changes::Change;
use crate::client::engine::RawReply;

/// The key of a result: the method and every parameter except `_meta`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct CacheKey {
    method: Method,
    params: String,
    /// The capabilities that the request declared, if they differ from the client's.
    declared: Option<String>,
}

impl CacheKey {
    /// Returns the key of a request; `None` if its result must not be cached.
    pub(crate) fn of(method: &Method, params: &RawJson, declared: Option<String>) -> Option<CacheKey> {
        let cacheable = matches!(
            method,
            Method::ListTools
                | Method::ListPrompts
                | Method::ListResources
                | Method::ListResourceTemplates
                | Method::ReadResource
        );
        let mut params: serde_json::Map<String, Value> = params.decode().ok().filter(|_| cacheable)?;
        params.remove("_meta");
        // The key does not contain answers of the user or the model ("Cache Key"): such a request is not cached.
        if params.contains_key("inputResponses") || params.contains_key("requestState") {
            return None;
        }
        Some(CacheKey { method: method.clone(), params: Value::Object(params).to_string(), declared })
    }
}

/// The cached results of one server.
#[derive(Debug)]
pub(crate) struct ReplyCache {
    entries: HashMap<(CacheKey, Option<String>), CacheEntry>,
    bytes: usize,
    most_entries: usize,
    most_bytes: usize,
    /// The number of invalidations. A result of a request that was sent before the last one is not cached.
    generation: u64,
}

#[derive(Debug)]
struct CacheEntry {
    reply: RawReply,
    fresh_until: Instant,
    /// The URI of the resource that was read.
    uri: Option<String>,
}

/// The maximum time that a result is cached, whatever the server says.
const MAX_TTL: Duration = Duration::from_secs(24 * 60 * 60);

impl ReplyCache {
    pub(crate) fn new(most_entries: usize, most_bytes: usize) -> ReplyCache {
        ReplyCache { entries: HashMap::new(), bytes: 0, most_entries, most_bytes, generation: 0 }
    }

    /// Returns the cached result for `key`, if it is fresh. `context` names the caller's authorization.
    pub(crate) fn get(&self, key: &CacheKey, context: Option<&str>, now: Instant) -> Option<RawReply> {
        let private = (key.clone(), context.map(str::to_owned));
        let public = (key.clone(), None);
        let entry = self.entries.get(&private).or_else(|| self.entries.get(&public))?;
        (now < entry.fresh_until).then(|| entry.reply.clone())
    }

    /// Returns the current generation. Call it before a request is sent, and pass it to [`put`](ReplyCache::put) with
    /// the result.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// Caches `reply`, received at `now`, if its hints allow it. `context` names the caller's authorization. Without
    /// a context the whole cache belongs to one caller, so private results are cached, too.
    pub(crate) fn put(
        &mut self,
        key: CacheKey,
        context: Option<&str>,
        reply: RawReply,
        generation: u64,
        now: Instant,
    ) {
        let Ok(hints) = reply.result.read::<CacheHints>() else { return };
        let ttl = Duration::from_millis(hints.ttl_ms.unwrap_or(0)).min(MAX_TTL);
        let size = reply.result.as_bytes().len();
        let complete = reply.result.member("resultType").is_none_or(|kind| kind == b"\"complete\"");
        if ttl.is_zero() || !complete || generation != self.generation || size > self.most_bytes {
            return;
        }
        let owner = match hints.cache_scope {
            Some(CacheScope::Public) => None,
            // A result without a scope is treated as private.
            _ => context.map(str::to_owned),
        };
        let uri = (key.method == Method::ReadResource)
            .then(|| serde_json::from_str::<Value>(&key.params).ok()?.get("uri")?.as_str().map(str::to_owned))
            .flatten();
        self.remove(&(key.clone(), owner.clone()));
        self.make_room(size);
        self.bytes += size;
        self.entries.insert((key, owner), CacheEntry { reply, fresh_until: now + ttl, uri });
    }

    /// Removes the results that `change` makes invalid.
    pub(crate) fn invalidate(&mut self, change: &Change) {
        self.forget_where(|key, entry| match change {
            Change::Tools => key.method == Method::ListTools,
            Change::Prompts => key.method == Method::ListPrompts,
            Change::Resources => matches!(key.method, Method::ListResources | Method::ListResourceTemplates),
            Change::Resource(uri) => entry.uri.as_ref() == Some(uri),
        });
    }

    /// Removes the pages of one list.
    pub(crate) fn forget(&mut self, method: &Method) {
        self.forget_where(|key, _| key.method == *method);
    }

    /// Removes all results.
    pub(crate) fn clear(&mut self) {
        self.forget_where(|_, _| true);
    }

    fn forget_where(&mut self, unwanted: impl Fn(&CacheKey, &CacheEntry) -> bool) {
        self.generation += 1;
        self.entries.retain(|(key, _), entry| !unwanted(key, entry));
        self.bytes = self.entries.values().map(|entry| entry.reply.result.as_bytes().len()).sum();
    }

    fn remove(&mut self, key: &(CacheKey, Option<String>)) {
        if let Some(entry) = self.entries.remove(key) {
            self.bytes -= entry.reply.result.as_bytes().len();
        }
    }

    /// Removes the results that would expire first.
    fn make_room(&mut self, size: usize) {
        while self.entries.len() >= self.most_entries || self.bytes + size > self.most_bytes {
            let stalest =
                self.entries.iter().min_by_key(|(_, entry)| entry.fresh_until).map(|(key, _)| key.clone());
            match stalest {
                Some(key) => self.remove(&key),
                None => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use loggia_wire::Version;
    use serde_json::json;

    fn reply(result: Value) -> RawReply {
        RawReply { version: Version::LATEST, result: RawJson::from(&result) }
    }

    fn list_key(cursor: &str) -> CacheKey {
        let params = json!({ "cursor": cursor, "_meta": { "progressToken": cursor.len() } });
        CacheKey::of(&Method::ListTools, &RawJson::from(&params), None).expect("lists are cacheable")
    }

    fn read_key(uri: &str) -> CacheKey {
        CacheKey::of(&Method::ReadResource, &RawJson::from(&json!({ "uri": uri })), None)
            .expect("reads are cacheable")
    }

    #[test]
    fn what_is_kept_and_for_how_long() {
        let start = Instant::now();
        let fresh = |result: Value, after: u64| {
            let mut cache = ReplyCache::new(4, 1000);
            cache.put(list_key(""), None, reply(result), 0, start);
            cache.get(&list_key(""), None, start + Duration::from_millis(after)).is_some()
        };
        assert!(fresh(json!({ "ttlMs": 10, "cacheScope": "public" }), 9));
        assert!(!fresh(json!({ "ttlMs": 10, "cacheScope": "public" }), 10));
        assert!(fresh(json!({ "ttlMs": 10, "resultType": "complete" }), 9));
        assert!(!fresh(json!({ "ttlMs": 10, "resultType": "input_required" }), 9));
        assert!(!fresh(json!({ "ttlMs": 0 }), 0));
        assert!(!fresh(json!({ "ttlMs": -5 }), 0));
        assert!(!fresh(json!({}), 0));
        assert!(!fresh(json!({ "ttlMs": 10, "pad": "x".repeat(1000) }), 0));
    }

    #[test]
    fn requests_that_may_not_be_answered_from_the_cache_have_no_key() {
        let key = |method: &Method, params: Value| CacheKey::of(method, &RawJson::from(&params), None);
        assert_eq!(key(&Method::CallTool, json!({ "name": "t" })), None);
        assert_eq!(key(&Method::ReadResource, json!({ "uri": "a", "requestState": "s" })), None);
        assert_eq!(key(&Method::ReadResource, json!({ "uri": "a", "inputResponses": {} })), None);
        assert_ne!(list_key("a"), list_key("b"));
    }

    #[test]
    fn private_results_stay_with_their_caller() {
        let now = Instant::now();
        let mut cache = ReplyCache::new(4, 1000);
        cache.put(
            list_key("private"),
            Some("ann"),
            reply(json!({ "ttlMs": 10, "cacheScope": "private" })),
            0,
            now,
        );
        cache.put(
            list_key("public"),
            Some("ann"),
            reply(json!({ "ttlMs": 10, "cacheScope": "public" })),
            0,
            now,
        );
        cache.put(list_key("silent"), Some("ann"), reply(json!({ "ttlMs": 10 })), 0, now);
        for (cursor, ann, bob) in [("private", true, false), ("public", true, true), ("silent", true, false)]
        {
            assert_eq!(cache.get(&list_key(cursor), Some("ann"), now).is_some(), ann, "{cursor}");
            assert_eq!(cache.get(&list_key(cursor), Some("bob"), now).is_some(), bob, "{cursor}");
        }
    }

    #[test]
    fn notifications_invalidate_what_they_name_and_what_is_under_way() {
        let now = Instant::now();
        let mut cache = ReplyCache::new(4, 1000);
        let asked = cache.generation();
        let kept = json!({ "ttlMs": 10 });
        cache.put(list_key(""), None, reply(kept.clone()), asked, now);
        cache.put(read_key("a"), None, reply(kept.clone()), asked, now);
        cache.put(read_key("b"), None, reply(kept.clone()), asked, now);
        cache.invalidate(&Change::Resource("a".to_owned()));
        assert!(cache.get(&read_key("a"), None, now).is_none());
        assert!(cache.get(&read_key("b"), None, now).is_some());
        assert!(cache.get(&list_key(""), None, now).is_some());
        cache.put(read_key("a"), None, reply(kept), asked, now);
        assert!(cache.get(&read_key("a"), None, now).is_none(), "asked before the change, answered after");
    }

    #[test]
    fn the_stalest_goes_first() {
        let now = Instant::now();
        let mut cache = ReplyCache::new(2, 1000);
        for (cursor, ttl) in [("long", 30), ("short", 10), ("middle", 20)] {
            cache.put(list_key(cursor), None, reply(json!({ "ttlMs": ttl })), 0, now);
        }
        assert!(cache.get(&list_key("long"), None, now).is_some());
        assert!(cache.get(&list_key("short"), None, now).is_none());
        assert!(cache.get(&list_key("middle"), None, now).is_some());
        let mut small = ReplyCache::new(10, 100);
        for cursor in ["a", "b", "c"] {
            small.put(list_key(cursor), None, reply(json!({ "ttlMs": 10, "pad": "x".repeat(30) })), 0, now);
        }
        assert!(small.bytes <= 100);
        assert_eq!(small.entries.len(), 1 + usize::from(small.bytes > 60));
    }
}
