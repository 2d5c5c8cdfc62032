//! `loggia tools|resources|prompts`: a table, or one entry in full.

use loggia::client::Listing;
use loggia::model::{Resource, ResourceTemplate};
use loggia::wire::json::ToJson;
use loggia::wire::{JsonObject, RawJson};

use super::session::{Session, unknown};
use crate::exit::{Failure, Outcome};
use crate::out;
use crate::render::lists;

/// `loggia tools`.
pub(crate) async fn tools(session: &Session<'_>, words: &[String]) -> Outcome {
    let listing = match session.capabilities().tools {
        Some(_) => warned(session, session.client().read_tool_list().await?),
        None => Listing::default(),
    };
    let tools = &listing.entries;
    match one(words)? {
        None => show(session, "tools", &listing, |width| lists::tools(tools, width)),
        Some(name) => match tools.iter().position(|tool| tool.name == name) {
            Some(at) => show_one(session, &listing, at, |width| lists::tool(&tools[at], width)),
            None => Err(unknown("tool", name, tools.iter().map(|tool| tool.name.as_str()))),
        },
    }
}

/// `loggia prompts`.
pub(crate) async fn prompts(session: &Session<'_>, words: &[String]) -> Outcome {
    let listing = match session.capabilities().prompts {
        Some(_) => warned(session, session.client().read_prompt_list().await?),
        None => Listing::default(),
    };
    let prompts = &listing.entries;
    match one(words)? {
        None => show(session, "prompts", &listing, |width| lists::prompts(prompts, width)),
        Some(name) => match prompts.iter().position(|prompt| prompt.name == name) {
            Some(at) => show_one(session, &listing, at, |width| lists::prompt(&prompts[at], width)),
            None => Err(unknown("prompt", name, prompts.iter().map(|prompt| prompt.name.as_str()))),
        },
    }
}

/// `loggia resources`.
pub(crate) async fn resources(session: &Session<'_>, words: &[String]) -> Outcome {
    let (resources, templates) = match session.capabilities().resources {
        Some(_) => both(session).await?,
        None => (Listing::default(), Listing::default()),
    };
    let entries = &resources.entries;
    match one(words)? {
        None if session.json() => {
            let both = [("resources", texts(&resources)), ("resourceTemplates", texts(&templates))];
            session.print_json(&JsonObject::from(both).to_raw())
        }
        None if entries.is_empty() && templates.entries.is_empty() => none("resources"),
        None => Ok(out::print(lists::resources(entries, &templates.entries, out::width()))?),
        Some(uri) => match entries.iter().position(|resource| resource.uri == uri) {
            Some(at) => show_one(session, &resources, at, |width| lists::resource(&entries[at], width)),
            None => Err(unknown("resource", uri, entries.iter().map(|resource| resource.uri.as_str()))),
        },
    }
}

async fn both(session: &Session<'_>) -> Outcome<(Listing<Resource>, Listing<ResourceTemplate>)> {
    let client = session.client();
    let resources = warned(session, client.read_resource_list().await?);
    match client.read_resource_template_list().await {
        Ok(templates) => Ok((resources, warned(session, templates))),
        // The resources are there all the same.
        Err(error @ loggia::Error::Rpc(_)) => {
            session.warn(&format!("the resource templates cannot be listed: {error}"));
            Ok((resources, Listing::default()))
        }
        Err(error) => Err(error.into()),
    }
}

/// Warns of the entries that are missing in a list.
fn warned<T>(session: &Session<'_>, listing: Listing<T>) -> Listing<T> {
    listing.warnings.iter().for_each(|warning| session.warn(warning));
    listing
}

/// The entries of a list as the server wrote them.
fn texts<T: ToJson>(listing: &Listing<T>) -> RawJson {
    match listing.sources.len() == listing.entries.len() {
        true => RawJson::of(&listing.sources),
        false => RawJson::of(&listing.entries),
    }
}

/// The name of the one entry that is wanted.
fn one(words: &[String]) -> Outcome<Option<&str>> {
    match words {
        [] => Ok(None),
        [name] => Ok(Some(name)),
        [_, more, ..] => Err(Failure::usage(format!("unexpected argument {more:?}: give one name only"))),
    }
}

fn show<T: ToJson>(
    session: &Session<'_>,
    what: &str,
    all: &Listing<T>,
    table: impl FnOnce(usize) -> String,
) -> Outcome {
    if session.json() {
        return session.print_json(&JsonObject::from([(what, texts(all))]).to_raw());
    }
    if all.entries.is_empty() {
        return none(what);
    }
    Ok(out::print(table(out::width()))?)
}

fn show_one<T: ToJson>(
    session: &Session<'_>,
    all: &Listing<T>,
    at: usize,
    page: impl FnOnce(usize) -> String,
) -> Outcome {
    if session.json() {
        let source = all.sources.get(at).cloned();
        return session.print_json(&source.unwrap_or_else(|| RawJson::of(&all.entries[at])));
    }
    Ok(out::print(page(out::width()))?)
}

fn none(what: &str) -> Outcome {
    out::note(format!("this server has no {what}"));
    Ok(())
}
