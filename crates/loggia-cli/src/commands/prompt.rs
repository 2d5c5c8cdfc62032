//! `loggia prompt`: render a prompt.

use loggia::model::{GetPromptParams, ServerResult};
use loggia::wire::{Method, RawJson};

use super::session::{Session, wrong_result};
use crate::exit::{Failure, Outcome};
use crate::pairs;
use crate::render::content;

/// `loggia prompt`.
pub(crate) async fn run(session: &Session<'_>, words: &[String]) -> Outcome {
    let Some((name, words)) = words.split_first() else {
        return Err(Failure::usage("which prompt?").hint("`loggia prompts` lists them"));
    };
    let arguments = Some(pairs::texts(words)?.into_iter().collect());
    let params = GetPromptParams { name: name.clone(), arguments, ..GetPromptParams::default() };
    let (raw, result) = session.request(Method::GetPrompt, RawJson::of(&params), None).await?;
    let ServerResult::GetPrompt(result) = result else { return Err(wrong_result()) };
    session.print(&raw, || content::prompt(&result))
}
