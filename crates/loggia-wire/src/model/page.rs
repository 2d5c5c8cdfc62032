//! Lists that come in pages, and how long an answer may be kept.

use super::{Extra, Meta, Prompt, Resource, ResourceTemplate, Tool};
use crate::json::shape::{
    DecodeError, Fill, FillRecord, Model, Record, Shape, View, fill_record, record, serde_by_shape, words,
};

/// Parameters of every request for a list.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PageParams {
    /// Where to go on; opaque.
    pub cursor: Option<String>,
    /// `_meta`.
    pub meta: Option<Meta>,
    /// Members we do not know.
    pub extra: Extra,
}

record!(PageParams { cursor, meta = "_meta" });

/// How long, and by whom, a result may be kept. Required since 2026-07-28, absent before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CacheHints {
    /// For how many milliseconds it is fresh.
    pub ttl_ms: Option<u64>,
    /// Who may share it.
    pub cache_scope: Option<CacheScope>,
}

impl Shape for CacheHints {
    fn view(&self) -> View<'_> {
        View::Record(self)
    }
}

impl Fill for CacheHints {
    fn fill(&mut self, text: &[u8]) -> Result<(), DecodeError> {
        fill_record(self, text)
    }
}

impl Record for CacheHints {
    fn each(&self, show: &mut dyn FnMut(&'static str, &dyn Shape)) {
        show("ttlMs", &self.ttl_ms);
        show("cacheScope", &self.cache_scope);
    }
}

impl FillRecord for CacheHints {
    fn each_mut(&mut self, fill: &mut dyn FnMut(&'static str, &mut dyn Fill)) {
        fill("ttlMs", &mut Ttl(&mut self.ttl_ms));
        fill("cacheScope", &mut self.cache_scope);
    }
}

impl Model for CacheHints {
    fn blank() -> CacheHints {
        CacheHints::default()
    }
}

serde_by_shape!(CacheHints);

/// A negative time to live is to be read as zero (specification, "Time-to-Live (TTL) Field").
struct Ttl<'a>(&'a mut Option<u64>);

impl Fill for Ttl<'_> {
    fn fill(&mut self, text: &[u8]) -> Result<(), DecodeError> {
        *self.0 = Option::<f64>::read(text)?.map(|ms| ms.max(0.0) as u64);
        Ok(())
    }

    fn may_be_absent(&self) -> bool {
        true
    }
}

/// Who may share a kept result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheScope {
    /// Anybody.
    Public,
    /// Whoever has the same authorization.
    Private,
}

words!(CacheScope { Public = "public", Private = "private" });

impl CacheHints {
    /// Fresh for `ttl_ms` milliseconds.
    pub const fn new(ttl_ms: u64, cache_scope: CacheScope) -> CacheHints {
        CacheHints { ttl_ms: Some(ttl_ms), cache_scope: Some(cache_scope) }
    }
}

macro_rules! list_result {
    ($(#[$doc:meta])* $name:ident, $member:ident = $json:literal: $item:ty) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Default)]
        pub struct $name {
            /// This page.
            pub $member: Vec<$item>,
            /// Where to go on; absent on the last page.
            pub next_cursor: Option<String>,
            /// How long it may be kept.
            pub cache: CacheHints,
            /// `_meta`.
            pub meta: Option<Meta>,
            /// Members we do not know.
            pub extra: Extra,
        }

        record!($name { $member = $json, next_cursor = "nextCursor", meta = "_meta"; cache });
    };
}

list_result! {
    /// Result of `tools/list`.
    ListToolsResult, tools = "tools": Tool
}
list_result! {
    /// Result of `resources/list`.
    ListResourcesResult, resources = "resources": Resource
}
list_result! {
    /// Result of `resources/templates/list`.
    ListResourceTemplatesResult, resource_templates = "resourceTemplates": ResourceTemplate
}
list_result! {
    /// Result of `prompts/list`.
    ListPromptsResult, prompts = "prompts": Prompt
}
