//! Checks of schemas that hold for every client: validity, roots, references, and samples of results.

use loggia::model::JsonObject;
use loggia_json_schema::Validator;
use serde_json::{Value, json};

use super::document::{DocumentEntry, ServerDocument};
use super::edit::JsonEdit;
use super::finding::FindingList;
use super::schema_tree::{recursion, subschemas, target};

const SCHEMAS: [&str; 2] = ["inputSchema", "outputSchema"];
/// Compositions that the APIs of Anthropic and OpenAI refuse at the root.
const UNIONS: [&str; 3] = ["oneOf", "anyOf", "allOf"];

pub(super) fn root(document: &ServerDocument, found: &mut FindingList) {
    document.tools().iter().for_each(|tool| root_of(tool, "inputSchema", found));
}

pub(super) fn output_root(document: &ServerDocument, found: &mut FindingList) {
    let tools = document.tools();
    let with_output = tools.iter().filter(|tool| tool.value.get("outputSchema").is_some());
    with_output.for_each(|tool| root_of(tool, "outputSchema", found));
}

fn root_of(tool: &DocumentEntry<'_>, member: &str, found: &mut FindingList) {
    let schema = &tool.value[member];
    if schema["type"] == "object" {
        return;
    }
    let is_untyped = schema.is_null() || schema.is_object() && schema.get("type").is_none();
    let edits = is_untyped.then(|| JsonEdit::Set(format!("{}/type", tool.at(member)), json!("object")));
    let message = format!("the root of the {member} is not of type object");
    let pointer = if schema.is_null() { tool.pointer.clone() } else { tool.at(member) };
    found.add_at(&tool.subject, pointer, message, edits.into_iter().collect());
}

pub(super) fn unions(document: &ServerDocument, found: &mut FindingList) {
    for tool in document.tools() {
        for union in UNIONS.into_iter().filter(|union| tool.value["inputSchema"].get(union).is_some()) {
            let pointer = format!("{}/{union}", tool.at("inputSchema"));
            let has_properties = tool.value["inputSchema"]["properties"].is_object();
            let edits = has_properties.then(|| JsonEdit::Remove(pointer.clone())).into_iter().collect();
            found.add_at(&tool.subject, pointer, format!("its inputSchema has {union} at the root"), edits);
        }
    }
}

pub(super) fn references(document: &ServerDocument, found: &mut FindingList) {
    for (tool, member) in with_schemas(&document.tools()) {
        for site in subschemas(tool, member) {
            let Some(reference) = site.keywords.get("$ref").and_then(Value::as_str) else { continue };
            if target(&tool.value[member], reference).is_none() {
                let message = format!("the reference {reference} leads to nothing in the schema");
                found.add_at(&tool.subject, site.pointer, message, Vec::new());
            }
        }
    }
}

pub(super) fn recursions(document: &ServerDocument, found: &mut FindingList) {
    for (tool, member) in with_schemas(&document.tools()) {
        if let Some(reference) = recursion(tool, member) {
            found.add(tool, member, format!("the reference {reference} leads to itself"));
        }
    }
}

pub(super) fn validity(document: &ServerDocument, found: &mut FindingList) {
    for (tool, member) in with_schemas(&document.tools()) {
        if let Err(error) = compile(&tool.value[member]) {
            found.add(tool, member, format!("the {member} is not a valid JSON Schema: {error}"));
        }
    }
}

pub(super) fn samples(document: &ServerDocument, found: &mut FindingList) {
    let Some(samples) = document.member("samples") else { return };
    for tool in document.tools() {
        let (Some(sample), Some(schema)) = (samples.get(tool.name()), tool.value.get("outputSchema")) else {
            continue;
        };
        let Ok(validator) = compile(schema) else { continue };
        if let Err(violations) = validator.validate(sample) {
            found.add(&tool, "outputSchema", format!("a sample of its result does not match: {violations}"));
        }
    }
}

fn compile(schema: &Value) -> Result<Validator, String> {
    let object: JsonObject = schema.to_string().parse().map_err(|_| "it is not an object".to_owned())?;
    Validator::compile(&object).map_err(|error| error.to_string())
}

pub(super) fn argument_descriptions(document: &ServerDocument, found: &mut FindingList) {
    for tool in document.tools() {
        let Some(arguments) = tool.value["inputSchema"]["properties"].as_object() else { continue };
        let is_bare =
            |schema: &Value| schema["description"].as_str().is_none_or(|text| text.trim().is_empty());
        for (name, _) in arguments.iter().filter(|(_, schema)| is_bare(schema)) {
            found.add(&tool, "inputSchema", format!("its argument `{name}` has no description"));
        }
    }
}

pub(super) fn array_items(document: &ServerDocument, found: &mut FindingList) {
    for tool in document.tools() {
        for site in subschemas(&tool, "inputSchema") {
            let is_array = site.keywords.get("type").is_some_and(|of| *of == "array" || has_array(of));
            if is_array && !site.keywords.contains_key("items") && !site.keywords.contains_key("prefixItems")
            {
                found.add_at(&tool.subject, site.pointer, "an array has no schema for its items", Vec::new());
            }
        }
    }
}

fn has_array(types: &Value) -> bool {
    types.as_array().is_some_and(|types| types.iter().any(|name| name == "array"))
}

fn with_schemas<'e, 'd>(
    tools: &'e [DocumentEntry<'d>],
) -> impl Iterator<Item = (&'e DocumentEntry<'d>, &'static str)> {
    let members = tools.iter().flat_map(|tool| SCHEMAS.map(|member| (tool, member)));
    members.filter(|(tool, member)| tool.value.get(member).is_some())
}
