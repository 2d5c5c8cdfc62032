//! What one upstream offers, as read at one moment.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use loggia::changes::Change;
use loggia::model::{Implementation, Prompt, Resource, ResourceTemplate, ServerCapabilities, Tool};
use loggia::wire::{ErrorCode, Version};
use loggia::{Error, Result};
use tokio::time::Instant;

use crate::limits::HubLimits;
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
    pub(crate) async fn read(link: &Link, limits: &HubLimits) -> Result<Catalog> {
        let about = link.about().await?;
        let mut catalog = Catalog {
            version: about.version,
            identity: about.identity,
            capabilities: about.capabilities,
            instructions: about.instructions,
            ..Catalog::default()
        };
        catalog.refresh(link, &[Change::Tools, Change::Prompts, Change::Resources], limits).await?;
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

    /// Reads the lists that `changes` are about, at once: one that takes long does not keep the others from being
    /// read, and is a problem like one that is refused. The connection is good, and may bring it another time.
    pub(crate) async fn refresh(
        &mut self,
        link: &Link,
        changes: &[Change],
        limits: &HubLimits,
    ) -> Result<()> {
        let bounds = ListBounds::new(limits);
        let has = &self.capabilities;
        let wants = |declared: bool, change: Change| declared && changes.contains(&change);
        let resources = wants(has.resources.is_some(), Change::Resources);
        let (tools, prompts, resources, templates) = tokio::join!(
            bounds.read(wants(has.tools.is_some(), Change::Tools), "tools", Box::pin(link.tools())),
            bounds.read(wants(has.prompts.is_some(), Change::Prompts), "prompts", Box::pin(link.prompts())),
            bounds.read(resources, "resources", Box::pin(link.resources())),
            bounds.read(resources, TEMPLATES, Box::pin(link.templates())),
        );
        self.take("tools", tools?, |catalog| &mut catalog.tools);
        self.take("prompts", prompts?, |catalog| &mut catalog.prompts);
        self.take("resources", resources?, |catalog| &mut catalog.resources);
        self.take(TEMPLATES, templates?, |catalog| &mut catalog.templates);
        Ok(())
    }

    /// Keeps a list that was read. One that was not stays as it was.
    fn take<T>(&mut self, list: &'static str, read: ReadList<T>, field: fn(&mut Catalog) -> &mut Vec<T>) {
        match read {
            None => {}
            Some(Ok(entries)) => {
                *field(self) = entries;
                self.problems.remove(list);
            }
            Some(Err(error)) => {
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

/// What reading a list came to; `None` where it was not wanted.
type ReadList<T> = Option<Result<Vec<T>>>;

/// The bounds of lists that are read together: most entries of each, and the time for all.
struct ListBounds {
    entries: usize,
    limit: Duration,
    deadline: Instant,
}

impl ListBounds {
    fn new(limits: &HubLimits) -> ListBounds {
        let limit = limits.list_timeout;
        ListBounds { entries: limits.list_entries, limit, deadline: Instant::now() + limit }
    }

    /// Reads one list, where it is wanted; the outer error means that the upstream cannot be spoken to. Servers
    /// declare `resources` and know no templates: that is no error.
    async fn read<T>(
        &self,
        wanted: bool,
        what: &'static str,
        list: impl Future<Output = Result<Vec<T>>>,
    ) -> Result<ReadList<T>> {
        if !wanted {
            return Ok(None);
        }
        match tokio::time::timeout_at(self.deadline, list).await {
            Err(_) => Ok(Some(Err(Error::timeout(self.limit)))),
            Ok(Ok(entries)) => Ok(Some(Ok(self.cut(what, entries)))),
            Ok(Err(Error::Rpc(error))) if what == TEMPLATES && error.code == ErrorCode::METHOD_NOT_FOUND => {
                Ok(Some(Ok(Vec::new())))
            }
            Ok(Err(
                error @ (Error::Rpc(_) | Error::Protocol(_) | Error::TooLarge(_) | Error::Timeout(_)),
            )) => Ok(Some(Err(error))),
            Ok(Err(error)) => Err(error),
        }
    }

    fn cut<T>(&self, what: &str, mut entries: Vec<T>) -> Vec<T> {
        if entries.len() > self.entries {
            let (count, most) = (entries.len(), self.entries);
            tracing::warn!(what, count, most, "a list is too long: the rest is left out");
            entries.truncate(self.entries);
        }
        entries
    }
}
