//! URI templates: the examples of RFC 6570, and matching as the way back.

use loggia_wire::uri_template::{TemplateValue, UriTemplate};
use proptest::prelude::*;

/// The variables of RFC 6570, section 3.2.
fn rfc(name: &str) -> Option<TemplateValue> {
    let list =
        |items: &[&str]| Some(TemplateValue::List(items.iter().map(|&item| item.to_owned()).collect()));
    let text = match name {
        "count" => return list(&["one", "two", "three"]),
        "dom" => return list(&["example", "com"]),
        "list" => return list(&["red", "green", "blue"]),
        "empty_list" => return list(&[]),
        "keys" => {
            let entries = [("semi", ";"), ("dot", "."), ("comma", ",")];
            return Some(TemplateValue::Map(entries.map(|(k, v)| (k.to_owned(), v.to_owned())).to_vec()));
        }
        "empty_keys" => return Some(TemplateValue::Map(Vec::new())),
        "dub" => "me/too",
        "hello" => "Hello World!",
        "half" => "50%",
        "var" => "value",
        "who" => "fred",
        "base" => "http://example.com/home/",
        "path" => "/foo/bar",
        "v" => "6",
        "x" => "1024",
        "y" => "768",
        "empty" => "",
        _ => return None,
    };
    Some(text.into())
}

#[test]
fn templates_expand_as_the_rfc_shows() {
    let table = [
        // 3.2.1
        ("{count}", "one,two,three"),
        ("{count*}", "one,two,three"),
        ("{/count}", "/one,two,three"),
        ("{/count*}", "/one/two/three"),
        ("{;count}", ";count=one,two,three"),
        ("{;count*}", ";count=one;count=two;count=three"),
        ("{?count}", "?count=one,two,three"),
        ("{?count*}", "?count=one&count=two&count=three"),
        ("{&count*}", "&count=one&count=two&count=three"),
        // 3.2.2
        ("{var}", "value"),
        ("{hello}", "Hello%20World%21"),
        ("{half}", "50%25"),
        ("O{empty}X", "OX"),
        ("O{undef}X", "OX"),
        ("{x,y}", "1024,768"),
        ("{x,hello,y}", "1024,Hello%20World%21,768"),
        ("?{x,empty}", "?1024,"),
        ("?{x,undef}", "?1024"),
        ("?{undef,y}", "?768"),
        ("{var:3}", "val"),
        ("{var:30}", "value"),
        ("{list}", "red,green,blue"),
        ("{list*}", "red,green,blue"),
        ("{keys}", "semi,%3B,dot,.,comma,%2C"),
        ("{keys*}", "semi=%3B,dot=.,comma=%2C"),
        // 3.2.3
        ("{+var}", "value"),
        ("{+hello}", "Hello%20World!"),
        ("{+half}", "50%25"),
        ("{base}index", "http%3A%2F%2Fexample.com%2Fhome%2Findex"),
        ("{+base}index", "http://example.com/home/index"),
        ("O{+empty}X", "OX"),
        ("{+path}/here", "/foo/bar/here"),
        ("here?ref={+path}", "here?ref=/foo/bar"),
        ("up{+path}{var}/here", "up/foo/barvalue/here"),
        ("{+x,hello,y}", "1024,Hello%20World!,768"),
        ("{+path,x}/here", "/foo/bar,1024/here"),
        ("{+path:6}/here", "/foo/b/here"),
        ("{+list*}", "red,green,blue"),
        ("{+keys}", "semi,;,dot,.,comma,,"),
        ("{+keys*}", "semi=;,dot=.,comma=,"),
        // 3.2.4
        ("{#var}", "#value"),
        ("{#hello}", "#Hello%20World!"),
        ("{#half}", "#50%25"),
        ("foo{#empty}", "foo#"),
        ("foo{#undef}", "foo"),
        ("{#path,x}/here", "#/foo/bar,1024/here"),
        ("{#path:6}/here", "#/foo/b/here"),
        ("{#keys*}", "#semi=;,dot=.,comma=,"),
        // 3.2.5
        ("{.who}", ".fred"),
        ("{.who,who}", ".fred.fred"),
        ("{.half,who}", ".50%25.fred"),
        ("www{.dom*}", "www.example.com"),
        ("X{.var}", "X.value"),
        ("X{.empty}", "X."),
        ("X{.undef}", "X"),
        ("X{.var:3}", "X.val"),
        ("X{.list*}", "X.red.green.blue"),
        ("X{.keys}", "X.semi,%3B,dot,.,comma,%2C"),
        ("X{.empty_keys}", "X"),
        ("X{.empty_keys*}", "X"),
        // 3.2.6
        ("{/who,dub}", "/fred/me%2Ftoo"),
        ("{/var,empty}", "/value/"),
        ("{/var,undef}", "/value"),
        ("{/var,x}/here", "/value/1024/here"),
        ("{/var:1,var}", "/v/value"),
        ("{/list*,path:4}", "/red/green/blue/%2Ffoo"),
        ("{/keys*}", "/semi=%3B/dot=./comma=%2C"),
        // 3.2.7
        ("{;who}", ";who=fred"),
        ("{;empty}", ";empty"),
        ("{;v,empty,who}", ";v=6;empty;who=fred"),
        ("{;v,undef,who}", ";v=6;who=fred"),
        ("{;hello:5}", ";hello=Hello"),
        ("{;keys}", ";keys=semi,%3B,dot,.,comma,%2C"),
        ("{;keys*}", ";semi=%3B;dot=.;comma=%2C"),
        // 3.2.8 and 3.2.9
        ("{?who}", "?who=fred"),
        ("{?x,y,empty}", "?x=1024&y=768&empty="),
        ("{?x,y,undef}", "?x=1024&y=768"),
        ("{?var:3}", "?var=val"),
        ("{?list*}", "?list=red&list=green&list=blue"),
        ("{?keys*}", "?semi=%3B&dot=.&comma=%2C"),
        ("{?empty_list}", ""),
        ("{&who}", "&who=fred"),
        ("?fixed=yes{&x}", "?fixed=yes&x=1024"),
        ("{&x,y,empty}", "&x=1024&y=768&empty="),
        // Literals are encoded too.
        ("é{var}%C3", "%C3%A9value%C3"),
    ];
    for (template, expected) in table {
        let parsed = UriTemplate::parse(template).unwrap_or_else(|error| panic!("{template}: {error}"));
        assert_eq!(parsed.expand(rfc), expected, "{template}");
        assert_eq!(parsed.to_string(), template);
    }
}

#[test]
fn malformed_templates_are_refused_where_they_are_wrong() {
    let table = [
        ("a{b", 1, "never closed"),
        ("a}b", 0, "may not hold"),
        ("a b", 0, "may not hold"),
        ("ab{}", 2, "empty"),
        ("{=x}", 0, "reserved"),
        ("{|x}", 0, "reserved"),
        ("{x,}", 0, "variable name"),
        ("{x-y}", 0, "variable name"),
        ("{x..y}", 0, "variable name"),
        ("{ x}", 0, "variable name"),
        ("{x%2}", 0, "variable name"),
        ("{x:0}", 0, "prefix"),
        ("{x:10000}", 0, "prefix"),
        ("{x:a}", 0, "prefix"),
        ("a%zz{x}", 0, "%"),
        ("{?a}{{b}", 4, "variable name"),
    ];
    for (template, position, message) in table {
        let error = UriTemplate::parse(template).expect_err(template);
        assert_eq!(error.position, position, "{template}: {error}");
        assert!(error.message.contains(message), "{template}: {error}");
    }
    assert!(UriTemplate::parse(&"a".repeat(5000)).is_err());
    assert!(UriTemplate::parse(&"{a}".repeat(65)).is_err());
}

#[test]
fn uris_match_back_into_variables() {
    type Found = Option<&'static [(&'static str, &'static str)]>;
    let table: [(&str, &str, Found); 41] = [
        ("test://static", "test://static", Some(&[])),
        ("test://static", "test://statics", None),
        ("test://t/{id}/data", "test://t/123/data", Some(&[("id", "123")])),
        ("test://t/{id}/data", "test://t//data", None),
        ("test://t/{id}/data", "test://t/a/b/data", None),
        ("test://t/{id}", "test://t/a%20b%2Fc", Some(&[("id", "a b/c")])),
        ("test://t/{id}", "test://t/a b", Some(&[("id", "a b")])),
        ("test://t/{id}", "test://t/é", Some(&[("id", "é")])),
        ("test://t/{id}", "test://t/%FF", None),
        ("test://t/{id}", "test://t/%zz", Some(&[("id", "%zz")])),
        ("test://t/{id}", "test://t/a?b=c", None),
        ("test://é/{id}", "test://é/1", Some(&[("id", "1")])),
        ("test://é/{id}", "test://%C3%A9/1", Some(&[("id", "1")])),
        ("mailto:{who}", "mailto:a@example.com", Some(&[("who", "a@example.com")])),
        ("{x,y}", "1024,768", Some(&[("x", "1024"), ("y", "768")])),
        ("{x,y}", "1024", None),
        ("file:///{+path}", "file:///a/b/c.txt", Some(&[("path", "a/b/c.txt")])),
        ("file:///{+path}", "file:///", None),
        ("file:///{+path}{?line}", "file:///a/b?line=3", Some(&[("path", "a/b"), ("line", "3")])),
        ("file:///{+path}{?line}", "file:///a/b", Some(&[("path", "a/b")])),
        ("file:///{+path}/end", "file:///a/b/end", Some(&[("path", "a/b")])),
        ("doc{#part}", "doc#a/b", Some(&[("part", "a/b")])),
        ("www{.host}", "www.example.com", Some(&[("host", "example.com")])),
        ("a{.x,y}", "a.b.c", Some(&[("x", "b"), ("y", "c")])),
        ("db:/{/table,row}", "db://users/5", Some(&[("table", "users"), ("row", "5")])),
        ("db:/{/table,row}", "db://users", Some(&[("table", "users")])),
        ("db:/{/table,row}", "db://users/5/6", None),
        ("f{/path*}", "f/a/b%20c", Some(&[("path", "a/b c")])),
        ("s{?q,r}", "s?q=a&r=b", Some(&[("q", "a"), ("r", "b")])),
        ("s{?q,r}", "s?r=b&q=a", Some(&[("q", "a"), ("r", "b")])),
        ("s{?q,r}", "s?q=", Some(&[("q", "")])),
        ("s{?q,r}", "s?q", Some(&[("q", "")])),
        ("s{?q,r}", "s", Some(&[])),
        ("s{?q,r}", "s?z=1", None),
        ("s{?q}", "s?q=1&q=2", None),
        ("s{?q}", "s?q=1#frag", None),
        ("s?v=1{&q}", "s?v=1&q=2", Some(&[("q", "2")])),
        ("p{;x,y}", "p;x=1;y", Some(&[("x", "1"), ("y", "")])),
        ("{x}/{x}", "a/a", Some(&[("x", "a")])),
        ("{x}/{x}", "a/b", None),
        ("{x:3}", "abcd", None),
    ];
    for (template, uri, expected) in table {
        let found = UriTemplate::parse(template).expect(template).matches(uri);
        let found: Option<Vec<_>> = found
            .as_ref()
            .map(|found| found.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect());
        assert_eq!(found.as_deref(), expected, "{template} against {uri}");
    }
    assert_eq!(UriTemplate::parse("{x}").expect("valid").matches(&"a".repeat(20_000)), None);
}

#[test]
fn variables_are_named_once_in_order() {
    let template = UriTemplate::parse("{a}/{b:3}{?c*,a}{&d.e}").expect("valid");
    assert_eq!(template.variables(), ["a", "b", "c", "d.e"]);
}

proptest! {
    #[test]
    fn what_was_expanded_matches(
        id in "\\PC{1,12}", path in "[a-z0-9/ ]{1,12}", segment in "\\PC{1,12}", q in proptest::option::of("\\PC{0,12}"),
    ) {
        let template = UriTemplate::parse("x://{id}{/segment}/in/{+path}{?q}").expect("valid");
        let uri = template.expand(|name| match name {
            "id" => Some(id.as_str().into()),
            "segment" => Some(segment.as_str().into()),
            "path" => Some(path.as_str().into()),
            _ => q.as_deref().map(TemplateValue::from),
        });
        let mut expected = vec![("id", id.as_str()), ("segment", &segment), ("path", &path)];
        expected.extend(q.as_deref().map(|q| ("q", q)));
        let found = template.matches(&uri).expect("the template made the URI");
        let found: Vec<_> = found.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        prop_assert_eq!(found, expected, "{}", uri);
    }

    #[test]
    fn no_text_panics(template in "[a-z{}+#./;?&:*,%0-9é]{0,20}", uri in any::<String>()) {
        if let Ok(template) = UriTemplate::parse(&template) {
            let _ = template.matches(&uri);
            let own = template.expand(rfc);
            let _ = template.matches(&own);
        }
    }
}
