//! Schemas that do not compile, and what is said about them.

use loggia_json_schema::Validator;
use loggia_wire::JsonObject;
use serde_json::json;

/// A tool of another party stays usable if its schema has a pattern that only a backtracking engine can run.
#[test]
fn foreign_patterns_are_left_unchecked_where_they_cannot_be_used() {
    let email = r"^(?!\.)[a-z.]+@[a-z.]+$";
    let table = [
        (json!({"type": "string", "pattern": email}), vec![json!("."), json!("a@b")], vec![json!(1)]),
        (
            json!({"properties": {"a": {"pattern": email, "minLength": 2}}}),
            vec![json!({"a": "xx"})],
            vec![json!({"a": "x"})],
        ),
        (json!({"not": {"pattern": email}}), vec![json!("a@b"), json!("x")], vec![json!(1)]),
        (json!({"oneOf": [{"pattern": email}, {"type": "string"}]}), vec![json!("x")], vec![]),
        (
            json!({"if": {"pattern": email}, "then": {"type": "null"}}),
            vec![json!("x"), json!(null)],
            vec![json!(1)],
        ),
        (json!({"anyOf": [{"pattern": email}, {"type": "null"}], "maxLength": 3}), vec![json!("x")], vec![]),
    ];
    for (schema, valid, invalid) in table {
        let object = &JsonObject::try_from(schema.clone()).expect("the test gives an object");
        assert!(Validator::compile(object).is_err(), "{schema}");
        let (validator, unchecked) = Validator::compile_foreign(object).expect("it is tolerated");
        assert_eq!(unchecked.len(), 1, "{schema}");
        assert!(unchecked[0].to_string().contains("look-around"), "{}", unchecked[0]);
        for value in valid {
            assert!(
                validator.is_valid(&value) && validator.validate(&value).is_ok(),
                "{schema} with {value}"
            );
        }
        for value in invalid {
            assert!(
                !validator.is_valid(&value) && validator.validate(&value).is_err(),
                "{schema} with {value}"
            );
        }
    }
    let named = json!({"patternProperties": {email: true}, "additionalProperties": false});
    let error = Validator::compile_foreign(&JsonObject::try_from(named).expect("it is an object"));
    assert!(error.is_err(), "which properties are allowed depends on the pattern");
    let (_, unchecked) =
        Validator::compile_foreign(&JsonObject::try_from(json!({"pattern": "a"})).expect("it is an object"))
            .expect("nothing is wrong with it");
    assert!(unchecked.is_empty());
}

#[test]
fn what_is_wrong_with_a_schema_is_said() {
    let table = [
        (json!(5), "at #: a schema must be an object or a boolean"),
        (
            json!({"$schema": "https://json-schema.org/draft/2019-09/schema"}),
            r#"at #: the dialect "https://json-schema.org/draft/2019-09/schema" is not supported; declare"#,
        ),
        (
            json!({"$schema": "http://json-schema.org/draft-04/schema#"}),
            r#"the dialect "http://json-schema.org/draft-04/schema#""#,
        ),
        (json!({"$schema": "urn:mine"}), r#"the dialect "urn:mine""#),
        (json!({"$schema": 5}), r#"at #: "$schema" must be a string"#),
        (
            json!({"properties": {"a": {"$ref": "https://example.com/other.json"}}}),
            r#"at #/properties/a: the reference "https://example.com/other.json" leaves the document"#,
        ),
        (json!({"$id": "https://example.com/a", "$ref": "b"}), r#"the reference "b" leaves the document"#),
        (json!({"$ref": "https://json-schema.org/draft/2020-12/schema"}), "leaves the document"),
        (json!({"$ref": "file:///etc/passwd"}), "leaves the document"),
        (json!({"$ref": "#/$defs/a"}), r##"at #: the reference "#/$defs/a" leads to no schema"##),
        (json!({"$ref": "#/required/0", "required": ["a"]}), "leads to no schema"),
        (json!({"$ref": "other.json"}), "leads to no schema"),
        (json!({"$ref": "#nowhere"}), "leads to no schema"),
        (json!({"$dynamicRef": "#nowhere"}), "leads to no schema"),
        (json!({"$ref": "#/%ff"}), "leads to no schema"),
        (json!({"$ref": 5}), r#""$ref" must be a string"#),
        (json!({"type": "strnig"}), r#"at #: "type" must be one or a list of "string""#),
        (json!({"type": ["string", 5]}), r#""type" must be"#),
        (json!({"properties": []}), r#""properties" must be an object"#),
        (json!({"properties": {"a/b": {"items": 5}}}), r#"at #/properties/a~1b: "items" must be a schema"#),
        (
            json!({"items": [{}]}),
            r#""items" must be a schema; lists of schemas go into "prefixItems" since 2020-12"#,
        ),
        (json!({"required": "a"}), r#""required" must be a list of property names"#),
        (json!({"required": [1]}), r#""required" must be a list of property names"#),
        (json!({"minLength": -1}), r#""minLength" must be a whole number, zero or more"#),
        (json!({"maxItems": 1.5}), r#""maxItems" must be a whole number"#),
        (json!({"minimum": "1"}), r#""minimum" must be a number"#),
        (json!({"exclusiveMinimum": true}), r#""exclusiveMinimum" must be a number"#),
        (json!({"multipleOf": 0}), r#""multipleOf" must be a number above zero"#),
        (json!({"uniqueItems": 1}), r#""uniqueItems" must be true or false"#),
        (json!({"enum": "a"}), r#""enum" must be a list of values"#),
        (json!({"anyOf": []}), r#""anyOf" must be a list of at least one schema"#),
        (json!({"anyOf": {}}), r#""anyOf" must be a list of schemas"#),
        (json!({"not": 1}), r#""not" must be a schema"#),
        (json!({"dependentRequired": {"a": "b"}}), r#""dependentRequired" must be a list of property names"#),
        (json!({"pattern": "("}), r#"at #: the regular expression "(" cannot be used: "#),
        (json!({"pattern": "a(?=b)"}), "look-around such as (?=…) is not supported"),
        (json!({"pattern": "a(?<!b)"}), "look-around"),
        (json!({"pattern": r"\p{L}"}), "Unicode property classes"),
        (json!({"pattern": r"(a)\1"}), "back-references are not supported"),
        (json!({"pattern": r"a\"}), "it ends in a backslash"),
        (json!({"pattern": "((a{900}){900}){900}"}), "the regular expression"),
        (json!({"patternProperties": {"[": true}}), "the regular expression"),
        (
            json!({"$defs": {"a": {"$id": "x"}, "b": {"$id": "x"}}}),
            r#""$id" must be different from every other $id in the document"#,
        ),
        (
            json!({"$id": "https://example.com/", "$defs": {"a": {"$id": "a", "$schema": "urn:mine"}}}),
            r#"at #/$defs/a: the dialect "urn:mine""#,
        ),
    ];
    for (schema, part) in table {
        let error = Validator::compile_value(&schema).expect_err(&schema.to_string()).to_string();
        assert!(error.starts_with("invalid JSON Schema at #") && error.contains(part), "{schema}: {error}");
    }
}
