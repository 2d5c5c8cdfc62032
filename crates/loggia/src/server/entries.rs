//! Tools, prompts and resources as a built server holds them: checked, with their state in them.

use std::collections::BTreeMap;
use std::sync::Arc;

use loggia_wire::header::ParamHeaders;
use loggia_wire::schema::Validator;
use loggia_wire::uri_template::UriTemplate;

use super::error::ToolError;
use super::list::Listed;
use super::{arguments, completion, prompt, resource, tool};
use crate::model::{
    self, CacheHints, CallToolResult, JsonObject, ListPromptsResult, ListResourceTemplatesResult,
    ListResourcesResult, ListToolsResult, ServerResult,
};

/// What is wrong with what the author wrote, a sentence each.
pub(crate) type Problems = Vec<String>;

pub(crate) struct ToolEntry {
    pub(crate) definition: model::Tool,
    pub(crate) handler: tool::Handler<()>,
    pub(crate) validator: Validator,
    pub(crate) generated: bool,
    /// See [`arguments::needed_in_text`].
    pub(crate) needed_in_text: Option<Vec<String>>,
    /// Checks the structured part of results, where nothing else guarantees it.
    output: Option<Validator>,
    pub(crate) param_headers: Option<Arc<ParamHeaders>>,
}

pub(crate) struct PromptEntry {
    pub(crate) definition: model::Prompt,
    pub(crate) handler: prompt::Handler<()>,
    pub(crate) completers: completion::Completers<()>,
}

pub(crate) struct ResourceEntry {
    pub(crate) definition: model::Resource,
    pub(crate) handler: resource::Handler<()>,
    pub(crate) cache: Option<CacheHints>,
}

pub(crate) struct TemplateEntry {
    pub(crate) definition: model::ResourceTemplate,
    pub(crate) template: UriTemplate,
    pub(crate) handler: resource::Handler<()>,
    pub(crate) completers: completion::Completers<()>,
    pub(crate) cache: Option<CacheHints>,
}

/// A resource is listed in one of two lists.
pub(crate) enum AnyResource {
    One(ResourceEntry),
    Template(TemplateEntry),
}

impl ToolEntry {
    pub(crate) fn new(tool: tool::Tool<()>) -> Result<ToolEntry, Problems> {
        let tool::Tool { definition, handler, generated, checks_output } = tool;
        let mut problems = Problems::new();
        let name = &definition.name;
        if !is_tool_name(name) {
            problems.push(format!("tool {name:?}: a name has 1 to 128 of the characters A-Z a-z 0-9 _ - ."));
        }
        let validator = input_validator(name, &definition.input_schema, &mut problems);
        let param_headers = ParamHeaders::from_schema(&definition.input_schema)
            .map_err(|error| problems.push(format!("tool {name:?}: {error}")))
            .ok()
            .filter(|headers| !headers.is_empty())
            .map(Arc::new);
        let output =
            definition.output_schema.as_deref().map(Validator::compile).transpose().unwrap_or_else(|error| {
                problems.push(format!("tool {name:?}: its output schema: {error}"));
                None
            });
        let output = output.filter(|_| checks_output);
        let Some(validator) = validator.filter(|_| problems.is_empty()) else { return Err(problems) };
        let needed_in_text = match generated {
            true => arguments::needed_in_text(&definition.input_schema),
            false => Some(Vec::new()),
        };
        Ok(ToolEntry { definition, handler, validator, generated, needed_in_text, output, param_headers })
    }
}

impl ToolEntry {
    /// Whether `result` is what the output schema promises ("Servers MUST provide structured results that
    /// conform to this schema").
    pub(crate) fn check(&self, result: &CallToolResult) -> Result<(), ToolError> {
        let Some(validator) = self.output.as_ref().filter(|_| !result.failed()) else { return Ok(()) };
        let Some(value) = &result.structured_content else {
            return Err(ToolError::internal("the tool promises structured output and gave none"));
        };
        validator.validate(value).map_err(|violations| {
            ToolError::internal(format!("the structured output breaks its schema: {violations}"))
        })
    }
}

fn input_validator(name: &str, schema: &JsonObject, problems: &mut Problems) -> Option<Validator> {
    if schema.get("type").and_then(|kind| kind.as_str()) != Some("object") {
        problems.push(format!("tool {name:?}: its input must be an object: take a struct with named fields"));
    }
    Validator::compile(schema)
        .map_err(|error| problems.push(format!("tool {name:?}: its input schema: {error}")))
        .ok()
}

/// "Tool Names": what the specification says they should be.
fn is_tool_name(name: &str) -> bool {
    (1..=128).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
}

impl PromptEntry {
    pub(crate) fn new(prompt: prompt::Prompt<()>) -> Result<PromptEntry, Problems> {
        let prompt::Prompt { definition, handler, completers } = prompt;
        let mut problems = Problems::new();
        let name = &definition.name;
        if name.is_empty() {
            problems.push("a prompt has no name".to_owned());
        }
        let mut known: Vec<&str> = Vec::new();
        for argument in definition.arguments.iter().flatten() {
            if known.contains(&argument.name.as_str()) {
                problems.push(format!("prompt {name:?}: two arguments are called {:?}", argument.name));
            }
            known.push(&argument.name);
        }
        for argument in completers.keys().filter(|argument| !known.contains(&argument.as_str())) {
            problems.push(format!("prompt {name:?}: it completes {argument:?}, which is no argument of it"));
        }
        if problems.is_empty() { Ok(PromptEntry { definition, handler, completers }) } else { Err(problems) }
    }
}

impl AnyResource {
    pub(crate) fn new(resource: resource::Resource<()>) -> Result<AnyResource, Problems> {
        let resource::Resource { definition, handler, completers, cache } = resource;
        match definition {
            resource::Definition::One(definition) => {
                if !has_scheme(&definition.uri) {
                    return Err(vec![format!(
                        "resource {:?}: a URI begins with a scheme, as in notes://today",
                        definition.uri
                    )]);
                }
                Ok(AnyResource::One(ResourceEntry { definition, handler, cache }))
            }
            resource::Definition::Template(definition) => {
                let uri = &definition.uri_template;
                let template =
                    UriTemplate::parse(uri).map_err(|error| vec![format!("resource {uri:?}: {error}")])?;
                let variables = template.variables();
                if let Some(variable) = completers.keys().find(|name| !variables.contains(&name.as_str())) {
                    return Err(vec![format!(
                        "resource {uri:?}: it completes {variable:?}, which is no variable of it"
                    )]);
                }
                Ok(AnyResource::Template(TemplateEntry { definition, template, handler, completers, cache }))
            }
        }
    }

    pub(crate) fn uri(&self) -> &str {
        match self {
            AnyResource::One(entry) => &entry.definition.uri,
            AnyResource::Template(entry) => &entry.definition.uri_template,
        }
    }
}

/// RFC 3986, section 3.1.
fn has_scheme(uri: &str) -> bool {
    uri.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
    })
}

impl TemplateEntry {
    /// The variables of `uri`, where it is one of this family.
    pub(crate) fn matches(&self, uri: &str) -> Option<BTreeMap<String, String>> {
        let mut texts = BTreeMap::new();
        texts.extend(self.template.matches(uri)?);
        Some(texts)
    }
}

macro_rules! listed {
    ($($entry:ident, $letter:literal, $item:ty, $key:ident => $result:ident.$member:ident;)*) => {
        $(impl Listed for $entry {
            type Item = $item;
            const LIST: char = $letter;

            fn key(&self) -> &str {
                &self.definition.$key
            }

            fn item(&self) -> $item {
                self.definition.clone()
            }

            fn page($member: Vec<$item>, next_cursor: Option<String>, cache: CacheHints) -> ServerResult {
                $result { $member, next_cursor, cache, ..$result::default() }.into()
            }
        })*
    };
}

listed! {
    ToolEntry, 't', model::Tool, name => ListToolsResult.tools;
    PromptEntry, 'p', model::Prompt, name => ListPromptsResult.prompts;
    ResourceEntry, 'r', model::Resource, uri => ListResourcesResult.resources;
    TemplateEntry, 'f', model::ResourceTemplate, uri_template => ListResourceTemplatesResult.resource_templates;
}
