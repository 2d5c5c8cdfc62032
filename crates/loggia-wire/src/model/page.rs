//! Lists that come in pages, and how long an answer may be kept.

use serde::{Deserialize, Serialize};

use super::{Extra, Meta, Prompt, Resource, ResourceTemplate, Tool};

/// Parameters of every request for a list.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PageParams {
    /// Where to go on; opaque.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// `_meta`.
    #[serde(rename = "_meta", default, skip_serializing_if = "Option::is_none")]
    pub meta: Option<Meta>,
    /// Members we do not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// How long, and by whom, a result may be kept. Required since 2026-07-28, absent before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CacheHints {
    /// For how many milliseconds it is fresh.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "ttl")]
    pub ttl_ms: Option<u64>,
    /// Who may share it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_scope: Option<CacheScope>,
}

/// A negative time to live is to be read as zero (specification, "Time-to-Live (TTL) Field").
fn ttl<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let ttl = Option::<f64>::deserialize(deserializer)?;
    Ok(ttl.map(|ms| ms.max(0.0) as u64))
}

/// Who may share a kept result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CacheScope {
    /// Anybody.
    Public,
    /// Whoever has the same authorization.
    Private,
}

impl CacheHints {
    /// Fresh for `ttl_ms` milliseconds.
    pub const fn new(ttl_ms: u64, cache_scope: CacheScope) -> CacheHints {
        CacheHints { ttl_ms: Some(ttl_ms), cache_scope: Some(cache_scope) }
    }
}

macro_rules! list_result {
    ($(#[$doc:meta])* $name:ident, $member:ident: $item:ty) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            /// This page.
            pub $member: Vec<$item>,
            /// Where to go on; absent on the last page.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub next_cursor: Option<String>,
            /// How long it may be kept.
            #[serde(flatten)]
            pub cache: CacheHints,
            /// `_meta`.
            #[serde(rename = "_meta", default, skip_serializing_if = "Option::is_none")]
            pub meta: Option<Meta>,
            /// Members we do not know.
            #[serde(flatten)]
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
