//! Documents of an author: faults, and the tools that they become.

use loggia_openapi::OperationClass::{Destructive, Read, Write};
use serde_json::{Value, json};

use super::shop;

#[test]
fn faults_have_a_line_and_a_column() {
    let schema = shop();
    let table = [
        "query { order(id: 1) { id, nmae } }",
        "query O($id: ID!) {\n  order(id: $id) {\n    id\n    total { amount }\n  }\n}",
        "query { order { id } }",
        "query { order(id: 1) }",
        "query { order(id: 1) { id }",
        "query O($id: Id!) { order(id: $id) { id } }",
        "query O($id: ID!, $unused: Int) { order(id: $id) { id } }",
        "query O($id: Int) { order(id: $id) { id } }",
        "query { order(id: $id) { id } }",
        "query { orders(sort: BEST) { totalCount } }",
        "mutation { orderCreate(input: { lines: [] }) { success } }",
        "mutation { orderDelete(id: 1) { success } }",
        "query A { version } query B { version }",
        "subscription { orderChanged { id } }",
        "fragment F on Order { id }",
        "type X { y: Int }",
        "",
        "{ order(id: 1) { ...F } } fragment F on Order { ...F }",
    ];
    let seen: Vec<String> = table
        .iter()
        .map(|text| format!("{text}\n=> {}\n", schema.operation(text).expect_err(text)))
        .collect();
    insta::assert_snapshot!(seen.join("\n"));
}

#[test]
fn a_document_is_a_tool() {
    let schema = shop();
    let table = [
        ("query OrderById($id: ID!) { order(id: $id) { id } }", "order_by_id", Read),
        ("{ version }", "version", Read),
        ("mutation Create($input: OrderInput!) { orderCreate(input: $input) { success } }", "create", Write),
        ("mutation Put($id: ID!) { orderArchive(id: $id) { success } }", "put", Destructive),
        ("mutation Put($id: ID!) { orderUnarchive(id: $id) { success } }", "put", Write),
        ("mutation removeNote($id: ID!) { orderUpdate(id: $id) { success } }", "remove_note", Destructive),
        (
            "mutation { a: orderUnarchive(id: 1) { success } b: orderArchive(id: 2) { success } }",
            "order_unarchive",
            Destructive,
        ),
    ];
    for (document, name, class) in table {
        let operation = schema.operation(document).expect(document);
        assert_eq!((operation.name(), operation.class()), (name, class), "{document}");
        assert_eq!(operation.document(), document);
    }
    let operation = schema
        .operation(
            "mutation UpdateOrder($id: ID!, $note: String, $total: Money = \"0 EUR\") { orderUpdate(id: $id, note: $note, total: $total) { success } }",
        )
        .expect("a document");
    insta::assert_json_snapshot!(loggia_wire::RawJson::of(&operation.tool()).to_value());
}

/// A variable, and the property that the tool shows for it. `None` if it is required.
#[test]
fn variables_are_arguments() {
    let schema = shop();
    let order_state = json!({ "type": "string", "enum": ["OPEN", "PAID"] });
    let filter = |inner: Value| {
        json!({ "description": "Conditions that an order must meet.", "type": "object", "properties": {
            "state": order_state, "total": { "description": "Money: An amount with its currency, such as 12.50 EUR." },
            "and": { "description": "All of these.", "type": "array", "items": inner },
            "customer": { "type": "object", "properties": { "name": { "type": "string" } } },
        } })
    };
    let table = [
        (
            "$x: ID!",
            "order(id: $x) { id }",
            json!({ "description": "The id of the order", "type": "string" }),
            true,
        ),
        (
            "$x: ID! = \"7\"",
            "order(id: $x) { id }",
            json!({ "description": "The id of the order", "type": "string", "default": "7" }),
            false,
        ),
        ("$x: Int", "search(term: \"a\", limit: $x) { __typename }", json!({ "type": "integer" }), false),
        (
            "$x: [Kind!]",
            "search(term: \"a\", kinds: $x) { __typename }",
            json!({ "type": "array", "items": { "type": "string", "enum": ["ORDER", "PRODUCT"] } }),
            false,
        ),
        (
            "$x: DateTime",
            "search(term: \"a\", since: $x) { __typename }",
            json!({ "description": "DateTime: A time of RFC 3339.", "type": "string", "format": "date-time" }),
            false,
        ),
        (
            "$x: Boolean = true",
            "orders(archived: $x) { totalCount }",
            json!({ "type": "boolean", "default": true }),
            false,
        ),
        (
            "$x: OrderFilter",
            "orders(filter: $x) { totalCount }",
            filter(json!({ "description": "A nested OrderFilter", "type": "object" })),
            false,
        ),
        (
            "$x: OrderFilter = { and: [{ state: PAID }] }",
            "orders(filter: $x) { totalCount }",
            {
                let mut schema = filter(json!({ "description": "A nested OrderFilter", "type": "object" }));
                schema["default"] = json!({ "and": [{ "state": "PAID" }] });
                schema
            },
            false,
        ),
    ];
    for (variable, field, expected, is_required) in table {
        let operation = schema.operation(&format!("query Q({variable}) {{ {field} }}")).expect(variable);
        let tool = operation.tool();
        crate::files::assert_strict(&tool);
        let written: Value = serde_json::from_str(tool.input_schema.as_str()).expect("JSON");
        assert_eq!(written["properties"]["x"], expected, "{variable}");
        assert_eq!(written.get("required"), is_required.then_some(&json!(["x"])), "{variable}");
    }
}

#[test]
fn null_is_a_value_of_mutations() {
    let operation = shop()
        .operation("mutation M($input: OrderInput!, $method: PayMethod!) { orderCreate(input: $input) { success } pay(method: $method) }")
        .expect("a document");
    let written: Value = serde_json::from_str(operation.tool().input_schema.as_str()).expect("JSON");
    assert_eq!(
        written["properties"],
        json!({
            "input": { "type": "object", "required": ["customerId", "lines"], "properties": {
                "customerId": { "description": "The customer's id.", "type": "string" },
                "lines": { "type": "array", "items": { "type": "object", "required": ["title"], "properties": {
                    "title": { "type": "string" }, "quantity": { "type": ["integer", "null"], "default": 1 },
                } } },
                "note": { "type": ["string", "null"] },
                "express": { "type": "boolean", "default": false },
            } },
            "method": { "type": "object", "minProperties": 1, "maxProperties": 1, "properties": {
                "card": { "type": "string" }, "invoice": { "type": "string" },
            } },
        })
    );
}
