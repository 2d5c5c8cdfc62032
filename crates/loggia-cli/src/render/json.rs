//! JSON for people to read: indented, in the order and spelling of the server.

use loggia::wire::{JsonText, RawJson};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

/// Returns `value` with one member or item a line.
pub(crate) fn pretty(value: &RawJson) -> String {
    serde_json::to_string_pretty(&JsonTree(value.as_text())).expect("a value that was parsed can be written")
}

/// A JSON value whose strings and numbers are written in the spelling that they have.
struct JsonTree<'t>(JsonText<'t>);

impl Serialize for JsonTree<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Some(object) = self.0.to_object() {
            return serializer.collect_map(object.iter().map(|(name, value)| (name, JsonTree(value))));
        }
        match self.0.items() {
            Some(items) => serializer.collect_seq(items.map(JsonTree)),
            None => serde_json::from_slice::<&RawValue>(self.0.as_bytes())
                .map_err(serde::ser::Error::custom)?
                .serialize(serializer),
        }
    }
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
