//! `loggia read`: print the contents of a resource.

use loggia::model::ServerResult;
use loggia::wire::Method;
use serde_json::json;

use super::session::{Session, wrong_result};
use crate::args::ReadArgs;
use crate::exit::{Failure, Outcome};
use crate::render::content::{self, Saving};

/// `loggia read`.
pub(crate) async fn run(session: &Session<'_>, args: &ReadArgs, words: &[String]) -> Outcome {
    let [uri] = words else {
        return Err(Failure::usage("which resource? Give its URI").hint("`loggia resources` lists them"));
    };
    let (raw, result) = session.request(Method::ReadResource, json!({ "uri": uri }).into(), None).await?;
    let ServerResult::ReadResource(result) = result else { return Err(wrong_result()) };
    session.print(&raw, || content::read(&result, &mut Saving::new(args.save.as_deref())))
}
