//! The target of `completion/complete`.
//!
//! Suggestions for a URI reveal which resources exist, so they need the scopes that these resources need.

use std::collections::BTreeMap;

use loggia::wire::uri::NormalUri;
use loggia::wire::uri_template::UriTemplate;
use serde::Deserialize;

use super::target::OperationTarget;

/// The params of `completion/complete` that rules depend on.
#[derive(Deserialize)]
pub(super) struct CompletionParams {
    #[serde(rename = "ref")]
    reference: CompletionReference,
    argument: CompletionArgument,
    #[serde(default)]
    context: Option<CompletionContext>,
}

#[derive(Deserialize)]
struct CompletionReference {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    uri: Option<String>,
    #[serde(default)]
    name: Option<String>,
}

#[derive(Deserialize)]
struct CompletionArgument {
    name: String,
    value: String,
}

#[derive(Deserialize)]
struct CompletionContext {
    #[serde(default)]
    arguments: Option<BTreeMap<String, String>>,
}

impl CompletionParams {
    /// Returns the target; `None` if the reference has an unknown type, or no name or URI.
    pub(super) fn into_target(self) -> Option<OperationTarget> {
        match &*self.reference.kind {
            "ref/prompt" => self.reference.name.map(OperationTarget::Prompt),
            "ref/resource" => {
                let template = self.reference.uri.as_deref()?;
                let fixed = template.split('{').next().unwrap_or_default();
                let prefix = self.shared_prefix(template);
                let normal = prefix.filter(|prefix| NormalUri::parse(prefix).is_ok());
                Some(OperationTarget::ResourcesUnder(normal.unwrap_or_else(|| fixed.to_owned())))
            }
            _ => None,
        }
    }

    /// Returns the prefix that all suggested URIs share: the template up to the first unknown variable, with the typed
    /// text for the completed one.
    fn shared_prefix(&self, template: &str) -> Option<String> {
        let context = self.context.as_ref().and_then(|context| context.arguments.as_ref());
        let mut known = String::new();
        let mut rest = template;
        while let Some((literal, after)) = rest.split_once('{') {
            known.push_str(literal);
            let (expression, after) = after.split_once('}')?;
            let expression = UriTemplate::parse(&format!("{{{expression}}}")).ok()?;
            let is_completed = expression.variables() == [self.argument.name.as_str()];
            let value = |name: &str| match name == self.argument.name {
                true => Some(self.argument.value.as_str().into()),
                false => Some(context?.get(name)?.as_str().into()),
            };
            let all_known = expression.variables().iter().all(|name| value(name).is_some());
            let mixed = !is_completed && expression.variables().contains(&self.argument.name.as_str());
            if mixed || !all_known {
                return Some(known);
            }
            known.push_str(&expression.expand(value));
            if is_completed {
                return Some(known);
            }
            rest = after;
        }
        known.push_str(rest);
        Some(known)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_target_is_the_uris_that_a_completion_can_suggest() {
        let table = [
            ("file:///{+path}", "path", "sec", "file:///sec"),
            ("file:///{+path}", "path", "../x y", "file:///"),
            ("file:///{+path}", "path", "public/../x y", "file:///public/../x%20y"),
            ("file:///{+path}", "other", "x", "file:///"),
            ("db://{table}/rows/{id}", "id", "7", "db://users/rows/7"),
            ("db://{table}/rows/{id}", "table", "u", "db://u"),
            ("db://{base}/rows/{id}", "id", "7", "db://"),
            ("db://a/{table,id}", "id", "7", "db://a/"),
            ("db://a/{id}", "id", "x/y", "db://a/"),
            ("db://a/b", "id", "x", "db://a/b"),
            ("db://a/{id", "id", "x", "db://a/"),
        ];
        for (uri, name, value, expected) in table {
            let params = json!({
                "ref": { "type": "ref/resource", "uri": uri },
                "argument": { "name": name, "value": value },
                "context": { "arguments": { "table": "users" } },
            });
            let completed: CompletionParams = serde_json::from_value(params).expect("params");
            assert_eq!(
                completed.into_target(),
                Some(OperationTarget::ResourcesUnder(expected.to_owned())),
                "{uri} {value}"
            );
        }
    }

    #[test]
    fn the_target_of_a_prompt_completion_is_the_prompt() {
        let argument = json!({ "name": "a", "value": "" });
        for (reference, expected) in [
            (
                json!({ "type": "ref/prompt", "name": "order" }),
                Some(OperationTarget::Prompt("order".to_owned())),
            ),
            (json!({ "type": "ref/prompt", "uri": "order" }), None),
            (json!({ "type": "ref/tool", "name": "order" }), None),
        ] {
            let completed: CompletionParams =
                serde_json::from_value(json!({ "ref": reference, "argument": argument })).expect("params");
            assert_eq!(completed.into_target(), expected, "{reference}");
        }
    }
}
