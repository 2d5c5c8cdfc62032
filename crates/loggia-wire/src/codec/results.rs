//! Removes from results the features that their revision does not have, and adds the members that the newest revision
//! requires.

use super::Downgrade;
use super::items::since;
use crate::json::RawJson;
use crate::model::*;
use crate::version::Version;
use Version::{V2025_06_18, V2025_11_25};

/// The cache hints of a result without hints, if its revision requires them: never fresh, and private.
const NO_CACHING: CacheHints = CacheHints::new(0, CacheScope::Private);

impl Downgrade for CacheHints {
    fn downgrade(&mut self, version: Version) {
        if version.is_modern() {
            self.ttl_ms = self.ttl_ms.or(NO_CACHING.ttl_ms);
            self.cache_scope = self.cache_scope.or(NO_CACHING.cache_scope);
        } else {
            *self = CacheHints::default();
        }
    }
}

impl Downgrade for ServerResult {
    fn downgrade(&mut self, version: Version) {
        match self {
            ServerResult::Initialize(r) => r.downgrade(version),
            ServerResult::Discover(r) => r.downgrade(version),
            ServerResult::ListTools(r) => r.downgrade(version),
            ServerResult::CallTool(r) => r.downgrade(version),
            ServerResult::ListResources(r) => r.downgrade(version),
            ServerResult::ListResourceTemplates(r) => r.downgrade(version),
            ServerResult::ReadResource(r) => r.downgrade(version),
            ServerResult::ListPrompts(r) => r.downgrade(version),
            ServerResult::GetPrompt(r) => r.downgrade(version),
            ServerResult::InputRequired(r) => r.downgrade(version),
            ServerResult::Complete(_) | ServerResult::Empty(_) | ServerResult::Custom(_) => {}
        }
    }
}

impl Downgrade for InitializeResult {
    fn downgrade(&mut self, version: Version) {
        self.capabilities.downgrade(version);
        self.server_info.downgrade(version);
    }
}

impl Downgrade for DiscoverResult {
    fn downgrade(&mut self, version: Version) {
        self.capabilities.downgrade(version);
        self.cache.downgrade(version);
    }
}

impl Downgrade for ListToolsResult {
    fn downgrade(&mut self, version: Version) {
        self.tools.downgrade(version);
        self.cache.downgrade(version);
    }
}

impl Downgrade for ListResourcesResult {
    fn downgrade(&mut self, version: Version) {
        self.resources.downgrade(version);
        self.cache.downgrade(version);
    }
}

impl Downgrade for ListResourceTemplatesResult {
    fn downgrade(&mut self, version: Version) {
        self.resource_templates.downgrade(version);
        self.cache.downgrade(version);
    }
}

impl Downgrade for ListPromptsResult {
    fn downgrade(&mut self, version: Version) {
        self.prompts.downgrade(version);
        self.cache.downgrade(version);
    }
}

impl Downgrade for ReadResourceResult {
    fn downgrade(&mut self, version: Version) {
        self.contents.downgrade(version);
        self.cache.downgrade(version);
    }
}

impl Downgrade for GetPromptResult {
    fn downgrade(&mut self, version: Version) {
        self.messages.downgrade(version);
    }
}

/// Before 2026-07-28 a structured value that is not an object cannot be sent; its text stays.
impl Downgrade for CallToolResult {
    fn downgrade(&mut self, version: Version) {
        since!(version, V2025_06_18: self.structured_content);
        if !version.is_modern() && !self.structured_content.as_ref().is_none_or(RawJson::is_object) {
            self.structured_content = None;
        }
        self.content.downgrade(version);
    }
}

impl Downgrade for InputRequired {
    fn downgrade(&mut self, version: Version) {
        self.input_requests
            .iter_mut()
            .flat_map(|requests| requests.values_mut())
            .for_each(|r| r.downgrade(version));
    }
}

impl Downgrade for CompleteParams {
    fn downgrade(&mut self, version: Version) {
        since!(version, V2025_06_18: self.context);
        if let CompletionReference::Prompt { title, .. } = &mut self.reference {
            since!(version, V2025_06_18: *title);
        }
    }
}

impl Downgrade for InitializeParams {
    fn downgrade(&mut self, version: Version) {
        self.capabilities.downgrade(version);
        self.client_info.downgrade(version);
    }
}

impl Downgrade for CallToolParams {
    fn downgrade(&mut self, version: Version) {
        if !version.is_modern() {
            (self.input_responses, self.request_state) = (None, None);
        }
    }
}

impl Downgrade for GetPromptParams {
    fn downgrade(&mut self, version: Version) {
        if !version.is_modern() {
            (self.input_responses, self.request_state) = (None, None);
        }
    }
}

impl Downgrade for ReadResourceParams {
    fn downgrade(&mut self, version: Version) {
        if !version.is_modern() {
            (self.input_responses, self.request_state) = (None, None);
        }
    }
}

impl Downgrade for PageParams {
    fn downgrade(&mut self, _: Version) {}
}

impl Downgrade for ListenParams {
    fn downgrade(&mut self, _: Version) {}
}

impl Downgrade for SubscribeParams {
    fn downgrade(&mut self, _: Version) {}
}

impl Downgrade for SetLevelParams {
    fn downgrade(&mut self, _: Version) {}
}

impl Downgrade for EmptyParams {
    fn downgrade(&mut self, _: Version) {}
}

impl Downgrade for CreateMessageResult {
    fn downgrade(&mut self, version: Version) {
        self.content.downgrade(version);
    }
}

impl Downgrade for ElicitResult {
    fn downgrade(&mut self, version: Version) {
        if version < V2025_11_25
            && let Some(content) = &mut self.content
        {
            // Arrays of strings are new in 2025-11-25, with multi-select fields.
            content.retain(|_, value| !value.is_array());
        }
    }
}

impl Downgrade for ListRootsResult {
    fn downgrade(&mut self, version: Version) {
        for root in &mut self.roots {
            since!(version, V2025_06_18: root.meta);
        }
    }
}
