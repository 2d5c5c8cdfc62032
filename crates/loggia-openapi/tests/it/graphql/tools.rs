//! Tools without documents, their requests, and the documents as text.

use http::Uri;
use loggia_openapi::graphql::{GraphqlOperation, SelectionLimits};
use serde_json::{Value, json};

use super::{SHOP, shop};
use crate::arguments;

fn endpoint() -> Uri {
    "https://shop.example/graphql?v=2".parse().expect("a URL")
}

fn generated(name: &str) -> GraphqlOperation {
    let operations = shop().operations(SelectionLimits::default());
    operations.into_iter().find(|operation| operation.name() == name).expect("it is in the schema")
}

#[test]
fn each_field_has_a_document() {
    let schema = shop();
    let all = schema.documents(&[], SelectionLimits::default()).expect("documents");
    insta::assert_snapshot!(all);
    let some = schema
        .documents(&["version", "orderUpdate", "order_archive"], SelectionLimits { depth: 1, fields: 3 })
        .expect("documents");
    insta::assert_snapshot!(some);
    let error = schema.documents(&["versoin"], SelectionLimits::default()).expect_err("unknown");
    assert_eq!(error.to_string(), "the GraphQL schema cannot be used: it has no query or mutation versoin");
}

#[test]
fn tools_of_fields() {
    let seen: Vec<Value> = shop()
        .operations(SelectionLimits::default())
        .iter()
        .map(|operation| {
            let tool = operation.tool();
            crate::files::assert_strict(&tool);
            let schema: Value = serde_json::from_str(tool.input_schema.as_str()).expect("JSON");
            let shown: Vec<&String> = schema["properties"].as_object().expect("an object").keys().collect();
            json!([
                operation.name(),
                operation.class().to_string(),
                operation.is_deprecated(),
                tool.title,
                shown,
                schema["required"]
            ])
        })
        .collect();
    insta::assert_snapshot!(seen.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
}

/// Tool, arguments, and the variables that are sent or the error.
#[test]
fn requests() {
    let table = [
        ("order", json!({ "id": "7" }), Ok(json!({ "id": "7" }))),
        ("orders", json!({}), Ok(json!({}))),
        (
            "orders",
            json!({ "cursor": "c2", "first": 5, "filter": null }),
            Ok(json!({ "after": "c2", "first": 5 })),
        ),
        ("orders", json!({ "cursor": "" }), Ok(json!({}))),
        (
            "orders",
            json!({ "after": "c2" }),
            Err("orders takes no argument \"after\"; it takes filter, sort, first, cursor, archived"),
        ),
        ("version", json!({ "x": 1 }), Err("version takes no argument \"x\"; it takes none")),
        ("order", json!({}), Err("order needs the argument id")),
        ("order", json!({ "id": null }), Err("order needs the argument id")),
        ("order_update", json!({ "id": 7, "note": null }), Ok(json!({ "id": 7, "note": null }))),
        ("order_update", json!({ "id": null }), Err("order_update needs the argument id")),
    ];
    for (name, given, expected) in table {
        let operation = generated(name);
        match (operation.request(&endpoint(), &arguments(&given)), expected) {
            (Ok(request), Ok(expected)) => {
                let body: Value = serde_json::from_slice(request.body()).expect("JSON");
                assert_eq!(body["variables"], expected, "{name} {given}");
                assert_eq!(body["query"], operation.document());
                let members: Vec<&String> = body.as_object().expect("an object").keys().collect();
                assert_eq!(members.len(), 3, "{members:?}");
                assert_eq!((request.method().as_str(), request.uri()), ("POST", &endpoint()));
                assert_eq!(request.headers()["content-type"], "application/json");
                assert!(request.headers()["accept"].to_str().expect("text").contains("application/json"));
            }
            (Err(error), Err(expected)) => assert_eq!(error.to_string(), expected),
            (outcome, expected) => panic!("{name} {given}: {outcome:?}, not {expected:?}"),
        }
    }
    let anonymous = shop().operation("{ version }").expect("a document");
    let request = anonymous.request(&endpoint(), &arguments(&json!({}))).expect("a request");
    assert_eq!(request.body(), r#"{"query":"{ version }","variables":{}}"#);
}

#[test]
fn names_do_not_depend_on_the_order_of_fields_and_are_unique() {
    let more =
        "extend type Mutation { order(id: ID!): Order, getVersion: Int, ORDER_UPDATE: Int, version: Int }";
    let names = |text: String| -> Vec<String> {
        let schema = loggia_openapi::graphql::GraphqlSchema::read(text.as_bytes()).expect("a schema");
        let operations = schema.operations(SelectionLimits::default());
        let mut names: Vec<String> = operations.iter().map(|operation| operation.name().to_owned()).collect();
        names.sort();
        names
    };
    let (after, before) = (names(format!("{SHOP}\n{more}")), names(format!("{more}\n{SHOP}")));
    assert_eq!(after, before);
    insta::assert_snapshot!(after.join(" "));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(24))]

    #[test]
    fn documents_are_valid_whatever_the_bounds(depth in 0usize..6, fields in 0usize..60) {
        let schema = shop();
        for operation in schema.operations(SelectionLimits { depth, fields }) {
            let read = schema.operation(operation.document());
            proptest::prop_assert!(read.is_ok(), "{:?}: {}", read.err(), operation.document());
        }
    }
}
