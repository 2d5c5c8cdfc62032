//! Filters: their values, their errors and their bounds.

use super::*;

fn run(filter: &str, input: &str) -> Result<Vec<String>, FilterError> {
    let filter = JsonFilter::compile(filter).map_err(|error| FilterError::Failed(error.to_string()))?;
    let values = filter.all(input.as_bytes(), FilterLimits::default())?;
    Ok(values.iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect())
}

#[test]
fn filters_shape_json() {
    for (filter, input, expected) in [
        (".", r#"{"b":1,"a":[2.50,null]}"#, &[r#"{"b":1,"a":[2.50,null]}"#][..]),
        (
            ".results | map({id, title: .properties.title})",
            r#"{"results":[{"id":"1","properties":{"title":"T"}}]}"#,
            &[r#"[{"id":"1","title":"T"}]"#],
        ),
        (
            "{query: .query, filter: (if .kind then {property: \"object\", value: .kind} else null end)} | with_entries(select(.value != null))",
            r#"{"query":"q"}"#,
            &[r#"{"query":"q"}"#],
        ),
        (".name // .id", r#"{"id":"x"}"#, &[r#""x""#]),
        (".[]", "[1,2]", &["1", "2"]),
        (".a.b |= . + 1 | del(.c)", r#"{"a":{"b":1},"c":2}"#, &[r#"{"a":{"b":2}}"#]),
        ("[paths]", r#"{"a":[1]}"#, &[r#"[["a"],["a",0]]"#]),
        ("reduce .[] as $x (0; . + $x * 2)", "[1,2,3]", &["12"]),
        (
            "[.[] | select(.n > 1) | \"\\(.n): \\(.t)\"] | join(\", \")",
            r#"[{"n":1,"t":"a"},{"n":2,"t":"b"},{"n":3,"t":"c"}]"#,
            &[r#""2: b, 3: c""#],
        ),
        ("map_values(. // empty)", r#"{"a":null,"b":1}"#, &[r#"{"b":1}"#]),
        (
            "walk(if type == \"object\" then del(.x) else . end)",
            r#"{"x":1,"y":{"x":2,"z":3}}"#,
            &[r#"{"y":{"z":3}}"#],
        ),
        (".t | split(\" \") | map(ascii_downcase | @base64)", r#"{"t":"A B"}"#, &[r#"["YQ==","Yg=="]"#]),
        (".t | gsub(\"[0-9]+\"; \"#\")", r#"{"t":"a1b22"}"#, &[r##""a#b#""##]),
        ("[.[] as [$a, $b] | {($a): $b}] | add", r#"[["k",1],["l",2]]"#, &[r#"{"k":1,"l":2}"#]),
        ("sort_by(.n) | group_by(.g) | map(first.n)", r#"[{"n":2,"g":1},{"n":1,"g":2}]"#, &["[2,1]"]),
        ("[range(3)] | map(try error(\"x\") catch .)", "null", &[r#"["x","x","x"]"#]),
        ("to_entries | map(.key) | unique", r#"{"b":1,"a":2}"#, &[r#"["a","b"]"#]),
        (".t | fromdate | todate", r#"{"t":"2026-01-02T03:04:05Z"}"#, &[r#""2026-01-02T03:04:05Z""#]),
        (
            "first(.[] | select(. > 1)), last, any(. > 2), ([limit(2; .[])] | length)",
            "[1,2,3]",
            &["2", "3", "true", "2"],
        ),
        ("empty", "1", &[]),
        ("[(1, 3) + (20, 40)]", "null", &["[21,41,23,43]"]),
        (
            "[(1, 3) < (2, 4)], [(1, 3) >= (2, 4)]",
            "null",
            &["[true,true,false,true]", "[false,false,true,false]"],
        ),
        ("[(1, 3) * (20, 40)]", "null", &["[20,40,60,120]"]),
        (
            "[.[] == .[0], .[] != .[1]], [.[] < .[2]], [.[] <= .[2]], [.[] > .[1]]",
            r#"[{"a":[1,"x"]},{"a":[2]},[]]"#,
            &[
                "[true,false,false,true,false,true]",
                "[false,false,false]",
                "[false,false,true]",
                "[false,false,false]",
            ],
        ),
        ("[.. | numbers]", r#"[1,{"a":[2]}]"#, &["[1,2]"]),
        ("has(\"a\") and (.a | startswith(\"b\")) and (.a | test(\"^b\"))", r#"{"a":"bc"}"#, &["true"]),
    ] {
        assert_eq!(
            run(filter, input).as_deref(),
            Ok(&expected.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>()[..]),
            "{filter}"
        );
    }
}

#[test]
fn every_function_of_the_list_exists() {
    for (name, arity) in instrument::functions() {
        let args = vec!["."; arity].join("; ");
        let text = if arity == 0 { name.to_owned() } else { format!("{name}({args})") };
        assert!(JsonFilter::compile(&text).is_ok(), "{text}: {:?}", JsonFilter::compile(&text));
    }
}

#[test]
fn texts_that_are_no_filter_say_why() {
    let errors: Vec<String> = [
        ".a |",
        "map(",
        ".a | mpa(.b)",
        "select()",
        "env",
        "$ENV",
        "input",
        "def f: f; f",
        "label $x | break $x",
        ". *= 2",
        "repeat(.)",
        "until(false; .)",
        "$x",
        "@csv",
        "\"\\(\"",
        "now",
        "debug",
    ]
    .iter()
    .map(|text| format!("{text} => {}", JsonFilter::compile(text).expect_err(text)))
    .collect();
    insta::assert_snapshot!(errors.join("\n"));
    assert!(JsonFilter::compile(&"[".repeat(100)).is_err());
    assert!(JsonFilter::compile(&".|".repeat(100)[..199]).is_err());
}

/// Each of these would run for hours, or fill the memory.
#[test]
fn no_filter_runs_for_ever() {
    let doubling = ["[.,.]"; 40].join(" | ");
    let nested_ranges = "[range(1e9) as $a | range(1e9) as $b | $a == $b]";
    for filter in [
        "[range(1e12)]",
        "last(range(1e12))",
        "[range(1e12) | empty]",
        "[limit(1e12; range(1e12) | try error catch empty)]",
        "reduce range(1e6) as $i (\"x\"; . + .)",
        "reduce range(1e6) as $i ([]; [., .])",
        "reduce range(1e6) as $i (null; [.])",
        "[range(1e5)] | [.[] == .[]]",
        "[range(1e5)] | if .[] then .[] else .[] end",
        "[range(1e5)] | map(\"\") | join(\"x\" * 1000)",
        "isempty(range(1e12) | select(. < 0))",
        "[range(1e5)] as $x | {($x[] | tostring): $x[]}",
        "reduce range(1e6) as $i ({}; .a = . | .b = .)",
        "[range(1e5)] | . - map(. + 0.5)",
        "[range(1e5)] | contains(map(. + 0.5))",
        "[range(1e5)] | index([range(5e4) | . * 2])",
        "reduce range(60) as $i (3; . * .)",
        "reduce range(1e6) as $i (3; . + .)",
        nested_ranges,
        &doubling,
        &["tojson"; 79].join("|"),
    ] {
        let filter = JsonFilter::compile(filter).expect(filter);
        let result = filter.all(b"null", FilterLimits { steps: 100_000, ..FilterLimits::default() });
        assert!(
            matches!(result, Err(FilterError::Steps | FilterError::Output | FilterError::Failed(_))),
            "{filter}: {:?}",
            result.map(|values| values.len())
        );
    }
}

/// Each function and operation here reads a long value for one step of its own. Without a charge for the value, each
/// filter would run for minutes.
#[test]
fn long_values_cost_steps() {
    let input = format!("[{}]", ["{\"a\":\"bcd\",\"n\":1.5}"; 3000].join(","));
    for repeated in [
        "$list | sort",
        "$list | reverse",
        "$list | tojson",
        "$list | unique",
        "$list | group_by(.a)",
        "$pair | sort",
        "$pair | max",
        "$pair[0] == $pair[1]",
        "$pair[0] < $pair[1]",
        "[1, 2] | sort_by($list)",
        "$text | length",
        "$text | explode",
        "$text | ascii_upcase",
        "$text | @base64",
        "$text | @uri",
        "$text | ltrimstr(\"x\")",
        "$text | .[3:5]",
        "$text | test(\"q+[a-z]*x\")",
        "$text | [match(\".\"; \"g\")]",
        "$text | split(\",\")",
    ] {
        let filter =
            format!(". as $list | [., map(.)] as $pair | tojson as $text | last(range(1e6) | {repeated})");
        let filter = JsonFilter::compile(&filter).expect(&filter);
        let limits = FilterLimits { steps: 200_000, ..FilterLimits::default() };
        assert_eq!(filter.first(input.as_bytes(), limits), Err(FilterError::Steps), "{repeated}");
    }
}

/// Each case: a filter, and an input that the JSON reader of jaq alone would overflow the stack with, or take minutes for.
#[test]
fn texts_in_json_are_bounded() {
    let text = |inner: &str| serde_json::to_string(inner).expect("a text");
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    let long = "9".repeat(1_000_000);
    for (filter, input, expected) in [
        (".", deep.clone(), Err("more than 128 levels")),
        (".a", format!("{{\"a\":{deep}}}"), Err("more than 128 levels")),
        ("fromjson", text(&deep), Err("more than 128 levels")),
        ("fromjson", text(&"[".repeat(200_000)), Err("no JSON")),
        ("fromjson", text(&format!("#\"\n{deep}")), Err("no JSON")),
        ("tonumber", text(&long), Err("more than 1000 digits")),
        (".", long.clone(), Err("more than 1000 digits")),
        ("try fromjson catch 1", text(&long), Ok("1")),
        ("length", text(&long), Ok("1000000")),
        (
            "fromjson.a[0]",
            text(&format!(r#"{{"a":["{}"]}}"#, "\\\"1".repeat(20))),
            Ok(r#""\"1\"1\"1\"1\"1\"1\"1\"1\"1\"1\"1\"1\"1\"1\"1\"1\"1\"1\"1\"1""#),
        ),
        ("tonumber", text("007"), Ok("7")),
        (".[0]", format!("[{}]", "9".repeat(999)), Ok(&*"9".repeat(999))),
    ] {
        let result = run(filter, &input).map(|values| values.join(" ")).map_err(|error| error.to_string());
        match (&result, expected) {
            (Ok(value), Ok(expected)) => assert_eq!(value, expected, "{filter}"),
            (Err(error), Err(part)) => assert!(error.contains(part), "{filter}: {error}"),
            _ => panic!("{filter}: {result:?}"),
        }
    }
}

#[test]
fn an_index_has_one_value() {
    assert_eq!(run("[range(1e5)] | [.[][.[]]?] | length", "null").as_deref(), Ok(&["0".to_owned()][..]));
    assert_eq!(run("[.a[0, 1]]", r#"{"a":[1,2]}"#).as_deref(), Ok(&["[1]".to_owned()][..]));
}

#[test]
fn a_long_filter_runs_on_a_small_stack() {
    let most = MAX_OPERATORS;
    for text in [
        format!("{}.", ".|".repeat(most)),
        format!("{}.", ".a? | ".repeat(most)),
        format!("{}1", "1+".repeat(most)),
        format!("{}.", ".,".repeat(most)),
        format!("{}.", "[.]|".repeat(most - 1)),
        format!("{}1", "-".repeat(most)),
        format!("{}.{}", "[".repeat(MAX_NESTING), "]".repeat(MAX_NESTING)),
        format!("{{{}}}", (0..300).map(|n| format!("a{n}: .")).collect::<Vec<_>>().join(",")),
    ] {
        let run = {
            let text = text.clone();
            move || JsonFilter::compile(&text).map(|filter| filter.all(b"1", FilterLimits::default()).is_ok())
        };
        let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(run).expect("a thread");
        assert_eq!(thread.join().expect("no overflow"), Ok(true), "{text}");
    }
}

#[test]
fn input_and_output_are_bounded() {
    let filter = JsonFilter::compile("., .").expect("a filter");
    let limits = FilterLimits { input: 10, output: 10, ..FilterLimits::default() };
    assert!(matches!(filter.all(b"\"123456789\"", limits), Err(FilterError::Input(_))));
    assert_eq!(filter.all(b"\"1234\"", limits), Err(FilterError::Output));
    assert_eq!(
        filter.first(b"\"1234\"", limits).map(|value| value.map(|value| value.to_value())),
        Ok(Some("1234".into()))
    );
    assert!(matches!(filter.all(b"{", limits), Err(FilterError::Input(_))));
}
