//! Resources and their templates: how they are held, listed and read.

use std::collections::BTreeMap;
use std::sync::Arc;

use loggia_wire::uri_template::UriTemplate;
use loggia_wire::{Method, RawJson, RpcError};

use super::{Paging, Problems, Registration, read_params, result};
use crate::exchange::Exchange;
use crate::future::BoxFuture;
use crate::model::{
    self, CacheHints, CacheScope, ListResourceTemplatesResult, ListResourcesResult, ReadResourceParams,
    ReadResourceResult,
};
use crate::server::args::StringArgs;
use crate::server::core::ServerCore;
use crate::server::cx::CallSubject;
use crate::server::list::{List, ListEntry};
use crate::server::resource::ResourceOutput;
use crate::server::{completion, replay, resource};
use crate::service::{Outcome, Request};

/// Resources and templates to be registered.
pub(crate) fn registered() -> Registration<AnyResource, Resources> {
    Registration::new("resource", AnyResource::uri, Resources::new, answer)
}

fn answer(core: Arc<ServerCore>, request: Request, exchange: Exchange) -> BoxFuture<'static, Outcome> {
    let resources = core.resources();
    match request.method {
        Method::ReadResource => Box::pin(read(core, request, exchange)),
        Method::ListResourceTemplates => super::page(resources.map(|all| &all.templates), &request),
        _ => super::page(resources.map(|all| &all.ones), &request),
    }
}

/// The resources of a server: two lists.
pub(crate) struct Resources {
    pub(crate) ones: List<ResourceEntry>,
    pub(crate) templates: List<TemplateEntry>,
}

impl Resources {
    fn new(all: Vec<AnyResource>, paging: Paging) -> Resources {
        let (mut ones, mut templates) = (Vec::new(), Vec::new());
        for resource in all {
            match resource {
                AnyResource::One(entry) => ones.push(entry),
                AnyResource::Template(entry) => templates.push(entry),
            }
        }
        Resources { ones: List::new(ones, paging), templates: List::new(templates, paging) }
    }

    fn find(&self, uri: &str) -> Option<ResourceMatch> {
        if let Some(entry) = self.ones.get(uri) {
            let ResourceEntry { definition, handler, cache } = &*entry;
            let mime_type = definition.mime_type.clone();
            return Some(ResourceMatch {
                handler: handler.clone(),
                variables: BTreeMap::new(),
                mime_type,
                cache: *cache,
            });
        }
        self.templates.find_map(|entry| {
            entry.matches(uri).map(|variables| ResourceMatch {
                handler: entry.handler.clone(),
                variables,
                mime_type: entry.definition.mime_type.clone(),
                cache: entry.cache,
            })
        })
    }
}

pub(crate) struct ResourceEntry {
    pub(crate) definition: model::Resource,
    pub(crate) handler: resource::ResourceHandler<()>,
    pub(crate) cache: Option<CacheHints>,
}

pub(crate) struct TemplateEntry {
    pub(crate) definition: model::ResourceTemplate,
    pub(crate) template: UriTemplate,
    pub(crate) handler: resource::ResourceHandler<()>,
    pub(crate) completers: completion::Completers<()>,
    pub(crate) cache: Option<CacheHints>,
}

/// A resource is listed in one of two lists.
pub(crate) enum AnyResource {
    One(ResourceEntry),
    Template(TemplateEntry),
}

impl AnyResource {
    pub(crate) fn new(resource: resource::Resource<()>) -> Result<AnyResource, Problems> {
        let resource::Resource { definition, handler, completers, cache } = resource;
        match definition {
            resource::ResourceDefinition::One(definition) => {
                if !has_scheme(&definition.uri) {
                    return Err(vec![format!(
                        "resource {:?}: a URI begins with a scheme, as in notes://today",
                        definition.uri
                    )]);
                }
                if let Some(variable) = completers.keys().next() {
                    return Err(vec![no_variable(&definition.uri, variable)]);
                }
                Ok(AnyResource::One(ResourceEntry { definition, handler, cache }))
            }
            resource::ResourceDefinition::Template(definition) => {
                let uri = &definition.uri_template;
                let template =
                    UriTemplate::parse(uri).map_err(|error| vec![format!("resource {uri:?}: {error}")])?;
                let variables = template.variables();
                if let Some(variable) = completers.keys().find(|name| !variables.contains(&name.as_str())) {
                    return Err(vec![no_variable(uri, variable)]);
                }
                Ok(AnyResource::Template(TemplateEntry { definition, template, handler, completers, cache }))
            }
        }
    }

    /// Returns whether a variable of it can be completed.
    pub(crate) fn completes(&self) -> bool {
        matches!(self, AnyResource::Template(entry) if !entry.completers.is_empty())
    }

    pub(crate) fn uri(&self) -> &str {
        match self {
            AnyResource::One(entry) => &entry.definition.uri,
            AnyResource::Template(entry) => &entry.definition.uri_template,
        }
    }
}

fn no_variable(uri: &str, variable: &str) -> String {
    format!("resource {uri:?}: it completes {variable:?}, which is no variable of it")
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
        $(impl ListEntry for $entry {
            type Item = $item;
            type Page = $result;
            const LIST: char = $letter;

            fn key(&self) -> &str {
                &self.definition.$key
            }

            fn item(&self) -> $item {
                self.definition.clone()
            }

            fn page($member: Vec<$item>, next_cursor: Option<String>, cache: CacheHints) -> $result {
                $result { $member, next_cursor, cache, ..$result::default() }
            }
        })*
    };
}

listed! {
    ResourceEntry, 'r', model::Resource, uri => ListResourcesResult.resources;
    TemplateEntry, 'f', model::ResourceTemplate, uri_template => ListResourceTemplatesResult.resource_templates;
}

async fn read(core: Arc<ServerCore>, request: Request, exchange: Exchange) -> Outcome {
    let params: ReadResourceParams = read_params(&request)?;
    let uri = params.uri;
    let Some(found) = core.resources().and_then(|resources| resources.find(&uri)) else {
        return Err(RpcError::resource_not_found(&uri));
    };
    let arguments = RawJson::empty_object();
    let subject = CallSubject { method: Method::ReadResource, name: uri.clone(), arguments };
    let version = request.meta.version;
    let cx = core.cx(request, exchange, subject, params.input_responses, params.request_state);
    let handler = (found.handler)(core.no_state.clone(), cx.clone(), StringArgs::new(found.variables));
    match replay::run(&cx, handler).await {
        Err(end) => end(cx.call()).map(result),
        Ok(Ok(ResourceOutput::Result(output))) => {
            Ok(result(finish_contents(output, &uri, found.mime_type.as_deref(), found.cache)))
        }
        Ok(Ok(ResourceOutput::NotFound)) => Err(RpcError::resource_not_found(&uri)),
        Ok(Ok(ResourceOutput::InputRequired(input))) => Ok(result(input)),
        Ok(Err(error)) => Err(error.into_rpc(&uri, version)),
    }
}

/// A resource that was found, and what its URI says.
struct ResourceMatch {
    handler: resource::ResourceHandler<()>,
    variables: BTreeMap<String, String>,
    mime_type: Option<String>,
    cache: Option<CacheHints>,
}

/// Contents without a URI or a type get those that are known of the resource.
fn finish_contents(
    mut output: ReadResourceResult,
    uri: &str,
    mime_type: Option<&str>,
    cache: Option<CacheHints>,
) -> ReadResourceResult {
    for contents in &mut output.contents {
        if contents.uri.is_empty() {
            contents.uri = uri.to_owned();
        }
        if contents.mime_type.is_none() {
            contents.mime_type = mime_type.map(str::to_owned);
        }
    }
    let hints = cache.unwrap_or(CacheHints::new(0, CacheScope::Private));
    output.cache.ttl_ms = output.cache.ttl_ms.or(hints.ttl_ms);
    output.cache.cache_scope = output.cache.cache_scope.or(hints.cache_scope);
    output
}
