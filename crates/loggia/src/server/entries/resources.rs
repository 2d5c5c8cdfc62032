//! Resources and resource templates as they are listed and read.

use std::collections::BTreeMap;

use loggia_wire::uri_template::UriTemplate;

use super::{Problems, Registration};
use crate::model::{self, CacheHints, ListResourceTemplatesResult, ListResourcesResult};
use crate::server::list::{List, ListEntry, Paging};
use crate::server::{completion, resource};

/// Resources and templates to be registered.
pub(crate) fn registered() -> Registration<AnyResource, ResourceLists> {
    Registration::new("resource", AnyResource::uri, ResourceLists::new)
}

/// The resources of a server: two lists.
pub(crate) struct ResourceLists {
    pub(crate) resources: List<ResourceEntry>,
    pub(crate) templates: List<TemplateEntry>,
}

impl ResourceLists {
    pub(crate) fn new(all: Vec<AnyResource>, paging: Paging) -> ResourceLists {
        let (mut resources, mut templates) = (Vec::new(), Vec::new());
        for resource in all {
            match resource {
                AnyResource::One(entry) => resources.push(entry),
                AnyResource::Template(entry) => templates.push(entry),
            }
        }
        ResourceLists { resources: List::new(resources, paging), templates: List::new(templates, paging) }
    }

    pub(crate) fn find(&self, uri: &str) -> Option<ResourceMatch> {
        if let Some(entry) = self.resources.get(uri) {
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

/// A resource that was found, and what its URI says.
pub(crate) struct ResourceMatch {
    pub(crate) handler: resource::ResourceHandler<()>,
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) mime_type: Option<String>,
    pub(crate) cache: Option<CacheHints>,
}
