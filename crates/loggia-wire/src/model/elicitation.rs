//! Asking the person: a form of primitive fields, or a URL to open. Since 2025-06-18.

use super::{Extra, JsonObject, Meta};
use crate::json::VecMap;
use crate::json::shape::{DecodeError, Fill, Model, Shape, View, members_of, record, serde_by_shape, words};

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

impl Shape for ElicitParams {
    fn view(&self) -> View<'_> {
        match self {
            ElicitParams::Form(form) => form.view(),
            ElicitParams::Url(url) => url.view(),
        }
    }
}

impl Fill for ElicitParams {
    fn fill(&mut self, text: &[u8]) -> Result<(), DecodeError> {
        *self = match members_of(text)?.string("mode").as_deref() {
            Some("url") => ElicitParams::Url(Model::read(text)?),
            Some("form") | None => ElicitParams::Form(Model::read(text)?),
            Some(other) => return Err(DecodeError::new(format!("unknown elicitation mode {other:?}"))),
        };
        Ok(())
    }
}

impl Model for ElicitParams {
    fn blank() -> ElicitParams {
        ElicitParams::Form(Model::blank())
    }
}

serde_by_shape!(ElicitParams);

/// A form to show.
#[derive(Debug, Clone, PartialEq)]
pub struct ElicitFormParams {
    /// `form`, or absent. Since 2025-11-25.
    pub mode: Option<FormMode>,
    /// What the person is told.
    pub message: String,
    /// The fields.
    pub requested_schema: ElicitSchema,
    /// `_meta`. Until 2025-11-25.
    pub meta: Option<Meta>,
    /// Members we do not know (among them the experimental `task` of 2025-11-25).
    pub extra: Extra,
}

record!(ElicitFormParams { mode, message, requested_schema = "requestedSchema", meta = "_meta" });

/// The one value of a form's `mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormMode {
    /// `form`.
    Form,
}

words!(FormMode { Form = "form" });

/// A URL to open.
#[derive(Debug, Clone, PartialEq)]
pub struct ElicitUrlParams {
    /// `url`.
    pub mode: UrlMode,
    /// What the person is told.
    pub message: String,
    /// Where to go.
    pub url: String,
    /// Names this elicitation in later messages; required in 2025-11-25 and in no other revision.
    pub elicitation_id: Option<String>,
    /// `_meta`. Until 2025-11-25.
    pub meta: Option<Meta>,
    /// Members we do not know.
    pub extra: Extra,
}

record!(ElicitUrlParams { mode, message, url, elicitation_id = "elicitationId", meta = "_meta" });

/// The one value of a URL's `mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UrlMode {
    /// `url`.
    Url,
}

words!(UrlMode { Url = "url" });

/// The fields of a form: a flat object of primitives.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ElicitSchema {
    /// The dialect, where it is not the default. Since 2025-11-25.
    pub schema: Option<String>,
    /// `object`.
    pub kind: ObjectType,
    /// The fields by name.
    pub properties: VecMap<String, PrimitiveSchema>,
    /// The fields that must be filled in.
    pub required: Option<Vec<String>>,
    /// Members we do not know.
    pub extra: Extra,
}

record!(ElicitSchema { schema = "$schema", kind = "type", properties, required });

/// The type `object`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ObjectType {
    /// `object`.
    #[default]
    Object,
}

words!(ObjectType { Object = "object" });

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

impl Shape for PrimitiveSchema {
    fn view(&self) -> View<'_> {
        match self {
            PrimitiveSchema::String(schema) => schema.view(),
            PrimitiveSchema::Number(schema) => schema.view(),
            PrimitiveSchema::Boolean(schema) => schema.view(),
            PrimitiveSchema::Enum(schema) => schema.view(),
            PrimitiveSchema::MultiEnum(schema) => schema.view(),
        }
    }
}

impl Fill for PrimitiveSchema {
    fn fill(&mut self, text: &[u8]) -> Result<(), DecodeError> {
        let members = members_of(text)?;
        let has = |member: &str| members.raw(member).is_some();
        *self = match members.string("type").as_deref() {
            Some("string") if has("enum") || has("oneOf") => PrimitiveSchema::Enum(Model::read(text)?),
            Some("string") => PrimitiveSchema::String(Model::read(text)?),
            Some("number" | "integer") => PrimitiveSchema::Number(Model::read(text)?),
            Some("boolean") => PrimitiveSchema::Boolean(Model::read(text)?),
            Some("array") => PrimitiveSchema::MultiEnum(several(text)?),
            other => return Err(DecodeError::new(format!("a form has no field of type {other:?}"))),
        };
        Ok(())
    }
}

impl Model for PrimitiveSchema {
    fn blank() -> PrimitiveSchema {
        PrimitiveSchema::Boolean(Model::blank())
    }
}

serde_by_shape!(PrimitiveSchema);

fn several(text: &[u8]) -> Result<MultiEnumSchema, DecodeError> {
    let field = MultiEnumSchema::read(text)?;
    match field.items.values.is_some() || field.items.any_of.is_some() {
        true => Ok(field),
        false => Err(DecodeError::new("a field of type \"array\" needs items with \"enum\" or \"anyOf\"")),
    }
}

macro_rules! field_schema {
    (
        $(#[$doc:meta])* $name:ident($kind:ty) {
            $($(#[$field_doc:meta])* pub $field:ident = $json:literal: $type:ty,)*
        }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Default)]
        pub struct $name {
            /// The type.
            pub kind: $kind,
            /// For the person.
            pub title: Option<String>,
            /// For the person.
            pub description: Option<String>,
            $($(#[$field_doc])* pub $field: $type,)*
            /// Members we do not know.
            pub extra: Extra,
        }

        record!($name { kind = "type", title, description, $($field = $json),* });
    };
}

macro_rules! type_name {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $word:literal),* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        #[allow(missing_docs, reason = "the names are JSON Schema's")]
        pub enum $name { #[default] $($variant),* }

        words!($name { $($variant = $word),* });
    };
}

type_name! { /// The type `string`.
StringType { String = "string" } }
type_name! { /// The numeric types.
NumberType { Number = "number", Integer = "integer" } }
type_name! { /// The type `boolean`.
BooleanType { Boolean = "boolean" } }
type_name! { /// The type `array`.
ArrayType { Array = "array" } }

field_schema! {
    /// A text field.
    StringSchema(StringType) {
        /// Fewest characters.
        pub min_length = "minLength": Option<u64>,
        /// Most characters.
        pub max_length = "maxLength": Option<u64>,
        /// What kind of text.
        pub format = "format": Option<StringFormat>,
        /// What is filled in already. Since 2025-11-25.
        pub default = "default": Option<String>,
    }
}

/// What kind of text a field takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

words!(StringFormat { Email = "email", Uri = "uri", Date = "date", DateTime = "date-time" });

field_schema! {
    /// A number field.
    NumberSchema(NumberType) {
        /// Least value.
        pub minimum = "minimum": Option<serde_json::Number>,
        /// Greatest value.
        pub maximum = "maximum": Option<serde_json::Number>,
        /// What is filled in already. Since 2025-11-25.
        pub default = "default": Option<serde_json::Number>,
    }
}

field_schema! {
    /// A yes-or-no field.
    BooleanSchema(BooleanType) {
        /// What is filled in already.
        pub default = "default": Option<bool>,
    }
}

field_schema! {
    /// One of several values: untitled (`enum`), titled (`oneOf`, since 2025-11-25) or titled in the old
    /// way (`enum` with `enumNames`).
    EnumSchema(StringType) {
        /// The values.
        pub values = "enum": Option<Vec<String>>,
        /// Their titles, in the old way.
        pub enum_names = "enumNames": Option<Vec<String>>,
        /// The values with their titles.
        pub one_of = "oneOf": Option<Vec<TitledValue>>,
        /// What is chosen already. Since 2025-11-25.
        pub default = "default": Option<String>,
    }
}

field_schema! {
    /// Some of several values.
    MultiEnumSchema(ArrayType) {
        /// Fewest choices.
        pub min_items = "minItems": Option<u64>,
        /// Most choices.
        pub max_items = "maxItems": Option<u64>,
        /// The values.
        pub items = "items": MultiEnumItems,
        /// What is chosen already.
        pub default = "default": Option<Vec<String>>,
    }
}

/// The values of a field that takes several.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MultiEnumItems {
    /// `string`, with `enum`.
    pub kind: Option<StringType>,
    /// The values without titles.
    pub values: Option<Vec<String>>,
    /// The values with titles.
    pub any_of: Option<Vec<TitledValue>>,
    /// Members we do not know.
    pub extra: Extra,
}

record!(MultiEnumItems { kind = "type", values = "enum", any_of = "anyOf" });

/// A value and what the person sees for it.
#[derive(Debug, Clone, PartialEq)]
pub struct TitledValue {
    /// The value.
    pub value: String,
    /// What the person sees.
    pub title: String,
    /// Members we do not know.
    pub extra: Extra,
}

record!(TitledValue { value = "const", title });

/// What the person did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ElicitAction {
    /// Agreed, and filled in the form.
    Accept,
    /// Refused.
    Decline,
    /// Closed it without a choice.
    Cancel,
}

words!(ElicitAction { Accept = "accept", Decline = "decline", Cancel = "cancel" });

/// Result of `elicitation/create`.
#[derive(Debug, Clone, PartialEq)]
pub struct ElicitResult {
    /// What the person did.
    pub action: ElicitAction,
    /// The form, after `accept` in form mode.
    pub content: Option<JsonObject>,
    /// `_meta`. Until 2025-11-25.
    pub meta: Option<Meta>,
    /// Members we do not know.
    pub extra: Extra,
}

record!(ElicitResult { action, content, meta = "_meta" });

impl ElicitResult {
    /// Agreed, with the form's values.
    pub fn accept(content: JsonObject) -> ElicitResult {
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
