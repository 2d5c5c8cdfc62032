//! The URIs of the resources of all connectors, in one list.
//!
//! A URI is unchanged, so a result that contains it can be relayed unchanged, and a link in a tool's output leads to
//! a resource. Only if an earlier connector (in the order of the configuration) lists the same URI, or has a template
//! for it, does the later connector get a qualified form, `CONNECTOR+URI`. It is a URI, too, can be split without a
//! table, and is accepted for every resource.

use loggia::wire::uri::scheme;

/// Returns the qualified form of `uri` of `connector`.
pub(crate) fn qualify(connector: &str, uri: &str) -> String {
    format!("{connector}+{uri}")
}

/// Splits a qualified URI into the prefix and the connector's own URI. The caller checks that the connector exists.
pub(crate) fn split_qualified(uri: &str) -> Option<(&str, &str)> {
    let (connector, rest) = uri.split_once('+')?;
    (crate::names::check_connector(connector).is_ok() && scheme(rest).is_some()).then_some((connector, rest))
}

/// Returns the length of the fixed text of a template. If two templates match a URI, the one with more fixed text is
/// used.
pub(crate) fn literal_len(template: &str) -> usize {
    let mut expressions = template.split('{');
    let head = expressions.next().map_or(0, str::len);
    head + expressions
        .map(|piece| piece.split_once('}').map_or(0, |(_, literal)| literal.len()))
        .sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn fixed_text_is_what_stands_outside_the_braces() {
        for (template, length) in
            [("", 0), ("db://x", 6), ("db://{table}/rows/{id}", 11), ("{+all}", 0), ("a{b", 1)]
        {
            assert_eq!(literal_len(template), length, "{template}");
        }
    }

    #[test]
    fn qualified_forms_are_undone_and_others_are_left_alone() {
        assert_eq!(split_qualified(&qualify("files", "file:///a+b")), Some(("files", "file:///a+b")));
        for plain in ["file:///a+b", "notes", "+x:y", "a+b"] {
            assert_eq!(split_qualified(plain), None, "{plain}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(text in ".{0,40}") {
            let _ = (split_qualified(&text), scheme(&text), literal_len(&text));
        }
    }
}
