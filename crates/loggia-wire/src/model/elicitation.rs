//! Elicitation: a form of primitive fields for the user, or a URL to open. Since 2025-06-18.

use super::{Extra, JsonObject, Meta};
use crate::json::VecMap;
use crate::json::{DecodeError, FromJson, RawObject, ToJson};

/// Parameters of `elicitation/create`.
#[derive(Debug, Clone, PartialEq, ToJson, FromJson)]
#[json(read_with = "ElicitParams::read")]
pub enum ElicitParams {
    /// Show a form.
    Form(ElicitFormParams),
    /// Open a URL. Since 2025-11-25.
    Url(ElicitUrlParams),
}

impl ElicitParams {
    /// Returns the text for the user.
    pub fn message(&self) -> &str {
        match self {
            ElicitParams::Form(form) => &form.message,
            ElicitParams::Url(url) => &url.message,
        }
    }

    /// Reads the params by their mode.
    fn read(text: &[u8]) -> Result<ElicitParams, DecodeError> {
        Ok(match RawObject::of_text(text)?.string("mode").as_deref() {
            Some("url") => ElicitParams::Url(FromJson::from_json(text)?),
            Some("form") | None => ElicitParams::Form(FromJson::from_json(text)?),
            Some(other) => return Err(DecodeError::new(format!("unknown elicitation mode {other:?}"))),
        })
    }
}

/// A form to show.
#[derive(Debug, Clone, PartialEq, ToJson, FromJson)]
pub struct ElicitFormParams {
    /// `form`, or absent. Since 2025-11-25.
    pub mode: Option<FormMode>,
    /// The text for the user.
    pub message: String,
    /// The fields.
    pub requested_schema: ElicitSchema,
    /// `_meta`. Until 2025-11-25.
    #[json(rename = "_meta")]
    pub meta: Option<Meta>,
    /// Unknown members (among them the experimental `task` of 2025-11-25).
    #[json(flatten)]
    pub extra: Extra,
}

/// The one value of a form's `mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ToJson, FromJson)]
pub enum FormMode {
    /// `form`.
    Form,
}

/// A URL to open.
#[derive(Debug, Clone, PartialEq, ToJson, FromJson)]
pub struct ElicitUrlParams {
    /// `url`.
    pub mode: UrlMode,
    /// The text for the user.
    pub message: String,
    /// The URL to open.
    pub url: String,
    /// The id of this elicitation in later messages; required in 2025-11-25, absent in other revisions.
    pub elicitation_id: Option<String>,
    /// `_meta`. Until 2025-11-25.
    #[json(rename = "_meta")]
    pub meta: Option<Meta>,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}

/// The one value of a URL's `mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ToJson, FromJson)]
pub enum UrlMode {
    /// `url`.
    Url,
}

/// The fields of a form: a flat object of primitives.
#[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
pub struct ElicitSchema {
    /// The JSON Schema dialect, if it is not the default. Since 2025-11-25.
    #[json(rename = "$schema")]
    pub schema: Option<String>,
    /// `object`.
    #[json(rename = "type")]
    pub kind: ObjectType,
    /// The fields by name.
    pub properties: VecMap<String, PrimitiveSchema>,
    /// The fields that must be filled in.
    pub required: Option<Vec<String>>,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}

/// The type `object`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ToJson, FromJson)]
pub enum ObjectType {
    /// `object`.
    #[default]
    Object,
}

/// One field of a form.
#[derive(Debug, Clone, PartialEq, ToJson, FromJson)]
#[json(read_with = "PrimitiveSchema::read")]
pub enum PrimitiveSchema {
    /// Text.
    String(StringSchema),
    /// A number.
    Number(NumberSchema),
    /// Yes or no.
    Boolean(BooleanSchema),
    /// One of several values.
    Enum(EnumSchema),
    /// Some of several values. Since 2025-11-25.
    MultiEnum(MultiEnumSchema),
}

impl PrimitiveSchema {
    /// Reads a field by its `type`.
    fn read(text: &[u8]) -> Result<PrimitiveSchema, DecodeError> {
        let members = RawObject::of_text(text)?;
        let has = |member: &str| members.raw(member).is_some();
        Ok(match members.string("type").as_deref() {
            Some("string") if has("enum") || has("oneOf") => {
                PrimitiveSchema::Enum(FromJson::from_json(text)?)
            }
            Some("string") => PrimitiveSchema::String(FromJson::from_json(text)?),
            Some("number" | "integer") => PrimitiveSchema::Number(FromJson::from_json(text)?),
            Some("boolean") => PrimitiveSchema::Boolean(FromJson::from_json(text)?),
            Some("array") => PrimitiveSchema::MultiEnum(multi_enum(text)?),
            other => return Err(DecodeError::new(format!("a form has no field of type {other:?}"))),
        })
    }
}

/// Reads a choice of several values. The schema must list the values.
fn multi_enum(text: &[u8]) -> Result<MultiEnumSchema, DecodeError> {
    let field = MultiEnumSchema::from_json(text)?;
    match field.items.values.is_some() || field.items.any_of.is_some() {
        true => Ok(field),
        false => Err(DecodeError::new("a field of type \"array\" needs items with \"enum\" or \"anyOf\"")),
    }
}

macro_rules! field_schema {
    (
        $(#[$doc:meta])* $name:ident($kind:ty) {
            $($(#[$field_attribute:meta])* pub $field:ident: $type:ty,)*
        }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
        pub struct $name {
            /// The type.
            #[json(rename = "type")]
            pub kind: $kind,
            /// The title, for the user.
            pub title: Option<String>,
            /// The description, for the user.
            pub description: Option<String>,
            $($(#[$field_attribute])* pub $field: $type,)*
            /// Unknown members.
            #[json(flatten)]
            pub extra: Extra,
        }
    };
}

macro_rules! type_name {
    ($(#[$doc:meta])* $name:ident { $($variant:ident),* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ToJson, FromJson)]
        #[allow(missing_docs, reason = "the names are JSON Schema's")]
        pub enum $name { #[default] $($variant),* }
    };
}

type_name! { /// The type `string`.
StringType { String } }
type_name! { /// The numeric types.
NumberType { Number, Integer } }
type_name! { /// The type `boolean`.
BooleanType { Boolean } }
type_name! { /// The type `array`.
ArrayType { Array } }

field_schema! {
    /// A text field.
    StringSchema(StringType) {
        /// The minimum number of characters.
        pub min_length: Option<u64>,
        /// The maximum number of characters.
        pub max_length: Option<u64>,
        /// The format of the text.
        pub format: Option<StringFormat>,
        /// The initial value. Since 2025-11-25.
        pub default: Option<String>,
    }
}

/// The format of a text field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ToJson, FromJson)]
pub enum StringFormat {
    /// An email address.
    Email,
    /// A URI.
    Uri,
    /// A date.
    Date,
    /// A date and time.
    #[json(rename = "date-time")]
    DateTime,
}

field_schema! {
    /// A number field.
    NumberSchema(NumberType) {
        /// The minimum.
        pub minimum: Option<serde_json::Number>,
        /// The maximum.
        pub maximum: Option<serde_json::Number>,
        /// The initial value. Since 2025-11-25.
        pub default: Option<serde_json::Number>,
    }
}

field_schema! {
    /// A yes-or-no field.
    BooleanSchema(BooleanType) {
        /// The initial value.
        pub default: Option<bool>,
    }
}

field_schema! {
    /// One of several values: without titles (`enum`), with titles (`oneOf`, since 2025-11-25) or with titles in the
    /// older form (`enum` with `enumNames`).
    EnumSchema(StringType) {
        /// The values.
        #[json(rename = "enum")]
        pub values: Option<Vec<String>>,
        /// Their titles, in the older form.
        pub enum_names: Option<Vec<String>>,
        /// The values with their titles.
        pub one_of: Option<Vec<TitledValue>>,
        /// The initial choice. Since 2025-11-25.
        pub default: Option<String>,
    }
}

field_schema! {
    /// Some of several values.
    MultiEnumSchema(ArrayType) {
        /// The minimum number of choices.
        pub min_items: Option<u64>,
        /// The maximum number of choices.
        pub max_items: Option<u64>,
        /// The values.
        pub items: MultiEnumItems,
        /// The initial choices.
        pub default: Option<Vec<String>>,
    }
}

/// The values of a field that takes several.
#[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
pub struct MultiEnumItems {
    /// `string`, with `enum`.
    #[json(rename = "type")]
    pub kind: Option<StringType>,
    /// The values without titles.
    #[json(rename = "enum")]
    pub values: Option<Vec<String>>,
    /// The values with titles.
    pub any_of: Option<Vec<TitledValue>>,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}

/// A value and the text that the user sees for it.
#[derive(Debug, Clone, PartialEq, ToJson, FromJson)]
pub struct TitledValue {
    /// The value.
    #[json(rename = "const")]
    pub value: String,
    /// The text for the user.
    pub title: String,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}

/// The user's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ToJson, FromJson)]
pub enum ElicitAction {
    /// The user agreed, and filled in the form.
    Accept,
    /// The user refused.
    Decline,
    /// The user closed the form without a choice.
    Cancel,
}

/// Result of `elicitation/create`.
#[derive(Debug, Clone, PartialEq, ToJson, FromJson)]
pub struct ElicitResult {
    /// The user's answer.
    pub action: ElicitAction,
    /// The form, after `accept` in form mode.
    pub content: Option<JsonObject>,
    /// `_meta`. Until 2025-11-25.
    #[json(rename = "_meta")]
    pub meta: Option<Meta>,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}

impl ElicitResult {
    /// Creates the answer `accept` with the form's values.
    pub fn accept(content: JsonObject) -> ElicitResult {
        ElicitResult { content: Some(content), ..ElicitResult::without_content(ElicitAction::Accept) }
    }

    /// Creates an answer without values.
    pub fn without_content(action: ElicitAction) -> ElicitResult {
        ElicitResult { action, content: None, meta: None, extra: Extra::new() }
    }

    /// Creates the answer `decline`.
    pub fn decline() -> ElicitResult {
        ElicitResult::without_content(ElicitAction::Decline)
    }

    /// Creates the answer `cancel`.
    pub fn cancel() -> ElicitResult {
        ElicitResult::without_content(ElicitAction::Cancel)
    }
}
