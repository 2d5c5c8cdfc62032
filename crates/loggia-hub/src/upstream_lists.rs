//! The lists of one upstream at one moment.

use std::collections::BTreeMap;

use loggia::Result;
use loggia::changes::Change;
use loggia::client::{ListWarning, Listing};
use loggia::model::{Implementation, Prompt, Resource, ResourceTemplate, ServerCapabilities, Tool};
use loggia::wire::Version;

use crate::list_entry::ListEntry;
use crate::status::ListCounts;

/// The name of the list of resource templates.
pub(crate) const TEMPLATES: &str = "resource templates";

/// The maximum number of warnings that are shown for each list.
const WARNINGS_SHOWN: usize = 4;

/// The lists of one upstream, and its own description.
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
    /// The lists that could not be read the last time, with the reason.
    pub(crate) problems: BTreeMap<&'static str, String>,
    /// The entries that were left out, for each list.
    pub(crate) warnings: BTreeMap<&'static str, Vec<ListWarning>>,
}

/// The outcome of reading a list; `None` if it was not wanted.
pub(crate) type ListOutcome<T> = Option<Result<Listing<T>>>;

impl UpstreamLists {
    /// Returns the lists in which it differs from `before`.
    pub(crate) fn changes_since(&self, before: &UpstreamLists) -> Vec<Change> {
        let resources = self.resources != before.resources || self.templates != before.templates;
        let lists = [
            (self.tools != before.tools, Change::Tools),
            (self.prompts != before.prompts, Change::Prompts),
            (resources, Change::Resources),
        ];
        lists.into_iter().filter_map(|(differs, change)| differs.then_some(change)).collect()
    }

    /// Takes the outcome of reading a list. A list that was not read is unchanged.
    pub(crate) fn take<T>(
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

    /// Takes the lists that could not be read this time from `before`, because they are probably unchanged.
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

    /// Returns a text for each list that cannot be read, and for the entries that were left out.
    pub(crate) fn problem_texts(&self) -> Vec<String> {
        let unread =
            self.problems.iter().map(|(list, error)| format!("the {list} cannot be listed: {error}"));
        let incomplete = self.warnings.iter().filter(|(list, _)| !self.problems.contains_key(*list));
        let incomplete = incomplete.flat_map(|(list, warnings)| {
            let shown = warnings.iter().take(WARNINGS_SHOWN);
            let shown = shown.map(move |warning| format!("the {list} are not complete: {warning}"));
            let more = warnings.len().saturating_sub(WARNINGS_SHOWN);
            let more = (more > 0)
                .then(|| format!("the {list} are not complete: {more} more warnings are in the log"));
            shown.chain(more)
        });
        unread.chain(incomplete).collect()
    }

    /// Logs the entries that were left out of a list, unless they are the same as the last time.
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

    /// Returns whether the upstream announces changes of all its lists. False if a list could not be read, because it
    /// may become readable without a change.
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

    /// Returns the number of entries of each list.
    pub(crate) fn counts(&self) -> ListCounts {
        ListCounts {
            tools: self.tools.len(),
            prompts: self.prompts.len(),
            resources: self.resources.len(),
            templates: self.templates.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use loggia::model::JsonObject;

    use super::*;

    #[test]
    fn each_list_that_is_not_complete_is_a_problem_in_a_bounded_number_of_texts() {
        let warnings = |amount| vec![ListWarning::TooManyPages(1); amount];
        let lists = UpstreamLists {
            problems: BTreeMap::from([("tools", "refused".to_owned())]),
            // The list was not complete when it was read last.
            warnings: BTreeMap::from([
                ("tools", warnings(1)),
                ("prompts", warnings(1)),
                ("resources", warnings(6)),
                (TEMPLATES, warnings(0)),
            ]),
            ..UpstreamLists::default()
        };
        let incomplete =
            |list: &str| format!("the {list} are not complete: {}", ListWarning::TooManyPages(1));
        let mut expected = vec!["the tools cannot be listed: refused".to_owned(), incomplete("prompts")];
        expected.extend(vec![incomplete("resources"); 4]);
        expected.push("the resources are not complete: 2 more warnings are in the log".to_owned());
        assert_eq!(lists.problem_texts(), expected);
    }

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
