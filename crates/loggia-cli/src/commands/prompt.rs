//! `loggia prompt`: render a prompt.

use std::collections::BTreeMap;

use loggia::model::ServerResult;
use loggia::wire::Method;
use serde_json::json;

use super::session::{Session, wrong_result};
use crate::exit::{Failure, Outcome};
use crate::pairs;
use crate::render::content;

/// `loggia prompt`.
pub(crate) async fn run(session: &Session<'_>, words: &[String]) -> Outcome {
    let Some((name, words)) = words.split_first() else {
        return Err(Failure::usage("which prompt?").hint("`loggia prompts` lists them"));
    };
    let arguments: BTreeMap<String, String> = pairs::texts(words)?.into_iter().collect();
    let params = json!({ "name": name, "arguments": arguments });
    let (raw, result) = session.request(Method::GetPrompt, &params, None).await?;
    let ServerResult::GetPrompt(result) = result else { return Err(wrong_result()) };
    session.print(&raw, || content::prompt(&result))
}
