//! Changes of a server's tools, prompts and resources while it runs. Each change is announced to the subscribed clients.

use std::any::Any;
use std::sync::Arc;

use super::core::ServerCore;
use super::cx::Cx;
use super::entries::Problems;
use super::entries::prompts::PromptEntry;
use super::entries::resources::{AnyResource, ResourceLists};
use super::entries::tools::ToolEntry;
use super::prompt::IntoPrompt;
use super::resource::IntoResource;
use super::tool::IntoTool;
use crate::changes::Changes;
use crate::error::{Error, Result};

/// The tools, prompts and resources of a running server. Cheap to clone. Things that need state are given
/// with it: `tool.bind(state)`.
#[derive(Clone)]
pub struct Registry(Arc<ServerCore>);

impl Registry {
    pub(crate) fn new(core: Arc<ServerCore>) -> Registry {
        Registry(core)
    }

    /// Adds a tool, in the place of one with the same name where there is one. The server must have declared
    /// tools: `.tools([])` does so for one that begins without any.
    pub fn add_tool(&self, tool: impl IntoTool<()>) -> Result<()> {
        let tools = declared(self.0.tools.as_ref(), "tools")?;
        let entry = ToolEntry::new(tool.into_tool()).map_err(configuration)?;
        tools.insert(entry);
        self.0.context.changes.tools();
        Ok(())
    }

    /// Removes a tool. `false` where there is none of that name.
    pub fn remove_tool(&self, name: &str) -> bool {
        let removed = self.0.tools.as_ref().is_some_and(|tools| tools.remove(name));
        if removed {
            self.0.context.changes.tools();
        }
        removed
    }

    /// Adds a prompt, in the place of one with the same name where there is one.
    pub fn add_prompt(&self, prompt: impl IntoPrompt<()>) -> Result<()> {
        let prompts = declared(self.0.prompts.as_ref(), "prompts")?;
        let entry = PromptEntry::new(prompt.into_prompt()).map_err(configuration)?;
        prompts.insert(entry);
        self.0.context.changes.prompts();
        Ok(())
    }

    /// Removes a prompt. `false` where there is none of that name.
    pub fn remove_prompt(&self, name: &str) -> bool {
        let removed = self.0.prompts.as_ref().is_some_and(|prompts| prompts.remove(name));
        if removed {
            self.0.context.changes.prompts();
        }
        removed
    }

    /// Adds a resource or a template, in the place of one with the same URI where there is one.
    pub fn add_resource(&self, resource: impl IntoResource<()>) -> Result<()> {
        let resources = declared(self.0.resources.as_ref(), "resources")?;
        match AnyResource::new(resource.into_resource()).map_err(configuration)? {
            AnyResource::One(entry) => resources.resources.insert(entry),
            AnyResource::Template(entry) => resources.templates.insert(entry),
        }
        self.0.context.changes.resources();
        Ok(())
    }

    /// Removes a resource or a template. `false` where there is none of that URI.
    pub fn remove_resource(&self, uri: &str) -> bool {
        let remove = |all: &ResourceLists| all.resources.remove(uri) || all.templates.remove(uri);
        let removed = self.0.resources.as_ref().is_some_and(remove);
        if removed {
            self.0.context.changes.resources();
        }
        removed
    }

    /// Returns the bus for announcing other changes, for example of the contents of a resource.
    pub fn changes(&self) -> &Changes {
        &self.0.context.changes
    }
}

impl Cx {
    /// Returns the registry, which changes the server's tools, prompts and resources while it runs.
    pub fn registry(&self) -> Registry {
        let server: Arc<dyn Any + Send + Sync> = self.call().server.clone();
        Registry(server.downcast().expect("only a server makes contexts for its requests"))
    }
}

fn declared<'a, L>(list: Option<&'a L>, what: &str) -> Result<&'a L> {
    list.ok_or_else(|| {
        Error::Configuration(format!(
            "the server was built without {what}: call `.{what}([])` before it is built"
        ))
    })
}

pub(crate) fn configuration(problems: Problems) -> Error {
    Error::Configuration(problems.join("; "))
}
