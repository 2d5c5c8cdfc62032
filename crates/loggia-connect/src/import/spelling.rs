//! Keys of clients whose names for the settings of a server are unusual. They are renamed before the server is read, so that
//! one reader serves all clients.

use serde_json::{Map, Value, json};

/// Keys of clients, and the usual ones for the same.
const KEYS: [(&str, &str); 6] = [
    // Goose
    ("cmd", "command"),
    ("envs", "env"),
    // opencode
    ("environment", "env"),
    // Codex
    ("http_headers", "headers"),
    ("enabled_tools", "includeTools"),
    ("disabled_tools", "disabledTools"),
];
/// Key of Codex for the variable with a bearer token.
const BEARER_VARIABLE: &str = "bearer_token_env_var";
/// Key of Codex for headers whose values are in variables.
const HEADER_VARIABLES: &str = "env_http_headers";

/// Returns the settings of a server under the usual keys. Null and empty values are left out, unless they say something.
pub(super) fn usual_settings(settings: &Map<String, Value>) -> Map<String, Value> {
    let mut usual = Map::new();
    for (key, value) in settings {
        let name = KEYS.iter().find(|(theirs, _)| theirs == key).map_or(key.as_str(), |(_, ours)| ours);
        match key.as_str() {
            "bundled" | "env_keys" if is_empty(value) => {}
            BEARER_VARIABLE | HEADER_VARIABLES => {}
            _ => {
                usual.entry(name).or_insert_with(|| with_variables(value));
            }
        }
    }
    let mut headers = Map::new();
    if let Some(variable) = settings.get(BEARER_VARIABLE).and_then(Value::as_str) {
        headers.insert("Authorization".to_owned(), json!(format!("Bearer ${{{variable}}}")));
    }
    if let Some(variables) = settings.get(HEADER_VARIABLES).and_then(Value::as_object) {
        let named = variables.iter().filter_map(|(name, variable)| Some((name, variable.as_str()?)));
        headers.extend(named.map(|(name, variable)| (name.clone(), json!(format!("${{{variable}}}")))));
    }
    if !headers.is_empty() {
        let all = usual.entry("headers").or_insert_with(|| Value::Object(Map::new()));
        if let Some(all) = all.as_object_mut() {
            for (name, value) in headers {
                all.entry(name).or_insert(value);
            }
        }
    }
    usual
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_array().is_some_and(Vec::is_empty) || value == &Value::Bool(false)
}

/// Returns a value with opencode's variables, `{env:NAME}`, as those of most clients, `${env:NAME}`.
fn with_variables(value: &Value) -> Value {
    match value {
        Value::String(text) => {
            let mut parts = text.split("{env:");
            let mut all = parts.next().unwrap_or_default().to_owned();
            for part in parts {
                all.push_str(if all.ends_with('$') { "{env:" } else { "${env:" });
                all.push_str(part);
            }
            Value::String(all)
        }
        Value::Array(items) => items.iter().map(with_variables).collect(),
        Value::Object(members) => {
            members.iter().map(|(key, value)| (key.clone(), with_variables(value))).collect()
        }
        value => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_clients_get_the_usual_keys() {
        for (theirs, usual) in [
            (
                json!({"cmd": "x", "args": [], "envs": {"A": "1"}, "bundled": null}),
                json!({"command": "x", "args": [], "env": {"A": "1"}}),
            ),
            (
                json!({"command": ["x"], "environment": {"A": "{env:B}c"}}),
                json!({"command": ["x"], "env": {"A": "${env:B}c"}}),
            ),
            (json!({"env": {"A": "${env:B}"}}), json!({"env": {"A": "${env:B}"}})),
            (
                json!({"url": "u", "http_headers": {"X": "1"}, "bearer_token_env_var": "T", "env_http_headers": {"Y": "V"}}),
                json!({"url": "u", "headers": {"X": "1", "Authorization": "Bearer ${T}", "Y": "${V}"}}),
            ),
            (json!({"url": "u", "enabled_tools": ["a"]}), json!({"url": "u", "includeTools": ["a"]})),
        ] {
            let settings = theirs.as_object().expect("an object");
            assert_eq!(Value::Object(usual_settings(settings)), usual);
        }
    }
}
