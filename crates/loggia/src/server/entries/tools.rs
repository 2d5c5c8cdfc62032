//! Tools as they are listed and called.

use std::sync::Arc;

use loggia_json_schema::Validator;
use loggia_wire::header::ParamHeaders;

use super::{Problems, Registration};
use crate::model::{self, CacheHints, CallToolResult, JsonObject, ListToolsResult};
use crate::server::args::ArgumentRules;
use crate::server::error::ToolError;
use crate::server::list::{List, ListEntry};
use crate::server::tool;

/// Tools to be registered.
pub(crate) fn registered() -> Registration<ToolEntry, List<ToolEntry>> {
    Registration::new("tool", ToolEntry::key, List::new)
}

pub(crate) struct ToolEntry {
    pub(crate) definition: model::Tool,
    pub(crate) handler: tool::ToolHandler<()>,
    pub(crate) arguments: ArgumentRules,
    /// Checks the structured part of results, where nothing else guarantees it.
    output: Option<Validator>,
    pub(crate) param_headers: Option<Arc<ParamHeaders>>,
}

impl ToolEntry {
    pub(crate) fn new(tool: tool::Tool<()>) -> Result<ToolEntry, Problems> {
        let tool::Tool { definition, handler, generated, checks_output } = tool;
        let mut problems = Problems::new();
        let name = &definition.name;
        if !is_tool_name(name) {
            problems.push(format!("tool {name:?}: a name has 1 to 128 of the characters A-Z a-z 0-9 _ - ."));
        }
        let validator = input_validator(name, &definition.input_schema, &mut problems);
        let param_headers = ParamHeaders::from_schema(&definition.input_schema)
            .map_err(|error| problems.push(format!("tool {name:?}: {error}")))
            .ok()
            .filter(|headers| !headers.is_empty())
            .map(Arc::new);
        let output =
            definition.output_schema.as_deref().map(Validator::compile).transpose().unwrap_or_else(|error| {
                problems.push(format!("tool {name:?}: its output schema: {error}"));
                None
            });
        let output = output.filter(|_| checks_output);
        let Some(validator) = validator.filter(|_| problems.is_empty()) else { return Err(problems) };
        let arguments = ArgumentRules::new(validator, &definition.input_schema, generated);
        Ok(ToolEntry { definition, handler, arguments, output, param_headers })
    }

    /// Returns whether `result` is what the output schema promises ("Servers MUST provide structured results that
    /// conform to this schema").
    pub(crate) fn check(&self, result: &CallToolResult) -> Result<(), ToolError> {
        let Some(validator) = self.output.as_ref().filter(|_| !result.failed()) else { return Ok(()) };
        let Some(value) = &result.structured_content else {
            return Err(ToolError::internal("the tool promises structured output and gave none"));
        };
        validator.validate(&value.to_value()).map_err(|violations| {
            ToolError::internal(format!("the structured output breaks its schema: {violations}"))
        })
    }
}

fn input_validator(name: &str, schema: &JsonObject, problems: &mut Problems) -> Option<Validator> {
    if !schema.get("type").is_some_and(|kind| kind.is_str("object")) {
        problems.push(format!("tool {name:?}: its input must be an object: take a struct with named fields"));
    }
    Validator::compile(schema)
        .map_err(|error| problems.push(format!("tool {name:?}: its input schema: {error}")))
        .ok()
}

/// "Tool Names": what the specification says they should be.
fn is_tool_name(name: &str) -> bool {
    (1..=128).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
}

impl ListEntry for ToolEntry {
    type Item = model::Tool;
    type Page = ListToolsResult;
    const LIST: char = 't';

    fn key(&self) -> &str {
        &self.definition.name
    }

    fn item(&self) -> model::Tool {
        self.definition.clone()
    }

    fn page(tools: Vec<model::Tool>, next_cursor: Option<String>, cache: CacheHints) -> ListToolsResult {
        ListToolsResult { tools, next_cursor, cache, ..ListToolsResult::default() }
    }
}
