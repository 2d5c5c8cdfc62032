//! What a caller gives to a handler: JSON arguments for a tool, texts for a prompt or a resource template.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::de::DeserializeOwned;
use serde_json::Value;

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
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Args(JsonObject);

impl Args {
    pub(crate) fn new(arguments: JsonObject) -> Args {
        Args(arguments)
    }

    /// The argument `name`. One that is missing or of another shape is an error that the model can read.
    pub fn take<T: Parameter>(&mut self, name: &str) -> Result<T, ToolError> {
        let value = match self.0.remove(name) {
            Some(value) => value,
            None if T::is_optional() => Value::Null,
            None => return Err(ToolError::say(format!("Invalid arguments: {name:?} is required"))),
        };
        serde_json::from_value(value).map_err(|error| invalid(name, &error))
    }

    /// All of them.
    pub fn into_object(self) -> JsonObject {
        self.0
    }

    /// All of them as one type.
    pub(crate) fn decode<T: DeserializeOwned>(self) -> Result<T, ToolError> {
        serde_json::from_value(Value::Object(self.0))
            .map_err(|error| ToolError::say(format!("Invalid arguments: {error}")))
    }
}

/// The arguments of a prompt, or the variables of a resource's URI.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Texts(BTreeMap<String, String>);

impl Texts {
    pub(crate) fn new(texts: BTreeMap<String, String>) -> Texts {
        Texts(texts)
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

fn invalid(name: &str, error: &dyn fmt::Display) -> ToolError {
    ToolError::say(format!("Invalid arguments: {name}: {error}"))
}
