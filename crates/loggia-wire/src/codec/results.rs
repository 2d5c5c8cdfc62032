//! What each revision lacks, and what the newest requires, of the results.

use super::Restrict;
use super::items::since;
use crate::model::*;
use crate::raw::RawJson;
use crate::version::Version;
use Version::{V2025_06_18, V2025_11_25};

/// What a result without hints gets where hints are required: stale at once, for the asker alone.
const NO_CACHING: CacheHints = CacheHints::new(0, CacheScope::Private);

impl Restrict for CacheHints {
    fn restrict(&mut self, version: Version) {
        if version.is_modern() {
            self.ttl_ms = self.ttl_ms.or(NO_CACHING.ttl_ms);
            self.cache_scope = self.cache_scope.or(NO_CACHING.cache_scope);
        } else {
            *self = CacheHints::default();
        }
    }
}

impl Restrict for ServerResult {
    fn restrict(&mut self, version: Version) {
        match self {
            ServerResult::Initialize(r) => r.restrict(version),
            ServerResult::Discover(r) => r.restrict(version),
            ServerResult::ListTools(r) => r.restrict(version),
            ServerResult::CallTool(r) => r.restrict(version),
            ServerResult::ListResources(r) => r.restrict(version),
            ServerResult::ListResourceTemplates(r) => r.restrict(version),
            ServerResult::ReadResource(r) => r.restrict(version),
            ServerResult::ListPrompts(r) => r.restrict(version),
            ServerResult::GetPrompt(r) => r.restrict(version),
            ServerResult::InputRequired(r) => r.restrict(version),
            ServerResult::Complete(_) | ServerResult::Empty(_) | ServerResult::Custom(_) => {}
        }
    }
}

impl Restrict for InitializeResult {
    fn restrict(&mut self, version: Version) {
        self.capabilities.restrict(version);
        self.server_info.restrict(version);
    }
}

impl Restrict for DiscoverResult {
    fn restrict(&mut self, version: Version) {
        self.capabilities.restrict(version);
        self.cache.restrict(version);
    }
}

impl Restrict for ListToolsResult {
    fn restrict(&mut self, version: Version) {
        self.tools.restrict(version);
        self.cache.restrict(version);
    }
}

impl Restrict for ListResourcesResult {
    fn restrict(&mut self, version: Version) {
        self.resources.restrict(version);
        self.cache.restrict(version);
    }
}

impl Restrict for ListResourceTemplatesResult {
    fn restrict(&mut self, version: Version) {
        self.resource_templates.restrict(version);
        self.cache.restrict(version);
    }
}

impl Restrict for ListPromptsResult {
    fn restrict(&mut self, version: Version) {
        self.prompts.restrict(version);
        self.cache.restrict(version);
    }
}

impl Restrict for ReadResourceResult {
    fn restrict(&mut self, version: Version) {
        self.contents.restrict(version);
        self.cache.restrict(version);
    }
}

impl Restrict for GetPromptResult {
    fn restrict(&mut self, version: Version) {
        self.messages.restrict(version);
    }
}

/// Before 2026-07-28 a structured value that is not an object cannot be sent; its text stays.
impl Restrict for CallToolResult {
    fn restrict(&mut self, version: Version) {
        since!(version, V2025_06_18: self.structured_content);
        if !version.is_modern() && !self.structured_content.as_ref().is_none_or(RawJson::is_object) {
            self.structured_content = None;
        }
        self.content.restrict(version);
    }
}

impl Restrict for InputRequired {
    fn restrict(&mut self, version: Version) {
        self.input_requests
            .iter_mut()
            .flat_map(|requests| requests.values_mut())
            .for_each(|r| r.restrict(version));
    }
}

impl Restrict for CompleteParams {
    fn restrict(&mut self, version: Version) {
        since!(version, V2025_06_18: self.context);
        if let CompletionReference::Prompt { title, .. } = &mut self.reference {
            since!(version, V2025_06_18: *title);
        }
    }
}

impl Restrict for InitializeParams {
    fn restrict(&mut self, version: Version) {
        self.capabilities.restrict(version);
        self.client_info.restrict(version);
    }
}

impl Restrict for CallToolParams {
    fn restrict(&mut self, version: Version) {
        if !version.is_modern() {
            (self.input_responses, self.request_state) = (None, None);
        }
    }
}

impl Restrict for GetPromptParams {
    fn restrict(&mut self, version: Version) {
        if !version.is_modern() {
            (self.input_responses, self.request_state) = (None, None);
        }
    }
}

impl Restrict for ReadResourceParams {
    fn restrict(&mut self, version: Version) {
        if !version.is_modern() {
            (self.input_responses, self.request_state) = (None, None);
        }
    }
}

impl Restrict for PageParams {
    fn restrict(&mut self, _: Version) {}
}

impl Restrict for ListenParams {
    fn restrict(&mut self, _: Version) {}
}

impl Restrict for SubscribeParams {
    fn restrict(&mut self, _: Version) {}
}

impl Restrict for SetLevelParams {
    fn restrict(&mut self, _: Version) {}
}

impl Restrict for EmptyParams {
    fn restrict(&mut self, _: Version) {}
}

impl Restrict for CreateMessageResult {
    fn restrict(&mut self, version: Version) {
        self.content.restrict(version);
    }
}

impl Restrict for ElicitResult {
    fn restrict(&mut self, version: Version) {
        if version < V2025_11_25
            && let Some(content) = &mut self.content
        {
            // Lists of choices came with multi-select fields.
            content.retain(|_, value| !value.is_array());
        }
    }
}

impl Restrict for ListRootsResult {
    fn restrict(&mut self, version: Version) {
        for root in &mut self.roots {
            since!(version, V2025_06_18: root.meta);
        }
    }
}
