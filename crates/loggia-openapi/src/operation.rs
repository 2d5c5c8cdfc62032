//! One operation of an API, as a tool.

use http::Method;
use loggia_wire::RawJson;
use loggia_wire::model::{Tool, ToolAnnotations};

use crate::arguments::{self, Argument, Destination};
use crate::body::RequestBody;
use crate::class::OperationClass;
use crate::document::Document;
use crate::paging::Paging;
use crate::parameter::ApiParameter;
use crate::schema::tool_schema;
use crate::security::SecurityRequirement;

/// Longest description of a tool, in bytes.
pub(crate) const MAX_DESCRIPTION: usize = 1500;

/// One operation of an API.
#[derive(Debug, Clone)]
pub struct Operation {
    pub(crate) document: std::sync::Arc<Document>,
    pub(crate) name: String,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) summary: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) class: OperationClass,
    pub(crate) tags: Vec<String>,
    pub(crate) is_deprecated: bool,
    pub(crate) parameters: Vec<ApiParameter>,
    pub(crate) body: Option<RequestBody>,
    pub(crate) arguments: Vec<Argument>,
    pub(crate) paging: Option<Paging>,
    pub(crate) security: Vec<Vec<SecurityRequirement>>,
    pub(crate) accept: String,
    pub(crate) server: Option<String>,
}

impl Operation {
    /// Returns the name of the tool.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the HTTP method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Returns the path template.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the class of the operation.
    pub fn class(&self) -> OperationClass {
        self.class
    }

    /// Returns the URL of the operation's own server ("Path Item Object", `servers`), if it has one beside those of the API.
    /// It may have another host, so the caller decides whether to use it as the base URL of a request.
    pub fn server(&self) -> Option<&str> {
        self.server.as_deref()
    }

    /// Returns the tags, by which a description groups its operations.
    pub fn tags(&self) -> &[String] {
        &self.tags
    }

    /// Returns whether the description calls the operation deprecated.
    pub fn is_deprecated(&self) -> bool {
        self.is_deprecated
    }

    /// Returns the alternatives for authentication. Each is a list of schemes that a request uses together; an empty list
    /// needs no credential.
    pub fn security(&self) -> &[Vec<SecurityRequirement>] {
        &self.security
    }

    /// Returns the name of the argument for a part of the request: `place` is `path`, `query`, `header`, `cookie` or `body`,
    /// and `name` is the name in the API. The argument for a whole body is that of `name` `body` in `body`.
    pub fn argument(&self, place: &str, name: &str) -> Option<&str> {
        let is_meant = |argument: &&Argument| match &argument.destination {
            Destination::Parameter(at) => {
                let parameter = &self.parameters[*at];
                parameter.location.as_str() == place && parameter.name == name
            }
            Destination::Member(member) => place == "body" && member == name,
            Destination::Body => place == "body" && name == arguments::BODY,
        };
        self.arguments.iter().find(is_meant).map(|argument| argument.name.as_str())
    }

    /// Writes the definition of the tool.
    pub fn tool(&self) -> Tool {
        let mut tool = Tool::new(self.name.clone(), self.input_schema());
        tool.title = self.summary.as_deref().map(|text| one_line(text, 120)).filter(|text| !text.is_empty());
        tool.description = Some(self.text());
        let mut annotations = ToolAnnotations {
            read_only_hint: Some(self.class == OperationClass::Read),
            open_world_hint: Some(true),
            ..ToolAnnotations::default()
        };
        if self.class != OperationClass::Read {
            annotations.destructive_hint = Some(self.class == OperationClass::Destructive);
            // RFC 9110, section 9.2.2.
            annotations.idempotent_hint = Some(self.method == Method::PUT || self.method == Method::DELETE);
        }
        tool.annotations = Some(annotations);
        tool
    }

    /// Returns the operation as the description has it.
    #[cfg(feature = "curate")]
    pub(crate) fn description_json(&self) -> Option<RawJson> {
        let item = crate::document::member(self.document.section("paths")?, &self.path)?;
        let item = self.document.follow(&item).ok()?;
        crate::document::member(&item, &self.method.as_str().to_ascii_lowercase())
    }

    fn input_schema(&self) -> loggia_wire::JsonObject {
        let written = tool_schema(
            &self.document,
            &arguments::properties(
                &self.arguments,
                self.paging.as_ref().map(|paging| paging.argument.as_str()),
            ),
        );
        loggia_wire::JsonObject::read(written.as_bytes()).unwrap_or_default()
    }

    fn text(&self) -> String {
        let parts = [&self.summary, &self.description];
        let mut texts: Vec<&str> =
            parts.into_iter().flatten().map(|text| text.trim()).filter(|text| !text.is_empty()).collect();
        texts.dedup();
        let text = match texts.is_empty() {
            true => format!("{} {}", self.method, self.path),
            false => texts.join("\n\n"),
        };
        loggia_wire::text::truncated(&text, MAX_DESCRIPTION).to_owned()
    }
}

pub(crate) fn one_line(text: &str, most: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    loggia_wire::text::truncated(line.trim_end_matches('.'), most).to_owned()
}

/// The parts of an operation that a description shares between operations.
pub(crate) struct SharedParts {
    pub(crate) parameters: Vec<RawJson>,
    pub(crate) security: Option<RawJson>,
    pub(crate) servers: Option<RawJson>,
}
