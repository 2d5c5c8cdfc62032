//! The settings of the tools of an MCP server, as a transform: of definitions and results for clients, and of arguments for
//! the server. A vendor's own tools are many and described for everyone; the settings fit them to a model.
//!
//! Invariant: pure functions; a tool without settings is not changed.

use std::collections::BTreeMap;

use loggia::model::{CallToolResult, ContentBlock, TextContent, Tool, ToolAnnotations};
use loggia::wire::{JsonObject, RawJson};
use loggia_openapi::OperationClass;
use serde_json::{Map, Value, json};

use super::{ConnectorValues, ManifestBackend, ManifestTool, MissingValue};
use crate::filter::{FilterRunner, JsonFilter};

/// The settings of one tool of an MCP server.
#[derive(Debug, Clone)]
pub struct ToolSettings {
    /// The name that clients see.
    pub name: String,
    /// The name that the server gives it.
    pub from: String,
    /// The effect of a call, if the manifest says it.
    pub class: Option<OperationClass>,
    /// True if it is served.
    pub is_enabled: bool,
    /// True if the user is asked before each call.
    pub needs_confirmation: bool,
    /// True if it is left out of the list of tools.
    pub is_deferred: bool,
    title: Option<String>,
    description: Option<String>,
    /// By the server's names.
    fixed: Map<String, Value>,
    /// The server's names, by the caller's.
    rename: BTreeMap<String, String>,
    /// By the caller's names.
    defaults: Map<String, Value>,
    result: Option<JsonFilter>,
}

impl ManifestBackend {
    /// Returns the settings of the server's tools, in the order of the manifest. A direct backend has none.
    pub fn tool_settings(&self, values: &ConnectorValues) -> Result<Vec<ToolSettings>, MissingValue> {
        let tools = self.tools.iter().filter(|_| !self.kind().is_direct());
        tools.map(|tool| ToolSettings::new(tool, values)).collect()
    }
}

impl ToolSettings {
    /// Returns the settings that a manifest gives a tool.
    pub fn new(tool: &ManifestTool, values: &ConnectorValues) -> Result<ToolSettings, MissingValue> {
        Ok(ToolSettings {
            name: tool.name.clone(),
            from: tool.from.clone(),
            class: tool.class,
            is_enabled: tool.is_enabled,
            needs_confirmation: tool.needs_confirmation,
            is_deferred: tool.is_deferred,
            title: tool.title.clone(),
            description: tool.description.clone(),
            fixed: values.object(&tool.fixed)?,
            rename: tool.rename.clone(),
            defaults: values.object(&tool.defaults)?,
            result: tool.result.clone(),
        })
    }

    /// Returns the definition that clients see, from the server's.
    pub fn definition(&self, server: &Tool) -> Tool {
        let mut tool = server.clone();
        tool.name.clone_from(&self.name);
        if self.title.is_some() {
            tool.title.clone_from(&self.title);
        }
        if self.description.is_some() {
            tool.description.clone_from(&self.description);
        }
        if let Some(class) = self.class {
            let hints = tool.annotations.take().unwrap_or_default();
            let is_read = class == OperationClass::Read;
            tool.annotations = Some(ToolAnnotations {
                read_only_hint: Some(is_read),
                destructive_hint: (!is_read).then_some(class == OperationClass::Destructive),
                ..hints
            });
        }
        if self.changes_arguments() {
            tool.input_schema = self.input_schema(&server.input_schema).into();
        }
        if self.result.is_some() {
            // The shaped result has another schema.
            tool.output_schema = None;
        }
        tool
    }

    /// Returns whether the server gets other arguments than the caller's.
    pub fn changes_arguments(&self) -> bool {
        !(self.fixed.is_empty() && self.rename.is_empty() && self.defaults.is_empty())
    }

    /// Returns whether results are shaped.
    pub fn changes_result(&self) -> bool {
        self.result.is_some()
    }

    /// Returns the caller's name of an argument.
    fn callers_name<'n>(&'n self, name: &'n str) -> &'n str {
        self.rename.iter().find(|(_, server)| *server == name).map_or(name, |(caller, _)| caller)
    }

    fn input_schema(&self, server: &JsonObject) -> JsonObject {
        let mut schema = server.clone();
        let mut properties = JsonObject::default();
        let known =
            server.get("properties").and_then(|properties| properties.to_object()).unwrap_or_default();
        for (name, property) in known.iter().filter(|(name, _)| !self.fixed.contains_key(name.as_ref())) {
            let caller = self.callers_name(&name);
            match (self.defaults.get(caller), property.to_object()) {
                (Some(default), Some(mut property)) => {
                    property.insert("default", raw(default));
                    properties.insert(caller, property.to_raw());
                }
                _ => properties.insert(caller, property.to_raw()),
            }
        }
        schema.insert("properties", properties.to_raw());
        if let Some(required) = server.get("required") {
            let names = required.items().into_iter().flatten().filter_map(|name| name.as_str());
            let names: Vec<String> = names
                .filter(|name| !self.fixed.contains_key(name.as_ref()))
                .map(|name| self.callers_name(&name).to_owned())
                .filter(|name| !self.defaults.contains_key(name))
                .collect();
            match names.is_empty() {
                true => drop(schema.remove("required")),
                false => schema.insert("required", raw(&json!(names))),
            }
        }
        schema
    }

    /// Returns the arguments for the server, from the caller's. The error is for the model.
    pub fn arguments(&self, given: &JsonObject) -> Result<JsonObject, String> {
        if !self.changes_arguments() {
            return Ok(given.clone());
        }
        let mut arguments = JsonObject::default();
        for (name, value) in given.iter() {
            let is_renamed = self.rename.values().any(|server| *server == name)
                && !self.rename.contains_key(name.as_ref());
            if is_renamed || self.fixed.contains_key(name.as_ref()) {
                return Err(format!("{} takes no argument {name:?}", self.name));
            }
            let server = self.rename.get(name.as_ref()).map_or(name.as_ref(), String::as_str);
            arguments.insert(server, value.to_raw());
        }
        for (name, default) in &self.defaults {
            let server = self.rename.get(name).unwrap_or(name);
            arguments.insert_if_absent(server, raw(default));
        }
        for (name, value) in &self.fixed {
            arguments.insert(name, raw(value));
        }
        Ok(arguments)
    }

    /// Shapes the result of a call that succeeded: its structured content, or else the JSON of its one text. A result without
    /// JSON is not changed.
    pub async fn result(&self, result: CallToolResult, filters: &FilterRunner) -> CallToolResult {
        let Some(filter) = self.result.as_ref().filter(|_| result.is_error != Some(true)) else {
            return result;
        };
        let Some(json) = json_of(&result) else { return result };
        let mut values = match filters.all(filter, json.into_bytes()).await {
            Ok(values) => values,
            Err(error) => {
                let said = format!("{} succeeded, but its result cannot be shown: {error}", self.name);
                return CallToolResult::error(said);
            }
        };
        let shaped = match values.len() {
            1 => values.remove(0),
            _ => {
                let texts: Vec<&[u8]> = values.iter().map(RawJson::as_bytes).collect();
                RawJson::from_written([b"[".as_slice(), &texts.join(&b','), b"]"].concat())
            }
        };
        let text = String::from_utf8_lossy(shaped.as_bytes()).into_owned();
        let is_other = |block: &ContentBlock| !matches!(block, ContentBlock::Text(_));
        let mut shown = result;
        shown.content.retain(is_other);
        shown.content.insert(0, ContentBlock::Text(TextContent::new(text)));
        shown.structured_content = shaped.is_object().then_some(shaped);
        shown
    }
}

/// Returns the JSON of a result.
fn json_of(result: &CallToolResult) -> Option<RawJson> {
    if let Some(content) = &result.structured_content {
        return Some(content.clone());
    }
    let mut texts = result.content.iter().filter_map(|block| block.as_text());
    let text = texts.next()?;
    if texts.next().is_some() {
        return None;
    }
    RawJson::parse(text.as_bytes().to_vec()).ok()
}

fn raw(value: &Value) -> RawJson {
    RawJson::from_written(value.to_string().into_bytes())
}
