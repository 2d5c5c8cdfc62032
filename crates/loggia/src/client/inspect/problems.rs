//! Problems of the lists of a server: names and schemas that some clients refuse, or that the specification does not
//! allow.

use std::collections::HashSet;

use loggia_json_schema::Validator;
use loggia_wire::header::ParamHeaders;
use loggia_wire::model::{Icon, JsonObject, Prompt, Resource, ResourceTemplate, Tool};
use loggia_wire::uri_template::UriTemplate;

/// Names longer than this are refused by the APIs of several models.
const LONG_NAME: usize = 64;

/// Returns the problems of tools.
pub(super) fn of_tools(tools: &[Tool]) -> Vec<String> {
    let mut found = twice("tool", tools.iter().map(|tool| tool.name.as_str()));
    for tool in tools {
        let mut add = |what: String| found.push(format!("tool {:?}: {what}", tool.name));
        if let Some(what) = bad_name(&tool.name) {
            add(what);
        }
        if tool.description.as_deref().unwrap_or_default().trim().is_empty() {
            add("has no description: a model can only guess what it does".to_owned());
        }
        bad_schema("input schema", &tool.input_schema).into_iter().for_each(&mut add);
        if !tool.input_schema.get("type").is_some_and(|kind| kind.is_str("object")) {
            add("its input schema is not of type \"object\"".to_owned());
        }
        if let Err(error) = ParamHeaders::from_schema(&tool.input_schema) {
            add(format!("its x-mcp-header annotations are invalid: {error}"));
        }
        if let Some(output) = &tool.output_schema {
            bad_schema("output schema", output).into_iter().for_each(&mut add);
        }
        bad_icons(tool.icons.as_deref()).into_iter().for_each(&mut add);
    }
    found
}

/// Returns the problems of prompts.
pub(super) fn of_prompts(prompts: &[Prompt]) -> Vec<String> {
    let mut found = twice("prompt", prompts.iter().map(|prompt| prompt.name.as_str()));
    for prompt in prompts {
        found.extend(
            bad_icons(prompt.icons.as_deref())
                .into_iter()
                .map(|what| format!("prompt {:?}: {what}", prompt.name)),
        );
    }
    found
}

/// Returns the problems of resources and their templates.
pub(super) fn of_resources(resources: &[Resource], templates: &[ResourceTemplate]) -> Vec<String> {
    let mut found = twice("resource", resources.iter().map(|resource| resource.uri.as_str()));
    let has_scheme = |uri: &str| {
        uri.split_once(':').is_some_and(|(scheme, _)| !scheme.is_empty() && !scheme.contains('/'))
    };
    let plain = resources.iter().filter(|resource| !has_scheme(&resource.uri));
    found.extend(
        plain.map(|resource| format!("resource {:?}: this is no URI, it has no scheme", resource.uri)),
    );
    for template in templates {
        if let Err(error) = UriTemplate::parse(&template.uri_template) {
            found.push(format!("template {:?}: {error}", template.uri_template));
        }
    }
    found
}

fn twice<'n>(what: &str, names: impl Iterator<Item = &'n str>) -> Vec<String> {
    let mut seen = HashSet::new();
    names.filter(|name| !seen.insert(*name)).map(|name| format!("{what} {name:?} is listed twice")).collect()
}

fn bad_name(name: &str) -> Option<String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if name.is_empty() || !name.chars().all(allowed) {
        return Some(
            "its name has characters other than A-Z a-z 0-9 _ - . and some clients refuse it".to_owned(),
        );
    }
    (name.len() > LONG_NAME)
        .then(|| format!("its name is longer than {LONG_NAME} characters and some clients refuse it"))
}

fn bad_schema(what: &str, schema: &JsonObject) -> Option<String> {
    Validator::compile(schema).err().map(|error| format!("its {what} cannot be used: {error}"))
}

fn bad_icons(icons: Option<&[Icon]>) -> Vec<String> {
    let fine = |src: &str| src.starts_with("https://") || src.starts_with("data:");
    let bad = icons.unwrap_or_default().iter().filter(|icon| !fine(&icon.src));
    bad.map(|_| "has an icon that is neither https: nor data:".to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn problems_are_found_and_named() {
        let tools: Vec<Tool> = serde_json::from_value(json!([
            { "name": "fine", "description": "Does it", "inputSchema": { "type": "object" } },
            { "name": "fine", "description": "Again", "inputSchema": { "type": "object" } },
            { "name": "white space", "inputSchema": { "type": "object", "properties": { "a": { "pattern": "(" } } } },
            { "name": "typeless", "description": "x", "inputSchema": {}, "icons": [{ "src": "http://x/y.png" }] },
        ]))
        .expect("tools");
        let found = of_tools(&tools);
        for part in [
            "tool \"fine\" is listed twice",
            "tool \"white space\": its name has characters",
            "tool \"white space\": has no description",
            "tool \"white space\": its input schema cannot be used",
            "tool \"typeless\": its input schema is not of type \"object\"",
            "tool \"typeless\": has an icon that is neither",
        ] {
            assert!(found.iter().any(|problem| problem.starts_with(part)), "{part}: {found:#?}");
        }
        assert_eq!(found.len(), 6, "{found:#?}");
        let resources = [Resource::new("a:b", "x"), Resource::new("/a", "y")];
        let templates = [ResourceTemplate::new("a:{b", "z")];
        assert_eq!(of_resources(&resources, &templates).len(), 2);
    }
}
