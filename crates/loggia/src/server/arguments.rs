//! Arguments of a tool call, checked against its schema before the tool sees them.
//!
//! All that a call needs of the schema is made once, when the tool is registered.

use loggia_json_schema::Validator;
use loggia_wire::{JsonText, RawJson};
use serde_json::Value;

use super::args::{Args, ArgumentSpans};
use super::error::ToolError;
use crate::model::JsonObject;

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

/// The defaults of an object whose schema was made from a type.
///
/// Models write `null` for members that they leave out, and leave out members that have a default; such schemas mean
/// the same by both.
#[derive(Debug, Default)]
pub(crate) struct ObjectDefaults {
    members: Vec<MemberDefaults>,
}

#[derive(Debug)]
struct MemberDefaults {
    name: String,
    default: Option<RawJson>,
    /// Whether `null` stands for a member that is left out.
    null_is_absence: bool,
    value: ValueDefaults,
}

/// The defaults within a value, which may be an object or an array.
#[derive(Debug)]
struct ValueDefaults {
    object: ObjectDefaults,
    items: Option<Box<ValueDefaults>>,
    /// Whether the value itself has a default.
    has_default: bool,
}

impl ObjectDefaults {
    /// Reads the defaults of `schema`.
    pub(crate) fn of(schema: &JsonObject) -> ObjectDefaults {
        let required = schema.get("required").map(JsonText::decode::<Vec<String>>);
        let required = required.and_then(Result::ok).unwrap_or_default();
        let properties = schema.get("properties").and_then(JsonText::to_object).unwrap_or_default();
        let member = |(name, property): (std::borrow::Cow<'_, str>, JsonText<'_>)| {
            let property = property.to_object()?;
            let null_is_absence = !required.iter().any(|one| *one == name) && !allows_null(&property);
            Some(MemberDefaults {
                name: name.into_owned(),
                default: property.get("default").map(JsonText::to_raw),
                null_is_absence,
                value: ValueDefaults::of(&property),
            })
        };
        ObjectDefaults { members: properties.iter().filter_map(member).collect() }
    }

    /// Completes `object` with the defaults.
    pub(crate) fn apply(&self, mut object: JsonObject) -> JsonObject {
        for member in &self.members {
            let name = member.name.as_str();
            let given = object.get(name).map(JsonText::to_raw);
            let is_left_out =
                member.null_is_absence && given.as_ref().is_some_and(|value| value.as_text().is_null());
            if is_left_out {
                object.remove(name);
            }
            match (given.filter(|_| !is_left_out), &member.default) {
                (Some(value), _) => {
                    let completed = member.value.apply(value.as_text());
                    if completed != value {
                        object.insert(name, completed);
                    }
                }
                (None, Some(default)) => object.insert(name, default.clone()),
                (None, None) => {}
            }
        }
        object
    }

    fn needed_in_text(&self) -> Option<Vec<String>> {
        if self.members.iter().any(|member| member.value.has_inner_defaults()) {
            return None;
        }
        let with_default = self.members.iter().filter(|member| member.default.is_some());
        Some(with_default.map(|member| member.name.clone()).collect())
    }
}

impl ValueDefaults {
    fn of(schema: &JsonObject) -> ValueDefaults {
        let items = schema.get("items").and_then(JsonText::to_object);
        ValueDefaults {
            object: ObjectDefaults::of(schema),
            items: items.map(|items| Box::new(ValueDefaults::of(&items))),
            has_default: schema.contains_key("default"),
        }
    }

    fn apply(&self, value: JsonText<'_>) -> RawJson {
        if let Some(object) = value.to_object() {
            return self.object.apply(object).to_raw();
        }
        match (value.items(), &self.items) {
            (Some(items), Some(inner)) => {
                RawJson::of(&items.map(|item| inner.apply(item)).collect::<Vec<_>>())
            }
            _ => value.to_raw(),
        }
    }

    /// Returns whether a member or an item of the value has a default.
    fn has_inner_defaults(&self) -> bool {
        let within = |value: &ValueDefaults| value.has_default || value.has_inner_defaults();
        self.object.members.iter().any(|member| within(&member.value))
            || self.items.as_deref().is_some_and(within)
    }
}

/// Returns whether `schema` allows `null`. Only the forms that are made from types matter.
fn allows_null(schema: &JsonObject) -> bool {
    match (schema.get("type"), schema.get("anyOf").and_then(JsonText::items)) {
        (Some(kind), _) => kind.is_str("null"),
        (None, Some(mut any)) => any.any(|one| one.to_object().is_some_and(|one| allows_null(&one))),
        (None, None) => !schema.contains_key("$ref") && !schema.contains_key("enum"),
    }
}
