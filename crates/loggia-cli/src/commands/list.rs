//! `loggia tools|resources|prompts`: a table, or one entry in full.

use loggia::client::Listing;
use loggia::model::{Prompt, Resource, ResourceTemplate, Tool};
use loggia::wire::json::ToJson;
use loggia::wire::{JsonObject, RawJson};

use super::session::{Session, unknown};
use crate::exit::{Failure, Outcome};
use crate::out;
use crate::render::lists;

/// One kind of list: the words for its entries, their names, and the pages that show them.
struct ListKind<T> {
    noun: &'static str,
    name: fn(&T) -> &str,
    table: fn(&[T], usize) -> String,
    page: fn(&T, usize) -> String,
}

const TOOLS: ListKind<Tool> =
    ListKind { noun: "tool", name: |tool| &tool.name, table: lists::tools, page: lists::tool };
const PROMPTS: ListKind<Prompt> =
    ListKind { noun: "prompt", name: |prompt| &prompt.name, table: lists::prompts, page: lists::prompt };
const RESOURCES: ListKind<Resource> = ListKind {
    noun: "resource",
    name: |resource| &resource.uri,
    table: |resources, width| lists::resources(resources, &[], width),
    page: lists::resource,
};

/// `loggia tools`.
pub(crate) async fn tools(session: &Session<'_>, words: &[String]) -> Outcome {
    let listing = match session.capabilities().tools {
        Some(_) => warned(session, session.client().read_tool_list().await?),
        None => Listing::default(),
    };
    TOOLS.show(session, words, &listing)
}

/// `loggia prompts`.
pub(crate) async fn prompts(session: &Session<'_>, words: &[String]) -> Outcome {
    let listing = match session.capabilities().prompts {
        Some(_) => warned(session, session.client().read_prompt_list().await?),
        None => Listing::default(),
    };
    PROMPTS.show(session, words, &listing)
}

/// `loggia resources`.
pub(crate) async fn resources(session: &Session<'_>, words: &[String]) -> Outcome {
    let (resources, templates) = match session.capabilities().resources {
        Some(_) => both(session).await?,
        None => (Listing::default(), Listing::default()),
    };
    if words.is_empty() && session.json() {
        let both = [("resources", texts(&resources)), ("resourceTemplates", texts(&templates))];
        return session.print_json(&JsonObject::from(both).to_raw());
    }
    if words.is_empty() && !templates.entries.is_empty() {
        return Ok(out::print(lists::resources(&resources.entries, &templates.entries, out::width()))?);
    }
    RESOURCES.show(session, words, &resources)
}

async fn both(session: &Session<'_>) -> Outcome<(Listing<Resource>, Listing<ResourceTemplate>)> {
    let client = session.client();
    let resources = warned(session, client.read_resource_list().await?);
    match client.read_resource_template_list().await {
        Ok(templates) => Ok((resources, warned(session, templates))),
        // The resources can be listed without the templates.
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

impl<T: ToJson> ListKind<T> {
    /// Shows the whole list, or the one entry that `words` name.
    fn show(&self, session: &Session<'_>, words: &[String], all: &Listing<T>) -> Outcome {
        let entries = &all.entries;
        match words {
            [] if session.json() => {
                session.print_json(&JsonObject::from([(format!("{}s", self.noun), texts(all))]).to_raw())
            }
            [] if entries.is_empty() => {
                out::note(format!("this server has no {}s", self.noun));
                Ok(())
            }
            [] => Ok(out::print((self.table)(entries, out::width()))?),
            [name] => match entries.iter().position(|entry| (self.name)(entry) == name) {
                Some(at) => self.show_one(session, &entries[at], all.sources.get(at)),
                None => Err(unknown(self.noun, name, entries.iter().map(self.name))),
            },
            [_, more, ..] => Err(Failure::usage(format!("unexpected argument {more:?}: give one name only"))),
        }
    }

    fn show_one(&self, session: &Session<'_>, entry: &T, source: Option<&RawJson>) -> Outcome {
        if session.json() {
            return session.print_json(&source.cloned().unwrap_or_else(|| RawJson::of(entry)));
        }
        Ok(out::print((self.page)(entry, out::width()))?)
    }
}
