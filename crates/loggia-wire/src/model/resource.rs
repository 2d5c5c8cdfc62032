//! Resources: what a client can read by URI.

use super::{Annotations, CacheHints, Extra, Icon, InputResponses, Meta, setters};
use crate::json::shape::{
    DecodeError, Fill, FillRecord, Model, Record, Shape, View, fill_from, members_of, record, serde_by_shape,
};

/// A resource that can be read.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Resource {
    /// Where it is.
    pub uri: String,
    /// For programs.
    pub name: String,
    /// For people. Since 2025-06-18.
    pub title: Option<String>,
    /// What it is.
    pub description: Option<String>,
    /// Its type.
    pub mime_type: Option<String>,
    /// Pictures. Since 2025-11-25.
    pub icons: Option<Vec<Icon>>,
    /// Hints.
    pub annotations: Option<Annotations>,
    /// Its size in bytes.
    pub size: Option<u64>,
    /// `_meta`. Since 2025-06-18.
    pub meta: Option<Meta>,
    /// Members we do not know.
    pub extra: Extra,
}

record!(Resource {
    uri, name, title, description, mime_type = "mimeType", icons, annotations, size, meta = "_meta"
});

impl Resource {
    /// The resource at `uri`.
    pub fn new(uri: impl Into<String>, name: impl Into<String>) -> Resource {
        Resource { uri: uri.into(), name: name.into(), ..Resource::default() }
    }

    setters! {
        /// Sets the title.
        title: String;
        /// Sets the description.
        description: String;
        /// Sets the type.
        mime_type: String;
        /// Sets the hints.
        annotations: Annotations;
        /// Sets the size in bytes.
        size: u64;
    }
}

/// A family of resources (RFC 6570).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ResourceTemplate {
    /// Where they are.
    pub uri_template: String,
    /// For programs.
    pub name: String,
    /// For people. Since 2025-06-18.
    pub title: Option<String>,
    /// What they are.
    pub description: Option<String>,
    /// Their type, where all have the same.
    pub mime_type: Option<String>,
    /// Pictures. Since 2025-11-25.
    pub icons: Option<Vec<Icon>>,
    /// Hints.
    pub annotations: Option<Annotations>,
    /// `_meta`. Since 2025-06-18.
    pub meta: Option<Meta>,
    /// Members we do not know.
    pub extra: Extra,
}

record!(ResourceTemplate {
    uri_template = "uriTemplate", name, title, description, mime_type = "mimeType", icons, annotations,
    meta = "_meta"
});

impl ResourceTemplate {
    /// The resources at `uri_template`.
    pub fn new(uri_template: impl Into<String>, name: impl Into<String>) -> ResourceTemplate {
        ResourceTemplate {
            uri_template: uri_template.into(),
            name: name.into(),
            ..ResourceTemplate::default()
        }
    }

    setters! {
        /// Sets the title.
        title: String;
        /// Sets the description.
        description: String;
        /// Sets the type.
        mime_type: String;
    }
}

/// What a resource holds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ResourceContents {
    /// Where it is.
    pub uri: String,
    /// Its type.
    pub mime_type: Option<String>,
    /// The text or the bytes.
    pub body: ResourceBody,
    /// `_meta`. Since 2025-06-18.
    pub meta: Option<Meta>,
    /// Members we do not know.
    pub extra: Extra,
}

/// Text or bytes.
#[derive(Debug, Clone, PartialEq)]
pub enum ResourceBody {
    /// Text.
    Text(String),
    /// Bytes, in base64.
    Blob(String),
}

impl Default for ResourceBody {
    fn default() -> ResourceBody {
        ResourceBody::Text(String::new())
    }
}

impl ResourceContents {
    /// Text.
    pub fn text(uri: impl Into<String>, text: impl Into<String>) -> ResourceContents {
        ResourceContents {
            uri: uri.into(),
            body: ResourceBody::Text(text.into()),
            ..ResourceContents::default()
        }
    }

    /// Bytes, from base64 text.
    pub fn blob(uri: impl Into<String>, blob: impl Into<String>) -> ResourceContents {
        ResourceContents {
            uri: uri.into(),
            body: ResourceBody::Blob(blob.into()),
            ..ResourceContents::default()
        }
    }

    /// The text, where it is text.
    pub fn as_text(&self) -> Option<&str> {
        match &self.body {
            ResourceBody::Text(text) => Some(text),
            ResourceBody::Blob(_) => None,
        }
    }

    setters! {
        /// Sets the type.
        mime_type: String;
        /// Sets `_meta`.
        meta: Meta;
    }
}

impl Shape for ResourceContents {
    fn view(&self) -> View<'_> {
        View::Record(self)
    }
}

impl Fill for ResourceContents {
    /// Where both are there, the text counts, and the bytes are a member we do not know.
    fn fill(&mut self, text: &[u8]) -> Result<(), DecodeError> {
        let members = members_of(text)?;
        let has = |name| members.raw(name).is_some_and(|text| text != b"null");
        self.body = match (has("text"), has("blob")) {
            (true, _) => ResourceBody::Text(String::new()),
            (false, true) => ResourceBody::Blob(String::new()),
            (false, false) => return Err(DecodeError::new("contents have neither text nor blob")),
        };
        fill_from(self, members)?;
        self.extra.retain(|name, value| !(value.is_null() && matches!(name, "text" | "blob")));
        Ok(())
    }
}

impl Record for ResourceContents {
    fn each(&self, show: &mut dyn FnMut(&'static str, &dyn Shape)) {
        show("uri", &self.uri);
        show("mimeType", &self.mime_type);
        match &self.body {
            ResourceBody::Text(text) => show("text", text),
            ResourceBody::Blob(blob) => show("blob", blob),
        }
        show("_meta", &self.meta);
    }

    fn extra(&self) -> Option<&Extra> {
        Some(&self.extra)
    }
}

impl FillRecord for ResourceContents {
    fn each_mut(&mut self, fill: &mut dyn FnMut(&'static str, &mut dyn Fill)) {
        fill("uri", &mut self.uri);
        fill("mimeType", &mut self.mime_type);
        match &mut self.body {
            ResourceBody::Text(text) => fill("text", text),
            ResourceBody::Blob(blob) => fill("blob", blob),
        }
        fill("_meta", &mut self.meta);
    }

    fn extra_mut(&mut self) -> Option<&mut Extra> {
        Some(&mut self.extra)
    }
}

impl Model for ResourceContents {
    fn blank() -> ResourceContents {
        ResourceContents::default()
    }
}

serde_by_shape!(ResourceContents);

/// Parameters of `resources/read`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ReadResourceParams {
    /// What to read.
    pub uri: String,
    /// Answers to the questions of the round before. Since 2026-07-28.
    pub input_responses: Option<InputResponses>,
    /// The state of the round before. Since 2026-07-28.
    pub request_state: Option<String>,
    /// `_meta`.
    pub meta: Option<Meta>,
    /// Members we do not know.
    pub extra: Extra,
}

record!(ReadResourceParams {
    uri, input_responses = "inputResponses", request_state = "requestState", meta = "_meta"
});

/// Result of `resources/read`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ReadResourceResult {
    /// What it holds.
    pub contents: Vec<ResourceContents>,
    /// How long it may be kept.
    pub cache: CacheHints,
    /// `_meta`.
    pub meta: Option<Meta>,
    /// Members we do not know.
    pub extra: Extra,
}

record!(ReadResourceResult { contents, meta = "_meta"; cache });

/// Parameters of `resources/subscribe` and `resources/unsubscribe`. Until 2025-11-25.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SubscribeParams {
    /// Which resource.
    pub uri: String,
    /// `_meta`.
    pub meta: Option<Meta>,
    /// Members we do not know.
    pub extra: Extra,
}

record!(SubscribeParams { uri, meta = "_meta" });
