//! Completing an argument of a prompt, or a variable of a resource template, while a person types it.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use super::cx::Cx;
use super::error::ToolError;

use crate::future::BoxFuture;
use crate::model::{Completion, CompletionReference};

/// A request to complete an argument.
#[derive(Debug, Clone, PartialEq)]
pub struct CompletionRequest {
    /// The prompt or resource template of the argument.
    pub reference: CompletionReference,
    /// The argument's name.
    pub argument: String,
    /// The text typed so far.
    pub value: String,
    /// The arguments that are known already.
    pub context: BTreeMap<String, String>,
}

impl CompletionRequest {
    /// Returns those of `values` that begin with the typed text; the case of letters does not matter.
    pub fn matching<T: Into<String>>(&self, values: impl IntoIterator<Item = T>) -> Completion {
        let typed = self.value.to_lowercase();
        Completion::of(
            values.into_iter().map(Into::into).filter(|value| value.to_lowercase().starts_with(&typed)),
        )
    }
}

/// A type that a completer may return.
#[diagnostic::on_unimplemented(
    message = "a completer cannot return `{Self}`",
    label = "not proposals",
    note = "return `Vec<String>`, or `Completion` (see `Completing::matching`), or a `Result` of one of these"
)]
pub trait IntoCompletion {
    /// The proposals.
    fn into_completion(self) -> Result<Completion, ToolError>;
}

impl IntoCompletion for Completion {
    fn into_completion(mut self) -> Result<Completion, ToolError> {
        if self.values.len() > Completion::MAX_VALUES {
            self.total.get_or_insert(self.values.len() as u64);
            self.has_more = Some(true);
            self.values.truncate(Completion::MAX_VALUES);
        }
        Ok(self)
    }
}

impl<T: Into<String>> IntoCompletion for Vec<T> {
    fn into_completion(self) -> Result<Completion, ToolError> {
        Ok(Completion::of(self))
    }
}

impl<T: IntoCompletion, E: Into<ToolError>> IntoCompletion for Result<T, E> {
    fn into_completion(self) -> Result<Completion, ToolError> {
        self.map_err(Into::into)?.into_completion()
    }
}

/// A completer with its state's type.
pub(crate) type Completer<S> = Arc<
    dyn Fn(Arc<S>, Cx, CompletionRequest) -> BoxFuture<'static, Result<Completion, ToolError>> + Send + Sync,
>;

/// Erases the type of a completer.
pub(crate) fn completer<S, F, Fut>(complete: F) -> Completer<S>
where
    S: Send + Sync + 'static,
    F: Fn(Arc<S>, Cx, CompletionRequest) -> Fut + Send + Sync + 'static,
    Fut: Future<Output: IntoCompletion> + Send + 'static,
{
    Arc::new(move |state, cx, request| {
        let running = complete(state, cx, request);
        Box::pin(async move { running.await.into_completion() })
    })
}

/// A completer by the name of the argument it completes.
pub(crate) type Completers<S> = BTreeMap<String, Completer<S>>;

/// Completers that are bound to their state.
pub(crate) fn bind<S: Send + Sync + 'static>(completers: Completers<S>, state: &Arc<S>) -> Completers<()> {
    let bind_one = |completer: Completer<S>| -> Completer<()> {
        let state = state.clone();
        Arc::new(move |_, cx, request| completer(state.clone(), cx, request))
    };
    completers.into_iter().map(|(name, completer)| (name, bind_one(completer))).collect()
}
