//! The messages for users and models when a value is wrong.

use serde_json::{Value, json};

use super::compile;

fn said(schema: &Value, value: &Value) -> String {
    compile(schema).validate(value).expect_err("the value is wrong").to_string()
}

#[test]
fn violations_say_where_what_and_instead_of_what() {
    let table = [
        (json!({"type": "string"}), json!(5), "at $: expected a string, got the number 5"),
        (
            json!({"type": ["integer", "null", "string"]}),
            json!(1.5),
            "at $: expected a string, an integer or null, got the number 1.5",
        ),
        (json!({"type": ["number", "integer"]}), json!({}), "at $: expected a number, got an empty object"),
        (
            json!({"properties": {"address": {"properties": {"zip": {"type": "string"}}}}}),
            json!({"address": {"zip": 5}}),
            "at $.address.zip: expected a string, got the number 5",
        ),
        (
            json!({"items": {"items": {"type": "null"}}}),
            json!([[null, [1]]]),
            "at $[0][1]: expected null, got an array",
        ),
        (
            json!({"additionalProperties": {"type": "null"}}),
            json!({"a b": 1, "": 1, "1a": 1, "é_1": 1}),
            r#"at $[""]: expected null, got the number 1; at $["1a"]: expected null, got the number 1; at $["a b"]: expected null, got the number 1; at $.é_1: expected null, got the number 1"#,
        ),
        (
            json!({"required": ["a", "b"]}),
            json!({}),
            r#"at $: the required property "a" is missing; at $: the required property "b" is missing"#,
        ),
        (
            json!({"properties": {"a": true, "b": true}, "additionalProperties": false}),
            json!({"c": 1}),
            r#"at $: the property "c" is not allowed (allowed: "a", "b")"#,
        ),
        (json!({"additionalProperties": false}), json!({"c": 1}), r#"at $: the property "c" is not allowed"#),
        (
            json!({"unevaluatedProperties": false}),
            json!({"c": 1}),
            r#"at $: the property "c" is not allowed"#,
        ),
        (json!({"properties": {"a": false}}), json!({"a": 1}), "at $.a: no value is allowed here"),
        (
            json!({"enum": ["a", "b", 3]}),
            json!("c"),
            r#"at $: expected one of "a", "b", 3, got the string "c""#,
        ),
        (
            json!({"enum": [1,2,3,4,5,6,7,8,9,10,11]}),
            json!(0),
            "at $: expected one of 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, …, got the number 0",
        ),
        (json!({"const": true}), json!(false), "at $: expected true, got the boolean false"),
        (json!({"minimum": 5}), json!(3), "at $: expected a number that is at least 5, got 3"),
        (json!({"exclusiveMinimum": 5}), json!(5), "at $: expected a number that is more than 5, got 5"),
        (json!({"maximum": 5}), json!(5.5), "at $: expected a number that is at most 5, got 5.5"),
        (json!({"exclusiveMaximum": 5}), json!(5), "at $: expected a number that is less than 5, got 5"),
        (json!({"multipleOf": 5}), json!(3), "at $: expected a multiple of 5, got 3"),
        (json!({"minLength": 1}), json!(""), "at $: expected at least 1 character, got 0"),
        (json!({"maxLength": 2}), json!("abc"), "at $: expected at most 2 characters, got 3"),
        (json!({"pattern": "^a"}), json!("b"), r#"at $: expected a string that matches ^a, got "b""#),
        (json!({"minItems": 2}), json!([1]), "at $: expected at least 2 items, got 1"),
        (
            json!({"uniqueItems": true}),
            json!([1, 2, 1]),
            "at $: expected items that all differ, but items 0 and 2 are equal",
        ),
        (
            json!({"contains": {"type": "string"}}),
            json!([1]),
            "at $: expected at least 1 item of the required form, got 0",
        ),
        (json!({"maxProperties": 0}), json!({"a": 1}), "at $: expected at most 0 properties, got 1"),
        (
            json!({"propertyNames": {"maxLength": 1}}),
            json!({"ab": 1}),
            r#"at $: the property name "ab" is not allowed: expected at most 1 character, got 2"#,
        ),
        (
            json!({"dependentRequired": {"a": ["b"]}}),
            json!({"a": 1}),
            r#"at $: the property "b" is required where "a" is present"#,
        ),
        (
            json!({"not": {"type": "string"}}),
            json!("x"),
            r#"at $: the string "x" has a form that is not allowed here"#,
        ),
        (
            json!({"oneOf": [{"minimum": 1}, {"minimum": 2}]}),
            json!(3),
            "at $: the value matches more than one of 2 forms, where exactly one may match",
        ),
        // Alternatives: the types, the values, the form that is meant, or at least how many there are.
        (
            json!({"anyOf": [{"type": "string"}, {"type": "null"}]}),
            json!(5),
            "at $: expected a string or null, got the number 5",
        ),
        (
            json!({"oneOf": [{"const": "a", "title": "A"}, {"const": "b", "title": "B"}]}),
            json!("c"),
            r#"at $: expected one of "a", "b", got the string "c""#,
        ),
        (
            json!({"anyOf": [{"type": "object", "required": ["x"]}, {"type": "null"}]}),
            json!({}),
            r#"at $: the required property "x" is missing"#,
        ),
        (
            json!({"$defs": {
                    "circle": {"properties": {"kind": {"const": "circle"}, "r": {"type": "number"}}, "required": ["kind", "r"]},
                    "square": {"properties": {"kind": {"const": "square"}, "a": {"type": "number"}}, "required": ["kind", "a"]}},
                "properties": {"shape": {"oneOf": [{"$ref": "#/$defs/circle"}, {"$ref": "#/$defs/square"}]}}}),
            json!({"shape": {"kind": "square", "a": "2"}}),
            r#"at $.shape.a: expected a number, got the string "2""#,
        ),
        (
            json!({"anyOf": [{"minimum": 5}, {"multipleOf": 2}]}),
            json!(3),
            "at $: the number 3 matches none of the 2 allowed forms",
        ),
    ];
    for (schema, value, message) in table {
        assert_eq!(said(&schema, &value), message, "{schema} with {value}");
    }
}

#[test]
fn long_values_and_long_lists_are_cut() {
    let long = "x".repeat(10_000);
    assert_eq!(
        said(&json!({"type": "null"}), &json!(long)),
        format!("at $: expected null, got the string {:?}", format!("{}…", &long[..60]))
    );
    let wrong = compile(&json!({"items": {"type": "null"}})).validate(&json!([1, 1, 1, 1, 1, 1, 1, 1, 1, 1]));
    let violations = wrong.expect_err("no item is null");
    assert_eq!((violations.as_slice().len(), violations.is_truncated()), (8, true));
    assert!(violations.to_string().ends_with("; and more"));
    let said = said(&json!({"additionalProperties": false}), &json!({ long.as_str(): 1 }));
    assert!(said.len() < 200, "{said}");
}
