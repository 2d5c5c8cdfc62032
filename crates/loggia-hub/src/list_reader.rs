//! Reads the lists of one upstream within bounds of time and size.

use std::future::Future;
use std::time::Duration;

use loggia::changes::Change;
use loggia::client::{ListWarning, Listing};
use loggia::wire::text::truncated;
use loggia::{Error, Result};
use tokio::time::Instant;

use crate::limits::HubLimits;
use crate::upstream::Upstream;
use crate::upstream_lists::{ListOutcome, TEMPLATES, UpstreamLists};

/// The upstream whose lists are read, and their bounds.
#[derive(Clone, Copy)]
pub(crate) struct ListSource<'a> {
    pub(crate) link: &'a Upstream,
    pub(crate) connector: &'a str,
    pub(crate) limits: &'a HubLimits,
}

impl ListSource<'_> {
    /// Reads all lists. Fails only if the upstream cannot be reached: a list that it refuses is empty, and is
    /// reported as a problem.
    pub(crate) async fn read(self) -> Result<UpstreamLists> {
        let about = self.link.about().await?;
        let mut lists = UpstreamLists {
            version: about.version,
            identity: about.identity,
            capabilities: about.capabilities,
            instructions: about
                .instructions
                .map(|text| truncated(&text, self.limits.instructions).to_owned()),
            ..UpstreamLists::default()
        };
        self.refresh(&mut lists, &[Change::Tools, Change::Prompts, Change::Resources]).await?;
        Ok(lists)
    }

    /// Reads the lists that `changes` name, concurrently. A slow list does not delay the others; like a refused list,
    /// it is reported as a problem. The connection stays open, and the list may be read later.
    pub(crate) async fn refresh(self, lists: &mut UpstreamLists, changes: &[Change]) -> Result<()> {
        let (link, pages) = (self.link, self.limits.upstream.list_pages);
        let bounds = ListBounds::new(self.limits);
        let has = &lists.capabilities;
        let wants = |declared: bool, change: Change| declared && changes.contains(&change);
        let resources = wants(has.resources.is_some(), Change::Resources);
        let (tools, prompts, resources, templates) = tokio::join!(
            bounds.read(wants(has.tools.is_some(), Change::Tools), Box::pin(link.tools(pages))),
            bounds.read(wants(has.prompts.is_some(), Change::Prompts), Box::pin(link.prompts(pages))),
            bounds.read(resources, Box::pin(link.resources(pages))),
            bounds.read(resources, Box::pin(link.templates(pages))),
        );
        lists.take("tools", self.connector, tools?, |lists| &mut lists.tools);
        lists.take("prompts", self.connector, prompts?, |lists| &mut lists.prompts);
        lists.take("resources", self.connector, resources?, |lists| &mut lists.resources);
        lists.take(TEMPLATES, self.connector, templates?, |lists| &mut lists.templates);
        Ok(())
    }
}

/// The bounds of lists that are read together: the maximum number of entries of each, and the time for all.
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

    /// Reads one list, if it is wanted. The outer error means that the upstream cannot be reached.
    async fn read<T>(
        &self,
        wanted: bool,
        list: impl Future<Output = Result<Listing<T>>>,
    ) -> Result<ListOutcome<T>> {
        if !wanted {
            return Ok(None);
        }
        match tokio::time::timeout_at(self.deadline, list).await {
            Err(_) => Ok(Some(Err(Error::timeout(self.limit)))),
            Ok(Ok(listing)) => Ok(Some(Ok(self.cut(listing)))),
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
