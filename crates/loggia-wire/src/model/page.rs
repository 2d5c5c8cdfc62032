//! Pages of lists, and cache hints.

use super::{Extra, Meta, Prompt, Resource, ResourceTemplate, Tool};
use crate::json::{DecodeError, FromJson, ToJson};

/// Parameters of every request for a list.
#[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
pub struct PageParams {
    /// The position of the page, an opaque string.
    pub cursor: Option<String>,
    /// `_meta`.
    #[json(rename = "_meta")]
    pub meta: Option<Meta>,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}

/// Cache hints of a result. Required since 2026-07-28, absent before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ToJson, FromJson)]
pub struct CacheHints {
    /// The time for which a result is fresh, in milliseconds.
    #[json(read_with = "time_to_live")]
    pub ttl_ms: Option<u64>,
    /// The clients that may share a cached result.
    pub cache_scope: Option<CacheScope>,
}

/// Reads a time to live. A negative one is read as zero (specification, "Time-to-Live (TTL) Field").
fn time_to_live(text: &[u8]) -> Result<Option<u64>, DecodeError> {
    Ok(Option::<f64>::from_json(text)?.map(|ms| ms.max(0.0) as u64))
}

/// The clients that may share a cached result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ToJson, FromJson)]
pub enum CacheScope {
    /// Every client.
    Public,
    /// Clients with the same authorization.
    Private,
}

impl CacheHints {
    /// Creates the hints of a result that is fresh for `ttl_ms` milliseconds.
    pub const fn new(ttl_ms: u64, cache_scope: CacheScope) -> CacheHints {
        CacheHints { ttl_ms: Some(ttl_ms), cache_scope: Some(cache_scope) }
    }
}

macro_rules! list_result {
    ($(#[$doc:meta])* $name:ident, $member:ident: $item:ty) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
        pub struct $name {
            /// The entries of this page.
            pub $member: Vec<$item>,
            /// The position of the next page; absent on the last page.
            pub next_cursor: Option<String>,
            /// `_meta`.
            #[json(rename = "_meta")]
            pub meta: Option<Meta>,
            /// Cache hints.
            #[json(flatten)]
            pub cache: CacheHints,
            /// Unknown members.
            #[json(flatten)]
            pub extra: Extra,
        }
    };
}

list_result! {
    /// Result of `tools/list`.
    ListToolsResult, tools: Tool
}
list_result! {
    /// Result of `resources/list`.
    ListResourcesResult, resources: Resource
}
list_result! {
    /// Result of `resources/templates/list`.
    ListResourceTemplatesResult, resource_templates: ResourceTemplate
}
list_result! {
    /// Result of `prompts/list`.
    ListPromptsResult, prompts: Prompt
}
