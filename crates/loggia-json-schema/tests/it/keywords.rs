//! Each keyword with values it takes and values it refuses. The same table is checked with the `jsonschema`
//! crate, so that the expectations are not merely ours.

use serde_json::{Value, json};

use super::{DRAFT_7, compile};

/// A schema, values that are valid, values that are not.
type Row = (Value, Vec<Value>, Vec<Value>);

fn check(rows: Vec<Row>) {
    for (schema, valid, invalid) in rows {
        let ours = compile(&schema);
        let theirs = jsonschema::validator_for(&schema).unwrap_or_else(|error| panic!("{schema}: {error}"));
        for (values, expected) in [(valid, true), (invalid, false)] {
            for value in values {
                assert_eq!(ours.is_valid(&value), expected, "{schema} with {value}");
                assert_eq!(
                    theirs.is_valid(&value),
                    expected,
                    "the other implementation: {schema} with {value}"
                );
                assert_eq!(ours.validate(&value).is_ok(), expected, "{schema} with {value}");
            }
        }
    }
}

#[test]
fn types() {
    check(vec![
        (json!({"type": "string"}), vec![json!("")], vec![json!(1), json!(null), json!({})]),
        (json!({"type": "integer"}), vec![json!(1), json!(1.0), json!(1e300)], vec![json!(1.5), json!("1")]),
        (
            json!({"type": "number"}),
            vec![json!(1), json!(1.5), json!(u64::MAX)],
            vec![json!("1"), json!(true)],
        ),
        (json!({"type": ["integer", "null"]}), vec![json!(1), json!(null)], vec![json!(1.5), json!(false)]),
        (json!({"type": "boolean"}), vec![json!(true), json!(false)], vec![json!(0)]),
        (json!({"type": "array"}), vec![json!([])], vec![json!({})]),
        (json!({"type": "object"}), vec![json!({})], vec![json!([])]),
        (json!({"type": "null"}), vec![json!(null)], vec![json!(false)]),
        (json!({}), vec![json!(null), json!(1)], vec![]),
        (json!(true), vec![json!(null)], vec![]),
        (json!(false), vec![], vec![json!(null), json!({})]),
    ]);
}

#[test]
fn numbers() {
    check(vec![
        (json!({"minimum": 1.1}), vec![json!(1.1), json!(2), json!("x")], vec![json!(1), json!(0.6)]),
        (json!({"maximum": -2}), vec![json!(-2), json!(-2.0), json!(-3)], vec![json!(-1), json!(-1.99)]),
        (json!({"exclusiveMinimum": 3}), vec![json!(3.0001), json!(4)], vec![json!(3), json!(3.0)]),
        (json!({"exclusiveMaximum": 3}), vec![json!(2)], vec![json!(3), json!(4)]),
        (json!({"maximum": 18446744073709551615_u64}), vec![json!(u64::MAX)], vec![json!(1e20)]),
        (json!({"minimum": i64::MIN}), vec![json!(i64::MIN)], vec![json!(-1e19)]),
        (json!({"multipleOf": 2}), vec![json!(4), json!(4.0), json!(0)], vec![json!(3), json!(4.5)]),
        (json!({"multipleOf": 0.01}), vec![json!(0.07), json!(19.99), json!(4)], vec![json!(0.075)]),
        (json!({"multipleOf": 0.0001}), vec![json!(0.0075)], vec![json!(0.00751)]),
        (json!({"multipleOf": 1.5}), vec![json!(0), json!(4.5), json!(3)], vec![json!(4)]),
        (json!({"multipleOf": 1e-8}), vec![json!(12391239123_i64)], vec![]),
    ]);
}

#[test]
fn strings() {
    check(vec![
        (json!({"minLength": 2}), vec![json!("ab"), json!("éé"), json!(1)], vec![json!("a"), json!("💩")]),
        (json!({"maxLength": 2.0}), vec![json!("💩💩"), json!("")], vec![json!("abc")]),
        (json!({"pattern": "^a*$"}), vec![json!("aaa"), json!(""), json!(1)], vec![json!("ab")]),
        (json!({"pattern": "b+"}), vec![json!("abc")], vec![json!("ac")]),
        (
            json!({"pattern": r"^\d{3}-[A-Z]\/$"}),
            vec![json!("123-A/")],
            vec![json!("१२३-A/"), json!("123-A")],
        ),
        (json!({"pattern": r"^[\w.+-]+@[\w-]+\.[\w.]+$"}), vec![json!("a.b@c-d.org")], vec![json!("a@b")]),
        (json!({"pattern": r"^\cJ$"}), vec![json!("\n")], vec![json!("J")]),
        (json!({"pattern": r"^[^\n]+$"}), vec![json!("a]b")], vec![json!("a\nb")]),
        (json!({"pattern": r"^\u00e9$"}), vec![json!("é")], vec![json!("e")]),
        (json!({"format": "email"}), vec![json!("not one"), json!(1)], vec![]),
        (json!({"contentEncoding": "base64"}), vec![json!("!")], vec![]),
    ]);
}

/// Patterns with different meanings in ECMA-262 and in the engines; the other implementation is not always correct.
#[test]
fn patterns_are_read_as_ecma_262_does() {
    let rows = [
        ("^[]", vec![], vec!["", "a"]),
        ("^[^]$", vec!["a", "\n"], vec![""]),
        ("^[[]$", vec!["["], vec!["a"]),
        ("^[a&&b]+$", vec!["a&b"], vec!["c"]),
        (r"^[\w-.]+$", vec!["a-b.c"], vec!["a b"]),
        (r"^[\b]$", vec!["\u{8}"], vec!["b"]),
        (r"^\0$", vec!["\0"], vec!["0"]),
        (
            r"^\s$",
            vec![" ", "\t", "\u{b}", "\u{a0}", "\u{feff}", "\u{2003}", "\u{2029}"],
            vec!["a", "\u{200b}"],
        ),
        (r"^\S$", vec!["a", "é", "\u{200b}"], vec![" ", "\u{a0}", "\u{3000}"]),
        (r"^[\s-]$", vec!["-", "\u{2028}"], vec!["a"]),
        (r"^[a\S]$", vec!["a", "é", "💩", "\u{200b}"], vec![" ", "\u{a0}", "\u{feff}", "\n"]),
        ("^(?<year>[0-9]{4})$", vec!["2026"], vec!["20"]),
        ("^(?:a|b)$", vec!["a"], vec!["c"]),
    ];
    for (pattern, valid, invalid) in rows {
        let schema = compile(&json!({ "pattern": pattern }));
        assert!(valid.iter().all(|text| schema.is_valid(&json!(text))), "{pattern} with {valid:?}");
        assert!(!invalid.iter().any(|text| schema.is_valid(&json!(text))), "{pattern} with {invalid:?}");
    }
}

#[test]
fn arrays() {
    check(vec![
        (json!({"minItems": 1}), vec![json!([1]), json!("")], vec![json!([])]),
        (json!({"maxItems": 1}), vec![json!([1])], vec![json!([1, 2])]),
        (json!({"items": {"type": "integer"}}), vec![json!([]), json!([1])], vec![json!([1, "x"])]),
        (json!({"items": false}), vec![json!([])], vec![json!([1])]),
        (
            json!({"prefixItems": [{"type": "integer"}, true], "items": {"type": "string"}}),
            vec![json!([]), json!([1]), json!([1, null, "x"])],
            vec![json!(["x"]), json!([1, 2, 3])],
        ),
        (json!({"contains": {"minimum": 5}}), vec![json!([1, 5])], vec![json!([]), json!([1])]),
        (json!({"contains": {"minimum": 5}, "minContains": 2}), vec![json!([5, 6])], vec![json!([5])]),
        (
            json!({"contains": {"minimum": 5}, "maxContains": 1}),
            vec![json!([5, 1])],
            vec![json!([5, 6]), json!([])],
        ),
        (json!({"contains": {"minimum": 5}, "minContains": 0}), vec![json!([])], vec![]),
        (json!({"minContains": 2}), vec![json!([])], vec![]),
        (
            json!({"uniqueItems": true}),
            vec![
                json!([1, 2, "1", true, null]),
                json!([[1], [2]]),
                json!([{"a": 1}, {"a": 2}]),
                json!([1, true]),
            ],
            vec![json!([1, 1.0]), json!([{"a": 1, "b": 2}, {"b": 2, "a": 1.0}]), json!([[[0]], [[0]]])],
        ),
        (json!({"uniqueItems": false}), vec![json!([1, 1])], vec![]),
    ]);
}

#[test]
fn objects() {
    check(vec![
        (json!({"required": ["a", "b"]}), vec![json!({"a": 1, "b": null}), json!(1)], vec![json!({"a": 1})]),
        (
            json!({"minProperties": 1, "maxProperties": 2}),
            vec![json!({"a": 1})],
            vec![json!({}), json!({"a": 1, "b": 1, "c": 1})],
        ),
        (
            json!({"properties": {"a": {"type": "string"}, "b": false}}),
            vec![json!({"a": "", "c": 1})],
            vec![json!({"a": 1}), json!({"b": 1})],
        ),
        (
            json!({"patternProperties": {"^x-": {"type": "integer"}, "y": {"minimum": 2}}}),
            vec![json!({"x-y": 2, "z": ""})],
            vec![json!({"x-a": ""}), json!({"x-y": 1})],
        ),
        (
            json!({"properties": {"a": true}, "patternProperties": {"^x-": true}, "additionalProperties": false}),
            vec![json!({"a": 1, "x-b": 1})],
            vec![json!({"b": 1})],
        ),
        (
            json!({"additionalProperties": {"type": "boolean"}}),
            vec![json!({"a": true})],
            vec![json!({"a": 1})],
        ),
        (json!({"propertyNames": {"maxLength": 2}}), vec![json!({"ab": 1})], vec![json!({"abc": 1})]),
        (json!({"propertyNames": false}), vec![json!({})], vec![json!({"a": 1})]),
        (
            json!({"dependentRequired": {"a": ["b"]}}),
            vec![json!({"b": 1}), json!({"a": 1, "b": 1})],
            vec![json!({"a": 1})],
        ),
        (
            json!({"dependentSchemas": {"a": {"required": ["b"]}}}),
            vec![json!({}), json!({"a": 1, "b": 1})],
            vec![json!({"a": 1})],
        ),
    ]);
}

#[test]
fn values_and_combinations() {
    check(vec![
        (json!({"const": {"a": [1]}}), vec![json!({"a": [1.0]})], vec![json!({"a": [2]}), json!(null)]),
        (json!({"const": null}), vec![json!(null)], vec![json!(0)]),
        (json!({"const": false}), vec![json!(false)], vec![json!(0)]),
        (
            json!({"enum": ["a", 1, null, [1]]}),
            vec![json!("a"), json!(1.0), json!(null), json!([1])],
            vec![json!("b"), json!([])],
        ),
        (json!({"allOf": [{"minimum": 1}, {"maximum": 2}]}), vec![json!(1)], vec![json!(0), json!(3)]),
        (json!({"anyOf": [{"type": "string"}, {"minimum": 2}]}), vec![json!("a"), json!(2)], vec![json!(1)]),
        (json!({"oneOf": [{"minimum": 1}, {"minimum": 5}]}), vec![json!(1)], vec![json!(0), json!(5)]),
        (json!({"not": {"type": "string"}}), vec![json!(1)], vec![json!("")]),
        (
            json!({"if": {"minimum": 10}, "then": {"multipleOf": 10}, "else": {"multipleOf": 2}}),
            vec![json!(20), json!(4)],
            vec![json!(12), json!(3)],
        ),
        (json!({"then": false, "else": false}), vec![json!(1)], vec![]),
    ]);
}

#[test]
fn references() {
    check(vec![
        (
            json!({"$ref": "#/$defs/a", "maximum": 5, "$defs": {"a": {"minimum": 1}}}),
            vec![json!(1)],
            vec![json!(0), json!(6)],
        ),
        (json!({"$ref": "#/$defs/a~1b%25", "$defs": {"a/b%": false}}), vec![], vec![json!(1)]),
        (
            json!({"properties": {"a": {"$ref": "#"}}, "additionalProperties": false}),
            vec![json!({"a": {"a": {}}})],
            vec![json!({"a": {"b": 1}})],
        ),
        (
            json!({"$ref": "#a", "$defs": {"x": {"$anchor": "a", "type": "string"}}}),
            vec![json!("")],
            vec![json!(1)],
        ),
        (
            json!({"$ref": "#/properties/a", "properties": {"a": {"type": "object"}}}),
            vec![json!({})],
            vec![json!(1)],
        ),
        (
            json!({
                "$id": "https://example.com/tree/schema.json",
                "$ref": "item.json#/$defs/deep",
                "$defs": {"i": {"$id": "item.json", "$defs": {"deep": {"$ref": "other.json"}}}, "o": {"$id": "/tree/other.json", "type": "string"}}
            }),
            vec![json!("")],
            vec![json!(1)],
        ),
        (
            json!({"$id": "urn:example:root", "$ref": "urn:example:a#x", "$defs": {"a": {"$id": "urn:example:a", "$defs": {"y": {"$anchor": "x", "const": 1}}}}}),
            vec![json!(1)],
            vec![json!(2)],
        ),
        (
            json!({"$id": "https://example.com/a/b", "properties": {"x": {"$id": "../c", "$ref": "#/$defs/y", "$defs": {"y": {"const": 1}}}}, "$ref": "https://example.com/c"}),
            vec![json!(1)],
            vec![json!(2), json!({"x": 2})],
        ),
    ]);
}

#[test]
fn dynamic_references() {
    let tree = json!({
        "$id": "https://example.com/tree",
        "$dynamicAnchor": "node",
        "type": "object",
        "properties": {"data": true, "children": {"type": "array", "items": {"$dynamicRef": "#node"}}}
    });
    let strict = json!({
        "$id": "https://example.com/strict-tree",
        "$dynamicAnchor": "node",
        "$ref": "tree",
        "unevaluatedProperties": false,
        "$defs": {"tree": tree}
    });
    check(vec![
        (tree, vec![json!({"children": [{"daat": 1}]})], vec![json!({"children": [1]})]),
        (
            strict,
            vec![json!({"children": [{"data": 1}]})],
            vec![json!({"children": [{"daat": 1}]}), json!({"daat": 1})],
        ),
        (
            json!({"$dynamicRef": "#a", "$defs": {"x": {"$anchor": "a", "type": "string"}}}),
            vec![json!("")],
            vec![json!(1)],
        ),
    ]);
}

#[test]
fn unevaluated() {
    check(vec![
        (
            json!({"allOf": [{"properties": {"a": true}}], "unevaluatedProperties": false}),
            vec![json!({"a": 1})],
            vec![json!({"b": 1})],
        ),
        (
            json!({"anyOf": [{"properties": {"a": {"const": 1}}, "required": ["a"]}, {"properties": {"b": true}, "required": ["b"]}], "unevaluatedProperties": false}),
            vec![json!({"a": 1}), json!({"a": 1, "b": 1})],
            vec![json!({"a": 2, "b": 1}), json!({"a": 1, "c": 1})],
        ),
        (
            json!({"if": {"properties": {"a": {"const": 1}}, "required": ["a"]}, "then": {"properties": {"b": true}}, "else": {"properties": {"c": true}}, "unevaluatedProperties": false}),
            vec![json!({"a": 1, "b": 1}), json!({"c": 1}), json!({})],
            vec![json!({"a": 1, "c": 1}), json!({"b": 1})],
        ),
        (
            json!({"not": {"properties": {"a": false}}, "unevaluatedProperties": false}),
            vec![],
            vec![json!({"a": 1})],
        ),
        (
            json!({"$ref": "#/$defs/x", "unevaluatedProperties": {"type": "integer"}, "$defs": {"x": {"properties": {"a": true}}}}),
            vec![json!({"a": "", "b": 1})],
            vec![json!({"b": ""})],
        ),
        (
            json!({"dependentSchemas": {"a": {"properties": {"b": true}}}, "properties": {"a": true}, "unevaluatedProperties": false}),
            vec![json!({"a": 1, "b": 1})],
            vec![json!({"b": 1})],
        ),
        (
            json!({"allOf": [{"unevaluatedProperties": true}], "unevaluatedProperties": false}),
            vec![json!({"a": 1})],
            vec![],
        ),
        (
            json!({"properties": {"x": {"unevaluatedProperties": false}}, "unevaluatedProperties": false}),
            vec![json!({"x": {}})],
            vec![json!({"x": {"y": 1}}), json!({"y": 1})],
        ),
        (
            json!({"prefixItems": [true], "allOf": [{"prefixItems": [true, {"type": "string"}]}], "unevaluatedItems": false}),
            vec![json!([1, ""]), json!([])],
            vec![json!([1, 2]), json!([1, "", 3])],
        ),
        (
            json!({"contains": {"type": "string"}, "unevaluatedItems": {"type": "integer"}}),
            vec![json!(["", 1])],
            vec![json!(["", null]), json!([1])],
        ),
        (
            json!({"oneOf": [{"items": {"type": "string"}}, {"prefixItems": [{"type": "integer"}]}], "unevaluatedItems": false}),
            vec![json!(["", ""]), json!([1])],
            vec![json!([1, 2])],
        ),
        (json!({"unevaluatedItems": false}), vec![json!([])], vec![json!([1])]),
    ]);
}

#[test]
fn draft_7() {
    let draft_7 = |mut schema: Value| {
        schema["$schema"] = json!(DRAFT_7);
        schema
    };
    check(vec![
        (
            draft_7(json!({"items": [{"type": "integer"}], "additionalItems": {"type": "string"}})),
            vec![json!([1, ""])],
            vec![json!([""]), json!([1, 1])],
        ),
        (
            draft_7(json!({"items": {"type": "integer"}, "additionalItems": false})),
            vec![json!([1, 2])],
            vec![json!([""])],
        ),
        (
            draft_7(json!({"dependencies": {"a": ["b"], "c": {"minProperties": 2}}})),
            vec![json!({"a": 1, "b": 1})],
            vec![json!({"a": 1}), json!({"c": 1})],
        ),
        (
            draft_7(json!({"$ref": "#/definitions/a", "maximum": 1, "definitions": {"a": {"minimum": 5}}})),
            vec![json!(5)],
            vec![json!(1)],
        ),
        (
            draft_7(
                json!({"properties": {"a": {"$ref": "#here"}}, "definitions": {"x": {"$id": "#here", "const": 1}}}),
            ),
            vec![json!({"a": 1})],
            vec![json!({"a": 2})],
        ),
        (draft_7(json!({"contains": {"const": 1}, "minContains": 2})), vec![json!([1])], vec![json!([])]),
        (
            draft_7(
                json!({"prefixItems": [false], "unevaluatedProperties": false, "dependentRequired": {"a": ["b"]}}),
            ),
            vec![json!([1]), json!({"a": 1})],
            vec![],
        ),
        (draft_7(json!({"if": {"const": 1}, "then": false})), vec![json!(2)], vec![json!(1)]),
        (
            json!({"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "string"}),
            vec![json!("")],
            vec![json!(1)],
        ),
    ]);
    // With and without the empty fragment, and by a scheme that is often written.
    for uri in ["http://json-schema.org/draft-07/schema", "https://json-schema.org/draft-07/schema#"] {
        assert!(!compile(&json!({"$schema": uri, "items": [false]})).is_valid(&json!([1])));
    }
}
