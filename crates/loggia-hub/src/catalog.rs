//! What one upstream offers, as read at one moment.

use std::collections::BTreeMap;
use std::future::Future;

use loggia::changes::Change;
use loggia::model::{Implementation, Prompt, Resource, ResourceTemplate, ServerCapabilities, Tool};
use loggia::wire::{ErrorCode, Version};
use loggia::{Error, Result};

use crate::link::Link;
use crate::status::Counts;

/// The name of the list of resource templates.
const TEMPLATES: &str = "resource templates";

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
    /// The lists that could not be read last time, and why.
    pub(crate) problems: BTreeMap<&'static str, String>,
}

impl Catalog {
    /// Reads everything. Fails only where the upstream cannot be spoken to: a list that it refuses is empty,
    /// and a problem.
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
                let read = bounded("tools", most, link.tools()).await?;
                self.take("tools", read, |catalog| &mut catalog.tools);
            }
            Change::Prompts if self.capabilities.prompts.is_some() => {
                let read = bounded("prompts", most, link.prompts()).await?;
                self.take("prompts", read, |catalog| &mut catalog.prompts);
            }
            Change::Resources if self.capabilities.resources.is_some() => {
                let read = bounded("resources", most, link.resources()).await?;
                self.take("resources", read, |catalog| &mut catalog.resources);
                let read = bounded(TEMPLATES, most, link.templates()).await?;
                self.take(TEMPLATES, read, |catalog| &mut catalog.templates);
            }
            _ => {}
        }
        Ok(())
    }

    /// Keeps a list that was read. One that was not stays as it was.
    fn take<T>(&mut self, list: &'static str, read: Result<Vec<T>>, field: fn(&mut Catalog) -> &mut Vec<T>) {
        match read {
            Ok(entries) => {
                *field(self) = entries;
                self.problems.remove(list);
            }
            Err(error) => {
                self.problems.insert(list, error.to_string());
            }
        }
    }

    /// Logs the problems that `before` did not have.
    pub(crate) fn log_problems(&self, connector: &str, before: Option<&Catalog>) {
        for (list, error) in &self.problems {
            if before.and_then(|before| before.problems.get(list)) != Some(error) {
                tracing::warn!(connector, list, error, "a list cannot be read");
            }
        }
    }

    /// Whether the upstream announces when any list it has changes. A list that could not be read may be
    /// readable later without a change.
    pub(crate) fn announces(&self) -> bool {
        if !self.problems.is_empty() {
            return false;
        }
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

/// A list within its bound; the outer error means that the upstream cannot be spoken to. Servers declare
/// `resources` and know no templates: that is no error.
async fn bounded<T>(
    what: &'static str,
    most: usize,
    list: impl Future<Output = Result<Vec<T>>>,
) -> Result<Result<Vec<T>>> {
    match list.await {
        Ok(mut entries) => {
            if entries.len() > most {
                tracing::warn!(what, count = entries.len(), most, "a list is too long: the rest is left out");
                entries.truncate(most);
            }
            Ok(Ok(entries))
        }
        Err(Error::Rpc(error)) if what == TEMPLATES && error.code == ErrorCode::METHOD_NOT_FOUND => {
            Ok(Ok(Vec::new()))
        }
        Err(error @ (Error::Rpc(_) | Error::Protocol(_))) => Ok(Err(error)),
        Err(error) => Err(error),
    }
}
