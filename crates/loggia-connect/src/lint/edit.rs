//! Changes of a JSON document that fix a finding.
//!
//! A fix is data, so that a program can show it before it applies it. A place is a JSON Pointer (RFC 6901).

use serde_json::{Map, Value};

/// One change of a JSON document.
#[derive(Debug, Clone, PartialEq)]
pub enum JsonEdit {
    /// Sets the member at the pointer. Objects that are absent before it are created.
    Set(String, Value),
    /// Removes the member at the pointer.
    Remove(String),
}

impl JsonEdit {
    /// Applies the change. A pointer that leads nowhere changes nothing.
    pub fn apply(&self, document: &mut Value) {
        let (JsonEdit::Set(pointer, _) | JsonEdit::Remove(pointer)) = self;
        let Some((parent, last)) = pointer.rsplit_once('/') else { return };
        let last = last.replace("~1", "/").replace("~0", "~");
        match self {
            JsonEdit::Set(_, value) => set(document, parent, &last, value),
            JsonEdit::Remove(_) => {
                if let Some(Value::Object(members)) = document.pointer_mut(parent) {
                    members.retain(|member, _| *member != last);
                }
            }
        }
    }
}

fn set(document: &mut Value, parent: &str, name: &str, value: &Value) {
    if document.pointer(parent).is_none() {
        let Some((above, created)) = parent.rsplit_once('/') else { return };
        set(document, above, created, &Value::Object(Map::new()));
    }
    match document.pointer_mut(parent) {
        Some(Value::Object(members)) => {
            members.insert(name.to_owned(), value.clone());
        }
        Some(Value::Array(items)) => {
            if let Some(item) = name.parse::<usize>().ok().and_then(|at| items.get_mut(at)) {
                *item = value.clone();
            }
        }
        _ => {}
    }
}

/// Returns the pointer of a member of the value at `pointer`.
pub(super) fn child(pointer: &str, name: &str) -> String {
    format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"))
}
