//! Asking the person: a form of primitive fields, or a URL to open. Since 2025-06-18.

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::{Extra, Meta};

/// Parameters of `elicitation/create`.
#[derive(Debug, Clone, PartialEq)]
pub enum ElicitParams {
    /// Show a form.
    Form(ElicitFormParams),
    /// Open a URL. Since 2025-11-25.
    Url(ElicitUrlParams),
}

impl ElicitParams {
    /// What the person is told.
    pub fn message(&self) -> &str {
        match self {
            ElicitParams::Form(form) => &form.message,
            ElicitParams::Url(url) => &url.message,
        }
    }
}

impl Serialize for ElicitParams {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            ElicitParams::Form(form) => form.serialize(serializer),
            ElicitParams::Url(url) => url.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for ElicitParams {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ElicitParams, D::Error> {
        let value = Value::deserialize(deserializer)?;
        match value.get("mode").and_then(Value::as_str) {
            Some("url") => serde_json::from_value(value).map(ElicitParams::Url),
            Some("form") | None => serde_json::from_value(value).map(ElicitParams::Form),
            Some(other) => Err(serde_json::Error::custom(format!("unknown elicitation mode {other:?}"))),
        }
        .map_err(D::Error::custom)
    }
}

/// A form to show.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ElicitFormParams {
    /// `form`, or absent. Since 2025-11-25.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<FormMode>,
    /// What the person is told.
    pub message: String,
    /// The fields.
    pub requested_schema: ElicitSchema,
    /// `_meta`. Until 2025-11-25.
    #[serde(rename = "_meta", default, skip_serializing_if = "Option::is_none")]
    pub meta: Option<Meta>,
    /// Members we do not know (among them the experimental `task` of 2025-11-25).
    #[serde(flatten)]
    pub extra: Extra,
}

/// The one value of a form's `mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FormMode {
    /// `form`.
    Form,
}

/// A URL to open.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ElicitUrlParams {
    /// `url`.
    pub mode: UrlMode,
    /// What the person is told.
    pub message: String,
    /// Where to go.
    pub url: String,
    /// Names this elicitation in later messages; required in 2025-11-25 and in no other revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elicitation_id: Option<String>,
    /// `_meta`. Until 2025-11-25.
    #[serde(rename = "_meta", default, skip_serializing_if = "Option::is_none")]
    pub meta: Option<Meta>,
    /// Members we do not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// The one value of a URL's `mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UrlMode {
    /// `url`.
    Url,
}

/// The fields of a form: a flat object of primitives.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ElicitSchema {
    /// The dialect, where it is not the default. Since 2025-11-25.
    #[serde(rename = "$schema", default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// `object`.
    #[serde(rename = "type")]
    pub kind: ObjectType,
    /// The fields by name.
    pub properties: BTreeMap<String, PrimitiveSchema>,
    /// The fields that must be filled in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required: Option<Vec<String>>,
    /// Members we do not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// The type `object`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ObjectType {
    /// `object`.
    #[default]
    Object,
}

/// One field of a form.
#[derive(Debug, Clone, PartialEq)]
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
    fn decode(value: Value) -> serde_json::Result<PrimitiveSchema> {
        let has = |member: &str| value.get(member).is_some();
        match value.get("type").and_then(Value::as_str) {
            Some("string") if has("enum") || has("oneOf") => {
                serde_json::from_value(value).map(PrimitiveSchema::Enum)
            }
            Some("string") => serde_json::from_value(value).map(PrimitiveSchema::String),
            Some("number" | "integer") => serde_json::from_value(value).map(PrimitiveSchema::Number),
            Some("boolean") => serde_json::from_value(value).map(PrimitiveSchema::Boolean),
            Some("array") => several(value).map(PrimitiveSchema::MultiEnum),
            other => Err(serde_json::Error::custom(format!("a form has no field of type {other:?}"))),
        }
    }
}

fn several(value: Value) -> serde_json::Result<MultiEnumSchema> {
    let field: MultiEnumSchema = serde_json::from_value(value)?;
    match field.items.values.is_some() || field.items.any_of.is_some() {
        true => Ok(field),
        false => {
            Err(serde_json::Error::custom("a field of type \"array\" needs items with \"enum\" or \"anyOf\""))
        }
    }
}

impl Serialize for PrimitiveSchema {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            PrimitiveSchema::String(schema) => schema.serialize(serializer),
            PrimitiveSchema::Number(schema) => schema.serialize(serializer),
            PrimitiveSchema::Boolean(schema) => schema.serialize(serializer),
            PrimitiveSchema::Enum(schema) => schema.serialize(serializer),
            PrimitiveSchema::MultiEnum(schema) => schema.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for PrimitiveSchema {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<PrimitiveSchema, D::Error> {
        PrimitiveSchema::decode(Value::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

macro_rules! field_schema {
    ($(#[$doc:meta])* $name:ident($kind:ty) { $($body:tt)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            /// The type.
            #[serde(rename = "type")]
            pub kind: $kind,
            /// For the person.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub title: Option<String>,
            /// For the person.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub description: Option<String>,
            $($body)*
            /// Members we do not know.
            #[serde(flatten)]
            pub extra: Extra,
        }
    };
}

macro_rules! type_name {
    ($(#[$doc:meta])* $name:ident { $($variant:ident),* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
        #[serde(rename_all = "lowercase")]
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
        /// Fewest characters.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub min_length: Option<u64>,
        /// Most characters.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub max_length: Option<u64>,
        /// What kind of text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub format: Option<StringFormat>,
        /// What is filled in already. Since 2025-11-25.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub default: Option<String>,
    }
}

/// What kind of text a field takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StringFormat {
    /// An address for mail.
    Email,
    /// A URI.
    Uri,
    /// A day.
    Date,
    /// A moment.
    DateTime,
}

field_schema! {
    /// A number field.
    NumberSchema(NumberType) {
        /// Least value.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub minimum: Option<serde_json::Number>,
        /// Greatest value.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub maximum: Option<serde_json::Number>,
        /// What is filled in already. Since 2025-11-25.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub default: Option<serde_json::Number>,
    }
}

field_schema! {
    /// A yes-or-no field.
    BooleanSchema(BooleanType) {
        /// What is filled in already.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub default: Option<bool>,
    }
}

field_schema! {
    /// One of several values: untitled (`enum`), titled (`oneOf`, since 2025-11-25) or titled in the old
    /// way (`enum` with `enumNames`).
    EnumSchema(StringType) {
        /// The values.
        #[serde(rename = "enum", default, skip_serializing_if = "Option::is_none")]
        pub values: Option<Vec<String>>,
        /// Their titles, in the old way.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub enum_names: Option<Vec<String>>,
        /// The values with their titles.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub one_of: Option<Vec<TitledValue>>,
        /// What is chosen already. Since 2025-11-25.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub default: Option<String>,
    }
}

field_schema! {
    /// Some of several values.
    MultiEnumSchema(ArrayType) {
        /// Fewest choices.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub min_items: Option<u64>,
        /// Most choices.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub max_items: Option<u64>,
        /// The values.
        pub items: MultiEnumItems,
        /// What is chosen already.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub default: Option<Vec<String>>,
    }
}

/// The values of a field that takes several.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MultiEnumItems {
    /// `string`, with `enum`.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<StringType>,
    /// The values without titles.
    #[serde(rename = "enum", default, skip_serializing_if = "Option::is_none")]
    pub values: Option<Vec<String>>,
    /// The values with titles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub any_of: Option<Vec<TitledValue>>,
    /// Members we do not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// A value and what the person sees for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TitledValue {
    /// The value.
    #[serde(rename = "const")]
    pub value: String,
    /// What the person sees.
    pub title: String,
    /// Members we do not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// What the person did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ElicitAction {
    /// Agreed, and filled in the form.
    Accept,
    /// Refused.
    Decline,
    /// Closed it without a choice.
    Cancel,
}

/// Result of `elicitation/create`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ElicitResult {
    /// What the person did.
    pub action: ElicitAction,
    /// The form, after `accept` in form mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<BTreeMap<String, Value>>,
    /// `_meta`. Until 2025-11-25.
    #[serde(rename = "_meta", default, skip_serializing_if = "Option::is_none")]
    pub meta: Option<Meta>,
    /// Members we do not know.
    #[serde(flatten)]
    pub extra: Extra,
}

impl ElicitResult {
    /// Agreed, with the form's values.
    pub fn accept(content: BTreeMap<String, Value>) -> ElicitResult {
        ElicitResult { content: Some(content), ..ElicitResult::without_content(ElicitAction::Accept) }
    }

    /// An answer without values.
    pub fn without_content(action: ElicitAction) -> ElicitResult {
        ElicitResult { action, content: None, meta: None, extra: Extra::new() }
    }

    /// Refused.
    pub fn decline() -> ElicitResult {
        ElicitResult::without_content(ElicitAction::Decline)
    }

    /// Closed without a choice.
    pub fn cancel() -> ElicitResult {
        ElicitResult::without_content(ElicitAction::Cancel)
    }
}
