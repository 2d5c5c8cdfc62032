//! Keeps the spelling of JSON that is rewritten for another revision. The codec reads a result into the model and
//! writes the model. This loses the order of members, the notation of numbers and the escapes in strings. A relay
//! restores them: every value that is equal in the source and in the rewritten text is copied from the source, byte
//! by byte.

use std::collections::HashMap;

use crate::json::RawJson;
use crate::json::RawObject;
use crate::json::{JsonText, push_member};

/// Returns `rewritten` in the spelling of `source`: the members in the order of the source, then the members that
/// only `rewritten` has; equal values as the source writes them.
pub fn keep_spelling(source: &RawJson, rewritten: RawJson) -> RawJson {
    match merge(source.as_text(), rewritten.as_text()) {
        MergeOutcome::Source => source.clone(),
        MergeOutcome::Rewritten => rewritten,
        MergeOutcome::Text(text) => RawJson::from_written(text),
    }
}

/// Returns the list `result` with each entry in the spelling of its source. The entries are the member `member`;
/// `sources` has one item for each entry.
pub fn keep_entry_spelling(member: &str, sources: &[Option<RawJson>], result: RawJson) -> RawJson {
    let Some(entries) = result.member(member).and_then(|text| JsonText::of_scanned(text).items()) else {
        return result;
    };
    let keep = |(at, entry): (usize, JsonText<'_>)| match sources.get(at).and_then(Option::as_ref) {
        Some(source) => keep_spelling(source, result.part_at(entry.as_bytes())),
        None => result.part_at(entry.as_bytes()),
    };
    let entries: Vec<RawJson> = entries.enumerate().map(keep).collect();
    match RawObject::of(&result) {
        Ok(members) => members.replaced(member, RawJson::of(&entries).as_bytes()),
        Err(_) => result,
    }
}

/// The outcome of comparing two values.
enum MergeOutcome {
    /// They are equal: the text of the source is used.
    Source,
    /// They have no part in common: the rewritten text is used.
    Rewritten,
    /// They are equal in part: the merged text.
    Text(Vec<u8>),
}

impl MergeOutcome {
    fn text<'t>(&'t self, source: JsonText<'t>, rewritten: JsonText<'t>) -> &'t [u8] {
        match self {
            MergeOutcome::Source => source.as_bytes(),
            MergeOutcome::Rewritten => rewritten.as_bytes(),
            MergeOutcome::Text(text) => text,
        }
    }
}

fn merge(source: JsonText<'_>, rewritten: JsonText<'_>) -> MergeOutcome {
    if source == rewritten {
        return MergeOutcome::Source;
    }
    match (source.as_bytes().first(), rewritten.as_bytes().first()) {
        (Some(b'{'), Some(b'{')) => {
            match (RawObject::read(source.as_bytes()), RawObject::read(rewritten.as_bytes())) {
                (Ok(source), Ok(rewritten)) => merge_objects(&source, &rewritten),
                _ => MergeOutcome::Rewritten,
            }
        }
        (Some(b'['), Some(b'[')) => merge_arrays(source, rewritten),
        (Some(b'"'), Some(b'"')) if source.as_str() == rewritten.as_str() => MergeOutcome::Source,
        (Some(b'-' | b'0'..=b'9'), Some(b'-' | b'0'..=b'9')) if is_same_number(source, rewritten) => {
            MergeOutcome::Source
        }
        _ => MergeOutcome::Rewritten,
    }
}

fn merge_objects(source: &RawObject<'_>, rewritten: &RawObject<'_>) -> MergeOutcome {
    let mut left: HashMap<&str, JsonText<'_>> =
        rewritten.iter().map(|(name, value)| (name, JsonText::of_scanned(value))).collect();
    let mut is_same = true;
    let mut out = Vec::new();
    for (name, value) in source.iter() {
        // A name that is repeated in the source, or is not in the rewritten object, is left out.
        let Some(new) = left.remove(name) else {
            is_same = false;
            continue;
        };
        let old = JsonText::of_scanned(value);
        let merged = merge(old, new);
        is_same &= matches!(merged, MergeOutcome::Source);
        push_member(&mut out, name, merged.text(old, new));
    }
    if is_same && left.is_empty() {
        return MergeOutcome::Source;
    }
    for (name, _) in rewritten.iter() {
        if let Some(value) = left.remove(name) {
            push_member(&mut out, name, value.as_bytes());
        }
    }
    if out.is_empty() {
        out.push(b'{');
    }
    out.push(b'}');
    MergeOutcome::Text(out)
}

fn merge_arrays(source: JsonText<'_>, rewritten: JsonText<'_>) -> MergeOutcome {
    let (Some(source), Some(rewritten)) = (source.items(), rewritten.items()) else {
        return MergeOutcome::Rewritten;
    };
    let (source, rewritten): (Vec<_>, Vec<_>) = (source.collect(), rewritten.collect());
    if source.len() != rewritten.len() {
        return MergeOutcome::Rewritten;
    }
    let merged: Vec<MergeOutcome> =
        source.iter().zip(&rewritten).map(|(old, new)| merge(*old, *new)).collect();
    if merged.iter().all(|item| matches!(item, MergeOutcome::Source)) {
        return MergeOutcome::Source;
    }
    let texts =
        merged.iter().zip(source.iter().zip(&rewritten)).map(|(item, (old, new))| item.text(*old, *new));
    let mut out = vec![b'['];
    for (at, text) in texts.enumerate() {
        out.extend_from_slice(if at == 0 { b"" } else { b"," });
        out.extend_from_slice(text);
    }
    out.push(b']');
    MergeOutcome::Text(out)
}

/// Returns whether two numbers are equal as `f64`, which is how the model reads them.
fn is_same_number(one: JsonText<'_>, other: JsonText<'_>) -> bool {
    matches!((one.decode::<f64>(), other.decode::<f64>()), (Ok(one), Ok(other)) if one == other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(source: &str, rewritten: &str) -> String {
        let raw = |text: &str| RawJson::parse(text.to_owned()).expect("JSON");
        keep_spelling(&raw(source), raw(rewritten)).to_string()
    }

    #[test]
    fn equal_parts_are_copied_from_the_source() {
        for (source, rewritten, expected) in [
            (r#"{ "b": 1e3, "a":"\u00e9" }"#, r#"{"a":"é","b":1000.0}"#, r#"{ "b": 1e3, "a":"\u00e9" }"#),
            (r#"{"b":1.0,"a":2,"gone":3}"#, r#"{"a":2,"b":1}"#, r#"{"b":1.0,"a":2}"#),
            (r#"{"b":1.0}"#, r#"{"b":1,"new":[]}"#, r#"{"b":1.0,"new":[]}"#),
            (r#"{"b":1.0}"#, r#"{"b":2}"#, r#"{"b":2}"#),
            (r#"[{"y":1E0,"x":2},3]"#, r#"[{"x":2,"y":1},4]"#, r#"[{"y":1E0,"x":2},4]"#),
            (r#"[1.0,2]"#, "[1]", "[1]"),
            (
                r#"{"n":12345678901234567890123}"#,
                r#"{"n":1.2345678901234568e22}"#,
                r#"{"n":12345678901234567890123}"#,
            ),
            (r#"{"a":1,"a":2.0}"#, r#"{"a":2}"#, r#"{"a":2}"#),
            (r#"{"a":1}"#, "{}", "{}"),
            ("{}", r#"{"a":1}"#, r#"{"a":1}"#),
            (r#""a""#, "1", "1"),
            ("null", "null", "null"),
            ("true", "false", "false"),
        ] {
            assert_eq!(merged(source, rewritten), expected, "{source} {rewritten}");
        }
    }
}
