//! Writes what a type says as JSON text. JSON that the type carries is copied as it came: serde's serializers would
//! write its numbers anew.

use super::{Record, Shape, View};
use crate::json::write_string;

/// Appends `view` to `out` as JSON.
pub fn write_view(out: &mut Vec<u8>, view: &View<'_>) {
    match view {
        View::Absent => out.extend_from_slice(b"null"),
        View::Bool(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
        View::Signed(number) => write_scalar(out, number),
        View::Unsigned(number) => write_scalar(out, number),
        View::Float(number) => write_scalar(out, number),
        View::Number(number) => write_scalar(out, number),
        View::Text(text) => write_string(out, text),
        View::Value(value) => write_scalar(out, value),
        View::Raw(text) => out.extend_from_slice(text),
        View::Items(items) => {
            out.push(b'[');
            let mut is_first = true;
            items.each(&mut |item| {
                if !std::mem::take(&mut is_first) {
                    out.push(b',');
                }
                write_view(out, &item.view());
            });
            out.push(b']');
        }
        View::Entries(entries) => {
            let mut object = ObjectWriter::new(out);
            entries.each(&mut |name, value| object.member(name, value));
            object.end();
        }
        View::Members(members) => {
            let mut object = ObjectWriter::new(out);
            members.iter().for_each(|(name, value)| object.member(name, *value));
            object.end();
        }
        View::Record(record) => write_record(ObjectWriter::new(out), *record),
        View::Tagged(tag, kind, record) => {
            let mut object = ObjectWriter::new(out);
            object.member(tag, kind);
            write_record(object, *record);
        }
    }
}

fn write_record(mut object: ObjectWriter<'_>, record: &dyn Record) {
    record.each(&mut |name, value| object.member(name, value));
    if let Some(extra) = record.extra().filter(|extra| !extra.is_empty()) {
        extra.iter().for_each(|(name, value)| object.member(&name, &value));
    }
    object.end();
}

/// Writes a number or a tree, which have no keys but strings: it cannot fail.
fn write_scalar(out: &mut Vec<u8>, value: &impl serde::Serialize) {
    let _ = serde_json::to_writer(out, value);
}

/// Writes the members of an object one after the other, without those that are absent.
struct ObjectWriter<'o> {
    out: &'o mut Vec<u8>,
    is_empty: bool,
}

impl<'o> ObjectWriter<'o> {
    fn new(out: &'o mut Vec<u8>) -> ObjectWriter<'o> {
        out.push(b'{');
        ObjectWriter { out, is_empty: true }
    }

    fn member(&mut self, name: &str, value: &dyn Shape) {
        let view = value.view();
        if matches!(view, View::Absent) {
            return;
        }
        if !std::mem::take(&mut self.is_empty) {
            self.out.push(b',');
        }
        write_string(self.out, name);
        self.out.push(b':');
        write_view(self.out, &view);
    }

    fn end(self) {
        self.out.push(b'}');
    }
}
