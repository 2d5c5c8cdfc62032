//! Sections of a configuration file, as text. Invariant: a text of the user or of a manifest stands for itself: `${` in it is
//! no variable.

use std::collections::BTreeMap;

use loggia_connect::config_file::{
    Backend, BuiltinValue, ConfigValue, ManifestUse, OpenApi, Remote, Stdio, Transport,
};
use loggia_connect::import::has_secret;
use loggia_connect::secret::Secret;
use serde_json::{Map, Value};
use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, value};

use super::answers::is_variable;
use super::error::AddError;

/// Returns a text of the configuration that stands for `text`.
pub(super) fn literal(text: &str) -> String {
    text.replace("${", "$${")
}

/// Returns the name of the variable that a text consists of.
pub(super) fn variable_in(text: &str) -> Option<&str> {
    let name = text.strip_prefix("${")?.strip_suffix('}')?;
    is_variable(name).then_some(name)
}

/// Returns the text that a text of the configuration stands for; a variable stays.
pub(super) fn unescaped(text: &str) -> String {
    text.replace("$${", "${")
}

/// Returns the definition of a connector: one section, as text.
pub(super) fn definition(name: &str, section: Table) -> String {
    let mut document = DocumentMut::new();
    let mut connectors = Table::new();
    connectors.set_implicit(true);
    connectors.insert(name, Item::Table(section));
    document.insert("connectors", Item::Table(connectors));
    document.to_string()
}

/// Returns the section of a backend. It may hold secrets.
pub(super) fn of_backend(backend: &Backend<Secret>) -> Table {
    let mut section = Table::new();
    let kind = match backend {
        Backend::Stdio(_) => "stdio",
        Backend::Remote(_) => "remote",
        Backend::OpenApi(_) => "openapi",
        Backend::Manifest(_) => "manifest",
        Backend::Builtin(_) => "builtin",
    };
    section.insert("kind", value(kind));
    let mut put = |key: &str, text: &Secret| section.insert(key, value(literal(text.expose())));
    match backend {
        Backend::Stdio(Stdio { command, args, env, cwd, .. }) => {
            put("command", command);
            if let Some(cwd) = cwd {
                put("cwd", cwd);
            }
            if !args.is_empty() {
                let args = args.iter().map(|arg| literal(arg.expose())).collect::<Array>();
                section.insert("args", value(args));
            }
            put_texts(&mut section, "env", env);
        }
        Backend::Remote(Remote { url, headers, transport, issuer, .. }) => {
            put("url", url);
            match transport {
                Transport::Sse => drop(section.insert("transport", value("sse"))),
                Transport::Streamable => drop(section.insert("transport", value("streamable"))),
                Transport::Auto => {}
            }
            if let Some(issuer) = issuer {
                section.insert("issuer", value(issuer));
            }
            put_texts(&mut section, "headers", headers);
        }
        Backend::OpenApi(OpenApi { description, base_url, credential, headers }) => {
            put("description", description);
            for (key, text) in [("base_url", base_url), ("credential", credential)] {
                if let Some(text) = text {
                    put(key, text);
                }
            }
            put_texts(&mut section, "headers", headers);
        }
        Backend::Manifest(ManifestUse { manifest, backend, credential, values, sandbox }) => {
            if let Some(credential) = credential {
                put("credential", credential);
            }
            section.insert("manifest", value(manifest));
            if let Some(backend) = backend {
                section.insert("backend", value(backend));
            }
            if let Some(mode) = sandbox {
                section.insert("sandbox", value(mode.to_string()));
            }
            let values = values.iter().filter_map(|(name, given)| match given {
                ConfigValue::Text(text) => {
                    Some((name.as_str(), toml_edit::Value::from(literal(text.expose()))))
                }
                ConfigValue::Json(json) => Some((name.as_str(), toml_of(json)?)),
            });
            section.insert("config", value(InlineTable::from_iter(values)));
        }
        Backend::Builtin(builtin) => {
            section.insert("name", value(builtin.kind.as_str()));
            let options = builtin.options.iter().map(|(name, given)| (*name, of_option(given)));
            section.insert("options", value(InlineTable::from_iter(options)));
        }
    }
    section
}

/// Returns an option of a built-in connector.
fn of_option(option: &BuiltinValue<Secret>) -> toml_edit::Value {
    let text = |text: &Secret| literal(text.expose());
    match option {
        BuiltinValue::Text(given) => text(given).into(),
        BuiltinValue::Texts(texts) => texts.iter().map(text).collect::<Array>().into(),
        BuiltinValue::Flag(flag) => (*flag).into(),
        BuiltinValue::Number(number) => i64::try_from(*number).unwrap_or(i64::MAX).into(),
        BuiltinValue::Time(time) => format!("{}ms", time.as_millis()).into(),
    }
}

/// Passes environment variables of `docker run` on to the program in the container.
pub(super) fn pass_to_container<'n>(stdio: &mut Stdio<Secret>, names: impl Iterator<Item = &'n String>) {
    if stdio.command.expose() != "docker" {
        return;
    }
    let image = stdio.args.pop();
    for name in names {
        stdio.args.extend([Secret::new("-e"), Secret::new(name.as_str())]);
    }
    stdio.args.extend(image);
}

/// Refuses a secret that would be stored as plain text: a definition holds none.
pub(super) fn check_variables(title: &str, variables: &Map<String, Value>) -> Result<(), AddError> {
    let plain = |(name, value): &(&String, &Value)| {
        value.as_str().is_some_and(|text| variable_in(text).is_none() && has_secret(name, text))
    };
    match variables.iter().find(plain) {
        None => Ok(()),
        Some((name, _)) => {
            let reason =
                format!("the value of {name} looks like a secret, and would be stored as plain text");
            let next = format!("set an environment variable to it, and write --set {name}=env:{name}");
            Err(AddError::unusable(title, reason).next(next))
        }
    }
}

fn put_texts(section: &mut Table, key: &str, texts: &BTreeMap<String, Secret>) {
    if !texts.is_empty() {
        let texts = texts.iter().map(|(name, text)| (name.as_str(), literal(text.expose())));
        section.insert(key, value(InlineTable::from_iter(texts)));
    }
}

/// Returns a JSON value as TOML; `None` for `null`. A text that is a variable stays one, and any other stands for itself.
pub(super) fn toml_of(json: &Value) -> Option<toml_edit::Value> {
    Some(match json {
        Value::Null => return None,
        Value::Bool(value) => (*value).into(),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => whole.into(),
            None => number.as_f64().unwrap_or_default().into(),
        },
        Value::String(text) if variable_in(text).is_some() => text.as_str().into(),
        Value::String(text) => literal(text).into(),
        Value::Array(items) => items.iter().filter_map(toml_of).collect::<Array>().into(),
        Value::Object(members) => {
            let members = members.iter().filter_map(|(name, value)| Some((name.as_str(), toml_of(value)?)));
            InlineTable::from_iter(members).into()
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_definition_holds_no_secret() {
        for (name, value, is_refused) in [
            ("API_KEY", json!("sk-live-4f9a"), true),
            ("GITHUB_TOKEN", json!("abc"), true),
            ("HEADER", json!("Bearer abcdefgh12345678"), true),
            ("API_KEY", json!("${API_KEY}"), false),
            ("TEAM", json!("blue"), false),
            ("LIMIT", json!(3), false),
        ] {
            let variables = Map::from_iter([(name.to_owned(), value.clone())]);
            let checked = check_variables("shop", &variables);
            assert_eq!(checked.is_err(), is_refused, "{name}: {value}");
            let next = checked.err().and_then(|error| error.next_step()).unwrap_or_default();
            assert!(!is_refused || next.ends_with(&format!("--set {name}=env:{name}")), "{next}");
        }
    }

    #[test]
    fn a_container_gets_its_variables() {
        let names = ["A".to_owned(), "B".to_owned()];
        for (command, args, expected) in [
            ("docker", vec!["run", "-i", "image"], vec!["run", "-i", "-e", "A", "-e", "B", "image"]),
            ("npx", vec!["-y", "package"], vec!["-y", "package"]),
        ] {
            let args = args.into_iter().map(Secret::new).collect();
            let (command, env) = (Secret::new(command), BTreeMap::new());
            let mut stdio =
                Stdio { command, args, env, cwd: None, start_timeout: None, sandbox: Default::default() };
            pass_to_container(&mut stdio, names.iter());
            assert_eq!(stdio.args.iter().map(|arg| arg.expose()).collect::<Vec<_>>(), expected);
        }
    }
}
