//! `loggia add`: shows what a connector will be able to do, asks for what it needs, and adds it.

use std::io::{IsTerminal, stderr, stdin};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use loggia_connect::config_file::PinRule;
use loggia_gateway::add::{
    AddAnswers, AddPlace, AddPlan, AddSource, AddedReport, ClientSecret, MissingAnswer,
};
use loggia_gateway::{ConnectorList, Credentials, StateFolder};

use super::auth;
use crate::args::{AddArgs, CredentialArgs, DEFAULT_CONFIG};
use crate::ask;
use crate::exit::{Failure, Outcome};
use crate::out::{self, DIM, GOOD, NAME, WARN};
use crate::target::{connector_context, read_directory};
use crate::text::{count, harmless, one_line, wrap_after};

/// Columns of the labels of a plan.
const LABEL: usize = 16;

/// `loggia add`.
pub(crate) async fn run(args: &AddArgs, config: Option<&Path>, credentials: &Credentials) -> Outcome {
    let plan = plan(&args.source, args.name.as_deref(), args.backend.as_deref(), config, credentials).await?;
    let mut answers = credential_answers(&args.credential)?;
    answers.pin =
        PinRule::ALL.iter().find(|(name, _)| *name == args.pin).map_or(PinRule::Hold, |(_, rule)| *rule);
    let mut set = args.set.clone();
    set.extend(args.root.iter().map(|root| format!("root={root}")));
    if let Some(value) = &args.value {
        let none = || Failure::usage(format!("{value:?}: {} needs no value", plan.name));
        set.push(format!("{}={value}", plan.main_field().ok_or_else(none)?.name));
    }
    for word in &set {
        let wrong = || Failure::usage(format!("--set {word}: write KEY=VALUE"));
        let (field, text) = word.split_once('=').ok_or_else(wrong)?;
        let value =
            plan.read_value(field, text).map_err(|problem| Failure::usage(format!("--set {problem}")))?;
        answers.config.insert(field.to_owned(), value);
    }
    if !args.json {
        out::note(shown(&plan.to_string()));
    }
    let asks = !args.yes && is_interactive();
    if asks {
        fill(&plan, &mut answers)?;
        let line = ask::line(&format!("Add it? {DIM}[Y/n]{DIM:#} "));
        if line.is_none_or(|line| line.trim().to_lowercase().starts_with('n')) {
            return Err(Failure::usage("nothing was added"));
        }
    }
    let place = AddPlace::of(config, credentials)?;
    let place = match args.file {
        true => place.in_file(config.unwrap_or(Path::new(DEFAULT_CONFIG))),
        false => place,
    };
    let is_shown = Arc::new(AtomicBool::new(false));
    let browser = asks.then(|| auth::browser(false, &is_shown).port(plan.redirect_port()));
    let added = plan.finish(answers, &place, &connector_context(credentials), browser).await;
    auth::goodbye(&is_shown).await;
    let added = added?;
    let applied = ConnectorList::of(place.file(), credentials)?;
    let applied = applied.applied(&StateFolder::of_user(), &added.name, true).await;
    match args.json {
        true => super::report::print_json(&added.to_json()),
        false => Ok(out::print(report(&added, applied.as_deref()))?),
    }
}

/// Makes the plan for a source.
pub(super) async fn plan(
    word: &str,
    name: Option<&str>,
    backend: Option<&str>,
    config: Option<&Path>,
    credentials: &Credentials,
) -> Outcome<AddPlan> {
    let source = AddSource::parse(word, &read_directory(config, credentials)?, credentials).await?;
    Ok(AddPlan::new(source, name, backend)?)
}

/// Returns a plan for the terminal: two columns, of which the second is wrapped.
pub(super) fn shown(text: &str) -> String {
    let wrapped = |line: &str| {
        let (label, rest) = line.split_at_checked(LABEL).unwrap_or((line, ""));
        wrap_after(label, &" ".repeat(LABEL), rest, out::width(), false)
    };
    harmless(text).lines().flat_map(wrapped).collect::<Vec<_>>().join("\n")
}

pub(super) fn is_interactive() -> bool {
    stdin().is_terminal() && stderr().is_terminal()
}

/// Reads the options of a credential.
pub(super) fn credential_answers(args: &CredentialArgs) -> Outcome<AddAnswers> {
    let text = match args.credential.as_deref() {
        Some("-") => Some(auth::pasted().ok_or_else(|| Failure::usage("no credential was given on stdin"))?),
        text => text.map(str::to_owned),
    };
    let credential = text.map(|text| text.trim().parse()).transpose();
    let credential = credential.map_err(|why| Failure::usage(format!("--credential: {why}")))?;
    let client_secret = ClientSecret::of_option(args.client_id.as_deref(), args.client_secret.as_deref());
    Ok(AddAnswers {
        credential,
        client_id: args.client_id.clone(),
        client_secret: client_secret.map_err(|why| Failure::usage(format!("--client-secret: {why}")))?,
        is_read_only: args.read_only,
        account: args.account.clone(),
        is_checked: !args.no_check,
        ..AddAnswers::default()
    })
}

/// Asks for what is missing, until it fits.
pub(super) fn fill(plan: &AddPlan, answers: &mut AddAnswers) -> Outcome {
    while let Some(MissingAnswer { field, title, description, is_secret, choices, steps, .. }) =
        plan.missing(answers).into_iter().next()
    {
        for (n, step) in steps.iter().enumerate() {
            let link = step.link.as_deref().unwrap_or_default();
            out::note(format!("  {}. {} {NAME}{}{NAME:#}", n + 1, one_line(&step.text), one_line(link)));
        }
        let help = description.into_iter().chain((!choices.is_empty()).then(|| choices.join(", ")));
        let help: String =
            help.map(|help| format!(" {DIM}({}){DIM:#}", one_line(help.trim_end_matches('.')))).collect();
        let prompt = format!("{}{help}: ", one_line(&title));
        let typed = if is_secret { ask::secret(&prompt) } else { ask::line(&prompt) };
        let typed = typed.ok_or_else(|| Failure::usage("nothing was added"))?;
        if let Err(why) = plan.answer(answers, &field, &typed) {
            out::note(format!("  {WARN}{}{WARN:#}", one_line(&why)));
        }
    }
    Ok(())
}

/// Tells what was added and what can be done next.
fn report(added: &AddedReport, applied: Option<&str>) -> String {
    let AddedReport { name, file, account, tools, list_tokens, first_call, .. } = added;
    let has = match (tools.len(), list_tokens) {
        (0, _) => String::new(),
        (n, None) => format!(": {}", count(n, "tool")),
        (n, Some(tokens)) => format!(": {}, about {tokens} tokens", count(n, "tool")),
    };
    let account =
        account.as_ref().map(|account| format!(", account {}", one_line(account))).unwrap_or_default();
    let file = file.as_ref().map(|file| format!(" to {}", file.display())).unwrap_or_default();
    let mut text = format!("{GOOD}✓{GOOD:#} {NAME}{name}{NAME:#} is added{file}{account}{has}\n");
    if !added.scopes.is_empty() {
        text.push_str(&format!("  signed in with the scopes:  {}\n", one_line(&added.scopes.join(" "))));
    }
    match (first_call, tools.is_empty()) {
        (Some(tool), _) => text.push_str(&format!("  try it:  loggia call {name} {}\n", one_line(tool))),
        (None, _) => text.push_str(&format!("  see it:  loggia tools {name}\n")),
    }
    match applied {
        Some(url) => text.push_str(&format!("  the running gateway serves it now: {url}\n")),
        None => text.push_str("  serve it to AI applications:  loggia up\n"),
    }
    text
}
