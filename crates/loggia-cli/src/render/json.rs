//! JSON for people to read: indented, in the order and spelling of the server.

use loggia::wire::{JsonText, RawJson};

/// Returns `value` with one member or item a line.
pub(crate) fn pretty(value: &RawJson) -> String {
    let mut out = String::new();
    write(&mut out, value.as_text(), 0);
    out
}

fn write(out: &mut String, value: JsonText<'_>, depth: usize) {
    if let Some(object) = value.to_object().filter(|object| !object.is_empty()) {
        let members = object.iter().map(|(name, value)| (Some(name), value));
        nested(out, ('{', '}'), members, depth);
    } else if let Some(items) = value.items().filter(|_| !is_empty_array(value)) {
        nested(out, ('[', ']'), items.map(|item| (None::<&str>, item)), depth);
    } else {
        out.push_str(&String::from_utf8_lossy(value.as_bytes()));
    }
}

fn is_empty_array(value: JsonText<'_>) -> bool {
    value.items().is_some_and(|mut items| items.next().is_none())
}

fn nested<'t, N: AsRef<str>>(
    out: &mut String,
    (open, close): (char, char),
    entries: impl Iterator<Item = (Option<N>, JsonText<'t>)>,
    depth: usize,
) {
    out.push(open);
    for (at, (name, value)) in entries.enumerate() {
        out.push_str(if at == 0 { "" } else { "," });
        new_line(out, depth + 1);
        if let Some(name) = name {
            out.push_str(&RawJson::from(name.as_ref()).to_string());
            out.push_str(": ");
        }
        write(out, value, depth + 1);
    }
    new_line(out, depth);
    out.push(close);
}

fn new_line(out: &mut String, depth: usize) {
    out.push('\n');
    out.push_str(&"  ".repeat(depth));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_spelling_stay() {
        let raw = RawJson::parse(r#"{"z":1.0,"a":[1e3,{}, [] ,"\u00e9"],"m":{"k\"":null}}"#).expect("JSON");
        insta::assert_snapshot!(pretty(&raw), @r#"
        {
          "z": 1.0,
          "a": [
            1e3,
            {},
            [],
            "\u00e9"
          ],
          "m": {
            "k\"": null
          }
        }
        "#);
    }
}
