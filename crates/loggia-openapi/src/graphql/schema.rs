//! A GraphQL schema: the operations that it offers, and those that documents choose.
//!
//! Invariant: names of tools are unique in one schema, and do not depend on the order of its fields.

use std::collections::HashSet;
use std::sync::Arc;

use apollo_compiler::Schema;
use apollo_compiler::ast::{Document, OperationType};
use apollo_compiler::validation::Valid;

use super::call::GraphqlCall;
use super::document::{self, DocumentError, DocumentFault, faults};
use super::introspection;
use super::operation::{GraphqlOperation, mutation_class, title_of};
use super::root_field::RootField;
use super::selection::SelectionLimits;
use crate::api::Problem;
use crate::class::OperationClass;
use crate::error::DescriptionError;
use crate::name;

/// Faults of a schema that an error shows.
const SHOWN_FAULTS: usize = 3;

const ONE_OF: &str = "directive @oneOf on INPUT_OBJECT";

/// A GraphQL schema that was read.
#[derive(Debug, Clone)]
pub struct GraphqlSchema {
    schema: Arc<Valid<Schema>>,
    problems: Vec<Problem>,
}

impl GraphqlSchema {
    /// Reads SDL, or the JSON of an introspection query.
    pub fn read(text: &[u8]) -> Result<GraphqlSchema, DescriptionError> {
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        if text.trim_ascii_start().starts_with(b"{") {
            let sdl = introspection::to_sdl(text).map_err(DescriptionError::Graphql)?;
            return GraphqlSchema::read_sdl(&sdl);
        }
        let text =
            std::str::from_utf8(text).map_err(|_| DescriptionError::Graphql("it is not UTF-8".to_owned()))?;
        GraphqlSchema::read_sdl(text)
    }

    fn read_sdl(text: &str) -> Result<GraphqlSchema, DescriptionError> {
        let document = Document::parse(text, "schema.graphql").map_err(|found| {
            let faults = faults(&found.errors);
            let shown: Vec<String> = faults.iter().take(SHOWN_FAULTS).map(ToString::to_string).collect();
            DescriptionError::Graphql(shown.join("; "))
        })?;
        let mut builder = Schema::builder().add_ast(&document);
        // The specification of September 2025 has this directive, so newer schemas do not define it.
        if text.contains("@oneOf") && !text.contains("directive @oneOf") {
            builder = builder.parse(ONE_OF, "one_of.graphql");
        }
        // The user cannot mend the schema of a vendor, and a fault in one type does not affect the others.
        let (schema, duplicates) = match builder.build() {
            Ok(schema) => (schema, Vec::new()),
            Err(found) => (found.partial, faults(&found.errors)),
        };
        if RootField::all(&schema).is_empty() {
            return Err(DescriptionError::Graphql("it has no type Query with fields".to_owned()));
        }
        let (schema, invalid) = match schema.validate() {
            Ok(schema) => (schema, Vec::new()),
            Err(found) => (Valid::assume_valid(found.partial), faults(&found.errors)),
        };
        let problem =
            |fault: &DocumentFault| Problem { operation: "schema".to_owned(), reason: fault.to_string() };
        let problems: Vec<Problem> = duplicates.iter().chain(&invalid).map(problem).collect();
        let mut read = GraphqlSchema { schema: Arc::new(schema), problems };
        let limits = SelectionLimits { depth: 1, fields: 1 };
        let unusable = RootField::all(&read.schema).into_iter().filter_map(|field| {
            Some(Problem { operation: field.key(), reason: field.document(&read.schema, limits).err()? })
        });
        let unusable: Vec<Problem> = unusable.collect();
        read.problems.extend(unusable);
        Ok(read)
    }

    /// Returns the faults of the schema, and the fields that cannot be tools.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Checks a document with one operation, and returns it as a tool. The name is that of the operation, or of its first
    /// field, in snake case.
    pub fn operation(&self, document: &str) -> Result<GraphqlOperation, DocumentError> {
        document::operation(&self.schema, document)
    }

    /// Returns an operation for each query and mutation of the schema, in its order.
    pub fn operations(&self, limits: SelectionLimits) -> Vec<GraphqlOperation> {
        let fields = self.named_fields();
        fields.into_iter().filter_map(|(name, field)| self.generated(name, field, limits)).collect()
    }

    /// Writes the documents of queries and mutations as text, each under a comment with its description. `selection` has
    /// names of fields or tools; an empty one is all fields that are not deprecated.
    pub fn documents(&self, selection: &[&str], limits: SelectionLimits) -> Result<String, DescriptionError> {
        let fields = self.named_fields();
        let is_named =
            |(name, field): &(String, RootField<'_>), wanted: &str| name == wanted || field.name() == wanted;
        if let Some(unknown) =
            selection.iter().find(|wanted| !fields.iter().any(|field| is_named(field, wanted)))
        {
            return Err(DescriptionError::Graphql(format!("it has no query or mutation {unknown}")));
        }
        let is_chosen = |field: &(String, RootField<'_>)| match selection.is_empty() {
            true => !field.1.is_deprecated(),
            false => selection.iter().any(|wanted| is_named(field, wanted)),
        };
        let mut out = String::new();
        for (name, field) in fields.into_iter().filter(is_chosen) {
            let Some(operation) = self.generated(name, field, limits) else { continue };
            if !out.is_empty() {
                out.push('\n');
            }
            for line in operation.description.iter().flat_map(|text| text.lines()) {
                out.push_str(format!("# {line}").trim_end());
                out.push('\n');
            }
            out.push_str(operation.document());
        }
        Ok(out)
    }

    /// Returns the root fields, each with the name of its tool.
    fn named_fields(&self) -> Vec<(String, RootField<'_>)> {
        let fields = RootField::all(&self.schema);
        let snake = |field: &RootField<'_>| name::snake_case(field.name());
        let mutations: HashSet<String> =
            fields.iter().filter(|field| field.kind == OperationType::Mutation).map(snake).collect();
        let wanted = fields.iter().map(|field| {
            let name = snake(field);
            // A query and a mutation may have one name: `update` reads an update, or makes one.
            let is_shared = field.kind == OperationType::Query && mutations.contains(&name);
            (if is_shared { format!("get_{name}") } else { name }, field.key())
        });
        let wanted: Vec<(String, String)> = wanted.collect();
        name::unique(&wanted).into_iter().zip(fields).collect()
    }

    fn generated(
        &self,
        name: String,
        field: RootField<'_>,
        limits: SelectionLimits,
    ) -> Option<GraphqlOperation> {
        let document = field.document(&self.schema, limits).ok()?;
        let class = match field.kind {
            OperationType::Mutation => mutation_class(std::iter::once(field.name())),
            _ => OperationClass::Read,
        };
        let call = GraphqlCall::new(name, document.text, Some(document.operation_name));
        Some(GraphqlOperation {
            schema: self.schema.clone(),
            call: call.with_paging(document.paging),
            class,
            title: title_of(field.name()),
            description: field.definition.description.as_deref().map(|text| text.trim().to_owned()),
            variables: document.variables,
            is_deprecated: field.is_deprecated(),
        })
    }
}
