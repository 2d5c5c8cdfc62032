//! Checks of the lists as a whole, of resources and icons, and of the server's information.

use loggia::wire::Version;
use loggia::wire::uri_template::UriTemplate;
use serde_json::{Value, json};

use super::document::{DocumentEntry, ServerDocument};
use super::edit::JsonEdit;
use super::finding::FindingList;

/// The number of tools above which a client leaves some out, by client.
const MAX_TOOLS_CURSOR: usize = 40;
const MAX_TOOLS_OPENAI: usize = 128;
/// The tokens of a list that is a burden on every request. A token has about four bytes.
const MAX_TOKENS: usize = 10_000;
const BYTES_OF_TOKEN: usize = 4;
/// The number of characters of the instructions that Claude Code reads.
const MAX_INSTRUCTIONS: usize = 2048;

fn more_tools(document: &ServerDocument, most: usize, found: &mut FindingList) {
    let count = document.tools().len();
    if count > most {
        found.add_at("tools", document.pointer("tools"), format!("there are {count} tools"), Vec::new());
    }
}

pub(super) fn tools_cursor(document: &ServerDocument, found: &mut FindingList) {
    more_tools(document, MAX_TOOLS_CURSOR, found);
}

pub(super) fn tools_openai(document: &ServerDocument, found: &mut FindingList) {
    more_tools(document, MAX_TOOLS_OPENAI, found);
}

pub(super) fn tokens(document: &ServerDocument, found: &mut FindingList) {
    let tokens = document.member("tools").map_or(0, |tools| tools.to_string().len() / BYTES_OF_TOKEN);
    if tokens > MAX_TOKENS {
        let message = format!("the list has about {tokens} tokens");
        found.add_at("tools", document.pointer("tools"), message, Vec::new());
    }
}

pub(super) fn instructions(document: &ServerDocument, found: &mut FindingList) {
    let length =
        document.member("instructions").and_then(Value::as_str).map_or(0, |text| text.chars().count());
    if length > MAX_INSTRUCTIONS {
        let message = format!("they have {length} characters");
        found.add_at("instructions", document.pointer("instructions"), message, Vec::new());
    }
}

pub(super) fn revision(document: &ServerDocument, found: &mut FindingList) {
    let Some(name) = document.member("protocolVersion").and_then(Value::as_str) else { return };
    // Revisions are dates, so that their texts are in order.
    if name < Version::V2025_06_18.as_str() {
        let message = format!("the newest revision it speaks is {name}");
        found.add_at("server", document.pointer("protocolVersion"), message, Vec::new());
    }
}

fn server_member(document: &ServerDocument, member: &str, found: &mut FindingList) {
    let Some(info) = document.server_info() else { return };
    if info.get(member).and_then(Value::as_str).is_none_or(|text| text.trim().is_empty()) {
        let pointer = document.pointer("serverInfo");
        found.add_at("server", pointer, format!("the server's information has no {member}"), Vec::new());
    }
}

pub(super) fn server_version(document: &ServerDocument, found: &mut FindingList) {
    server_member(document, "version", found);
}

pub(super) fn server_title(document: &ServerDocument, found: &mut FindingList) {
    server_member(document, "title", found);
}

pub(super) fn server_website(document: &ServerDocument, found: &mut FindingList) {
    server_member(document, "websiteUrl", found);
}

pub(super) fn resource_uris(document: &ServerDocument, found: &mut FindingList) {
    for resource in document.resources() {
        if !has_scheme(resource.text("uri")) {
            found.add(&resource, "uri", "the URI has no scheme");
        }
    }
}

/// Returns whether a text begins with the scheme of a URI (RFC 3986, section 3.1).
fn has_scheme(uri: &str) -> bool {
    uri.split_once(':').is_some_and(|(scheme, rest)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
            && !rest.is_empty()
            && !uri.contains(char::is_whitespace)
    })
}

pub(super) fn mime_types(document: &ServerDocument, found: &mut FindingList) {
    for resource in document.resources() {
        if !is_mime_type(resource.text("mimeType")) {
            found.add(&resource, "", "it has no MIME type, or one that is not TYPE/SUBTYPE");
        }
    }
}

fn is_mime_type(text: &str) -> bool {
    let is_token = |part: &str| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "!#$&-^_.+".contains(c))
    };
    let essence = text.split(';').next().unwrap_or_default().trim();
    essence.split_once('/').is_some_and(|(kind, subtype)| is_token(kind) && is_token(subtype))
}

pub(super) fn templates(document: &ServerDocument, found: &mut FindingList) {
    for template in document.templates() {
        match UriTemplate::parse(template.text("uriTemplate")) {
            Ok(parsed) if parsed.variables().is_empty() => {
                found.add(&template, "uriTemplate", "the template has no variable");
            }
            Ok(_) => {}
            Err(error) => found.add(&template, "uriTemplate", format!("the template is not valid: {error}")),
        }
    }
}

/// Calls `check` for each icon, with its place.
fn each_icon(document: &ServerDocument, mut check: impl FnMut(&DocumentEntry<'_>, String, &Value)) {
    for entry in document.all() {
        let icons = entry.value["icons"].as_array().map(Vec::as_slice).unwrap_or_default();
        icons
            .iter()
            .enumerate()
            .for_each(|(n, icon)| check(&entry, format!("{}/{n}", entry.at("icons")), icon));
    }
}

pub(super) fn icon_urls(document: &ServerDocument, found: &mut FindingList) {
    each_icon(document, |entry, pointer, icon| {
        let src = icon["src"].as_str().unwrap_or_default();
        if !src.starts_with("https://") && !src.starts_with("data:") {
            let secure = src.strip_prefix("http://").map(|rest| format!("https://{rest}"));
            let edits = secure.map(|url| JsonEdit::Set(format!("{pointer}/src"), json!(url)));
            found.add_at(
                &entry.subject,
                pointer,
                "an icon is not at an https: or data: URL",
                edits.into_iter().collect(),
            );
        }
    });
}

pub(super) fn icon_sizes(document: &ServerDocument, found: &mut FindingList) {
    let is_size = |size: &Value| {
        let number = |text: &str| text.parse::<u32>().is_ok_and(|number| number > 0);
        size.as_str().is_some_and(|size| {
            size == "any" || size.split_once('x').is_some_and(|(wide, high)| number(wide) && number(high))
        })
    };
    each_icon(document, |entry, pointer, icon| {
        let sizes = icon["sizes"].as_array().map(Vec::as_slice).unwrap_or_default();
        if sizes.is_empty() || !sizes.iter().all(is_size) {
            let is_svg = icon["mimeType"] == "image/svg+xml";
            let edits = is_svg.then(|| JsonEdit::Set(format!("{pointer}/sizes"), json!(["any"])));
            let edits = edits.into_iter().collect();
            found.add_at(&entry.subject, pointer, "an icon has no sizes like 48x48 or any", edits);
        }
    });
}
