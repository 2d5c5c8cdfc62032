//! What one upstream offers, as read at one moment.

use std::future::Future;

use loggia::changes::Change;
use loggia::model::{Implementation, Prompt, Resource, ResourceTemplate, ServerCapabilities, Tool};
use loggia::wire::{ErrorCode, Version};
use loggia::{Error, Result};

use crate::link::Link;
use crate::status::Counts;

/// What one upstream offers.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Catalog {
    pub(crate) version: Option<Version>,
    pub(crate) identity: Option<Implementation>,
    pub(crate) capabilities: ServerCapabilities,
    pub(crate) instructions: Option<String>,
    pub(crate) tools: Vec<Tool>,
    pub(crate) prompts: Vec<Prompt>,
    pub(crate) resources: Vec<Resource>,
    pub(crate) templates: Vec<ResourceTemplate>,
}

impl Catalog {
    /// Reads everything. Fails only where the upstream cannot be spoken to: a list that it refuses is empty.
    pub(crate) async fn read(link: &Link, most: usize) -> Result<Catalog> {
        let about = link.about().await?;
        let mut catalog = Catalog {
            version: about.version,
            identity: about.identity,
            capabilities: about.capabilities,
            instructions: about.instructions,
            ..Catalog::default()
        };
        for change in [Change::Tools, Change::Prompts, Change::Resources] {
            catalog.refresh(link, &change, most).await?;
        }
        Ok(catalog)
    }

    /// The lists in which it differs from `before`.
    pub(crate) fn changes_since(&self, before: &Catalog) -> Vec<Change> {
        let resources = self.resources != before.resources || self.templates != before.templates;
        let lists = [
            (self.tools != before.tools, Change::Tools),
            (self.prompts != before.prompts, Change::Prompts),
            (resources, Change::Resources),
        ];
        lists.into_iter().filter_map(|(differs, change)| differs.then_some(change)).collect()
    }

    /// Reads the list that `change` is about again.
    pub(crate) async fn refresh(&mut self, link: &Link, change: &Change, most: usize) -> Result<()> {
        match change {
            Change::Tools if self.capabilities.tools.is_some() => {
                self.tools = bounded("tools", most, link.tools()).await?;
            }
            Change::Prompts if self.capabilities.prompts.is_some() => {
                self.prompts = bounded("prompts", most, link.prompts()).await?;
            }
            Change::Resources if self.capabilities.resources.is_some() => {
                self.resources = bounded("resources", most, link.resources()).await?;
                self.templates = bounded("resource templates", most, link.templates()).await?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether the upstream announces when any list it has changes.
    pub(crate) fn announces(&self) -> bool {
        let lists = [
            self.capabilities.tools.as_ref().map(|c| c.list_changed),
            self.capabilities.prompts.as_ref().map(|c| c.list_changed),
            self.capabilities.resources.as_ref().map(|c| c.list_changed),
        ];
        lists.into_iter().flatten().all(|announced| announced == Some(true))
    }

    pub(crate) fn counts(&self) -> Counts {
        Counts {
            tools: self.tools.len(),
            prompts: self.prompts.len(),
            resources: self.resources.len(),
            templates: self.templates.len(),
        }
    }
}

/// A list within its bound. One that the upstream answers with an error is taken for empty: servers declare
/// `resources` and know no templates, and one broken list is no reason to hide the others.
async fn bounded<T>(what: &str, most: usize, list: impl Future<Output = Result<Vec<T>>>) -> Result<Vec<T>> {
    match list.await {
        Ok(mut entries) => {
            if entries.len() > most {
                tracing::warn!(what, count = entries.len(), most, "a list is too long: the rest is left out");
                entries.truncate(most);
            }
            Ok(entries)
        }
        Err(Error::Rpc(error)) if error.code == ErrorCode::METHOD_NOT_FOUND => Ok(Vec::new()),
        Err(error @ (Error::Rpc(_) | Error::Protocol(_) | Error::TooLarge(_))) => {
            tracing::warn!(what, %error, "a list cannot be read and is taken for empty");
            Ok(Vec::new())
        }
        Err(error) => Err(error),
    }
}
