//! The client's memory of listed tools: the arguments that are mirrored into HTTP headers, and the output schemas.

use std::collections::HashMap;
use std::sync::Arc;

use loggia_json_schema::Validator;
use loggia_wire::header::ParamHeaders;
use loggia_wire::model::{CallToolResult, JsonObject, Tool};
use serde_json::Value;

use crate::error::{Error, Result};

/// The facts about one tool.
#[derive(Debug)]
pub(crate) struct ToolFacts {
    pub headers: ParamHeaders,
    /// The compiled output schema, or the reason why it cannot be compiled.
    output: Option<std::result::Result<Validator, String>>,
}

/// The tools seen so far.
#[derive(Debug, Default)]
pub(crate) struct Tools {
    known: HashMap<String, Arc<ToolFacts>>,
    /// The number of tools with arguments that are mirrored into headers.
    with_headers: usize,
}

/// The maximum number of tools.
const MAX_TOOLS: usize = 16_384;

impl Tools {
    pub(crate) fn get(&self, name: &str) -> Option<Arc<ToolFacts>> {
        self.known.get(name).cloned()
    }

    /// Returns whether any tool has arguments that are mirrored into headers.
    pub(crate) fn any_has_headers(&self) -> bool {
        self.with_headers > 0
    }

    /// Remembers the tools of a page. If `mirrors` is true, removes tools with invalid `x-mcp-header` annotations,
    /// because calls of them cannot succeed ("Schema Extension").
    pub(crate) fn learn(&mut self, tools: &mut Vec<Tool>, mirrors: bool) {
        if self.known.len() + tools.len() > MAX_TOOLS {
            self.clear();
        }
        tools.retain(|tool| match ParamHeaders::from_schema(&tool.input_schema) {
            Ok(headers) => {
                self.remember(tool, headers);
                true
            }
            Err(error) if mirrors => {
                tracing::warn!(tool = tool.name, %error, "left out of the list: its header annotations are invalid");
                false
            }
            Err(_) => {
                self.remember(tool, ParamHeaders::default());
                true
            }
        });
    }

    /// Removes all tools.
    pub(crate) fn clear(&mut self) {
        *self = Tools::default();
    }

    fn remember(&mut self, tool: &Tool, headers: ParamHeaders) {
        let output = tool.output_schema.as_deref().map(|schema| compile(&tool.name, schema));
        let facts = Arc::new(ToolFacts { headers, output });
        self.with_headers += usize::from(!facts.headers.is_empty());
        if let Some(before) = self.known.insert(tool.name.clone(), facts) {
            self.with_headers -= usize::from(!before.headers.is_empty());
        }
    }
}

/// Compiles an output schema. A pattern for another regular-expression engine is ignored, so the tool stays usable.
fn compile(tool: &str, schema: &JsonObject) -> std::result::Result<Validator, String> {
    let (validator, unchecked) = Validator::compile_foreign(schema).map_err(|error| error.to_string())?;
    for error in unchecked {
        tracing::debug!(tool, %error, "a part of the output schema is not checked");
    }
    Ok(validator)
}

impl ToolFacts {
    /// Returns an error if results of this tool cannot be checked.
    pub(crate) fn check_schema(&self, name: &str) -> Result<()> {
        match &self.output {
            Some(Err(reason)) => Err(Error::Protocol(format!(
                "the output schema of the tool {name:?} cannot be used: {reason}; it was not called \
                 (switch `validate_output` off to call it all the same)"
            ))),
            _ => Ok(()),
        }
    }

    /// Checks a result against the tool's output schema.
    pub(crate) fn check_output(&self, name: &str, result: &CallToolResult) -> Result<()> {
        let Some(Ok(schema)) = &self.output else { return Ok(()) };
        if result.failed() {
            return Ok(());
        }
        let Some(value) = &result.structured_content else {
            return Err(wrong_output(name, "it has none"));
        };
        schema.validate(&value.to_value()).map_err(|violations| wrong_output(name, &violations.to_string()))
    }

    /// Returns the headers that mirror `arguments`.
    pub(crate) fn header_values(&self, arguments: Option<&Value>) -> Vec<(String, String)> {
        self.headers.values(arguments.and_then(Value::as_object))
    }
}

fn wrong_output(name: &str, why: &str) -> Error {
    Error::Protocol(format!(
        "the structured result of the tool {name:?} does not match its output schema: {why} \
         (switch `validate_output` off to take it all the same)"
    ))
}
