//! Completing an argument while a person types it.

use std::collections::BTreeMap;

use super::{Extra, Meta};
use crate::json::shape::{
    DecodeError, Fill, FillRecord, Model, Record, Shape, View, fill_from, members_of, record, serde_by_shape,
    take_tag,
};

/// Parameters of `completion/complete`.
#[derive(Debug, Clone, PartialEq)]
pub struct CompleteParams {
    /// Whose argument.
    pub reference: CompletionReference,
    /// Which argument, and what is typed so far.
    pub argument: CompletionArgument,
    /// What is known already. Since 2025-06-18.
    pub context: Option<CompletionContext>,
    /// `_meta`.
    pub meta: Option<Meta>,
    /// Members we do not know.
    pub extra: Extra,
}

record!(CompleteParams { reference = "ref", argument, context, meta = "_meta" });

impl CompleteParams {
    /// What a person typed so far for an argument of a prompt.
    pub fn prompt(
        name: impl Into<String>,
        argument: impl Into<String>,
        typed: impl Into<String>,
    ) -> CompleteParams {
        CompleteParams::of(CompletionReference::Prompt { name: name.into(), title: None }, argument, typed)
    }

    /// What a person typed so far for a variable of a resource template.
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

/// Whose argument is completed.
#[derive(Debug, Clone, PartialEq)]
pub enum CompletionReference {
    /// A prompt's.
    Prompt {
        /// The prompt's name.
        name: String,
        /// Its title. Since 2025-06-18.
        title: Option<String>,
    },
    /// A resource template's.
    Resource {
        /// The template.
        uri: String,
    },
}

const PROMPT: &str = "ref/prompt";
const RESOURCE: &str = "ref/resource";

impl Shape for CompletionReference {
    fn view(&self) -> View<'_> {
        let kind = match self {
            CompletionReference::Prompt { .. } => PROMPT,
            CompletionReference::Resource { .. } => RESOURCE,
        };
        View::Tagged("type", kind, self)
    }
}

impl Fill for CompletionReference {
    fn fill(&mut self, text: &[u8]) -> Result<(), DecodeError> {
        let mut members = members_of(text)?;
        *self = match &*take_tag(&mut members, "type")? {
            PROMPT => CompletionReference::Prompt { name: String::new(), title: None },
            RESOURCE => CompletionReference::Resource { uri: String::new() },
            other => return Err(DecodeError::unknown(other, &[PROMPT, RESOURCE])),
        };
        fill_from(self, members)
    }
}

impl Record for CompletionReference {
    fn each(&self, show: &mut dyn FnMut(&'static str, &dyn Shape)) {
        match self {
            CompletionReference::Prompt { name, title } => {
                show("name", name);
                show("title", title);
            }
            CompletionReference::Resource { uri } => show("uri", uri),
        }
    }
}

impl FillRecord for CompletionReference {
    fn each_mut(&mut self, fill: &mut dyn FnMut(&'static str, &mut dyn Fill)) {
        match self {
            CompletionReference::Prompt { name, title } => {
                fill("name", name);
                fill("title", title);
            }
            CompletionReference::Resource { uri } => fill("uri", uri),
        }
    }
}

impl Model for CompletionReference {
    fn blank() -> CompletionReference {
        CompletionReference::Resource { uri: String::new() }
    }
}

serde_by_shape!(CompletionReference);

/// The argument under completion.
#[derive(Debug, Clone, PartialEq)]
pub struct CompletionArgument {
    /// Its name.
    pub name: String,
    /// What is typed so far.
    pub value: String,
    /// Members we do not know.
    pub extra: Extra,
}

record!(CompletionArgument { name, value });

/// What is known already.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CompletionContext {
    /// The other arguments.
    pub arguments: Option<BTreeMap<String, String>>,
    /// Members we do not know.
    pub extra: Extra,
}

record!(CompletionContext { arguments });

/// Result of `completion/complete`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CompleteResult {
    /// The proposals.
    pub completion: Completion,
    /// `_meta`.
    pub meta: Option<Meta>,
    /// Members we do not know.
    pub extra: Extra,
}

record!(CompleteResult { completion, meta = "_meta" });

/// Proposals for an argument.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Completion {
    /// At most [`Completion::MAX_VALUES`].
    pub values: Vec<String>,
    /// How many there are in all.
    pub total: Option<u64>,
    /// Whether there are more.
    pub has_more: Option<bool>,
    /// Members we do not know.
    pub extra: Extra,
}

record!(Completion { values, total, has_more = "hasMore" });

impl Completion {
    /// Most values in one answer (specification, "Completion Results").
    pub const MAX_VALUES: usize = 100;

    /// The first hundred of `values`, saying how many there were.
    pub fn of(values: impl IntoIterator<Item = impl Into<String>>) -> Completion {
        let mut values: Vec<String> = values.into_iter().map(Into::into).collect();
        let total = values.len();
        values.truncate(Completion::MAX_VALUES);
        let has_more = Some(total > Completion::MAX_VALUES);
        Completion { values, total: Some(total as u64), has_more, extra: Extra::new() }
    }
}
