//! Documents that a person wrote: each is checked against the schema before it becomes a tool.
//!
//! Invariant: a fault names its line and column.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use apollo_compiler::ast::{OperationType, Value};
use apollo_compiler::executable::{Field, Operation as ExecutableOperation, Selection, SelectionSet};
use apollo_compiler::validation::{DiagnosticList, Valid};
use apollo_compiler::{ExecutableDocument, Schema};

use super::call::GraphqlCall;
use super::operation::{GraphqlOperation, mutation_class, title_of};
use super::paging::GraphqlPaging;
use super::selection::is_connection;
use super::variable::{GraphqlVariable, constant};
use crate::class::OperationClass;
use crate::name;

/// Most levels at which a connection that pages is looked for.
const MAX_PATH: usize = 8;

/// The faults of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentError {
    faults: Vec<DocumentFault>,
}

/// One fault of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentFault {
    /// The line, from 1; `None` for a fault of the document as a whole.
    pub line: Option<usize>,
    /// The column in characters, from 1.
    pub column: Option<usize>,
    /// The reason.
    pub message: String,
}

impl DocumentError {
    fn whole(message: &str) -> DocumentError {
        DocumentError {
            faults: vec![DocumentFault { line: None, column: None, message: message.to_owned() }],
        }
    }

    /// Returns the faults, in the order of the document.
    pub fn faults(&self) -> &[DocumentFault] {
        &self.faults
    }
}

impl fmt::Display for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the GraphQL document cannot be used")?;
        for (at, fault) in self.faults.iter().enumerate() {
            write!(f, "{} {fault}", if at == 0 { ":" } else { ";" })?;
        }
        Ok(())
    }
}

impl fmt::Display for DocumentFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let (Some(line), Some(column)) = (self.line, self.column) {
            write!(f, "line {line}, column {column}: ")?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for DocumentError {}

/// Returns the faults that a compiler found.
pub(crate) fn faults(found: &DiagnosticList) -> Vec<DocumentFault> {
    let fault = |diagnostic: apollo_compiler::diagnostic::Diagnostic<'_, _>| {
        let start = diagnostic.line_column_range().map(|range| range.start);
        let error: &apollo_compiler::validation::DiagnosticData = diagnostic.error;
        DocumentFault {
            line: start.map(|start| start.line),
            column: start.map(|start| start.column),
            message: plain_words(&error.to_string()),
        }
    };
    found.iter().map(fault).collect()
}

/// Puts a message of the compiler in words of the language.
fn plain_words(message: &str) -> String {
    const WORDS: [(&str, &str); 11] = [
        ("syntax error: ", ""),
        ("<EOF>", "the end of the text"),
        ("EOF", "the end of the text"),
        ("L_CURLY", "{"),
        ("R_CURLY", "}"),
        ("L_PAREN", "("),
        ("R_PAREN", ")"),
        ("L_BRACK", "["),
        ("R_BRACK", "]"),
        ("in this document", "in the schema"),
        ("Unexpected", "unexpected"),
    ];
    let words = WORDS.iter().fold(message.to_owned(), |text, (from, to)| text.replace(from, to));
    words.trim_end_matches('.').to_owned()
}

/// Reads a document with one operation as a tool.
pub(crate) fn operation(schema: &Arc<Valid<Schema>>, text: &str) -> Result<GraphqlOperation, DocumentError> {
    let document = ExecutableDocument::parse_and_validate(schema, text, "document.graphql")
        .map_err(|found| DocumentError { faults: faults(&found.errors) })?;
    let mut operations = document.operations.iter();
    let operation = operations.next().ok_or_else(|| DocumentError::whole("it has no operation"))?;
    if operations.next().is_some() {
        return Err(DocumentError::whole("it has several operations: write one document for each"));
    }
    let roots: Vec<&Field> = operation.root_fields(&document).map(|field| &**field).collect();
    let first = roots.first().map_or("operation", |field| field.name.as_str());
    let own_name = operation.name.as_ref().map(|name| name.as_str());
    let class = match operation.operation_type {
        OperationType::Query => OperationClass::Read,
        OperationType::Mutation => {
            mutation_class(roots.iter().map(|field| field.name.as_str()).chain(own_name))
        }
        OperationType::Subscription => {
            return Err(DocumentError::whole("it is a subscription: a tool needs a query or a mutation"));
        }
    };
    let title = own_name.unwrap_or(first);
    let wanted = [(name::snake_case(title), format!("{} {first}", operation.operation_type))];
    let name = name::unique(&wanted).pop().unwrap_or_default();
    let descriptions = roots.iter().filter_map(|field| field.definition.description.as_deref());
    let descriptions: Vec<&str> = descriptions.map(|text| text.trim()).collect();
    let variables = variables(operation, &document);
    let paging = paging(schema, operation, &document, &variables);
    Ok(GraphqlOperation {
        schema: schema.clone(),
        class,
        title: title_of(title),
        description: Some(descriptions.join("\n\n")),
        is_deprecated: roots.iter().any(|field| field.definition.directives.has("deprecated")),
        call: GraphqlCall::new(name, text, own_name.map(str::to_owned)).with_paging(paging),
        variables,
    })
}

fn variables(operation: &ExecutableOperation, document: &ExecutableDocument) -> Vec<GraphqlVariable> {
    // A variable has no description of its own: it means the argument that it is given to.
    let mut descriptions: HashMap<String, String> = HashMap::new();
    for field in operation.all_fields(document) {
        for argument in &field.arguments {
            let defined = field.definition.argument_by_name(&argument.name);
            let description = defined.and_then(|defined| defined.description.as_deref());
            if let (Value::Variable(name), Some(description)) = (&*argument.value, description) {
                descriptions.entry(name.to_string()).or_insert_with(|| description.to_string());
            }
        }
    }
    let variable = |defined: &apollo_compiler::executable::VariableDefinition| GraphqlVariable {
        name: defined.name.to_string(),
        of: (*defined.ty).clone(),
        default: defined.default_value.as_ref().and_then(|value| constant(value)),
        has_default: defined.default_value.is_some(),
        description: descriptions.get(defined.name.as_str()).cloned(),
    };
    operation.variables.iter().map(|defined| variable(defined)).collect()
}

/// Finds the first connection whose `after` is a variable and whose page is selected.
fn paging(
    schema: &Schema,
    operation: &ExecutableOperation,
    document: &ExecutableDocument,
    variables: &[GraphqlVariable],
) -> Option<GraphqlPaging> {
    let mut path = Vec::new();
    let found = paged_field(schema, &operation.selection_set, document, &mut path)?;
    let is_optional = |variable: &GraphqlVariable| variable.name == found && !variable.is_required();
    // Another variable of this name would be hidden.
    let is_taken = found != "cursor" && variables.iter().any(|variable| variable.name == "cursor");
    (variables.iter().any(is_optional) && !is_taken).then_some(GraphqlPaging { variable: found, path })
}

/// Returns the variable of a connection, and leaves its response keys in `path`.
fn paged_field(
    schema: &Schema,
    set: &SelectionSet,
    document: &ExecutableDocument,
    path: &mut Vec<String>,
) -> Option<String> {
    if path.len() >= MAX_PATH {
        return None;
    }
    for selection in &set.selections {
        let found = match selection {
            Selection::Field(field) if field.ty().is_list() => None,
            Selection::Field(field) => {
                path.push(field.response_key().to_string());
                let found = page_variable(schema, field)
                    .or_else(|| paged_field(schema, &field.selection_set, document, path));
                if found.is_none() {
                    path.pop();
                }
                found
            }
            Selection::InlineFragment(fragment) => {
                paged_field(schema, &fragment.selection_set, document, path)
            }
            Selection::FragmentSpread(spread) => spread
                .fragment_def(document)
                .and_then(|fragment| paged_field(schema, &fragment.selection_set, document, path)),
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

fn page_variable(schema: &Schema, field: &Field) -> Option<String> {
    let after = field.specified_argument_by_name("after")?;
    let Value::Variable(variable) = &**after else { return None };
    let has = |set: &SelectionSet, key: &str| set.fields().any(|field| field.response_key() == key);
    let mut pages = field.selection_set.fields().filter(|page| page.response_key() == "pageInfo");
    let is_selected =
        pages.any(|page| has(&page.selection_set, "hasNextPage") && has(&page.selection_set, "endCursor"));
    (is_selected && is_connection(schema, field.ty().inner_named_type())).then(|| variable.to_string())
}
