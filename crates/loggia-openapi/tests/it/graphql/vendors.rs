//! Whole schemas of vendors. They stand beside the repository; without them the tests say so and carry on.

use std::collections::HashSet;

use apollo_compiler::validation::Valid;
use apollo_compiler::{ExecutableDocument, Schema};
use loggia_openapi::graphql::{GraphqlSchema, SelectionLimits};

use crate::files::{assert_strict, digest, npm, vendor};

/// Checks that each query and mutation of a schema is a tool, and returns the number of tools and the digest of their names.
fn checked(file: &str, text: &[u8]) -> (usize, String) {
    let sdl = String::from_utf8(text.to_vec()).expect("UTF-8");
    // One of the schemas defines a field twice.
    let schema = Schema::parse(&sdl, file).unwrap_or_else(|found| found.partial);
    let schema = schema.validate().unwrap_or_else(|found| panic!("{file}: {}", found.errors));
    let fields = |name: Option<&apollo_compiler::Name>| {
        name.and_then(|name| schema.get_object(name)).map_or(0, |root| root.fields.len())
    };
    use apollo_compiler::ast::OperationType::{Mutation, Query};
    let count = fields(schema.root_operation(Query)) + fields(schema.root_operation(Mutation));
    let read = GraphqlSchema::read(text).expect("a schema");
    let is_duplicate = |problem: &loggia_openapi::Problem| problem.reason.contains("duplicate definitions");
    assert!(read.problems().iter().all(is_duplicate), "{file}: {:?}", read.problems());
    let operations = read.operations(SelectionLimits::default());
    assert_eq!(operations.len(), count, "{file}: each field is a tool");
    let names: HashSet<&str> = operations.iter().map(|operation| operation.name()).collect();
    assert_eq!(names.len(), count, "{file}: names are unique");
    for operation in &operations {
        assert_strict(&operation.tool());
        assert_valid(&schema, operation.document());
    }
    (count, digest(operations.iter().map(|operation| operation.name())))
}

fn assert_valid(schema: &Valid<Schema>, document: &str) {
    if let Err(found) = ExecutableDocument::parse_and_validate(schema, document, "document.graphql") {
        panic!("{}\n{document}", found.errors);
    }
}

#[test]
fn each_field_of_a_tracker_is_a_tool_with_a_valid_document() {
    let Some(text) = vendor("linear.schema.graphql") else { return };
    assert_eq!(checked("linear.schema.graphql", &text), (535, "51dfafb356790e59".to_owned()));
}

#[test]
fn each_field_of_a_forge_is_a_tool_with_a_valid_document() {
    let Some(text) = npm("@octokit/graphql-schema/schema.graphql") else { return };
    assert_eq!(checked("schema.graphql", &text), (278, "2011396d99c845f7".to_owned()));
}

#[test]
fn each_field_of_an_introspection_is_a_tool_with_a_valid_document() {
    let Some(text) = npm("@octokit/graphql-schema/schema.json") else { return };
    let schema = GraphqlSchema::read(&text).expect("a schema");
    assert_eq!(schema.problems(), []);
    let operations = schema.operations(SelectionLimits::default());
    assert!(operations.len() > 250, "{}", operations.len());
    for operation in operations {
        let read = schema.operation(operation.document()).expect("a valid document");
        assert_eq!(read.class(), operation.class(), "{}", operation.name());
        assert_strict(&operation.tool());
    }
}

/// Each depth and bound keeps documents valid.
#[test]
fn documents_of_each_depth_are_valid() {
    let Some(text) = vendor("linear.schema.graphql") else { return };
    let schema =
        Schema::parse_and_validate(String::from_utf8_lossy(&text), "schema.graphql").expect("a schema");
    let read = GraphqlSchema::read(&text).expect("a schema");
    for limits in [
        SelectionLimits { depth: 0, fields: 0 },
        SelectionLimits { depth: 1, fields: 5 },
        SelectionLimits { depth: 3, fields: 200 },
    ] {
        for operation in read.operations(limits).iter().step_by(60) {
            assert_valid(&schema, operation.document());
        }
    }
}
