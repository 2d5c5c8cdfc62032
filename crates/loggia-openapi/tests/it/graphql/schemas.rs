//! Schemas: SDL, introspection, and their faults.

use std::collections::BTreeSet;

use loggia_openapi::graphql::{GraphqlSchema, SelectionLimits};
use serde_json::{Value, json};

use super::{SHOP, shop};

/// A schema, and its error, its problems, or the number of tools.
#[test]
fn faults_of_schemas() {
    let table = [
        ("type Query { a: Int }", "1 tools"),
        ("\u{feff}type Query { a: Int } type Mutation { b: Int, c(x: String): Int }", "3 tools"),
        ("schema { query: Root } type Root { a: Int }", "1 tools"),
        ("type Query { a: Int, b: Missing }", "1 tools"),
        ("type Query { a(x: Missing): Int }", "1 tools"),
        ("type Query {", ""),
        ("type Other { a: Int }", ""),
        ("<html>", ""),
        ("", ""),
        ("openapi: 3.1.0", ""),
        ("{\"openapi\":\"3.1.0\"}", ""),
        ("{\"data\":{\"__schema\":{}}}", ""),
        ("{\"data\":null,\"errors\":[{\"message\":\"introspection is off\"}]}", ""),
    ];
    let mut seen = Vec::new();
    for (text, tools) in table {
        seen.push(match GraphqlSchema::read(text.as_bytes()) {
            Ok(schema) => {
                let operations = schema.operations(SelectionLimits::default());
                assert_eq!(format!("{} tools", operations.len()), tools, "{text}");
                operations.iter().for_each(|operation| crate::files::assert_strict(&operation.tool()));
                let problems: Vec<String> = schema
                    .problems()
                    .iter()
                    .map(|problem| format!("{}: {}", problem.operation, problem.reason))
                    .collect();
                format!("{text}\n=> {tools} {}\n", problems.join("; "))
            }
            Err(error) => format!("{text}\n=> {error}\n"),
        });
    }
    insta::assert_snapshot!(seen.join("\n"));
}

/// Writes the result of an introspection query for the shop, by apollo-compiler.
fn introspection() -> Value {
    use apollo_compiler::{ExecutableDocument, Schema, introspection, request};
    let sdl = format!("directive @oneOf on INPUT_OBJECT\n{SHOP}");
    let schema = Schema::parse_and_validate(sdl, "shop.graphql").expect("a schema");
    let query = include_str!("introspection.graphql");
    let document = ExecutableDocument::parse_and_validate(&schema, query, "query.graphql").expect("a query");
    let operation = document.operations.get(None).expect("one operation");
    let variables = request::coerce_variable_values(&schema, operation, &Default::default()).expect("none");
    let result =
        introspection::partial_execute(&schema, &schema.implementers_map(), &document, operation, &variables)
            .expect("a result");
    let mut result = serde_json::to_value(&result).expect("JSON");
    // The compiler that answers is older than the member.
    let types = result["data"]["__schema"]["types"].as_array_mut().expect("a list");
    for of in types {
        of["isOneOf"] = json!(of["name"] == "PayMethod");
    }
    result
}

#[test]
fn introspection_is_read_as_sdl_is() {
    let result = introspection();
    let bare = json!({ "__schema": result["data"]["__schema"] });
    let tools = |schema: &GraphqlSchema| -> BTreeSet<String> {
        let operations = schema.operations(SelectionLimits::default());
        let text = |operation: &loggia_openapi::graphql::GraphqlOperation| {
            let tool = loggia_wire::RawJson::of(&operation.tool()).to_value();
            format!("{} {tool}\n{}", operation.is_deprecated(), operation.document())
        };
        operations.iter().map(text).collect()
    };
    for json in [&result, &bare] {
        let read = GraphqlSchema::read(json.to_string().as_bytes()).expect("a schema");
        assert_eq!(read.problems(), []);
        assert_eq!(tools(&read), tools(&shop()));
    }
}

#[test]
fn names_of_an_introspection_stay_names() {
    let mut result = introspection();
    let types = result["data"]["__schema"]["types"].as_array_mut().expect("a list");
    let line = types.iter_mut().find(|of| of["name"] == "Line").expect("it is there");
    line["fields"][0]["name"] = json!("a } type Query { hidden");
    let error = GraphqlSchema::read(result.to_string().as_bytes()).expect_err("no name").to_string();
    assert!(error.contains("is not a name"), "{error}");
}

/// Schemas and documents that make a careless reader work for hours, or overflow its stack.
#[test]
fn hostile_schemas_have_bounds() {
    let limits = SelectionLimits { depth: 40, fields: 1000 };
    let chain = |keyword: &str, of: &str| -> String {
        let field =
            |n: usize| (0..8).map(|at| format!("f{at}: {of}{}", n + 1)).collect::<Vec<_>>().join(", ");
        let types: Vec<String> = (0..40).map(|n| format!("{keyword} {of}{n} {{ {} }}", field(n))).collect();
        format!("{} {keyword} {of}40 {{ x: Int }}", types.join(" "))
    };
    let table = [
        format!("type Query {{ a: T0 }} {}", chain("type", "T")),
        format!("type Query {{ a(x: I0): Int }} {}", chain("input", "I")),
        "type Query { a: A } type A { b: A, c: A, d: [A], e: A }".to_owned(),
        "type Query { a(x: I!): Int } input I { a: I, b: [[I]], c: I }".to_owned(),
        format!(
            "type Query {{ a: U }} union U = {}",
            (0..500).map(|n| format!("M{n}")).collect::<Vec<_>>().join(" | ")
        ),
    ];
    for text in table {
        let schema = GraphqlSchema::read(text.as_bytes()).expect("a schema");
        for operation in schema.operations(limits) {
            crate::files::assert_strict(&operation.tool());
            assert!(operation.document().len() < 200_000, "{}", operation.document().len());
        }
    }
    let deep = |open: &str, close: &str| format!("{}a{}", open.repeat(20_000), close.repeat(20_000));
    for text in [
        format!("type Query {{ a: {} }}", deep("[", "]")),
        format!("type Query {{ a(x: Int = {}): Int }}", deep("[", "]")),
        deep("{\"data\":", "}"),
    ] {
        assert!(GraphqlSchema::read(text.as_bytes()).is_err());
    }
    assert!(shop().operation(&deep("{ a ", "}")).is_err());
}
