//! The lists of one upstream, as read at one moment.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use loggia::changes::Change;
use loggia::client::{ListWarning, Listing};
use loggia::model::{Implementation, Prompt, Resource, ResourceTemplate, ServerCapabilities, Tool};
use loggia::wire::text::truncated;
use loggia::wire::{ErrorCode, Version};
use loggia::{Error, Result};
use tokio::time::Instant;

use crate::limits::HubLimits;
use crate::list_entry::ListEntry;
use crate::status::ListCounts;
use crate::upstream::Upstream;

/// The name of the list of resource templates.
const TEMPLATES: &str = "resource templates";

/// The lists of one upstream, and its description of itself.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct UpstreamLists {
    pub(crate) version: Option<Version>,
    pub(crate) identity: Option<Implementation>,
    pub(crate) capabilities: ServerCapabilities,
    pub(crate) instructions: Option<String>,
    pub(crate) tools: Vec<ListEntry<Tool>>,
    pub(crate) prompts: Vec<ListEntry<Prompt>>,
    pub(crate) resources: Vec<ListEntry<Resource>>,
    pub(crate) templates: Vec<ListEntry<ResourceTemplate>>,
    /// The lists that could not be read last time, and why.
    pub(crate) problems: BTreeMap<&'static str, String>,
    /// The entries that were left out, for each list.
    pub(crate) warnings: BTreeMap<&'static str, Vec<ListWarning>>,
}

/// The upstream whose lists are read, and their bounds.
#[derive(Clone, Copy)]
pub(crate) struct ListSource<'a> {
    pub(crate) link: &'a Upstream,
    pub(crate) connector: &'a str,
    pub(crate) limits: &'a HubLimits,
}

impl UpstreamLists {
    /// Reads everything. Fails only where the upstream cannot be spoken to: a list that it refuses is empty,
    /// and a problem.
    pub(crate) async fn read(source: ListSource<'_>) -> Result<UpstreamLists> {
        let about = source.link.about().await?;
        let mut lists = UpstreamLists {
            version: about.version,
            identity: about.identity,
            capabilities: about.capabilities,
            instructions: about
                .instructions
                .map(|text| truncated(&text, source.limits.instructions).to_owned()),
            ..UpstreamLists::default()
        };
        lists.refresh(source, &[Change::Tools, Change::Prompts, Change::Resources]).await?;
        Ok(lists)
    }

    /// The lists in which it differs from `before`.
    pub(crate) fn changes_since(&self, before: &UpstreamLists) -> Vec<Change> {
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
    pub(crate) async fn refresh(&mut self, source: ListSource<'_>, changes: &[Change]) -> Result<()> {
        let (link, pages) = (source.link, source.limits.upstream.list_pages);
        let bounds = ListBounds::new(source.limits);
        let has = &self.capabilities;
        let wants = |declared: bool, change: Change| declared && changes.contains(&change);
        let resources = wants(has.resources.is_some(), Change::Resources);
        let (tools, prompts, resources, templates) = tokio::join!(
            bounds.read(wants(has.tools.is_some(), Change::Tools), "tools", Box::pin(link.tools(pages))),
            bounds.read(
                wants(has.prompts.is_some(), Change::Prompts),
                "prompts",
                Box::pin(link.prompts(pages))
            ),
            bounds.read(resources, "resources", Box::pin(link.resources(pages))),
            bounds.read(resources, TEMPLATES, Box::pin(link.templates(pages))),
        );
        self.take("tools", source.connector, tools?, |lists| &mut lists.tools);
        self.take("prompts", source.connector, prompts?, |lists| &mut lists.prompts);
        self.take("resources", source.connector, resources?, |lists| &mut lists.resources);
        self.take(TEMPLATES, source.connector, templates?, |lists| &mut lists.templates);
        Ok(())
    }

    /// Keeps a list that was read. One that was not stays as it was.
    fn take<T>(
        &mut self,
        list: &'static str,
        connector: &str,
        read: ListOutcome<T>,
        field: fn(&mut UpstreamLists) -> &mut Vec<ListEntry<T>>,
    ) {
        match read {
            None => {}
            Some(Ok(Listing { entries, sources, warnings })) => {
                *field(self) = ListEntry::pair(entries, sources);
                self.problems.remove(list);
                self.left_out(list, connector, warnings);
            }
            Some(Err(error)) => {
                self.problems.insert(list, error.to_string());
            }
        }
    }

    /// Takes the lists that could not be read this time from `before`: what was there is likely there still.
    pub(crate) fn keep_unread(&mut self, before: &UpstreamLists) {
        for list in self.problems.keys() {
            match *list {
                "tools" => self.tools = before.tools.clone(),
                "prompts" => self.prompts = before.prompts.clone(),
                "resources" => self.resources = before.resources.clone(),
                _ => self.templates = before.templates.clone(),
            }
        }
    }

    /// Logs what was left out of a list, unless it is the same as the last time.
    fn left_out(&mut self, list: &'static str, connector: &str, warnings: Vec<ListWarning>) {
        if self.warnings.get(list).is_some_and(|before| *before == warnings) {
            return;
        }
        for warning in &warnings {
            tracing::warn!(connector, list, %warning, "a list is not complete");
        }
        self.warnings.insert(list, warnings);
    }

    /// Logs the problems that `before` did not have.
    pub(crate) fn log_problems(&self, connector: &str, before: Option<&UpstreamLists>) {
        for (list, error) in &self.problems {
            if before.and_then(|before| before.problems.get(list)) != Some(error) {
                tracing::warn!(connector, list, error, "a list cannot be read");
            }
        }
    }

    /// Returns whether the upstream announces when any list it has changes. A list that could not be read may be
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

    pub(crate) fn counts(&self) -> ListCounts {
        ListCounts {
            tools: self.tools.len(),
            prompts: self.prompts.len(),
            resources: self.resources.len(),
            templates: self.templates.len(),
        }
    }
}

/// The outcome of reading a list; `None` where it was not wanted.
type ListOutcome<T> = Option<Result<Listing<T>>>;

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
        list: impl Future<Output = Result<Listing<T>>>,
    ) -> Result<ListOutcome<T>> {
        if !wanted {
            return Ok(None);
        }
        match tokio::time::timeout_at(self.deadline, list).await {
            Err(_) => Ok(Some(Err(Error::timeout(self.limit)))),
            Ok(Ok(listing)) => Ok(Some(Ok(self.cut(listing)))),
            Ok(Err(Error::Rpc(error))) if what == TEMPLATES && error.code == ErrorCode::METHOD_NOT_FOUND => {
                Ok(Some(Ok(Listing::default())))
            }
            Ok(Err(
                error @ (Error::Rpc(_) | Error::Protocol(_) | Error::TooLarge(_) | Error::Timeout(_)),
            )) => Ok(Some(Err(error))),
            Ok(Err(error)) => Err(error),
        }
    }

    fn cut<T>(&self, mut listing: Listing<T>) -> Listing<T> {
        if listing.entries.len() > self.entries {
            listing.entries.truncate(self.entries);
            listing.warn(ListWarning::TooManyEntries(self.entries));
        }
        listing
    }
}

#[cfg(test)]
mod tests {
    use loggia::model::JsonObject;

    use super::*;

    #[test]
    fn a_list_that_cannot_be_read_stays_as_it_was() {
        let tool = |name: &str| ListEntry::from(Tool::new(name, JsonObject::new()));
        let before = UpstreamLists {
            tools: vec![tool("a")],
            prompts: vec![Prompt::default().into()],
            ..UpstreamLists::default()
        };
        let mut now = UpstreamLists::default();
        now.problems.insert("tools", "refused".to_owned());
        now.keep_unread(&before);
        assert_eq!((now.tools.len(), now.prompts.len()), (1, 0));
    }
}
