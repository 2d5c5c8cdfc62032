//! Generated schemas and values, judged by our validator and by the `jsonschema` crate.

use loggia_json_schema::Validator;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::DRAFT_7;

/// Few names and small numbers, so that schemas and values meet often.
fn name() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "b", "c", "d/e"]).prop_map(str::to_owned)
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        (-4..5_i64).prop_map(Value::from),
        (-8..9_i64).prop_map(|n| json!(n as f64 / 2.0)),
        prop::sample::select(vec!["", "a", "b", "ab", "é", "aaa", "1"]).prop_map(Value::from),
    ]
}

fn instance() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map(name(), inner, 0..4).prop_map(|members| json!(members)),
        ]
    })
}

fn type_name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["null", "boolean", "integer", "number", "string", "array", "object"])
}

fn count() -> impl Strategy<Value = Value> {
    (0..4_u32).prop_map(Value::from)
}

fn pattern() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["^a", "b$", "^[a-c]$", "a+", "^$", "."])
}

type Keyword = (&'static str, Value);

/// A keyword without subschemas.
fn plain() -> BoxedStrategy<Keyword> {
    let number =
        prop_oneof![(-3..4_i64).prop_map(Value::from), (-5..6_i64).prop_map(|n| json!(n as f64 / 2.0))];
    let counted = prop::sample::select(vec![
        "minLength",
        "maxLength",
        "minItems",
        "maxItems",
        "minProperties",
        "maxProperties",
        "minContains",
        "maxContains",
    ]);
    let bounded = prop::sample::select(vec!["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"]);
    let names = || {
        vec(name(), 0..3).prop_map(|mut names| {
            names.sort();
            names.dedup();
            names
        })
    };
    let scalars = prop_oneof![
        type_name().prop_map(|name| ("type", json!(name))),
        (type_name(), type_name())
            .prop_map(|(a, b)| ("type", if a == b { json!([a]) } else { json!([a, b]) })),
        (counted, count()),
        (bounded, number),
        prop::sample::select(vec![json!(1), json!(2), json!(0.5), json!(1.5)])
            .prop_map(|n| ("multipleOf", n)),
        pattern().prop_map(|text| ("pattern", json!(text))),
    ];
    let others = prop_oneof![
        any::<bool>().prop_map(|unique| ("uniqueItems", json!(unique))),
        names().prop_map(|names| ("required", json!(names))),
        instance().prop_map(|value| ("const", value)),
        vec(instance(), 1..4).prop_map(|mut values| {
            values.dedup();
            ("enum", json!(values))
        }),
        (name(), names()).prop_map(|(name, names)| ("dependentRequired", json!({ name: names }))),
        prop::sample::select(vec!["#", "#/$defs/a", "#/$defs/b", "#anchor"])
            .prop_map(|to| ("$ref", json!(to))),
    ];
    prop_oneof![scalars, others].boxed()
}

/// A keyword with subschemas.
fn nested(inner: BoxedStrategy<Value>) -> BoxedStrategy<Keyword> {
    let one = prop::sample::select(vec![
        "not",
        "if",
        "then",
        "else",
        "items",
        "contains",
        "additionalProperties",
        "propertyNames",
        "unevaluatedItems",
        "unevaluatedProperties",
    ]);
    let many = prop::sample::select(vec!["allOf", "anyOf", "oneOf", "prefixItems"]);
    let named = prop::sample::select(vec!["properties", "properties", "dependentSchemas"]);
    prop_oneof![
        (one, inner.clone()),
        (many, vec(inner.clone(), 1..3).prop_map(Value::from)),
        (named, btree_map(name(), inner.clone(), 0..3).prop_map(|map| json!(map))),
        btree_map(pattern(), inner, 0..2).prop_map(|map| ("patternProperties", json!(map))),
    ]
    .boxed()
}

fn schema() -> BoxedStrategy<Value> {
    let object = |keywords: Vec<Keyword>| {
        Value::Object(
            keywords.into_iter().map(|(keyword, value)| (keyword.to_owned(), value)).collect::<Map<_, _>>(),
        )
    };
    let leaf =
        prop_oneof![9 => vec(plain(), 0..3).prop_map(object), 1 => any::<bool>().prop_map(Value::from)];
    leaf.prop_recursive(3, 20, 3, move |inner| {
        let keyword = prop_oneof![plain(), nested(inner)];
        vec(keyword, 1..4).prop_map(object)
    })
    .boxed()
}

/// A schema whose references lead somewhere, and never back to themselves on the same value.
fn document() -> impl Strategy<Value = Value> {
    (schema(), schema(), schema()).prop_map(|(root, mut a, mut b)| {
        let mut root = if root.is_object() { root } else { json!({ "allOf": [root] }) };
        for inner in [&mut a, &mut b] {
            strip(inner);
        }
        redirect(&mut root);
        let anchored = if let Value::Object(mut b) = b {
            b.insert("$anchor".to_owned(), json!("anchor"));
            Value::Object(b)
        } else {
            json!({"$anchor": "anchor", "not": b})
        };
        root["$defs"] = json!({ "a": a, "b": anchored });
        root
    })
}

/// Takes references out.
fn strip(schema: &mut Value) {
    each_object(schema, &mut |object| {
        object.remove("$ref");
    });
}

/// Turns references to the root, which need not end, into others.
fn redirect(schema: &mut Value) {
    each_object(schema, &mut |object| {
        if object.get("$ref") == Some(&json!("#")) {
            object.insert("$ref".to_owned(), json!("#/$defs/a"));
        }
    });
}

fn each_object(value: &mut Value, visit: &mut impl FnMut(&mut Map<String, Value>)) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| each_object(item, visit)),
        Value::Object(members) => {
            visit(members);
            members.values_mut().for_each(|member| each_object(member, visit));
        }
        _ => {}
    }
}

fn agree(schema: &Value, values: &[Value]) -> Result<(), TestCaseError> {
    let ours = Validator::compile_value(schema)
        .map_err(|error| TestCaseError::fail(format!("{schema}: {error}")))?;
    let theirs = jsonschema::validator_for(schema)
        .map_err(|error| TestCaseError::fail(format!("{schema}: {error}")))?;
    for value in values {
        let valid = ours.is_valid(value);
        prop_assert_eq!(valid, theirs.is_valid(value), "{} with {}", schema, value);
        let violations = ours.validate(value);
        prop_assert_eq!(valid, violations.is_ok());
        if let Err(violations) = violations {
            prop_assert!(!violations.as_slice().is_empty(), "{} with {}", schema, value);
        }
    }
    Ok(())
}

/// Any JSON at all, in the clothes of a schema.
fn nonsense() -> impl Strategy<Value = Value> {
    let keyword = prop::sample::select(vec![
        "$ref",
        "$id",
        "$anchor",
        "$dynamicRef",
        "$dynamicAnchor",
        "$defs",
        "$schema",
        "type",
        "items",
        "properties",
        "anyOf",
        "not",
        "pattern",
        "dependencies",
        "required",
        "enum",
        "multipleOf",
        "minLength",
        "a",
    ]);
    let text = prop::sample::select(vec![
        "#", "#/", "#/a", "#a", "a", "/a/../b", "//", "a:b", "%", "#%", "(", "[a", DRAFT_7,
    ]);
    let leaf = prop_oneof![scalar(), text.prop_map(Value::from)];
    leaf.prop_recursive(4, 40, 4, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((keyword.clone(), inner), 0..5).prop_map(|members| {
                Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
            }),
        ]
    })
}

proptest! {
    #[test]
    fn both_judge_alike(schema in document(), values in vec(instance(), 8)) {
        agree(&schema, &values)?;
    }

    #[test]
    fn no_schema_panics(schema in nonsense(), value in instance()) {
        if let Ok(validator) = Validator::compile_value(&schema) {
            prop_assert_eq!(validator.is_valid(&value), validator.validate(&value).is_ok());
        }
    }
}
