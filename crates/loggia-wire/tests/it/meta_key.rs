//! The rules for `_meta` keys, extension identifiers and trace context.

use loggia_wire::JsonObject;
use loggia_wire::meta_key::{
    MetaKey, MetaKeyError, drop_invalid_trace_context, is_baggage, is_traceparent, is_tracestate,
};
use proptest::prelude::*;
use serde_json::json;

#[test]
fn keys_keep_the_rules() {
    use MetaKeyError::{Name, Prefix};
    // A key, and whether it is reserved or what is wrong with it.
    let table = [
        ("name", Ok(false)),
        ("", Ok(false)),
        ("a", Ok(false)),
        ("a-b_c.d", Ok(false)),
        ("progressToken", Ok(true)),
        ("traceparent", Ok(true)),
        ("tracestate", Ok(true)),
        ("baggage", Ok(true)),
        ("com.example/baggage", Ok(false)),
        ("com.example/", Ok(false)),
        ("example/name", Ok(false)),
        ("a1-b.c2/name", Ok(false)),
        ("io.modelcontextprotocol/protocolVersion", Ok(true)),
        ("dev.mcp/x", Ok(true)),
        ("org.modelcontextprotocol.api/x", Ok(true)),
        ("com.mcp.tools/x", Ok(true)),
        ("com.example.mcp/x", Ok(false)),
        ("mcp/x", Ok(false)),
        ("/name", Err(Prefix)),
        (".com/name", Err(Prefix)),
        ("com..example/name", Err(Prefix)),
        ("1com/name", Err(Prefix)),
        ("com-/name", Err(Prefix)),
        ("co_m/name", Err(Prefix)),
        ("cöm/name", Err(Prefix)),
        ("a/b/c", Err(Name)),
        ("-name", Err(Name)),
        ("name-", Err(Name)),
        ("na me", Err(Name)),
        ("näme", Err(Name)),
    ];
    for (key, expected) in table {
        assert_eq!(MetaKey::parse(key).map(MetaKey::is_reserved), expected, "{key:?}");
    }
}

#[test]
fn extension_identifiers_have_a_prefix() {
    let table = [
        ("io.modelcontextprotocol/ui", Ok(("io.modelcontextprotocol", "ui"))),
        ("com.example/websocket-transport", Ok(("com.example", "websocket-transport"))),
        ("name", Err(MetaKeyError::NoPrefix)),
        ("com.example/", Err(MetaKeyError::Name)),
        ("com.example/-", Err(MetaKeyError::Name)),
        ("com example/a", Err(MetaKeyError::Prefix)),
    ];
    for (identifier, expected) in table {
        let parsed =
            MetaKey::parse_extension(identifier).map(|key| (key.prefix.unwrap_or_default(), key.name));
        assert_eq!(parsed, expected, "{identifier:?}");
    }
}

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01";

#[test]
fn traceparents_are_recognised() {
    let table = [
        (PARENT.to_owned(), true),
        ("01-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01-more".to_owned(), true),
        ("01-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01".to_owned(), true),
        (format!("{PARENT}-more"), false),
        (format!("{PARENT} "), false),
        (format!("01{}x", &PARENT[2..]), false),
        (format!("ff{}", &PARENT[2..]), false),
        (PARENT.to_uppercase(), false),
        ("00-00000000000000000000000000000000-00f067aa0ba902b7-01".to_owned(), false),
        ("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01".to_owned(), false),
        ("00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-".to_owned(), false),
        ("00-0af7651916cd43dd8448eb211c80319c00f067aa0ba902b7--01".to_owned(), false),
        (String::new(), false),
        ("é".repeat(40), false),
    ];
    for (value, valid) in table {
        assert_eq!(is_traceparent(&value), valid, "{value:?}");
    }
}

#[test]
fn tracestates_are_recognised() {
    let members = |count: usize| (0..count).map(|n| format!("k{n}=v")).collect::<Vec<_>>().join(",");
    let table = [
        ("rojo=00f067aa0ba902b7".to_owned(), true),
        ("rojo=1,congo=t61rcWkgMzE".to_owned(), true),
        ("rojo=1 ,\tcongo=2,".to_owned(), true),
        ("fw529a3039@dt=FfAb".to_owned(), true),
        ("1a-2_f@foo=bar".to_owned(), true),
        (String::new(), true),
        (members(32), true),
        (members(33), false),
        ("rojo".to_owned(), false),
        ("rojo=".to_owned(), false),
        ("rojo=a=b".to_owned(), false),
        ("Rojo=1".to_owned(), false),
        ("rojo=1,rojo=2".to_owned(), false),
        ("a@b@c=1".to_owned(), false),
        ("rojo=é".to_owned(), false),
        (format!("rojo={}", "v".repeat(256)), true),
        (format!("rojo={}", "v".repeat(257)), false),
    ];
    for (value, valid) in table {
        assert_eq!(is_tracestate(&value), valid, "{value:?}");
    }
}

#[test]
fn baggage_is_recognised() {
    let table = [
        ("userId=alice,serverNode=DF%2028,isProduction=false".to_owned(), true),
        (
            "key1=value1;property1;property2, key2 = value2, key3=value3; propertyKey=propertyValue"
                .to_owned(),
            true,
        ),
        ("key=".to_owned(), true),
        ("key=a=b".to_owned(), true),
        (String::new(), false),
        ("key".to_owned(), false),
        ("=value".to_owned(), false),
        ("a=1,,b=2".to_owned(), false),
        ("a=\"1\"".to_owned(), false),
        ("a=é".to_owned(), false),
        ("a b=1".to_owned(), false),
        (format!("a={}", "v".repeat(9000)), false),
        (vec!["a=1"; 181].join(","), false),
    ];
    for (value, valid) in table {
        assert_eq!(is_baggage(&value), valid, "{value:?}");
    }
}

#[test]
fn malformed_trace_context_is_dropped() {
    let table = [
        (json!({"traceparent": PARENT, "tracestate": "a=1", "baggage": "b=2", "x": 1}), vec![]),
        (json!({"traceparent": PARENT, "tracestate": "A=1"}), vec!["tracestate"]),
        (
            json!({"traceparent": "00", "tracestate": "a=1", "baggage": "b=2"}),
            vec!["traceparent", "tracestate"],
        ),
        (json!({"tracestate": "a=1"}), vec!["tracestate"]),
        (json!({"traceparent": 5, "baggage": ["b=2"]}), vec!["traceparent", "baggage"]),
        (json!({}), vec![]),
    ];
    for (meta, dropped) in table {
        let before = meta.clone();
        let meta = &mut JsonObject::try_from(meta).expect("the test gives an object");
        assert_eq!(drop_invalid_trace_context(meta), dropped, "{before}");
        assert!(dropped.iter().all(|key| !meta.contains_key(key)));
        assert_eq!(meta.len() + dropped.len(), before.as_object().map_or(0, |before| before.len()));
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in any::<String>()) {
        let _ = (MetaKey::parse(&text), MetaKey::parse_extension(&text));
        let _ = (is_traceparent(&text), is_tracestate(&text), is_baggage(&text));
    }

    #[test]
    fn every_trace_is_recognised(trace in 1_u128.., parent in 1_u64.., flags in any::<u8>()) {
        let traceparent = format!("00-{:032x}-{:016x}-{:02x}", trace, parent, flags);
        prop_assert!(is_traceparent(&traceparent));
    }
}
