//! What a server offers, changed while it runs. Every change is announced to whoever listens.

use std::sync::Arc;

use super::core::Core;
use super::entries::{AnyResource, Problems, PromptEntry, ToolEntry};
use super::prompt::IntoPrompt;
use super::resource::IntoResource;
use super::tool::IntoTool;
use crate::changes::Changes;
use crate::error::{Error, Result};

/// The tools, prompts and resources of a running server. Cheap to clone. Things that need state are given
/// with it: `tool.bind(state)`.
#[derive(Clone)]
pub struct Registry(Arc<Core>);

impl Registry {
    pub(crate) fn new(core: Arc<Core>) -> Registry {
        Registry(core)
    }

    /// Adds a tool, in the place of one with the same name where there is one. The server must have declared
    /// tools: `.tools([])` does so for one that begins without any.
    pub fn add_tool(&self, tool: impl IntoTool<()>) -> Result<()> {
        self.declared(self.0.description.capabilities.tools.is_some(), "tools")?;
        let entry = ToolEntry::new(tool.into_tool()).map_err(configuration)?;
        self.0.tools.insert(entry);
        self.0.changes.tools();
        Ok(())
    }

    /// Removes a tool. `false` where there is none of that name.
    pub fn remove_tool(&self, name: &str) -> bool {
        let removed = self.0.tools.remove(name);
        if removed {
            self.0.changes.tools();
        }
        removed
    }

    /// Adds a prompt, in the place of one with the same name where there is one.
    pub fn add_prompt(&self, prompt: impl IntoPrompt<()>) -> Result<()> {
        self.declared(self.0.description.capabilities.prompts.is_some(), "prompts")?;
        let entry = PromptEntry::new(prompt.into_prompt()).map_err(configuration)?;
        self.0.prompts.insert(entry);
        self.0.changes.prompts();
        Ok(())
    }

    /// Removes a prompt. `false` where there is none of that name.
    pub fn remove_prompt(&self, name: &str) -> bool {
        let removed = self.0.prompts.remove(name);
        if removed {
            self.0.changes.prompts();
        }
        removed
    }

    /// Adds a resource or a template, in the place of one with the same URI where there is one.
    pub fn add_resource(&self, resource: impl IntoResource<()>) -> Result<()> {
        self.declared(self.0.description.capabilities.resources.is_some(), "resources")?;
        match AnyResource::new(resource.into_resource()).map_err(configuration)? {
            AnyResource::One(entry) => self.0.resources.insert(entry),
            AnyResource::Template(entry) => self.0.templates.insert(entry),
        }
        self.0.changes.resources();
        Ok(())
    }

    /// Removes a resource or a template. `false` where there is none of that URI.
    pub fn remove_resource(&self, uri: &str) -> bool {
        let removed = self.0.resources.remove(uri) || self.0.templates.remove(uri);
        if removed {
            self.0.changes.resources();
        }
        removed
    }

    /// Where changes are announced: what resources hold, say.
    pub fn changes(&self) -> &Changes {
        &self.0.changes
    }

    fn declared(&self, is_declared: bool, what: &str) -> Result<()> {
        if is_declared {
            return Ok(());
        }
        Err(Error::Configuration(format!(
            "the server was built without {what}: call `.{what}([])` before it is built"
        )))
    }
}

pub(crate) fn configuration(problems: Problems) -> Error {
    Error::Configuration(problems.join("; "))
}
