//! The arguments of a tool: one for each parameter, for each member of the body, or for the body as a whole.
//!
//! Invariant: each argument leads to one place in the request; names that stand for two places are told apart by the
//! name of the place.

use std::collections::HashMap;

use crate::body::RequestBody;
use crate::media_type::MediaKind;
use crate::parameter::{ApiParameter, Location};
use crate::schema::Property;
use loggia_wire::RawJson;

/// The name of the argument for a whole body.
pub(crate) const BODY: &str = "body";
/// The name of the argument for the next page.
pub(crate) const CURSOR: &str = "cursor";

/// The part of the request that an argument fills.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Destination {
    /// A parameter, by its place in the list.
    Parameter(usize),
    /// A member of the body.
    Member(String),
    /// The whole body.
    Body,
}

/// An argument of a tool.
#[derive(Debug, Clone)]
pub(crate) struct Argument {
    pub(crate) name: String,
    /// The name in the API, which may have characters that strict clients refuse.
    pub(crate) api_name: String,
    pub(crate) destination: Destination,
    pub(crate) required: bool,
    description: Option<String>,
    schema: Option<RawJson>,
}

#[cfg(feature = "curate")]
impl Argument {
    /// Returns the greatest number that the schema allows.
    pub(crate) fn maximum(&self) -> Option<i64> {
        let maximum = crate::document::member(self.schema.as_ref()?, "maximum")?;
        maximum.to_value().as_i64()
    }
}

/// Headers that the request writer sets, or that a description must not set ("Parameter Object", `in: header`).
const OWN_HEADERS: [&str; 6] =
    ["accept", "content-type", "authorization", "host", "content-length", "cookie"];

/// Returns the arguments for parameters and a body.
pub(crate) fn arguments(parameters: &[ApiParameter], body: Option<&RequestBody>) -> Vec<Argument> {
    let mut all: Vec<(String, Argument)> = Vec::new();
    for (at, parameter) in parameters.iter().enumerate() {
        let is_own = parameter.location == Location::Header
            && OWN_HEADERS.iter().any(|name| parameter.name.eq_ignore_ascii_case(name));
        if is_own {
            continue;
        }
        let argument = Argument {
            name: argument_name(&parameter.name),
            api_name: parameter.name.clone(),
            destination: Destination::Parameter(at),
            required: parameter.required,
            description: parameter.description.clone(),
            schema: parameter.schema.clone(),
        };
        all.push((parameter.location.as_str().to_owned(), argument));
    }
    let Some(body) = body else { return distinct(all) };
    match &body.members {
        Some(members) => {
            for (name, schema) in &members.properties {
                let argument = Argument {
                    name: argument_name(name),
                    api_name: name.clone(),
                    destination: Destination::Member(name.clone()),
                    required: body.required && members.required.contains(name),
                    description: body.is_file(name).then(|| FILE.to_owned()),
                    schema: (!body.is_file(name)).then(|| schema.clone()),
                };
                all.push((BODY.to_owned(), argument));
            }
        }
        None => {
            let is_binary = matches!(body.kind(), MediaKind::Binary | MediaKind::Image | MediaKind::Audio);
            let description = match is_binary {
                true => Some(format!("The bytes to send, in base64 ({})", body.media_type)),
                false => body.description.clone(),
            };
            let argument = Argument {
                name: BODY.to_owned(),
                api_name: BODY.to_owned(),
                destination: Destination::Body,
                required: body.required,
                description,
                schema: body.schema.clone().filter(|_| !is_binary),
            };
            all.push((BODY.to_owned(), argument));
        }
    }
    distinct(all)
}

const FILE: &str =
    "A file: its bytes in base64, or an object with data (base64) or text, filename and content_type";

/// Returns a name with the characters that strict clients accept in a property's name; `value` if it has none of them.
fn argument_name(name: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.') { c } else { '_' };
    let name: String = name.trim_end_matches("[]").chars().map(allowed).collect();
    // `page[number]` becomes `page_number`.
    let name: String = name.trim_end_matches('_').chars().take(64).collect();
    if name.is_empty() { "value".to_owned() } else { name }
}

/// Adds the place to names that stand for several, and a number if that is not enough.
fn distinct(all: Vec<(String, Argument)>) -> Vec<Argument> {
    let mut counts: HashMap<String, usize> = HashMap::new();
    for (_, argument) in &all {
        *counts.entry(argument.name.clone()).or_default() += 1;
    }
    let mut taken: Vec<String> = Vec::new();
    let mut named = Vec::new();
    for (place, mut argument) in all {
        if counts[&argument.name] > 1 {
            argument.name = format!("{}_{place}", argument.name);
        }
        let base = argument.name.clone();
        let mut number = 2;
        while taken.contains(&argument.name) {
            argument.name = format!("{base}_{number}");
            number += 1;
        }
        taken.push(argument.name.clone());
        named.push(argument);
    }
    named
}

/// Returns the properties of the tool's schema. The argument `paging` is hidden behind [`CURSOR`].
pub(crate) fn properties(arguments: &[Argument], paging: Option<&str>) -> Vec<Property> {
    let shown = arguments.iter().filter(|argument| paging != Some(argument.name.as_str()));
    let mut all: Vec<Property> = shown
        .map(|argument| Property {
            name: argument.name.clone(),
            schema: argument.schema.clone(),
            description: argument.description.clone(),
            required: argument.required,
        })
        .collect();
    // A model fills in what is required first.
    all.sort_by_key(|property| !property.required);
    if paging.is_some() {
        all.push(Property {
            name: CURSOR.to_owned(),
            schema: Some(RawJson::from_written(br#"{"type":"string"}"#.to_vec())),
            description: Some("The cursor that the result before gave, to read the next page".to_owned()),
            required: false,
        });
    }
    all
}
