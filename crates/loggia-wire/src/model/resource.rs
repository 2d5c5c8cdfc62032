//! Resources: content that a client reads by URI.

use super::{Annotations, CacheHints, Extra, Icon, InputResponses, Meta, setters};
use crate::json::{DecodeError, Fields, FieldsMut, FromJson, JsonRef, ObjectReader, RawObject, ToJson};

/// A resource that can be read.
#[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
pub struct Resource {
    /// The URI.
    pub uri: String,
    /// The identifier, for programs.
    pub name: String,
    /// The name, for display. Since 2025-06-18.
    pub title: Option<String>,
    /// A description.
    pub description: Option<String>,
    /// Its MIME type.
    pub mime_type: Option<String>,
    /// Pictures. Since 2025-11-25.
    pub icons: Option<Vec<Icon>>,
    /// Hints.
    pub annotations: Option<Annotations>,
    /// Its size in bytes.
    pub size: Option<u64>,
    /// `_meta`. Since 2025-06-18.
    #[json(rename = "_meta")]
    pub meta: Option<Meta>,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}

impl Resource {
    /// Creates a resource at `uri`.
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

/// A template of URIs (RFC 6570): each URI that it matches is a resource.
#[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
pub struct ResourceTemplate {
    /// The URI template.
    pub uri_template: String,
    /// The identifier, for programs.
    pub name: String,
    /// The name, for display. Since 2025-06-18.
    pub title: Option<String>,
    /// A description.
    pub description: Option<String>,
    /// The MIME type, if all resources have the same.
    pub mime_type: Option<String>,
    /// Pictures. Since 2025-11-25.
    pub icons: Option<Vec<Icon>>,
    /// Hints.
    pub annotations: Option<Annotations>,
    /// `_meta`. Since 2025-06-18.
    #[json(rename = "_meta")]
    pub meta: Option<Meta>,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}

impl ResourceTemplate {
    /// Creates a template for the resources at `uri_template`.
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

/// The contents of a resource.
#[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
#[json(write_with = "ResourceContents::object", read_with = "ResourceContents::read")]
pub struct ResourceContents {
    /// The URI.
    pub uri: String,
    /// Its MIME type.
    pub mime_type: Option<String>,
    /// The text or the bytes.
    pub body: ResourceBody,
    /// `_meta`. Since 2025-06-18.
    pub meta: Option<Meta>,
    /// Unknown members.
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
    /// Creates contents from text.
    pub fn text(uri: impl Into<String>, text: impl Into<String>) -> ResourceContents {
        ResourceContents {
            uri: uri.into(),
            body: ResourceBody::Text(text.into()),
            ..ResourceContents::default()
        }
    }

    /// Creates contents from bytes in base64.
    pub fn blob(uri: impl Into<String>, blob: impl Into<String>) -> ResourceContents {
        ResourceContents {
            uri: uri.into(),
            body: ResourceBody::Blob(blob.into()),
            ..ResourceContents::default()
        }
    }

    /// Returns the text; `None` if the contents are bytes.
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

impl ResourceContents {
    fn object(&self) -> JsonRef<'_> {
        JsonRef::Object(self)
    }

    /// Reads contents. If both text and bytes are present, the text is used, and the bytes become an unknown member.
    fn read(text: &[u8]) -> Result<ResourceContents, DecodeError> {
        let members = RawObject::of_text(text)?;
        let has = |name| members.raw(name).is_some_and(|text| text != b"null");
        let body = match (has("text"), has("blob")) {
            (true, _) => ResourceBody::Text(String::new()),
            (false, true) => ResourceBody::Blob(String::new()),
            (false, false) => return Err(DecodeError::new("contents have neither text nor blob")),
        };
        let mut contents = ResourceContents { body, ..ResourceContents::default() };
        ObjectReader::of(members).read_into(&mut contents)?;
        contents.extra.retain(|name, value| !(value.is_null() && matches!(name, "text" | "blob")));
        Ok(contents)
    }
}

impl Fields for ResourceContents {
    fn each_field(&self, visit: &mut dyn FnMut(&str, &dyn ToJson)) {
        visit("uri", &self.uri);
        visit("mimeType", &self.mime_type);
        match &self.body {
            ResourceBody::Text(text) => visit("text", text),
            ResourceBody::Blob(blob) => visit("blob", blob),
        }
        visit("_meta", &self.meta);
        self.extra.each_field(visit);
    }
}

impl FieldsMut for ResourceContents {
    fn read_fields(&mut self, object: &mut ObjectReader<'_>) {
        object.field("uri", &mut self.uri);
        object.field("mimeType", &mut self.mime_type);
        match &mut self.body {
            ResourceBody::Text(text) => object.field("text", text),
            ResourceBody::Blob(blob) => object.field("blob", blob),
        }
        object.field("_meta", &mut self.meta);
        self.extra.read_fields(object);
    }
}

/// Parameters of `resources/read`.
#[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
pub struct ReadResourceParams {
    /// The URI to read.
    pub uri: String,
    /// Answers to the questions of the previous round. Since 2026-07-28.
    pub input_responses: Option<InputResponses>,
    /// The state of the previous round. Since 2026-07-28.
    pub request_state: Option<String>,
    /// `_meta`.
    #[json(rename = "_meta")]
    pub meta: Option<Meta>,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}

/// Result of `resources/read`.
#[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
pub struct ReadResourceResult {
    /// The contents.
    pub contents: Vec<ResourceContents>,
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

/// Parameters of `resources/subscribe` and `resources/unsubscribe`. Until 2025-11-25.
#[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
pub struct SubscribeParams {
    /// The URI of the resource.
    pub uri: String,
    /// `_meta`.
    #[json(rename = "_meta")]
    pub meta: Option<Meta>,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}
