//! `loggia lint`: compare the lists of a server with the demands of directories, clients and vendors.

use std::path::Path;

use loggia_connect::import::bounded_text;
use loggia_connect::lint::{LINT_RULES, LintFilter, ServerDocument, lint, rule, rule_page};
use loggia_gateway::{Credentials, lint_document};

use super::report::print_json;
use super::session::Session;
use crate::args::{LintArgs, LintFormat};
use crate::exit::{Code, Failure, Outcome};
use crate::out;

/// `loggia lint`.
pub(crate) async fn run(args: &LintArgs, config: Option<&Path>, credentials: &Credentials) -> Outcome {
    if args.rules {
        let line = |rule: &loggia_connect::lint::LintRule| {
            format!("{:<28} {:<8} {}\n", rule.id, rule.severity.as_str(), rule.summary)
        };
        return Ok(out::print(LINT_RULES.iter().map(line).collect::<String>())?);
    }
    if let Some(id) = &args.explain {
        let found = rule(id).ok_or_else(|| Failure::usage(format!("there is no rule {id:?}")));
        return Ok(out::print(rule_page(found?))?);
    }
    let filter = LintFilter::new(&args.rule, &args.ignore, args.severity)
        .map_err(|error| Failure::usage(error).hint("`loggia lint --rules` lists them"))?;
    if let [word] = args.words.as_slice()
        && is_file(word)
        && args.client.server.is_empty()
    {
        return file(args, &filter, word);
    }
    if args.fix {
        return Err(
            Failure::usage("--fix changes saved lists only").hint("give a file whose name ends with .json")
        );
    }
    let act = async |session: &Session<'_>, _: &[String]| {
        let report = session.client().inspect(|error| session.told(error)).await?;
        let document = lint_document(&report).map_err(|error| Failure::new(Code::Protocol, error))?;
        let command = || args.client.server.join(" ");
        show(args, &filter, &document, &args.words.first().cloned().unwrap_or_else(command))
    };
    Session::new(&args.client, config, credentials).run(&args.words, act).await
}

/// Returns whether a word names a file, and not a connector or a server.
fn is_file(word: &str) -> bool {
    !word.contains("://") && (word.ends_with(".json") || word.ends_with(".toml"))
}

fn file(args: &LintArgs, filter: &LintFilter, name: &str) -> Outcome {
    let text = std::fs::File::open(name).and_then(bounded_text);
    let text = text.map_err(|error| Failure::usage(format!("cannot read {name}: {error}")))?;
    let mut document = ServerDocument::parse_file(&text, name).map_err(Failure::usage)?;
    if args.fix {
        if name.ends_with(".toml") {
            return Err(Failure::usage("--fix changes saved lists only: correct the manifest by hand"));
        }
        document = lint(&document, filter).fixed(&document);
        let written = std::fs::write(name, format!("{:#}\n", document.value()));
        written.map_err(|error| Failure::usage(format!("cannot write {name}: {error}")))?;
    }
    show(args, filter, &document, name)
}

fn show(args: &LintArgs, filter: &LintFilter, document: &ServerDocument, target: &str) -> Outcome {
    let report = lint(document, filter);
    match args.format {
        LintFormat::Sarif => print_json(&report.to_sarif(target))?,
        LintFormat::Text if args.client.format.is_human() => out::print(report.to_string())?,
        LintFormat::Text | LintFormat::Json => print_json(&report.to_json())?,
    }
    if report.has(args.fail_on) { Err(Failure::silent(Code::Tool)) } else { Ok(()) }
}
