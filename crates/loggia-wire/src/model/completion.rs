//! Completion of an argument while the user types it.

use std::collections::BTreeMap;

use super::{Extra, Meta};
use crate::json::{DecodeError, Fields, FieldsMut, FromJson, JsonRef, ObjectReader, ToJson};

/// Parameters of `completion/complete`.
#[derive(Debug, Clone, PartialEq, ToJson, FromJson)]
pub struct CompleteParams {
    /// The prompt or resource template of the argument.
    #[json(rename = "ref")]
    pub reference: CompletionReference,
    /// The argument, and the text that the user has typed.
    pub argument: CompletionArgument,
    /// The values of other arguments. Since 2025-06-18.
    pub context: Option<CompletionContext>,
    /// `_meta`.
    #[json(rename = "_meta")]
    pub meta: Option<Meta>,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}

impl CompleteParams {
    /// Creates params for an argument of a prompt, with the text so far.
    pub fn prompt(
        name: impl Into<String>,
        argument: impl Into<String>,
        typed: impl Into<String>,
    ) -> CompleteParams {
        CompleteParams::of(CompletionReference::Prompt { name: name.into(), title: None }, argument, typed)
    }

    /// Creates params for a variable of a resource template, with the text so far.
    pub fn resource(
        uri: impl Into<String>,
        variable: impl Into<String>,
        typed: impl Into<String>,
    ) -> CompleteParams {
        CompleteParams::of(CompletionReference::Resource { uri: uri.into() }, variable, typed)
    }

    fn of(
        reference: CompletionReference,
        name: impl Into<String>,
        value: impl Into<String>,
    ) -> CompleteParams {
        let argument = CompletionArgument { name: name.into(), value: value.into(), extra: Extra::new() };
        CompleteParams { reference, argument, context: None, meta: None, extra: Extra::new() }
    }
}

/// The prompt or resource template of an argument.
#[derive(Debug, Clone, PartialEq, ToJson, FromJson)]
#[json(write_with = "CompletionReference::tagged", read_with = "CompletionReference::read")]
pub enum CompletionReference {
    /// A prompt.
    Prompt {
        /// The prompt's name.
        name: String,
        /// Its title. Since 2025-06-18.
        title: Option<String>,
    },
    /// A resource template.
    Resource {
        /// The URI template.
        uri: String,
    },
}

const PROMPT: &str = "ref/prompt";
const RESOURCE: &str = "ref/resource";

impl CompletionReference {
    fn tagged(&self) -> JsonRef<'_> {
        let kind = match self {
            CompletionReference::Prompt { .. } => PROMPT,
            CompletionReference::Resource { .. } => RESOURCE,
        };
        JsonRef::Tagged("type", kind, self)
    }

    fn read(text: &[u8]) -> Result<CompletionReference, DecodeError> {
        let (kind, object) = ObjectReader::tagged(text, "type")?;
        let mut reference = match &*kind {
            PROMPT => CompletionReference::Prompt { name: String::new(), title: None },
            RESOURCE => CompletionReference::Resource { uri: String::new() },
            other => return Err(DecodeError::unknown_variant(other, &[PROMPT, RESOURCE])),
        };
        object.read_into(&mut reference)?;
        Ok(reference)
    }
}

impl Fields for CompletionReference {
    fn each_field(&self, visit: &mut dyn FnMut(&str, &dyn ToJson)) {
        match self {
            CompletionReference::Prompt { name, title } => {
                visit("name", name);
                visit("title", title);
            }
            CompletionReference::Resource { uri } => visit("uri", uri),
        }
    }
}

impl FieldsMut for CompletionReference {
    fn read_fields(&mut self, object: &mut ObjectReader<'_>) {
        match self {
            CompletionReference::Prompt { name, title } => {
                object.field("name", name);
                object.field("title", title);
            }
            CompletionReference::Resource { uri } => object.field("uri", uri),
        }
    }
}

/// The argument to complete.
#[derive(Debug, Clone, PartialEq, ToJson, FromJson)]
pub struct CompletionArgument {
    /// Its name.
    pub name: String,
    /// The text that the user has typed.
    pub value: String,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}

/// The arguments that have values already.
#[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
pub struct CompletionContext {
    /// The values by argument.
    pub arguments: Option<BTreeMap<String, String>>,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}

/// Result of `completion/complete`.
#[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
pub struct CompleteResult {
    /// The proposals.
    pub completion: Completion,
    /// `_meta`.
    #[json(rename = "_meta")]
    pub meta: Option<Meta>,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}

/// Proposals for an argument.
#[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
pub struct Completion {
    /// The values; at most [`Completion::MAX_VALUES`].
    pub values: Vec<String>,
    /// The number of all matches.
    pub total: Option<u64>,
    /// True if there are more values.
    pub has_more: Option<bool>,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}

impl Completion {
    /// The maximum number of values in one result (specification, "Completion Results").
    pub const MAX_VALUES: usize = 100;

    /// Creates proposals from the first hundred of `values`, with the number of all of them.
    pub fn of(values: impl IntoIterator<Item = impl Into<String>>) -> Completion {
        let mut values: Vec<String> = values.into_iter().map(Into::into).collect();
        let total = values.len();
        values.truncate(Completion::MAX_VALUES);
        let has_more = Some(total > Completion::MAX_VALUES);
        Completion { values, total: Some(total as u64), has_more, extra: Extra::new() }
    }
}
