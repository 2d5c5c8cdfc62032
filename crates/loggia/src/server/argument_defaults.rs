//! Defaults of arguments, read from schemas that were made from types: models leave out members that have a default, and
//! write `null` for members that they leave out.

use loggia_wire::{JsonText, RawJson};

use crate::model::JsonObject;

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
    /// True if `null` stands for a member that is left out.
    null_is_absence: bool,
    value: ValueDefaults,
}

/// The defaults within a value, which may be an object or an array.
#[derive(Debug)]
struct ValueDefaults {
    object: ObjectDefaults,
    items: Option<Box<ValueDefaults>>,
    /// True if the value itself has a default.
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

    /// Returns the members that an object must have to need no defaults. `None` if there are defaults within the
    /// members.
    pub(crate) fn needed_in_text(&self) -> Option<Vec<String>> {
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
