//! `loggia call`: run a tool.

use std::io::Read;
use std::path::Path;

use loggia::model::{CallToolParams, JsonObject, LoggingLevel, ServerResult};
use loggia::wire::{Method, RawJson};

use super::session::{Session, unknown, wrong_result};
use crate::args::CallArgs;
use crate::exit::{Code, Failure, Outcome};
use crate::out::{self, BAD};
use crate::pairs;
use crate::render::content::{self, Saving};

/// The maximum number of bytes of arguments that are read from stdin.
const MAX_STDIN: u64 = 4 << 20;

/// `loggia call`.
pub(crate) async fn run(session: &Session<'_>, args: &CallArgs, words: &[String]) -> Outcome {
    let Some((name, words)) = words.split_first() else {
        return Err(
            Failure::usage("no tool is named").hint("`loggia tools TARGET` lists the tools of a server")
        );
    };
    let log_level = args.log_level.as_deref().map(level).transpose()?;
    let arguments = match &args.json {
        Some(_) if !words.is_empty() => {
            return Err(Failure::usage("use either --json or key=value for the arguments, not both"));
        }
        Some(text) => read_json(text)?,
        None => pairs::arguments(words, &schema(session, name, words).await?)?,
    };
    if let Some(level) = log_level {
        session.client().set_log_level(level).await?;
    }
    let params =
        CallToolParams { name: name.clone(), arguments: Some(arguments), ..CallToolParams::default() };
    let (raw, result) = session.request(Method::CallTool, RawJson::of(&params), log_level).await?;
    let ServerResult::CallTool(result) = result else { return Err(wrong_result()) };
    session.print(&raw, || content::call(&result, &mut Saving::new(args.save.as_deref())))?;
    if result.failed() {
        out::note(format!("{BAD}the tool reported an error{BAD:#}"));
        return Err(Failure::silent(Code::Tool));
    }
    Ok(())
}

/// Returns the input schema of the tool, which gives `key=value` its type. Without arguments it is not needed.
async fn schema(session: &Session<'_>, name: &str, words: &[String]) -> Outcome<JsonObject> {
    if words.is_empty() {
        return Ok(JsonObject::new());
    }
    let tools = session.client().list_all_tools().await?;
    match tools.iter().find(|tool| tool.name == name) {
        Some(tool) => Ok(tool.input_schema.as_ref().clone()),
        None => Err(unknown("tool", name, tools.iter().map(|tool| tool.name.as_str()))),
    }
}

/// All arguments at once: JSON text, `@PATH`, or `-` for stdin.
fn read_json(text: &str) -> Outcome<JsonObject> {
    let text = match text.strip_prefix('@') {
        Some(path) => pairs::read_file(Path::new(path))?,
        None if text == "-" => read_stdin()?,
        None => text.to_owned(),
    };
    let wrong = |what: &dyn std::fmt::Display| Failure::usage(format!("--json: {what}"));
    let raw = RawJson::parse(text).map_err(|error| wrong(&error))?;
    let object = raw.as_text().to_object();
    object.ok_or_else(|| wrong(&"the arguments of a tool must be an object: {…}"))
}

fn read_stdin() -> Outcome<String> {
    let mut text = String::new();
    std::io::stdin().lock().take(MAX_STDIN).read_to_string(&mut text)?;
    Ok(text)
}

fn level(name: &str) -> Outcome<LoggingLevel> {
    RawJson::from(name).decode().map_err(|_| {
        Failure::usage(format!("there is no log level {name:?}"))
            .hint("debug, info, notice, warning, error, critical, alert or emergency")
    })
}
