//! Removes from the entries of lists and results the features that their revision does not have.

use super::Downgrade;
use crate::model::*;
use crate::version::Version;
use Version::{V2025_03_26, V2025_06_18, V2025_11_25};

/// Clears members that a later revision introduced: `since(version, V…; a.b, a.c)`.
macro_rules! since {
    ($version:expr, $first:ident: $($member:expr),+ $(,)?) => {
        if $version < $first {
            $($member = None;)+
        }
    };
}
pub(super) use since;

impl Downgrade for Annotations {
    fn downgrade(&mut self, version: Version) {
        since!(version, V2025_06_18: self.last_modified);
    }
}

impl Downgrade for Implementation {
    fn downgrade(&mut self, version: Version) {
        since!(version, V2025_06_18: self.title);
        since!(version, V2025_11_25: self.description, self.website_url, self.icons);
    }
}

impl Downgrade for ClientCapabilities {
    fn downgrade(&mut self, version: Version) {
        since!(version, V2025_06_18: self.elicitation);
        if version.is_modern() {
            if let Some(roots) = &mut self.roots {
                roots.list_changed = None;
            }
        } else {
            self.extensions = None;
        }
        if version < V2025_11_25 {
            if let Some(sampling) = &mut self.sampling {
                (sampling.context, sampling.tools) = (None, None);
            }
            if let Some(elicitation) = &mut self.elicitation {
                (elicitation.form, elicitation.url) = (None, None);
            }
        }
    }
}

impl Downgrade for ServerCapabilities {
    fn downgrade(&mut self, version: Version) {
        since!(version, V2025_03_26: self.completions);
        if !version.is_modern() {
            self.extensions = None;
        }
    }
}

/// Arguments are always an object: `type` is added to a schema without it, in every revision.
impl Downgrade for Tool {
    fn downgrade(&mut self, version: Version) {
        if !is_object_schema(&self.input_schema) {
            Schema::make_mut(&mut self.input_schema).insert("type", "object");
        }
        since!(version, V2025_03_26: self.annotations);
        since!(version, V2025_06_18: self.title, self.output_schema, self.meta);
        since!(version, V2025_11_25: self.icons);
        if !version.is_modern() && !self.output_schema.as_ref().is_none_or(is_object_schema) {
            self.output_schema = None;
        }
    }
}

/// Returns whether a schema is of type `object`. Schemas of arguments must be, and schemas of results before
/// 2026-07-28.
fn is_object_schema(schema: &Schema) -> bool {
    schema.get("type").is_some_and(|kind| kind.is_str("object"))
}

impl Downgrade for Resource {
    fn downgrade(&mut self, version: Version) {
        since!(version, V2025_06_18: self.title, self.meta);
        since!(version, V2025_11_25: self.icons);
        self.annotations.downgrade(version);
    }
}

impl Downgrade for ResourceTemplate {
    fn downgrade(&mut self, version: Version) {
        since!(version, V2025_06_18: self.title, self.meta);
        since!(version, V2025_11_25: self.icons);
        self.annotations.downgrade(version);
    }
}

impl Downgrade for ResourceContents {
    fn downgrade(&mut self, version: Version) {
        since!(version, V2025_06_18: self.meta);
    }
}

impl Downgrade for Prompt {
    fn downgrade(&mut self, version: Version) {
        since!(version, V2025_06_18: self.title, self.meta);
        since!(version, V2025_11_25: self.icons);
        self.arguments.downgrade(version);
    }
}

impl Downgrade for PromptArgument {
    fn downgrade(&mut self, version: Version) {
        since!(version, V2025_06_18: self.title);
    }
}

impl Downgrade for PromptMessage {
    fn downgrade(&mut self, version: Version) {
        self.content.downgrade(version);
    }
}

impl Downgrade for TextContent {
    fn downgrade(&mut self, version: Version) {
        since!(version, V2025_06_18: self.meta);
        self.annotations.downgrade(version);
    }
}

impl Downgrade for ImageContent {
    fn downgrade(&mut self, version: Version) {
        since!(version, V2025_06_18: self.meta);
        self.annotations.downgrade(version);
    }
}

impl Downgrade for AudioContent {
    fn downgrade(&mut self, version: Version) {
        since!(version, V2025_06_18: self.meta);
        self.annotations.downgrade(version);
    }
}

impl Downgrade for EmbeddedResource {
    fn downgrade(&mut self, version: Version) {
        since!(version, V2025_06_18: self.meta);
        self.annotations.downgrade(version);
        self.resource.downgrade(version);
    }
}

/// Replaces a kind of block that the revision does not have by the nearest one, so that nothing is lost silently:
/// audio by an embedded resource, a resource link by text.
impl Downgrade for ContentBlock {
    fn downgrade(&mut self, version: Version) {
        if let Some(substitute) = self.substitute(version) {
            *self = substitute;
        }
        match self {
            ContentBlock::Text(content) => content.downgrade(version),
            ContentBlock::Image(content) => content.downgrade(version),
            ContentBlock::Audio(content) => content.downgrade(version),
            ContentBlock::ResourceLink(resource) => resource.downgrade(version),
            ContentBlock::Resource(resource) => resource.downgrade(version),
        }
    }
}

impl ContentBlock {
    fn substitute(&self, version: Version) -> Option<ContentBlock> {
        match self {
            ContentBlock::Audio(audio) if version < V2025_03_26 => Some(audio_as_resource(audio)),
            ContentBlock::ResourceLink(link) if version < V2025_06_18 => Some(link_as_text(link)),
            _ => None,
        }
    }
}

fn audio_as_resource(audio: &AudioContent) -> ContentBlock {
    ContentBlock::Resource(EmbeddedResource {
        resource: ResourceContents::blob("audio:embedded", audio.data.clone())
            .mime_type(audio.mime_type.clone()),
        annotations: audio.annotations.clone(),
        ..EmbeddedResource::default()
    })
}

fn link_as_text(link: &Resource) -> ContentBlock {
    let name = link.title.as_deref().unwrap_or(&link.name);
    let text = match &link.description {
        Some(description) => format!("{name} <{}>: {description}", link.uri),
        None => format!("{name} <{}>", link.uri),
    };
    ContentBlock::Text(TextContent { annotations: link.annotations.clone(), ..TextContent::new(text) })
}
