//! Schemas made from types, in both directions, and that what they say is what serde does.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use loggia::JsonSchema;
use loggia::schema::{Property, Schema};
use loggia_json_schema::Validator;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A place.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(dead_code, reason = "read by serde alone")]
struct Place {
    /// Its name
    full_name: String,
    #[serde(rename = "lat")]
    #[schema(min = -90, max = 90)]
    latitude: f64,
    population: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mayor: Option<String>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(skip)]
    cache: u8,
    #[serde(skip_serializing, default)]
    secret: String,
    #[serde(skip_deserializing)]
    computed: u8,
    #[schema(default = "metric")]
    #[serde(default)]
    unit: String,
    #[serde(rename(serialize = "out", deserialize = "in"))]
    both: bool,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Containers<'a, T> {
    list: Vec<Option<i8>>,
    array: [u16; 2],
    set: BTreeSet<char>,
    map: BTreeMap<String, T>,
    hash: HashMap<String, bool>,
    pair: (i64, String),
    boxed: Box<Option<T>>,
    any: Value,
    cow: Cow<'a, str>,
    unit: (),
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Colour {
    /// Like wine
    DeepRed,
    #[serde(rename = "sky")]
    SkyBlue,
    #[serde(skip)]
    #[allow(dead_code)]
    Hidden,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
enum Titled {
    #[schema(title = "First choice")]
    A,
    B,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
enum External {
    Nothing,
    One(Colour),
    Two(u8, u8),
    Named {
        /// How many
        count: u32,
    },
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
enum Internal {
    /// Nothing to say
    JustThis,
    Held(Inner),
    WithFields {
        some_field: u32,
    },
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "t", content = "c")]
enum Adjacent {
    Unit,
    New(String),
    Named { a: bool },
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Inner {
    deep: bool,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Flat {
    own: u8,
    #[serde(flatten)]
    inner: Inner,
    #[serde(flatten)]
    rest: BTreeMap<String, u8>,
}

/// A tree.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Tree {
    value: u8,
    children: Vec<Tree>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Forest {
    first: Tree,
    second: Option<Tree>,
}

/// A short text.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Short(#[schema(max_length = 5)] String);

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
struct Transparent {
    inner: Inner,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
struct Parsed(u8);

impl TryFrom<String> for Parsed {
    type Error = std::num::ParseIntError;

    fn try_from(text: String) -> Result<Parsed, Self::Error> {
        text.parse().map(Parsed)
    }
}

impl From<Parsed> for String {
    fn from(parsed: Parsed) -> String {
        parsed.0.to_string()
    }
}

impl Clone for Parsed {
    fn clone(&self) -> Parsed {
        Parsed(self.0)
    }
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct With {
    #[schema(with = "String")]
    foreign: std::net::IpAddr,
}

fn both<T: JsonSchema>() -> Value {
    let (input, output) = (Schema::of::<T>(), Schema::of_output::<T>());
    if input == output {
        input.into()
    } else {
        json!({ "input": Value::from(input), "output": Value::from(output) })
    }
}

#[test]
fn schemas_of_types() {
    insta::assert_json_snapshot!(json!({
        "Place": both::<Place>(),
        "Containers": both::<Containers<'_, Inner>>(),
        "Colour": both::<Colour>(),
        "Titled": both::<Titled>(),
        "External": both::<External>(),
        "Internal": both::<Internal>(),
        "Adjacent": both::<Adjacent>(),
        "Flat": both::<Flat>(),
        "Tree": both::<Tree>(),
        "Forest": both::<Forest>(),
        "Short": both::<Short>(),
        "Transparent": both::<Transparent>(),
        "Parsed": both::<Parsed>(),
        "With": both::<With>(),
    }));
}

/// Everything that serde writes or reads is valid by the schema of that direction.
fn agrees<T: JsonSchema + Serialize + for<'de> Deserialize<'de>>(
    written: &T,
    accepted: &[Value],
    refused: &[Value],
) {
    let output = Validator::compile(Schema::of_output::<T>().as_object()).expect("it compiles");
    let value = serde_json::to_value(written).expect("it is written");
    output.validate(&value).unwrap_or_else(|violations| panic!("{value}: {violations}"));
    let input = Validator::compile(Schema::of::<T>().as_object()).expect("it compiles");
    for value in accepted {
        input.validate(value).unwrap_or_else(|violations| panic!("{value}: {violations}"));
        serde_json::from_value::<T>(value.clone()).unwrap_or_else(|error| panic!("{value}: {error}"));
    }
    for value in refused {
        assert!(!input.is_valid(value), "{value} should be refused");
        assert!(serde_json::from_value::<T>(value.clone()).is_err(), "serde takes {value}");
    }
}

#[test]
fn schemas_say_what_serde_does() {
    agrees(
        &Place {
            full_name: "Oslo".into(),
            latitude: 59.9,
            population: None,
            mayor: None,
            tags: vec![],
            cache: 0,
            secret: String::new(),
            computed: 1,
            unit: String::new(),
            both: true,
        },
        &[
            json!({ "fullName": "Oslo", "lat": 1.0, "in": true }),
            json!({ "fullName": "Oslo", "lat": 1, "in": true, "secret": "s", "unit": "u" }),
        ],
        &[
            json!({ "fullName": "Oslo", "lat": 1.0 }),
            json!({ "fullName": 1, "lat": 1.0, "in": true }),
            json!({ "fullName": "", "lat": 1, "in": true, "x": 1 }),
        ],
    );
    agrees(&Colour::DeepRed, &[json!("deep-red"), json!("sky")], &[json!("hidden"), json!("SkyBlue")]);
    agrees(&Titled::A, &[json!("A"), json!("B")], &[json!("C")]);
    for external in
        [External::Nothing, External::One(Colour::SkyBlue), External::Two(1, 2), External::Named { count: 1 }]
    {
        let again = serde_json::to_value(&external).expect("it is written");
        agrees(&external, &[again], &[json!("One"), json!({ "Two": [1] }), json!({ "Named": {} })]);
    }
    for internal in
        [Internal::JustThis, Internal::Held(Inner { deep: true }), Internal::WithFields { some_field: 1 }]
    {
        let again = serde_json::to_value(&internal).expect("it is written");
        agrees(
            &internal,
            &[again],
            &[json!({}), json!({ "kind": "held" }), json!({ "kind": "with_fields", "some_field": 1 })],
        );
    }
    for adjacent in [Adjacent::Unit, Adjacent::New("x".into()), Adjacent::Named { a: true }] {
        let again = serde_json::to_value(&adjacent).expect("it is written");
        agrees(&adjacent, &[again], &[json!({ "t": "New" }), json!({ "t": "Named", "c": {} })]);
    }
    agrees(
        &Flat { own: 1, inner: Inner { deep: true }, rest: BTreeMap::from([("x".to_owned(), 2)]) },
        &[json!({ "own": 1, "deep": false, "y": 3 })],
        &[json!({ "own": 1 }), json!({ "own": 1, "deep": false, "y": "z" })],
    );
    let tree = || Tree { value: 1, children: vec![Tree { value: 2, children: vec![] }] };
    agrees(
        &tree(),
        &[json!({ "value": 1, "children": [] })],
        &[json!({ "value": 1, "children": [{ "value": 1 }] })],
    );
    agrees(
        &Forest { first: tree(), second: None },
        &[json!({ "first": { "value": 1, "children": [] } })],
        &[json!({ "first": {} })],
    );
    agrees(&Parsed(5), &[json!("7")], &[json!(7)]);
    agrees(
        &Containers {
            list: vec![None, Some(1)],
            array: [1, 2],
            set: BTreeSet::from(['a']),
            map: BTreeMap::from([("a".to_owned(), 5_u8)]),
            hash: HashMap::from([("b".to_owned(), true)]),
            pair: (1, "x".to_owned()),
            boxed: Box::new(None),
            any: json!([1]),
            cow: Cow::Borrowed("c"),
            unit: (),
        },
        &[],
        &[json!({})],
    );
}

#[test]
fn a_schema_by_hand_is_the_schema_by_macro() {
    struct ByHand;
    impl JsonSchema for ByHand {
        fn schema(generator: &mut loggia::schema::Generator) -> Schema {
            loggia::schema::Object::new()
                .property(generator, Property::new::<u8>("value"))
                .property(generator, Property::new::<Vec<Inner>>("children"))
                .finish()
                .described("A tree.")
        }
    }
    #[allow(dead_code)]
    /// A tree.
    #[derive(JsonSchema)]
    struct ByMacro {
        value: u8,
        children: Vec<Inner>,
    }
    assert_eq!(Schema::of::<ByHand>(), Schema::of::<ByMacro>());
}
