//! `loggia tools|resources|prompts`: a table, or one entry in full.

use loggia::client::{Client, Listing};
use loggia::model::{Resource, ResourceTemplate};
use loggia::wire::shape::Shape;
use loggia::wire::{ErrorCode, JsonObject, RawJson};

use super::session::{Session, unknown};
use crate::exit::{Failure, Outcome};
use crate::out;
use crate::render::lists;

/// `loggia tools`.
pub(crate) async fn tools(session: &Session<'_>, words: &[String]) -> Outcome {
    let tools = match session.capabilities().tools {
        Some(_) => whole(session, session.client().read_tool_list().await?),
        None => Vec::new(),
    };
    match one(words)? {
        None => show(session, "tools", &tools, |width| lists::tools(&tools, width)),
        Some(name) => match tools.iter().find(|tool| tool.name == name) {
            Some(tool) => show_one(session, tool, |width| lists::tool(tool, width)),
            None => Err(unknown("tool", name, tools.iter().map(|tool| tool.name.as_str()))),
        },
    }
}

/// `loggia prompts`.
pub(crate) async fn prompts(session: &Session<'_>, words: &[String]) -> Outcome {
    let prompts = match session.capabilities().prompts {
        Some(_) => whole(session, session.client().read_prompt_list().await?),
        None => Vec::new(),
    };
    match one(words)? {
        None => show(session, "prompts", &prompts, |width| lists::prompts(&prompts, width)),
        Some(name) => match prompts.iter().find(|prompt| prompt.name == name) {
            Some(prompt) => show_one(session, prompt, |width| lists::prompt(prompt, width)),
            None => Err(unknown("prompt", name, prompts.iter().map(|prompt| prompt.name.as_str()))),
        },
    }
}

/// `loggia resources`.
pub(crate) async fn resources(session: &Session<'_>, words: &[String]) -> Outcome {
    let (resources, templates) = match session.capabilities().resources {
        Some(_) => both(session).await?,
        None => (Vec::new(), Vec::new()),
    };
    match one(words)? {
        None if session.json() => {
            let mut both = JsonObject::new();
            both.insert("resources", &resources);
            both.insert("resourceTemplates", &templates);
            session.print_json(&both.to_raw())
        }
        None if resources.is_empty() && templates.is_empty() => none("resources"),
        None => Ok(out::print(lists::resources(&resources, &templates, out::width()))?),
        Some(uri) => match resources.iter().find(|resource| resource.uri == uri) {
            Some(resource) => show_one(session, resource, |width| lists::resource(resource, width)),
            None => Err(unknown("resource", uri, resources.iter().map(|resource| resource.uri.as_str()))),
        },
    }
}

async fn both(session: &Session<'_>) -> Outcome<(Vec<Resource>, Vec<ResourceTemplate>)> {
    let client = session.client();
    let resources = whole(session, client.read_resource_list().await?);
    match templates(client).await {
        Ok(templates) => Ok((resources, whole(session, templates))),
        // The resources are there all the same.
        Err(error @ loggia::Error::Rpc(_)) => {
            session.warn(&format!("the templates cannot be listed: {error}"));
            Ok((resources, Vec::new()))
        }
        Err(error) => Err(error.into()),
    }
}

/// The resource templates. Servers that have none need not know the question.
pub(crate) async fn templates(client: &Client) -> loggia::Result<Listing<ResourceTemplate>> {
    match client.read_resource_template_list().await {
        Err(loggia::Error::Rpc(error)) if error.code == ErrorCode::METHOD_NOT_FOUND => Ok(Listing::default()),
        listed => listed,
    }
}

/// Returns the entries of a list, and warns of those that are missing.
fn whole<T>(session: &Session<'_>, listing: Listing<T>) -> Vec<T> {
    listing.warnings.iter().for_each(|warning| session.warn(warning));
    listing.entries
}

/// The name of the one entry that is wanted.
fn one(words: &[String]) -> Outcome<Option<&str>> {
    match words {
        [] => Ok(None),
        [name] => Ok(Some(name)),
        [_, more, ..] => Err(Failure::usage(format!("what is {more:?}? One name is enough"))),
    }
}

fn show<T: Shape>(
    session: &Session<'_>,
    what: &str,
    all: &Vec<T>,
    table: impl FnOnce(usize) -> String,
) -> Outcome {
    if session.json() {
        return session.print_json(&JsonObject::from_iter([(what, all)]).to_raw());
    }
    if all.is_empty() {
        return none(what);
    }
    Ok(out::print(table(out::width()))?)
}

fn show_one<T: Shape>(session: &Session<'_>, one: &T, page: impl FnOnce(usize) -> String) -> Outcome {
    if session.json() {
        return session.print_json(&RawJson::of(one));
    }
    Ok(out::print(page(out::width()))?)
}

fn none(what: &str) -> Outcome {
    out::note(format!("this server has no {what}"));
    Ok(())
}
