//! The lists of a server as one JSON document: the input of the linter, and the format of saved lists.

use serde_json::{Map, Value, json};

use super::edit::{JsonEdit, child};

/// The lists of a server: an object with any of `tools`, `prompts`, `resources`, `resourceTemplates`, `serverInfo`,
/// `instructions`, `protocolVersion`, and `samples`, which has a structured result for names of tools.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerDocument {
    value: Value,
    /// The pointer of the lists: `/result` in a saved response.
    root: String,
}

/// One entry of a list.
pub(super) struct DocumentEntry<'d> {
    pub(super) value: &'d Value,
    pub(super) pointer: String,
    /// The entry in words, for example ``tool `search` ``.
    pub(super) subject: String,
}

impl ServerDocument {
    /// Parses saved lists: the document, a response with the lists in its `result`, or an array of tools.
    pub fn parse(text: &str) -> Result<ServerDocument, String> {
        let value = serde_json::from_str(text).map_err(|error| format!("this is not JSON: {error}"))?;
        ServerDocument::new(value)
    }

    /// Creates a document of a JSON value, as [`parse`](ServerDocument::parse) reads it.
    pub fn new(value: Value) -> Result<ServerDocument, String> {
        const LISTS: [&str; 4] = ["tools", "prompts", "resources", "resourceTemplates"];
        let value = if value.is_array() { json!({ "tools": value }) } else { value };
        let root = if value.pointer("/result").is_some_and(Value::is_object) { "/result" } else { "" };
        let lists = value.pointer(root).unwrap_or(&Value::Null);
        if LISTS.iter().any(|name| lists.get(name).is_some_and(Value::is_array)) {
            return Ok(ServerDocument { value, root: root.to_owned() });
        }
        Err(format!("the document has none of the lists {}", LISTS.join(", ")))
    }

    /// Returns the document as JSON.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// Returns the document with these changes.
    pub(super) fn edited<'e>(&self, edits: impl Iterator<Item = &'e JsonEdit>) -> ServerDocument {
        let mut edited = self.clone();
        edits.for_each(|edit| edit.apply(&mut edited.value));
        edited
    }

    /// Returns a member of the document.
    pub(super) fn member(&self, name: &str) -> Option<&Value> {
        self.value.pointer(&self.root)?.get(name)
    }

    /// Returns the pointer of a member of the document.
    pub(super) fn pointer(&self, name: &str) -> String {
        child(&self.root, name)
    }

    /// Returns the server's information, where the document has it.
    pub(super) fn server_info(&self) -> Option<&Map<String, Value>> {
        self.member("serverInfo")?.as_object()
    }

    pub(super) fn tools(&self) -> Vec<DocumentEntry<'_>> {
        self.entries("tools", "tool", "name")
    }

    pub(super) fn prompts(&self) -> Vec<DocumentEntry<'_>> {
        self.entries("prompts", "prompt", "name")
    }

    pub(super) fn resources(&self) -> Vec<DocumentEntry<'_>> {
        self.entries("resources", "resource", "uri")
    }

    pub(super) fn templates(&self) -> Vec<DocumentEntry<'_>> {
        self.entries("resourceTemplates", "resource template", "uriTemplate")
    }

    /// Returns the entries of all lists, and the server itself.
    pub(super) fn all(&self) -> Vec<DocumentEntry<'_>> {
        let server = self.member("serverInfo").map(|value| DocumentEntry {
            value,
            pointer: self.pointer("serverInfo"),
            subject: "server".to_owned(),
        });
        let lists = [self.tools(), self.prompts(), self.resources(), self.templates()];
        server.into_iter().chain(lists.into_iter().flatten()).collect()
    }

    fn entries(&self, list: &str, noun: &str, id: &str) -> Vec<DocumentEntry<'_>> {
        let items = self.member(list).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let entries = items.iter().enumerate().map(|(at, value)| DocumentEntry {
            value,
            pointer: format!("{}/{at}", self.pointer(list)),
            subject: format!("{noun} `{}`", value[id].as_str().unwrap_or("?")),
        });
        entries.collect()
    }
}

impl DocumentEntry<'_> {
    pub(super) fn text(&self, member: &str) -> &str {
        self.value[member].as_str().unwrap_or_default()
    }

    pub(super) fn name(&self) -> &str {
        self.text("name")
    }

    pub(super) fn at(&self, member: &str) -> String {
        child(&self.pointer, member)
    }

    /// Returns a hint of a tool's annotations.
    pub(super) fn hint(&self, name: &str) -> Option<bool> {
        self.value["annotations"][name].as_bool()
    }
}
