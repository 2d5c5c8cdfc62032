//! Prompts as they are listed and got.

use super::{Problems, Registration};
use crate::model::{self, CacheHints, ListPromptsResult};
use crate::server::list::{List, ListEntry};
use crate::server::{completion, prompt};

/// Prompts to be registered.
pub(crate) fn registered() -> Registration<PromptEntry, List<PromptEntry>> {
    Registration::new("prompt", PromptEntry::key, List::new)
}

pub(crate) struct PromptEntry {
    pub(crate) definition: model::Prompt,
    pub(crate) handler: prompt::PromptHandler<()>,
    pub(crate) completers: completion::Completers<()>,
}

impl PromptEntry {
    /// Returns whether an argument of it can be completed.
    pub(crate) fn completes(&self) -> bool {
        !self.completers.is_empty()
    }

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

impl ListEntry for PromptEntry {
    type Item = model::Prompt;
    type Page = ListPromptsResult;
    const LIST: char = 'p';

    fn key(&self) -> &str {
        &self.definition.name
    }

    fn item(&self) -> model::Prompt {
        self.definition.clone()
    }

    fn page(
        prompts: Vec<model::Prompt>,
        next_cursor: Option<String>,
        cache: CacheHints,
    ) -> ListPromptsResult {
        ListPromptsResult { prompts, next_cursor, cache, ..ListPromptsResult::default() }
    }
}
