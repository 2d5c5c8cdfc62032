//! One GraphQL operation, as a tool.

use std::sync::Arc;

use apollo_compiler::Schema;
use apollo_compiler::validation::Valid;
use bytes::Bytes;
use http::{Request, Response, Uri};
use loggia_wire::JsonObject;
use loggia_wire::model::{CallToolResult, Tool, ToolAnnotations};

use super::call::GraphqlCall;
use super::variable::{GraphqlVariable, tool_schema};
use crate::arguments::CURSOR;
use crate::class::OperationClass;
use crate::error::ArgumentError;
use crate::name::snake_case;
use crate::operation::{MAX_DESCRIPTION, one_line};
use crate::response::ResponseLimits;

/// Verbs of mutations that are hard to take back.
const DESTROYING: [&str; 10] =
    ["delete", "archive", "remove", "destroy", "purge", "erase", "revoke", "uninstall", "terminate", "wipe"];

/// One operation of a GraphQL API.
#[derive(Debug, Clone)]
pub struct GraphqlOperation {
    pub(crate) schema: Arc<Valid<Schema>>,
    pub(crate) call: GraphqlCall,
    pub(crate) class: OperationClass,
    pub(crate) title: String,
    pub(crate) description: Option<String>,
    pub(crate) variables: Vec<GraphqlVariable>,
    pub(crate) is_deprecated: bool,
}

impl GraphqlOperation {
    /// Returns the name of the tool.
    pub fn name(&self) -> &str {
        self.call.name()
    }

    /// Returns the class of the operation: a query reads, a mutation writes, and one that deletes, archives or removes
    /// destroys.
    pub fn class(&self) -> OperationClass {
        self.class
    }

    /// Returns the document that is sent.
    pub fn document(&self) -> &str {
        self.call.document()
    }

    /// Returns whether the schema calls the field of the operation deprecated.
    pub fn is_deprecated(&self) -> bool {
        self.is_deprecated
    }

    /// Returns the call of the operation, which works without the schema.
    pub fn call(&self) -> &GraphqlCall {
        &self.call
    }

    /// Writes the definition of the tool.
    pub fn tool(&self) -> Tool {
        let paging = self.call.paging().map(|paging| paging.variable.as_str());
        let shown: Vec<&GraphqlVariable> =
            self.variables.iter().filter(|variable| paging != Some(variable.name.as_str())).collect();
        let cursor = paging.map(|_| {
            br#"{"type":"string","description":"The cursor that the result before gave, to read the next page"}"#
                .as_slice()
        });
        let schema = tool_schema(&self.schema, &shown, cursor, self.class != OperationClass::Read);
        let mut tool = Tool::new(self.name().to_owned(), JsonObject::read(&schema).unwrap_or_default());
        tool.title = Some(one_line(&self.title, 120)).filter(|title| !title.is_empty());
        let text = self.description.as_deref().map(str::trim).filter(|text| !text.is_empty());
        tool.description =
            Some(loggia_wire::text::truncated(text.unwrap_or(&self.title), MAX_DESCRIPTION).to_owned());
        let is_read = self.class == OperationClass::Read;
        tool.annotations = Some(ToolAnnotations {
            read_only_hint: Some(is_read),
            open_world_hint: Some(true),
            destructive_hint: (!is_read).then_some(self.class == OperationClass::Destructive),
            idempotent_hint: (!is_read).then_some(false),
            ..ToolAnnotations::default()
        });
        tool
    }

    /// Writes the request of a call, without credentials. `endpoint` is the URL of the API.
    pub fn request(&self, endpoint: &Uri, arguments: &JsonObject) -> Result<Request<Bytes>, ArgumentError> {
        Ok(self.call.request(endpoint, &self.variables_of(arguments)?))
    }

    /// Returns the result of a call. `_arguments` are those of the request, as with REST operations.
    pub fn result(
        &self,
        _arguments: &JsonObject,
        response: &Response<Bytes>,
        limits: ResponseLimits,
    ) -> CallToolResult {
        self.call.result(response, limits)
    }

    /// Returns the variables for arguments, which have another name for the cursor.
    fn variables_of(&self, arguments: &JsonObject) -> Result<JsonObject, ArgumentError> {
        let paging = self.call.paging().map(|paging| paging.variable.as_str());
        let argument =
            |variable: &str| if paging == Some(variable) { CURSOR.to_owned() } else { variable.to_owned() };
        let known: Vec<String> = self.variables.iter().map(|variable| argument(&variable.name)).collect();
        if let Some(unknown) = arguments.keys().find(|name| !known.iter().any(|known| known == name)) {
            return Err(ArgumentError::new(format!(
                "{} takes no argument {unknown:?}; it takes {}",
                self.name(),
                if known.is_empty() { "none".to_owned() } else { known.join(", ") }
            )));
        }
        let mut variables: Vec<(&str, loggia_wire::RawJson)> = Vec::new();
        for variable in &self.variables {
            let is_cursor = paging == Some(variable.name.as_str());
            let value = arguments.get(if is_cursor { CURSOR } else { &variable.name });
            // A model writes null, or an empty cursor, for an argument that it leaves out. In a mutation null is a value.
            let is_absent = |value: &loggia_wire::JsonText<'_>| {
                (value.is_null() && (self.class == OperationClass::Read || variable.of.is_non_null()))
                    || (is_cursor && value.is_str(""))
            };
            match value.filter(|value| !is_absent(value)) {
                Some(value) => variables.push((&variable.name, value.to_raw())),
                None if variable.is_required() => {
                    let text = format!("{} needs the argument {}", self.name(), variable.name);
                    return Err(ArgumentError::new(text));
                }
                None => {}
            }
        }
        Ok(variables.into_iter().collect())
    }
}

/// Returns the class of a mutation by the words of its names.
pub(crate) fn mutation_class<'n>(names: impl Iterator<Item = &'n str>) -> OperationClass {
    let destroys = |name: &str| snake_case(name).split('_').any(|word| DESTROYING.contains(&word));
    let mut names = names;
    if names.any(destroys) { OperationClass::Destructive } else { OperationClass::Write }
}

/// Returns the title for a field: `issueCreate` becomes `Issue create`.
pub(crate) fn title_of(name: &str) -> String {
    let words = snake_case(name).replace('_', " ");
    let mut chars = words.chars();
    let first = chars.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(chars).collect()
}
