//! Documents for the fields of the types `Query` and `Mutation`: each becomes an operation without a document of its author.
//!
//! Invariant: the arguments of a field are variables of the same names and types.

use std::fmt::Write;

use apollo_compiler::Schema;
use apollo_compiler::ast::{FieldDefinition, InputValueDefinition, OperationType};

use super::paging::GraphqlPaging;
use super::selection::{SelectedField, SelectionLimits, SelectionWriter, is_connection};
use super::variable::{GraphqlVariable, constant};

/// Items of a page unless the caller asks for another number. Some APIs refuse a connection without a number.
const PAGE_ITEMS: usize = 25;

/// A field of the type `Query` or `Mutation`.
#[derive(Clone, Copy)]
pub(crate) struct RootField<'s> {
    pub(crate) kind: OperationType,
    pub(crate) definition: &'s FieldDefinition,
}

/// The parts of the operation for a root field.
pub(crate) struct RootDocument {
    pub(crate) text: String,
    pub(crate) operation_name: String,
    pub(crate) variables: Vec<GraphqlVariable>,
    pub(crate) paging: Option<GraphqlPaging>,
}

impl<'s> RootField<'s> {
    /// Returns the fields of `Query` and `Mutation`, in the order of the schema.
    pub(crate) fn all(schema: &'s Schema) -> Vec<RootField<'s>> {
        let kinds = [OperationType::Query, OperationType::Mutation];
        let fields = kinds.into_iter().flat_map(|kind| {
            let root = schema.root_operation(kind).and_then(|name| schema.get_object(name));
            let fields = root.into_iter().flat_map(|root| root.fields.values());
            fields.map(move |definition| RootField { kind, definition })
        });
        fields.collect()
    }

    pub(crate) fn name(&self) -> &'s str {
        self.definition.name.as_str()
    }

    pub(crate) fn is_deprecated(&self) -> bool {
        self.definition.directives.has("deprecated")
    }

    /// Returns a key that tells the field apart from all others: `mutation issueCreate`.
    pub(crate) fn key(&self) -> String {
        format!("{} {}", self.kind, self.name())
    }

    /// Writes the document; the error says why there is none.
    pub(crate) fn document(&self, schema: &Schema, limits: SelectionLimits) -> Result<RootDocument, String> {
        let field = self.definition;
        let of = field.ty.inner_named_type();
        let selected = SelectionWriter::new(schema, limits)
            .root(field, self.kind == OperationType::Mutation)
            .ok_or_else(|| format!("its type {of} is not in the schema"))?;
        let argument = |name: &str| field.arguments.iter().find(|argument| argument.name == name);
        // The page before the first has no cursor; the number of items gets a default value.
        let has_page_arguments =
            argument("first").is_some() && argument("after").is_some_and(|after| !after.is_required());
        let is_paged = is_connection(schema, of) && !field.ty.is_list() && has_page_arguments;
        let is_shown = |argument: &InputValueDefinition| {
            let is_backward = is_paged && matches!(argument.name.as_str(), "last" | "before");
            argument.is_required() || (!is_backward && !argument.directives.has("deprecated"))
        };
        let variables: Vec<GraphqlVariable> = field
            .arguments
            .iter()
            .filter(|argument| is_shown(argument))
            .map(|argument| variable(argument, is_paged && argument.name == "first"))
            .collect();
        let is_hidden = |name: &str| variables.iter().any(|variable| variable.name == name);
        let paging = (is_paged && !is_hidden("cursor"))
            .then(|| GraphqlPaging { variable: "after".to_owned(), path: vec![field.name.to_string()] });
        let operation_name = operation_name(self.name());
        let text = write(self, &operation_name, &variables, &selected);
        Ok(RootDocument { text, operation_name, variables, paging })
    }
}

fn variable(argument: &InputValueDefinition, is_page_size: bool) -> GraphqlVariable {
    let declared = argument.default_value.as_ref().and_then(|value| constant(value));
    let default = match (is_page_size, declared) {
        (true, None) => Some(PAGE_ITEMS.to_string().into_bytes()),
        (_, declared) => declared,
    };
    GraphqlVariable {
        name: argument.name.to_string(),
        of: (*argument.ty).clone(),
        has_default: argument.default_value.is_some() || is_page_size,
        default,
        description: argument.description.as_deref().map(|text| text.to_owned()),
    }
}

/// Returns the name of the operation for a field: `issueCreate` becomes `IssueCreate`.
fn operation_name(field: &str) -> String {
    let mut chars = field.chars();
    chars.next().map(|c| c.to_ascii_uppercase()).into_iter().chain(chars).collect()
}

fn write(
    field: &RootField<'_>,
    name: &str,
    variables: &[GraphqlVariable],
    selected: &[SelectedField],
) -> String {
    let mut out = format!("{} {name}", field.kind);
    if !variables.is_empty() {
        let declared: Vec<String> = variables.iter().map(|variable| declaration(field, variable)).collect();
        let _ = write!(out, "({})", declared.join(", "));
    }
    let _ = write!(out, " {{\n  {}", field.name());
    if !variables.is_empty() {
        let passed: Vec<String> =
            variables.iter().map(|variable| format!("{0}: ${0}", variable.name)).collect();
        let _ = write!(out, "({})", passed.join(", "));
    }
    if !selected.is_empty() {
        out.push_str(" {\n");
        SelectedField::write_all(selected, 2, &mut out);
        out.push_str("  }");
    }
    out.push_str("\n}\n");
    out
}

/// Writes `$name: Type`, with a default value where the document needs one: a page size, or a non-null argument that the
/// schema gives a default.
fn declaration(field: &RootField<'_>, variable: &GraphqlVariable) -> String {
    let declared = field
        .definition
        .argument_by_name(&variable.name)
        .and_then(|argument| argument.default_value.as_ref());
    let text = format!("${}: {}", variable.name, variable.of);
    match declared {
        Some(value) if variable.of.is_non_null() => format!("{text} = {}", value.serialize().no_indent()),
        None if variable.has_default => format!("{text} = {PAGE_ITEMS}"),
        _ => text,
    }
}
