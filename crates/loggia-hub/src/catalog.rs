//! What one upstream offers, as read at one moment.

use std::collections::BTreeMap;
use std::future::Future;

use loggia::changes::Change;
use loggia::client::{ListWarning, Listing};
use loggia::model::{Implementation, Prompt, Resource, ResourceTemplate, ServerCapabilities, Tool};
use loggia::wire::{ErrorCode, Version};
use loggia::{Error, Result};

use crate::directory::cut;
use crate::limits::HubLimits;
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
    /// What was left out of each list.
    warnings: BTreeMap<&'static str, Vec<ListWarning>>,
}

/// The upstream whose lists are read, and their bounds.
#[derive(Clone, Copy)]
pub(crate) struct ListSource<'a> {
    pub(crate) link: &'a Link,
    pub(crate) connector: &'a str,
    pub(crate) limits: &'a HubLimits,
}

impl Catalog {
    /// Reads everything. Fails only where the upstream cannot be spoken to: a list that it refuses is empty.
    pub(crate) async fn read(source: ListSource<'_>) -> Result<Catalog> {
        let about = source.link.about().await?;
        let mut catalog = Catalog {
            version: about.version,
            identity: about.identity,
            capabilities: about.capabilities,
            instructions: about.instructions.map(|text| cut(&text, source.limits.instructions).to_owned()),
            ..Catalog::default()
        };
        for change in [Change::Tools, Change::Prompts, Change::Resources] {
            catalog.refresh(source, &change).await?;
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
    pub(crate) async fn refresh(&mut self, source: ListSource<'_>, change: &Change) -> Result<()> {
        let (link, pages) = (source.link, source.limits.upstream.list_pages);
        match change {
            Change::Tools if self.capabilities.tools.is_some() => {
                self.tools = self.bounded("tools", source, link.tools(pages)).await?;
            }
            Change::Prompts if self.capabilities.prompts.is_some() => {
                self.prompts = self.bounded("prompts", source, link.prompts(pages)).await?;
            }
            Change::Resources if self.capabilities.resources.is_some() => {
                self.resources = self.bounded("resources", source, link.resources(pages)).await?;
                self.templates = self.bounded("resource templates", source, link.templates(pages)).await?;
            }
            _ => {}
        }
        Ok(())
    }

    /// A list within its bound. One that the upstream answers with an error is taken for empty: servers declare
    /// `resources` and know no templates, and one broken list is no reason to hide the others.
    async fn bounded<T>(
        &mut self,
        what: &'static str,
        source: ListSource<'_>,
        list: impl Future<Output = Result<Listing<T>>>,
    ) -> Result<Vec<T>> {
        let (connector, most) = (source.connector, source.limits.list_entries);
        match list.await {
            Ok(Listing { mut entries, warnings }) => {
                if entries.len() > most {
                    tracing::warn!(
                        connector,
                        what,
                        count = entries.len(),
                        most,
                        "a list is too long: the rest is left out"
                    );
                    entries.truncate(most);
                }
                self.left_out(what, connector, warnings);
                Ok(entries)
            }
            Err(Error::Rpc(error)) if error.code == ErrorCode::METHOD_NOT_FOUND => Ok(Vec::new()),
            Err(error @ (Error::Rpc(_) | Error::Protocol(_))) => {
                tracing::warn!(connector, what, %error, "a list cannot be read and is taken for empty");
                Ok(Vec::new())
            }
            Err(error) => Err(error),
        }
    }

    /// Logs what was left out of a list, unless it is the same as the last time.
    fn left_out(&mut self, what: &'static str, connector: &str, warnings: Vec<ListWarning>) {
        if self.warnings.get(what).is_some_and(|before| *before == warnings) {
            return;
        }
        for warning in &warnings {
            tracing::warn!(connector, what, %warning, "a list is not complete");
        }
        self.warnings.insert(what, warnings);
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
