//! Results between every pair of revisions: whatever both revisions have keeps its bytes, and members keep their order.

use loggia_wire::{JsonText, Method, RawJson, Version, codec};
use proptest::prelude::*;

/// JSON values in every spelling that a parser would lose: order, notation of numbers, escapes, white space.
fn any_json() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "null",
        "true",
        "0",
        "-0",
        "1.0",
        "1e3",
        "1E+3",
        "-2.50",
        "12345678901234567890123",
        "0.1e-7",
        r#""""#,
        r#""plain""#,
        r#""\u00e9é""#,
        r#""a\/b\n""#,
        "[]",
        "{}",
        "[ ]",
    ]);
    let leaf = leaf.prop_map(str::to_owned);
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(|items| format!("[{}]", items.join(" ,"))),
            any_object_of(inner),
        ]
    })
}

fn any_object() -> impl Strategy<Value = String> {
    any_object_of(any_json())
}

/// Objects whose names are in any order, some of them escaped.
fn any_object_of(value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    let names = vec!["z", "a", "m", "B", "10", "9", r"\u0071", "é", "key with space"];
    (Just(names).prop_shuffle(), prop::collection::vec(value, 0..4)).prop_map(|(names, values)| {
        let members = names.iter().zip(values).map(|(name, value)| format!("\"{name}\" :{value}"));
        format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
    })
}

/// An object of these members, in any order.
fn shuffled(members: Vec<(&'static str, BoxedStrategy<String>)>) -> BoxedStrategy<String> {
    let (names, values): (Vec<_>, Vec<_>) = members.into_iter().unzip();
    let count = names.len();
    (values, Just((0..count).collect::<Vec<_>>()).prop_shuffle())
        .prop_map(move |(values, order)| {
            let member = |at: usize| format!("{:?}:{}", names[at], values[at]);
            format!("{{{}}}", order.into_iter().map(member).collect::<Vec<_>>().join(","))
        })
        .boxed()
}

fn text(json: &'static str) -> BoxedStrategy<String> {
    Just(json.to_owned()).boxed()
}

fn list(item: BoxedStrategy<String>) -> BoxedStrategy<String> {
    prop::collection::vec(item, 0..3).prop_map(|items| format!("[{}]", items.join(","))).boxed()
}

fn annotations() -> BoxedStrategy<String> {
    shuffled(vec![
        ("priority", prop::sample::select(vec!["1.0", "0", "5e-1"]).prop_map(str::to_owned).boxed()),
        ("audience", text(r#"["assistant", "user"]"#)),
        ("lastModified", text(r#""2026-01-01T00:00:00Z""#)),
        ("x-unknown", any_json().boxed()),
    ])
}

fn content() -> BoxedStrategy<String> {
    let meta = || any_object().boxed();
    prop_oneof![
        shuffled(vec![
            ("type", text(r#""text""#)),
            ("text", text(r#""caf\u00e9 \/""#)),
            ("annotations", annotations()),
            ("_meta", meta()),
        ]),
        shuffled(vec![
            ("type", text(r#""audio""#)),
            ("data", text(r#""AAAA""#)),
            ("mimeType", text(r#""audio/wav""#)),
            ("_meta", meta()),
        ]),
        shuffled(vec![
            ("type", text(r#""resource_link""#)),
            ("uri", text(r#""a:\/b""#)),
            ("name", text(r#""n""#)),
            ("size", text("1e3")),
            ("annotations", annotations()),
        ]),
        shuffled(vec![
            ("type", text(r#""resource""#)),
            (
                "resource",
                shuffled(vec![("uri", text(r#""a:b""#)), ("text", text(r#""\u0041""#)), ("_meta", meta())])
            ),
        ]),
    ]
    .boxed()
}

fn tool() -> BoxedStrategy<String> {
    let schema = || {
        shuffled(vec![
            ("properties", any_object().boxed()),
            ("type", text(r#""object""#)),
            ("$comment", any_json().boxed()),
        ])
    };
    shuffled(vec![
        ("name", text(r#""t""#)),
        ("description", text(r#""\u0064""#)),
        ("inputSchema", schema()),
        ("outputSchema", schema()),
        (
            "annotations",
            shuffled(vec![
                ("readOnlyHint", text("true")),
                ("title", text(r#""T""#)),
                ("x", any_json().boxed()),
            ]),
        ),
        ("_meta", any_object().boxed()),
        ("execution", any_object().boxed()),
    ])
}

fn result() -> impl Strategy<Value = (Method, String)> {
    let meta = || any_object().boxed();
    let caching = || vec![("ttlMs", text("5")), ("cacheScope", text(r#""public""#))];
    let named = |method: Method, mut members: Vec<(&'static str, BoxedStrategy<String>)>| {
        members.extend([("_meta", meta()), ("x-unknown", any_json().boxed())]);
        shuffled(members).prop_map(move |text| (method.clone(), text)).boxed()
    };
    let mut tools = caching();
    tools.push(("tools", list(tool())));
    let resource = shuffled(vec![
        ("uri", text(r#""a:b""#)),
        ("size", text("1.0e3")),
        ("name", text(r#""n""#)),
        ("annotations", annotations()),
        ("_meta", meta()),
    ]);
    let prompt = shuffled(vec![
        ("title", text(r#""T""#)),
        ("name", text(r#""p""#)),
        ("arguments", text(r#"[{"required":true,"name":"a"}]"#)),
        ("_meta", meta()),
    ]);
    let mut contents = caching();
    contents.push((
        "contents",
        list(shuffled(vec![("text", text(r#""\u0041""#)), ("uri", text(r#""a:b""#)), ("_meta", meta())])),
    ));
    prop_oneof![
        named(
            Method::CallTool,
            vec![
                ("structuredContent", any_object().boxed()),
                ("content", list(content())),
                ("isError", text("false"))
            ]
        ),
        named(Method::ListTools, tools),
        named(Method::ListResources, vec![("resources", list(resource))]),
        named(Method::ListPrompts, vec![("prompts", list(prompt))]),
        named(Method::ReadResource, contents),
        named(
            Method::GetPrompt,
            vec![("messages", list(shuffled(vec![("content", content()), ("role", text(r#""user""#))])))]
        ),
        named(
            Method::Complete,
            vec![("completion", shuffled(vec![("values", text(r#"["\u0041"]"#)), ("total", text("1"))]))]
        ),
    ]
}

/// Finds a part of `out` that means the same in `source` and is written differently, or members in another order.
fn difference(source: JsonText<'_>, out: JsonText<'_>) -> Option<String> {
    if source == out {
        return None;
    }
    if let (Some(from), Some(to)) = (source.to_object(), out.to_object()) {
        let kept = |object: &loggia_wire::JsonObject, other: &loggia_wire::JsonObject| {
            object
                .keys()
                .filter(|name| other.contains_key(name))
                .map(|name| name.into_owned())
                .collect::<Vec<_>>()
        };
        if kept(&from, &to) != kept(&to, &from) {
            return Some(format!("order: {source:?} became {out:?}"));
        }
        return from.iter().find_map(|(name, value)| difference(value, to.get(&name)?));
    }
    if let (Some(from), Some(to)) = (source.items(), out.items()) {
        let (from, to): (Vec<_>, Vec<_>) = (from.collect(), to.collect());
        if from.len() == to.len() {
            return from.into_iter().zip(to).find_map(|(from, to)| difference(from, to));
        }
    }
    (source.to_value() == out.to_value()).then(|| format!("{source:?} became {out:?}"))
}

proptest! {
    #[test]
    fn the_parts_that_both_revisions_have_keep_their_bytes((method, source) in result()) {
        let source = RawJson::parse(source).expect("JSON");
        for from in Version::ALL {
            for to in Version::ALL {
                let out = codec::translate_result(&method, &source, from, to, None);
                let out = out.unwrap_or_else(|error| panic!("{method} {from} {to}: {error}\n{source}"));
                let changed = difference(source.as_text(), out.as_text());
                prop_assert!(changed.is_none(), "{} {} {}: {}", method, from, to, changed.unwrap_or_default());
            }
        }
    }

    #[test]
    fn a_list_of_the_same_revision_is_written_as_it_was_read(object in any_object()) {
        let raw = RawJson::parse(object).expect("JSON");
        let read: loggia_wire::JsonObject = raw.read().expect("an object");
        let written = read.to_raw();
        prop_assert!(read.is_empty() || written == raw, "{} {}", raw, written);
    }
}
