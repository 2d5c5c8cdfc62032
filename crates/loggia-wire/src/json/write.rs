//! Writes JSON text.
//!
//! It copies the JSON that a type contains byte for byte. serde's serializers would write its numbers in their own
//! notation.

use super::{Fields, JsonRef, ToJson, write_string};

/// Appends `value` to `out` as JSON.
pub fn write_json(out: &mut Vec<u8>, value: &JsonRef<'_>) {
    match value {
        JsonRef::Absent => out.extend_from_slice(b"null"),
        JsonRef::Bool(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
        JsonRef::Signed(number) => write_scalar(out, number),
        JsonRef::Unsigned(number) => write_scalar(out, number),
        JsonRef::Float(number) => write_scalar(out, number),
        JsonRef::Number(number) => write_scalar(out, number),
        JsonRef::String(text) => write_string(out, text),
        JsonRef::Value(value) => write_scalar(out, value),
        JsonRef::Raw(text) => out.extend_from_slice(text),
        JsonRef::Array(items) => {
            out.push(b'[');
            let mut is_first = true;
            items.each_item(&mut |item| {
                if !std::mem::take(&mut is_first) {
                    out.push(b',');
                }
                write_json(out, &item.to_json());
            });
            out.push(b']');
        }
        JsonRef::Object(fields) => write_fields(ObjectWriter::new(out), *fields),
        JsonRef::Members(members) => {
            let mut object = ObjectWriter::new(out);
            members.iter().for_each(|(name, value)| object.member(name, *value));
            object.end();
        }
        JsonRef::Tagged(tag, kind, fields) => {
            let mut object = ObjectWriter::new(out);
            object.member(tag, kind);
            write_fields(object, *fields);
        }
    }
}

fn write_fields(mut object: ObjectWriter<'_>, fields: &dyn Fields) {
    fields.each_field(&mut |name, value| object.member(name, value));
    object.end();
}

/// Writes a number or a tree. It cannot fail, because all keys are strings.
fn write_scalar(out: &mut Vec<u8>, value: &impl serde::Serialize) {
    let _ = serde_json::to_writer(out, value);
}

/// Writes the members of an object one after the other, without absent ones.
struct ObjectWriter<'o> {
    out: &'o mut Vec<u8>,
    is_empty: bool,
}

impl<'o> ObjectWriter<'o> {
    fn new(out: &'o mut Vec<u8>) -> ObjectWriter<'o> {
        out.push(b'{');
        ObjectWriter { out, is_empty: true }
    }

    fn member(&mut self, name: &str, value: &dyn ToJson) {
        let value = value.to_json();
        if matches!(value, JsonRef::Absent) {
            return;
        }
        if !std::mem::take(&mut self.is_empty) {
            self.out.push(b',');
        }
        write_string(self.out, name);
        self.out.push(b':');
        write_json(self.out, &value);
    }

    fn end(self) {
        self.out.push(b'}');
    }
}
