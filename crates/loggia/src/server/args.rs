//! Arguments of a handler: JSON arguments for a tool, texts for a prompt or a resource template.
//!
//! The arguments of a tool are checked against its schema before the tool sees them. All that a call needs of the schema
//! is made once, when the tool is registered.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use loggia_json_schema::Validator;
use loggia_wire::RawJson;
use loggia_wire::json::value_of;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::argument_defaults::ObjectDefaults;
use super::error::ToolError;
use crate::model::JsonObject;
use crate::schema::{JsonSchema, Property};

/// A type that a tool can take as a parameter.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a parameter of a tool",
    label = "the model cannot send this type",
    note = "write `#[derive(serde::Deserialize, loggia::JsonSchema)]` above the type",
    note = "to take it from the request instead, mark the parameter `#[extract]` and implement `FromRequest`"
)]
pub trait Parameter: DeserializeOwned + JsonSchema {}

#[diagnostic::do_not_recommend]
impl<T: DeserializeOwned + JsonSchema> Parameter for T {}

/// A parameter of type `T`, to be given to [`ToolBuilder::parameter`](super::ToolBuilder::parameter).
pub fn parameter<T: Parameter>(name: &'static str) -> Property {
    Property::new::<T>(name)
}

/// The arguments of a tool call, to be taken one by one.
#[derive(Debug, Clone, PartialEq)]
pub struct Args(ArgumentForm);

#[derive(Debug, Clone, PartialEq)]
enum ArgumentForm {
    /// As they came; they are known to fit the schema. Each is read when it is taken.
    Text(ArgumentSpans),
    /// Out of the ordinary (names with escapes, say), or completed with defaults.
    Object(JsonObject),
}

/// Positions of the members of an object in its text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ArgumentSpans {
    text: RawJson,
    /// Name and value, as ranges of the text.
    places: Vec<[ArgumentSpan; 2]>,
}

/// From where to where. Longer texts than a u32 can count are read as a tree.
type ArgumentSpan = (u32, u32);

fn range((from, to): ArgumentSpan) -> Range<usize> {
    from as usize..to as usize
}

impl ArgumentSpans {
    /// An object's text, with no members known yet.
    pub(crate) fn of(text: RawJson) -> ArgumentSpans {
        ArgumentSpans { text, places: Vec::new() }
    }

    /// Takes note of a member; name and value are parts of the text.
    pub(crate) fn add(&mut self, name: &[u8], value: &[u8]) {
        let start = self.text.as_bytes().as_ptr() as usize;
        let place = |part: &[u8]| {
            let from = part.as_ptr() as usize - start;
            let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
            (place(from), place(from + part.len()))
        };
        self.places.push([place(name), place(value)]);
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.at(name).is_some()
    }

    fn at(&self, name: &str) -> Option<usize> {
        self.places.iter().position(|[known, _]| self.text.as_bytes()[range(*known)] == *name.as_bytes())
    }

    fn take(&mut self, name: &str) -> Option<&[u8]> {
        let [_, value] = self.places.swap_remove(self.at(name)?);
        Some(&self.text.as_bytes()[range(value)])
    }

    /// Returns what was not taken.
    fn into_object(self) -> JsonObject {
        let read = |[name, value]: &[ArgumentSpan; 2]| {
            let name = std::str::from_utf8(&self.text.as_bytes()[range(*name)]).ok()?;
            Some((name, self.text.part_at(&self.text.as_bytes()[range(*value)])))
        };
        self.places.iter().filter_map(read).collect()
    }
}

impl Default for Args {
    fn default() -> Args {
        Args::new(JsonObject::new())
    }
}

impl Args {
    pub(crate) fn new(arguments: JsonObject) -> Args {
        Args(ArgumentForm::Object(arguments))
    }

    pub(crate) fn in_text(members: ArgumentSpans) -> Args {
        Args(ArgumentForm::Text(members))
    }

    /// The argument `name`. One that is missing or of another shape is an error that the model can read.
    pub fn take<T: Parameter>(&mut self, name: &str) -> Result<T, ToolError> {
        let removed;
        let text = match &mut self.0 {
            ArgumentForm::Text(members) => members.take(name),
            ArgumentForm::Object(arguments) => {
                removed = arguments.remove(name);
                removed.as_ref().map(RawJson::as_bytes)
            }
        };
        let text = match text {
            Some(text) => text,
            None if T::is_optional() => b"null",
            None => return Err(ToolError::say(format!("Invalid arguments: {name:?} is required"))),
        };
        serde_json::from_slice(text).or_else(|_| decode_again(name, text))
    }

    /// All of them.
    pub fn into_object(self) -> JsonObject {
        match self.0 {
            ArgumentForm::Object(arguments) => arguments,
            ArgumentForm::Text(members) => members.into_object(),
        }
    }

    /// All of them as one type.
    pub(crate) fn decode<T: DeserializeOwned>(self) -> Result<T, ToolError> {
        let read = match &self.0 {
            ArgumentForm::Text(members) => members.text.decode(),
            ArgumentForm::Object(arguments) => arguments.decode(),
        };
        // Read again as a tree, for an error that does not speak of lines and columns.
        read.or_else(|_| serde_json::from_value(Value::Object(self.into_object().to_map())))
            .map_err(|error| ToolError::say(format!("Invalid arguments: {error}")))
    }
}

/// The rules for the arguments of one tool.
pub(crate) struct ArgumentRules {
    validator: Validator,
    /// The members that arguments must have to be taken in their text: those with a default, which [`ObjectDefaults`]
    /// would supply. `None` if there are defaults within the members.
    needed_in_text: Option<Vec<String>>,
    /// `None` for a schema that was written by hand.
    defaults: Option<ObjectDefaults>,
}

impl ArgumentRules {
    /// Creates the rules for arguments of `schema`, which `validator` checks. `generated`: the schema was made from
    /// types.
    pub(crate) fn new(validator: Validator, schema: &JsonObject, generated: bool) -> ArgumentRules {
        let defaults = generated.then(|| ObjectDefaults::of(schema));
        let needed_in_text = match &defaults {
            Some(defaults) => defaults.needed_in_text(),
            None => Some(Vec::new()),
        };
        ArgumentRules { validator, needed_in_text, defaults }
    }

    /// Returns the arguments as the tool gets them. An error names the path to the mistake, so that the model can
    /// correct it (SEP-1303).
    pub(crate) fn read(&self, tool: &str, raw: &RawJson) -> Result<Args, ToolError> {
        match self.in_text(raw) {
            Some(args) => Ok(args),
            None => {
                let invalid =
                    |reason: String| ToolError::say(format!("Invalid arguments for {tool}: {reason}"));
                self.checked(raw).map(Args::new).map_err(invalid)
            }
        }
    }

    /// Returns valid and complete arguments in the text they came in.
    fn in_text(&self, raw: &RawJson) -> Option<Args> {
        let needed = self.needed_in_text.as_ref()?;
        u32::try_from(raw.as_bytes().len()).ok()?;
        let mut members = ArgumentSpans::of(raw.clone());
        let fits = self.validator.accepts_object(raw.as_bytes(), |name, value| members.add(name, value));
        (fits && needed.iter().all(|name| members.has(name))).then(|| Args::in_text(members))
    }

    fn checked(&self, raw: &RawJson) -> Result<JsonObject, String> {
        let mut arguments = JsonObject::read(raw.as_bytes()).map_err(|error| error.to_string())?;
        if let Some(defaults) = &self.defaults {
            arguments = defaults.apply(arguments);
        }
        let tree: Value = arguments.decode().map_err(|error| error.to_string())?;
        self.validator.validate(&tree).map_err(|violations| violations.to_string())?;
        Ok(arguments)
    }
}

/// The arguments of a prompt, or the variables of a resource's URI.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StringArgs(BTreeMap<String, String>);

impl StringArgs {
    pub(crate) fn new(texts: BTreeMap<String, String>) -> StringArgs {
        StringArgs(texts)
    }

    /// The text `name`, parsed.
    pub fn take<T: FromStr>(&mut self, name: &str) -> Result<T, ToolError>
    where
        T::Err: fmt::Display,
    {
        self.take_optional(name)?.ok_or_else(|| ToolError::say(format!("Missing required argument: {name}")))
    }

    /// The text `name`, parsed, where it is given.
    pub fn take_optional<T: FromStr>(&mut self, name: &str) -> Result<Option<T>, ToolError>
    where
        T::Err: fmt::Display,
    {
        self.0.remove(name).map(|text| text.parse().map_err(|error| invalid(name, &error))).transpose()
    }

    /// All of them.
    pub fn into_map(self) -> BTreeMap<String, String> {
        self.0
    }
}

/// Reads an argument that did not fit as a tree, for an error that does not speak of lines and columns.
fn decode_again<T: Parameter>(name: &str, text: &[u8]) -> Result<T, ToolError> {
    let value = value_of(text).map_err(|error| invalid(name, &error))?;
    serde_json::from_value(value).map_err(|error| invalid(name, &error))
}

fn invalid(name: &str, error: &dyn fmt::Display) -> ToolError {
    ToolError::say(format!("Invalid arguments: {name}: {error}"))
}
