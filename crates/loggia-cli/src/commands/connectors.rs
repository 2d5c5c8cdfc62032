//! `loggia connectors`, `loggia accounts` and `loggia connector`.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use loggia_connect::connector_test::{run_recorded, tested_manifest};
use loggia_connect::import::bounded_text;
use loggia_connect::manifest::{ConnectorManifest, ManifestEntry, schema};
use loggia_gateway::add::AddPlan;
use loggia_gateway::{ConnectorList, Credentials, DescribedApi, SavedAccount, StateFolder, draft_manifest};
use serde_json::{Value, json};

use super::add::{credential_answers, fill, is_interactive, plan, shown};
use super::auth;
use super::report::print_json;
use crate::args::{AccountsArgs, AccountsCommand, ConnectorCommand, ConnectorsArgs, ConnectorsCommand};
use crate::ask;
use crate::exit::{Code, Failure, Outcome};
use crate::out::{self, GOOD};
use crate::target::{connector_context, no_connector, read_all, read_directory};
use crate::text::{harmless, one_line};

/// `loggia connectors`.
pub(crate) async fn run(args: &ConnectorsArgs, config: Option<&Path>, credentials: &Credentials) -> Outcome {
    let list = ConnectorList::of(config, credentials)?;
    let states = StateFolder::of_user();
    let switched = |name: &str, is_changed: bool, what: &str| {
        let state = if is_changed { format!("is {what}") } else { format!("was {what} already") };
        show(args.json, &json!({ "name": name, "isChanged": is_changed }), || {
            done(&format!("{name} {state}"))
        })
    };
    match args.command.as_ref().unwrap_or(&ConnectorsCommand::List) {
        ConnectorsCommand::List => {
            let all = list.all(&states).await?;
            let documents: Vec<Value> = all.iter().map(|one| one.to_json()).collect();
            show(args.json, &json!({ "connectors": documents }), || {
                let none = "no connector was added: `loggia connectors search` shows the directory";
                lines(all.iter().map(ToString::to_string), none)
            })
        }
        ConnectorsCommand::Search { words } => {
            let directory = read_directory(config, credentials)?;
            let found = directory.search(&words.join(" "));
            let documents: Vec<Value> = found.iter().map(|entry| entry_json(entry)).collect();
            let line =
                |entry: &&ManifestEntry| format!("{:<20} {}: {}", entry.name, entry.title, entry.description);
            show(args.json, &json!({ "connectors": documents }), || {
                lines(found.iter().map(line), "no connector of the directory has all these words")
            })
        }
        ConnectorsCommand::Show { source } => {
            let plan = plan(source, None, None, config, credentials).await?;
            show(args.json, &plan.to_json(), || Ok(out::print(shown(&plan.to_string()) + "\n")?))
        }
        ConnectorsCommand::Enable { name } => switched(name, list.set_enabled(name, true).await?, "on"),
        ConnectorsCommand::Disable { name } => switched(name, list.set_enabled(name, false).await?, "off"),
        ConnectorsCommand::Update { name, yes, check } => {
            let rule = if *check { UpdateRule::Check } else { UpdateRule::Apply { asks: !yes } };
            update(&list, name.as_deref(), rule, args.json, credentials).await
        }
        ConnectorsCommand::Remove { name } => {
            let accounts = list.remove(name).await?;
            show(args.json, &json!({ "name": name, "accountsRemoved": accounts }), || {
                done(&format!("{name} is removed"))
            })
        }
    }
}

/// The decision about the updates that are found.
#[derive(Clone, Copy)]
enum UpdateRule {
    /// They are shown.
    Check,
    /// They are applied, after a question if `asks`.
    Apply { asks: bool },
}

/// `loggia connectors update`.
async fn update(
    list: &ConnectorList,
    name: Option<&str>,
    rule: UpdateRule,
    json: bool,
    credentials: &Credentials,
) -> Outcome {
    let names = match name {
        Some(name) => vec![name.to_owned()],
        None => list.added_names().await?,
    };
    let context = connector_context(credentials);
    let (mut documents, mut is_found) = (Vec::new(), false);
    for name in names {
        let update = list.update_of(&name, &context).await?;
        is_found |= !update.is_empty();
        if !json {
            out::print(harmless(&update.to_string()))?;
        }
        let is_applied = !update.is_empty() && is_approved(&name, rule)?;
        if is_applied {
            list.apply_update(&update).await?;
        }
        documents.push(update.to_json(is_applied));
        if is_applied && !json {
            done(&format!("{name} is updated"))?;
        }
    }
    show(json, &json!({ "connectors": documents }), || Ok(()))?;
    match (is_found, rule) {
        (true, UpdateRule::Check) => Err(Failure::silent(Code::Tool)),
        _ => Ok(()),
    }
}

fn is_approved(name: &str, rule: UpdateRule) -> Outcome<bool> {
    match rule {
        UpdateRule::Check => Ok(false),
        UpdateRule::Apply { asks: false } => Ok(true),
        UpdateRule::Apply { asks: true } if !is_interactive() => {
            Err(Failure::usage("nothing was changed")
                .hint("--yes approves the changes; --check only shows them"))
        }
        UpdateRule::Apply { asks: true } => {
            let line = ask::line(&format!("Approve the changes of {name}? [y/N] "));
            Ok(line.is_some_and(|line| line.trim().to_lowercase().starts_with('y')))
        }
    }
}

/// `loggia accounts`.
pub(crate) async fn accounts(
    args: &AccountsArgs,
    config: Option<&Path>,
    credentials: &Credentials,
) -> Outcome {
    let wrong = |error| Failure::authorization(error, "CONNECTOR");
    let all = AccountsCommand::List { connector: None };
    let (connector, account, what) = match args.command.as_ref().unwrap_or(&all) {
        AccountsCommand::List { connector } => {
            let saved = credentials.accounts(connector.as_deref()).await.map_err(wrong)?;
            let documents: Vec<Value> = saved.iter().map(account_json).collect();
            return show(args.json, &json!({ "accounts": documents }), || {
                let line = |one: &SavedAccount| {
                    let default = if one.is_default { "  default" } else { "" };
                    format!("{:<20} {}{default}", one.connector, one.name)
                };
                lines(
                    saved.iter().map(line),
                    "no account was added; `loggia auth status` shows your sign-ins",
                )
            });
        }
        AccountsCommand::Add { connector, credential } => {
            let added = ConnectorList::of(config, credentials)?.added(connector).await?;
            let context = connector_context(credentials);
            let directory = read_directory(config, credentials)?;
            let stored = AddPlan::of_definition(&added.name, &added.definition, &directory, &context).await?;
            let (plan, stored) = stored;
            let mut answers = credential_answers(credential)?;
            answers.config = stored.config;
            let asks = is_interactive();
            if asks {
                fill(&plan, &mut answers)?;
            }
            let is_shown = Arc::new(AtomicBool::new(false));
            let browser = asks.then(|| auth::browser(false, &is_shown).port(plan.redirect_port()));
            let saved = plan.save_account(&answers, &context, browser).await;
            auth::goodbye(&is_shown).await;
            (connector, saved?, "is saved")
        }
        AccountsCommand::Rename { connector, account, new } => {
            credentials.rename_account(connector, account, new).await.map_err(wrong)?;
            (connector, new.clone(), "has its new name")
        }
        AccountsCommand::Default { connector, account } => {
            credentials.set_default_account(connector, account).await.map_err(wrong)?;
            (connector, account.clone(), "is the default")
        }
        AccountsCommand::Remove { connector, account } => {
            match credentials.remove_account(connector, account).await.map_err(wrong)? {
                true => (connector, account.clone(), "is removed"),
                false => {
                    let why = format!("the connector {connector} has no account {account:?}");
                    return Err(Failure::usage(why).hint("`loggia accounts` lists the accounts"));
                }
            }
        }
    };
    let document = json!({ "connector": connector, "account": account });
    show(args.json, &document, || done(&format!("{connector}: the account {account} {what}")))
}

/// `loggia connector`.
pub(crate) async fn manifest(
    command: &ConnectorCommand,
    config: Option<&Path>,
    credentials: &Credentials,
) -> Outcome {
    match command {
        ConnectorCommand::Schema => {
            let text = serde_json::to_string_pretty(&schema()).expect("a JSON value can be written");
            Ok(out::print(text + "\n")?)
        }
        ConnectorCommand::Check { file } => {
            let name = file.display().to_string();
            let text = std::fs::File::open(file).and_then(bounded_text);
            let text = text.map_err(|error| Failure::usage(format!("cannot read {name}: {error}")))?;
            let manifest = ConnectorManifest::parse(&text, &name).map_err(Failure::usage)?;
            done(&format!("{name}: the manifest of {} is right", manifest.title))
        }
        ConnectorCommand::Test(args) => {
            let manifest = tested_manifest(&args.source).map_err(Failure::usage)?;
            let report = if args.live {
                let config = read_all(config, credentials).await?;
                match config.test_connector(&manifest, &connector_context(credentials)).await {
                    Some(report) => report?,
                    None => return Err(no_connector(&manifest.name, &config)),
                }
            } else {
                run_recorded(&manifest, args.backend.as_deref()).await
            };
            let text = report.to_string();
            show(args.json, &report.to_json(), || lines(text.lines().map(str::to_owned), "no test was run"))?;
            if report.is_ok() { Ok(()) } else { Err(Failure::silent(Code::Tool)) }
        }
        ConnectorCommand::New(args) => {
            let described = match (&args.from_openapi, &args.from_graphql) {
                (Some(description), _) => {
                    DescribedApi::OpenApi { description, base_url: args.url.as_deref() }
                }
                (None, schema) => DescribedApi::GraphQl {
                    schema: schema.as_deref().unwrap_or_default(),
                    endpoint: args.url.as_deref().unwrap_or_default(),
                    title: &args.title,
                    depth: args.depth,
                },
            };
            let tools: Vec<&str> = args.tools.iter().map(String::as_str).collect();
            Ok(out::print(draft_manifest(described, &tools, credentials).await?)?)
        }
    }
}

fn show(json: bool, document: &Value, human: impl FnOnce() -> Outcome) -> Outcome {
    if json { print_json(document) } else { human() }
}

fn done(text: &str) -> Outcome {
    Ok(out::print(format!("{GOOD}✓{GOOD:#} {}\n", one_line(text)))?)
}

/// Prints lines, or a note where there are none.
fn lines(lines: impl Iterator<Item = String>, none: &str) -> Outcome {
    let text: String = lines.map(|line| one_line(line.trim_end()) + "\n").collect();
    if text.is_empty() {
        out::note(none);
    }
    Ok(out::print(text)?)
}

fn entry_json(entry: &ManifestEntry) -> Value {
    let ManifestEntry { name, title, description, categories, .. } = entry;
    json!({ "name": name, "title": title, "description": description, "categories": categories })
}

fn account_json(account: &SavedAccount) -> Value {
    json!({ "connector": account.connector, "name": account.name, "isDefault": account.is_default })
}
