//! Completing an argument while a person types it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Extra, Meta};

/// Parameters of `completion/complete`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CompleteParams {
    /// Whose argument.
    #[serde(rename = "ref")]
    pub reference: CompletionReference,
    /// Which argument, and what is typed so far.
    pub argument: CompletionArgument,
    /// What is known already. Since 2025-06-18.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<CompletionContext>,
    /// `_meta`.
    #[serde(rename = "_meta", default, skip_serializing_if = "Option::is_none")]
    pub meta: Option<Meta>,
    /// Members we do not know.
    #[serde(flatten)]
    pub extra: Extra,
}

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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum CompletionReference {
    /// A prompt's.
    #[serde(rename = "ref/prompt")]
    Prompt {
        /// The prompt's name.
        name: String,
        /// Its title. Since 2025-06-18.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        title: Option<String>,
    },
    /// A resource template's.
    #[serde(rename = "ref/resource")]
    Resource {
        /// The template.
        uri: String,
    },
}

/// The argument under completion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CompletionArgument {
    /// Its name.
    pub name: String,
    /// What is typed so far.
    pub value: String,
    /// Members we do not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// What is known already.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct CompletionContext {
    /// The other arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments: Option<BTreeMap<String, String>>,
    /// Members we do not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// Result of `completion/complete`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct CompleteResult {
    /// The proposals.
    pub completion: Completion,
    /// `_meta`.
    #[serde(rename = "_meta", default, skip_serializing_if = "Option::is_none")]
    pub meta: Option<Meta>,
    /// Members we do not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// Proposals for an argument.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Completion {
    /// At most [`Completion::MAX_VALUES`].
    pub values: Vec<String>,
    /// How many there are in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// Whether there are more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub has_more: Option<bool>,
    /// Members we do not know.
    #[serde(flatten)]
    pub extra: Extra,
}

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
