//! YAML as JSON text. Descriptions are written in either, and one reader serves both.
//!
//! Invariant: members keep their order, and a document that expands beyond the parser's budget (aliases of aliases) is an
//! error.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// The maximum number of values of a document. A description of 13 MB has about 400,000.
const MAX_NODES: usize = 4_000_000;

/// Translates a YAML document to JSON text.
pub(crate) fn to_json(text: &str) -> Result<Vec<u8>, String> {
    let options = serde_saphyr::options! {
        // YAML 1.2, as the specification wants: `yes` is a text.
        strict_booleans: true,
        with_snippet: false,
        budget: serde_saphyr::budget! { max_events: MAX_NODES * 4, max_nodes: MAX_NODES, max_depth: 256 },
    };
    let json = serde_saphyr::from_str_with_options::<JsonBytes>(text, options);
    json.map(|json| json.0).map_err(|error| error.to_string())
}

/// The JSON text of a value that any serde format holds.
struct JsonBytes(Vec<u8>);

impl<'de> Deserialize<'de> for JsonBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<JsonBytes, D::Error> {
        let mut out = Vec::new();
        JsonSeed(&mut out).deserialize(deserializer)?;
        Ok(JsonBytes(out))
    }
}

/// Writes values behind each other into one buffer: a text of its own for each would be copied once for each level.
struct JsonSeed<'o>(&'o mut Vec<u8>);

impl JsonSeed<'_> {
    fn write<E: Error>(self, value: impl serde::Serialize) -> Result<(), E> {
        serde_json::to_writer(self.0, &value).map_err(E::custom)
    }
}

impl<'de> DeserializeSeed<'de> for JsonSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for JsonSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.write(value)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.write(value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.write(value)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        // JSON has no infinity and no NaN: serde_json writes null.
        self.write(value)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.write(value)
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.0.extend_from_slice(b"null");
        Ok(())
    }

    fn visit_none<E: Error>(self) -> Result<(), E> {
        self.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        self.0.push(b'[');
        let mut is_first = true;
        loop {
            let end = self.0.len();
            if !is_first {
                self.0.push(b',');
            }
            if items.next_element_seed(JsonSeed(self.0))?.is_none() {
                self.0.truncate(end);
                break;
            }
            is_first = false;
        }
        self.0.push(b']');
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        self.0.push(b'{');
        let mut is_first = true;
        while let Some(name) = members.next_key::<JsonBytes>()? {
            if !is_first {
                self.0.push(b',');
            }
            is_first = false;
            // YAML allows other keys than strings: response codes are numbers in many descriptions.
            match name.0.first() {
                Some(b'"') => self.0.extend_from_slice(&name.0),
                _ => {
                    let name = String::from_utf8_lossy(&name.0);
                    self.0.extend(serde_json::to_vec(&name).map_err(A::Error::custom)?);
                }
            }
            self.0.push(b':');
            members.next_value_seed(JsonSeed(self.0))?;
        }
        self.0.push(b'}');
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_order_and_kind() {
        let table = [
            ("b: 1\na: -2.5\n", Ok(r#"{"b":1,"a":-2.5}"#)),
            ("- yes\n- 'yes'\n- true\n- ~\n", Ok(r#"["yes","yes",true,null]"#)),
            ("200: { description: ok }", Ok(r#"{"200":{"description":"ok"}}"#)),
            ("a: {}\nb: []\nc: [[], [{}, {}]]\n", Ok(r#"{"a":{},"b":[],"c":[[],[{},{}]]}"#)),
            ("{}", Ok("{}")),
            ("[1]", Ok("[1]")),
            ("? [a]\n: 1", Ok(r#"{"[\"a\"]":1}"#)),
            ("x: |\n  two\n  lines\n", Ok(r#"{"x":"two\nlines\n"}"#)),
            ("base: &b { a: 1 }\nuse: *b\n", Ok(r#"{"base":{"a":1},"use":{"a":1}}"#)),
            ("a: [1", Err(())),
        ];
        for (yaml, expected) in table {
            let json = to_json(yaml);
            match expected {
                Ok(expected) => {
                    assert_eq!(
                        json.map(|json| String::from_utf8_lossy(&json).into_owned()),
                        Ok(expected.into()),
                        "{yaml}"
                    );
                }
                Err(()) => assert!(json.is_err(), "{yaml}"),
            }
        }
    }
}
