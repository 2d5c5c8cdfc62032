//! Resources: what a client can read by URI, one or a family of them, as data.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Serialize;

use super::args::StringArgs;
use super::completion::{Completers, CompletionRequest, IntoCompletion, bind, completer};
use super::cx::Cx;
use super::error::ToolError;
use super::output::Json;
use crate::future::BoxFuture;
use crate::model::{
    self, Annotations, CacheHints, Icon, InputRequired, ReadResourceResult, ResourceContents,
    ResourceTemplate,
};

/// A resource, or a family of them, of a server whose state is an `S`.
pub struct Resource<S> {
    pub(crate) definition: ResourceDefinition,
    pub(crate) handler: ResourceHandler<S>,
    pub(crate) completers: Completers<S>,
    pub(crate) cache: Option<CacheHints>,
}

/// Definition of a resource or of a family of resources.
#[derive(Debug, Clone, PartialEq)]
pub enum ResourceDefinition {
    /// One resource.
    One(model::Resource),
    /// A family: its URI has variables.
    Template(ResourceTemplate),
}

/// Outcome of reading a resource.
#[derive(Debug, Clone, PartialEq)]
pub enum ResourceOutput {
    /// The contents. Empty URIs in it become the one that was read.
    Result(ReadResourceResult),
    /// There is no such resource.
    NotFound,
    /// A question to the client first; for gateways that relay one.
    InputRequired(InputRequired),
}

pub(crate) type ResourceHandler<S> = Arc<
    dyn Fn(Arc<S>, Cx, StringArgs) -> BoxFuture<'static, Result<ResourceOutput, ToolError>> + Send + Sync,
>;

impl Resource<()> {
    /// Starts the resource at `uri`, or with variables in it (`weather://{city}/now`) a family of resources.
    /// The state's type follows from the handler.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use loggia::server::{Cx, Resource, StringArgs, ToolError};
    ///
    /// let weather: Resource<()> = Resource::build("weather://{city}/now", "now")
    ///     .mime("text/plain")
    ///     .handler(|_state: Arc<()>, _cx: Cx, mut variables: StringArgs| async move {
    ///         let city: String = variables.take("city")?;
    ///         Ok::<_, ToolError>(format!("It is dry in {city}."))
    ///     });
    /// assert_eq!(weather.uri(), "weather://{city}/now");
    /// ```
    pub fn build<S>(uri: impl Into<String>, name: impl Into<String>) -> ResourceBuilder<S> {
        let (uri, name) = (uri.into(), name.into());
        let definition = if uri.contains('{') {
            ResourceDefinition::Template(ResourceTemplate::new(uri, name))
        } else {
            ResourceDefinition::One(model::Resource::new(uri, name))
        };
        ResourceBuilder { definition, completers: Completers::new(), cache: None }
    }
}

impl ResourceDefinition {
    /// The URI or the template.
    pub fn uri(&self) -> &str {
        match self {
            ResourceDefinition::One(resource) => &resource.uri,
            ResourceDefinition::Template(template) => &template.uri_template,
        }
    }

    /// The type of the contents, where it is known beforehand.
    pub fn mime_type(&self) -> Option<&str> {
        match self {
            ResourceDefinition::One(resource) => resource.mime_type.as_deref(),
            ResourceDefinition::Template(template) => template.mime_type.as_deref(),
        }
    }
}

impl<S> Resource<S> {
    /// The URI or the template.
    pub fn uri(&self) -> &str {
        self.definition.uri()
    }

    /// Returns its definition.
    pub fn definition(&self) -> &ResourceDefinition {
        &self.definition
    }
}

impl<S: Send + Sync + 'static> Resource<S> {
    /// The resource with its state in it: what a running server can take.
    pub fn bind(self, state: Arc<S>) -> Resource<()> {
        let completers = bind(self.completers, &state);
        let handler = self.handler;
        Resource {
            definition: self.definition,
            handler: Arc::new(move |_, cx, variables| handler(state.clone(), cx, variables)),
            completers,
            cache: self.cache,
        }
    }
}

impl<S> fmt::Debug for Resource<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Resource").field(&self.definition).finish()
    }
}

/// Argument of [`ServerBuilder::resource`](super::ServerBuilder::resource): a [`Resource`], or a function
/// marked `#[resource("…")]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a resource of a server with state `{S}`",
    label = "not a resource",
    note = "give a `Resource<{S}>` or a function marked `#[resource(\"…\")]`"
)]
pub trait IntoResource<S> {
    /// The resource.
    fn into_resource(self) -> Resource<S>;
}

impl<S> IntoResource<S> for Resource<S> {
    fn into_resource(self) -> Resource<S> {
        self
    }
}

/// A resource in the making; see [`Resource::build`].
pub struct ResourceBuilder<S> {
    definition: ResourceDefinition,
    completers: Completers<S>,
    cache: Option<CacheHints>,
}

/// Sets one member of either kind of definition.
macro_rules! both {
    ($self:ident, $member:ident = $value:expr) => {{
        match &mut $self.definition {
            ResourceDefinition::One(resource) => resource.$member = $value,
            ResourceDefinition::Template(template) => template.$member = $value,
        }
        $self
    }};
}

impl<S: Send + Sync + 'static> ResourceBuilder<S> {
    /// Sets the description, for people and models.
    pub fn description(mut self, text: impl Into<String>) -> Self {
        both!(self, description = Some(text.into()).filter(|text| !text.is_empty()))
    }

    /// Its name for people.
    pub fn title(mut self, text: impl Into<String>) -> Self {
        both!(self, title = Some(text.into()))
    }

    /// The type of its contents.
    pub fn mime(mut self, mime_type: impl Into<String>) -> Self {
        both!(self, mime_type = Some(mime_type.into()))
    }

    /// Hints for clients.
    pub fn annotations(mut self, annotations: Annotations) -> Self {
        both!(self, annotations = Some(annotations))
    }

    /// Adds a picture, by URL.
    pub fn icon(mut self, src: impl Into<String>) -> Self {
        let icon = Icon { src: src.into(), ..Icon::default() };
        match &mut self.definition {
            ResourceDefinition::One(resource) => resource.icons.get_or_insert_default().push(icon),
            ResourceDefinition::Template(template) => template.icons.get_or_insert_default().push(icon),
        }
        self
    }

    /// Its size in bytes, where it is one resource.
    pub fn size(mut self, bytes: u64) -> Self {
        if let ResourceDefinition::One(resource) = &mut self.definition {
            resource.size = Some(bytes);
        }
        self
    }

    /// Sets the time for which, and the clients by which, its contents may be cached. Default: not at all.
    pub fn cache(mut self, hints: CacheHints) -> Self {
        self.cache = Some(hints);
        self
    }

    /// Completes the variable `name` while a person types it.
    pub fn complete<F, Fut>(mut self, name: impl Into<String>, complete: F) -> Self
    where
        F: Fn(Arc<S>, Cx, CompletionRequest) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: IntoCompletion> + Send + 'static,
    {
        self.completers.insert(name.into(), completer(complete));
        self
    }

    /// The resource.
    pub fn handler<F, Fut>(self, handler: F) -> Resource<S>
    where
        F: Fn(Arc<S>, Cx, StringArgs) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: IntoResourceResult> + Send + 'static,
    {
        let handler: ResourceHandler<S> = Arc::new(move |state, cx, variables| {
            let running = handler(state, cx, variables);
            Box::pin(async move { running.await.into_resource_result() })
        });
        Resource { definition: self.definition, handler, completers: self.completers, cache: self.cache }
    }
}

/// A type that reading a resource may return.
#[diagnostic::on_unimplemented(
    message = "a resource cannot return `{Self}`",
    label = "not the contents of a resource",
    note = "return text, bytes (`Vec<u8>`, `Bytes`), `Json<T>`, `ResourceContents`, an `Option` (`None`: not found), or a `Result` of one of these with `ToolError`"
)]
pub trait IntoResourceResult {
    /// The contents.
    fn into_resource_result(self) -> Result<ResourceOutput, ToolError>;
}

impl IntoResourceResult for ResourceOutput {
    fn into_resource_result(self) -> Result<ResourceOutput, ToolError> {
        Ok(self)
    }
}

impl IntoResourceResult for ReadResourceResult {
    fn into_resource_result(self) -> Result<ResourceOutput, ToolError> {
        Ok(ResourceOutput::Result(self))
    }
}

impl IntoResourceResult for InputRequired {
    fn into_resource_result(self) -> Result<ResourceOutput, ToolError> {
        Ok(ResourceOutput::InputRequired(self))
    }
}

impl IntoResourceResult for Vec<ResourceContents> {
    fn into_resource_result(self) -> Result<ResourceOutput, ToolError> {
        ReadResourceResult { contents: self, ..ReadResourceResult::default() }.into_resource_result()
    }
}

impl IntoResourceResult for ResourceContents {
    fn into_resource_result(self) -> Result<ResourceOutput, ToolError> {
        vec![self].into_resource_result()
    }
}

impl IntoResourceResult for String {
    fn into_resource_result(self) -> Result<ResourceOutput, ToolError> {
        ResourceContents::text("", self).into_resource_result()
    }
}

impl IntoResourceResult for &'static str {
    fn into_resource_result(self) -> Result<ResourceOutput, ToolError> {
        ResourceContents::text("", self).into_resource_result()
    }
}

impl IntoResourceResult for Vec<u8> {
    fn into_resource_result(self) -> Result<ResourceOutput, ToolError> {
        ResourceContents::blob("", STANDARD.encode(self)).into_resource_result()
    }
}

impl IntoResourceResult for Bytes {
    fn into_resource_result(self) -> Result<ResourceOutput, ToolError> {
        ResourceContents::blob("", STANDARD.encode(self)).into_resource_result()
    }
}

impl<T: Serialize> IntoResourceResult for Json<T> {
    fn into_resource_result(self) -> Result<ResourceOutput, ToolError> {
        let text = serde_json::to_string(&self.0)?;
        ResourceContents::text("", text).mime_type("application/json").into_resource_result()
    }
}

/// `None` is "not found".
impl<T: IntoResourceResult> IntoResourceResult for Option<T> {
    fn into_resource_result(self) -> Result<ResourceOutput, ToolError> {
        self.map_or(Ok(ResourceOutput::NotFound), T::into_resource_result)
    }
}

impl<T: IntoResourceResult, E: Into<ToolError>> IntoResourceResult for Result<T, E> {
    fn into_resource_result(self) -> Result<ResourceOutput, ToolError> {
        self.map_err(Into::into)?.into_resource_result()
    }
}
