//! `loggia complete`: print the values that a server proposes for an argument.

use std::collections::BTreeMap;

use loggia::model::{CompleteParams, CompletionContext, ServerResult};
use loggia::wire::{Method, RawJson};

use super::session::{Session, wrong_result};
use crate::exit::{Failure, Outcome};
use crate::pairs;
use crate::text::one_line;

/// `loggia complete`.
pub(crate) async fn run(session: &Session<'_>, words: &[String]) -> Outcome {
    let [of, words @ ..] = words else { return Err(usage()) };
    let mut pairs = pairs::texts(words)?.into_iter();
    let Some((name, value)) = pairs.next() else { return Err(usage()) };
    // A URI has a colon, and the name of a prompt has none.
    let mut params = match of.contains(':') {
        true => CompleteParams::resource(of, name, value),
        false => CompleteParams::prompt(of, name, value),
    };
    let known: BTreeMap<String, String> = pairs.collect();
    if !known.is_empty() {
        params.context = Some(CompletionContext { arguments: Some(known), ..CompletionContext::default() });
    }
    let (raw, result) = session.request(Method::Complete, RawJson::of(&params), None).await?;
    let ServerResult::Complete(result) = result else { return Err(wrong_result()) };
    session.print(&raw, || {
        Ok(result.completion.values.iter().map(|value| format!("{}\n", one_line(value))).collect())
    })
}

fn usage() -> Failure {
    Failure::usage("nothing to complete: give a prompt or a resource template, then ARGUMENT=TYPED")
}
