//! Finds the first difference between two JSON values, with the spelling of both.

use std::fmt;

use super::json_tree::{JsonTree, excerpt};

/// The first place at which two values differ.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Difference {
    path: String,
    expected: String,
    got: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path.is_empty() { "the whole value" } else { self.path.trim_start() };
        let (expected, got) = (excerpt(&self.expected), excerpt(&self.got));
        write!(f, "{path} differs\n  expected: {expected}\n  got:      {got}")
    }
}

/// Compares `got`, the received text, with `expected`: the order of members, the spelling of names, strings and
/// numbers, and the absence of white space between tokens.
pub(super) fn first_difference(expected: &JsonTree, got: &str) -> Option<Difference> {
    let tree = match JsonTree::parse(got) {
        Ok(tree) => tree,
        Err(message) => return Some(difference("", expected, message)),
    };
    in_values("", expected, &tree)
        .or_else(|| (tree.to_string() != got).then(|| difference(" (white space)", tree.to_string(), got)))
}

fn in_values(path: &str, expected: &JsonTree, got: &JsonTree) -> Option<Difference> {
    match (expected, got) {
        (JsonTree::Object(expected), JsonTree::Object(got)) => in_members(path, expected, got),
        (JsonTree::Array(expected), JsonTree::Array(got)) => in_elements(path, expected, got),
        _ => (expected != got).then(|| difference(path, expected, got)),
    }
}

fn in_members(path: &str, expected: &[(String, JsonTree)], got: &[(String, JsonTree)]) -> Option<Difference> {
    for at in 0..expected.len().max(got.len()) {
        match (expected.get(at), got.get(at)) {
            (Some((name, expected)), Some((got_name, got))) if name == got_name => {
                let below = format!("{path}.{}", name.trim_matches('"'));
                if let Some(found) = in_values(&below, expected, got) {
                    return Some(found);
                }
            }
            (expected, got) => {
                return Some(difference(&format!("{path} (member {at})"), member(expected), member(got)));
            }
        }
    }
    None
}

fn in_elements(path: &str, expected: &[JsonTree], got: &[JsonTree]) -> Option<Difference> {
    let differs = |at: usize| {
        let path = format!("{path}[{at}]");
        match (expected.get(at), got.get(at)) {
            (Some(expected), Some(got)) => in_values(&path, expected, got),
            (expected, got) => Some(difference(&path, element(expected), element(got))),
        }
    };
    (0..expected.len().max(got.len())).find_map(differs)
}

fn member(member: Option<&(String, JsonTree)>) -> String {
    member.map_or_else(|| "no such member".to_owned(), |(name, value)| format!("{name}:{value}"))
}

fn element(element: Option<&JsonTree>) -> String {
    element.map_or_else(|| "no such element".to_owned(), JsonTree::to_string)
}

fn difference(path: &str, expected: impl ToString, got: impl ToString) -> Difference {
    Difference { path: path.to_owned(), expected: expected.to_string(), got: got.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_named_with_both_spellings() {
        let same = [r#"{"a":1.0,"b":["\u00e9"]}"#, r#"[]"#, r#""x""#];
        for text in same {
            assert_eq!(first_difference(&JsonTree::parse(text).expect(text), text), None);
        }
        let cases = [
            (r#"{"a":1,"b":2}"#, r#"{"b":2,"a":1}"#, " (member 0)", r#""a":1"#, r#""b":2"#),
            (r#"{"a":{"b":1.0}}"#, r#"{"a":{"b":1}}"#, ".a.b", "1.0", "1"),
            (r#"{"a":["\u00e9"]}"#, r#"{"a":["é"]}"#, ".a[0]", r#""\u00e9""#, r#""é""#),
            (r#"{"a":1}"#, r#"{"\u0061":1}"#, " (member 0)", r#""a":1"#, r#""\u0061":1"#),
            (r#"{"a":1}"#, r#"{}"#, " (member 0)", r#""a":1"#, "no such member"),
            (r#"{}"#, r#"{"a":1}"#, " (member 0)", "no such member", r#""a":1"#),
            (r#"[1]"#, r#"[1,2]"#, "[1]", "no such element", "2"),
            (r#"[1,2]"#, r#"[1]"#, "[1]", "2", "no such element"),
            (r#"{"a":[]}"#, r#"{"a":{}}"#, ".a", "[]", "{}"),
            (r#"{"a":1}"#, r#"{"a": 1}"#, " (white space)", r#"{"a":1}"#, r#"{"a": 1}"#),
        ];
        for (expected, got, path, left, right) in cases {
            let found = first_difference(&JsonTree::parse(expected).expect(expected), got);
            assert_eq!(found, Some(difference(path, left, right)), "{expected} and {got}");
        }
    }
}
