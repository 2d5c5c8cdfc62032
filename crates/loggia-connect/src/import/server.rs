//! One server of a client's configuration: from the keys that clients know to a section of `loggia.toml`.

use std::path::Path;

use serde_json::{Map, Value};
use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, value};

use super::ImportedServer;
use super::detect::{UrlText, assignment, header, is_secret_name, variable};
use super::secrets::{Setting, Variables};
use super::spelling::usual_settings;
use crate::config_file::{ConfigFile, ConfigFileError, connector_name};
use crate::secret::{Location, Template};

/// Keys of a URL, whichever client wrote them.
const URLS: [&str; 4] = ["url", "serverUrl", "httpUrl", "uri"];
/// Keys that say what the others show, or that are for people.
const SILENT: [&str; 8] =
    ["type", "transport", "name", "title", "description", "disabled", "enabled", "gallery"];

/// Keys of lists of tools, whichever client wrote them, and ours for the same.
const TOOL_LISTS: [(&str, &str); 3] =
    [("includeTools", "allow"), ("excludeTools", "deny"), ("disabledTools", "deny")];
/// Schemes of MCP over WebSocket.
const WEB_SOCKETS: [&str; 2] = ["ws", "wss"];

/// Reads the settings of one server, and notes what is not carried over.
struct SettingsReader<'s, 'v> {
    server: &'s str,
    settings: &'s Map<String, Value>,
    variables: &'v mut Variables,
    used: Vec<&'static str>,
    notes: Vec<String>,
}

impl ImportedServer {
    /// Reads the server `written` of a client. The error is the reason why it cannot be a connector.
    pub(super) fn read(
        written: &str,
        settings: &Value,
        variables: &mut Variables,
    ) -> Result<ImportedServer, String> {
        let name = connector_name(written)?;
        let settings = settings.as_object().ok_or_else(|| "its settings are no object".to_owned())?;
        let settings = &usual_settings(settings);
        let mut reader =
            SettingsReader { server: &name, settings, variables, used: SILENT.to_vec(), notes: Vec::new() };
        let mut section = Table::new();
        let summary = reader.fill(&mut section)?;
        check(&name, &section)?;
        if name != written {
            reader.notes.insert(0, format!("{written:?} is called {name} here"));
        }
        let notes = reader.finish();
        Ok(ImportedServer { name, written: written.to_owned(), summary, notes, section })
    }
}

impl SettingsReader<'_, '_> {
    /// Fills the section, and returns what the server is in a few words.
    fn fill(&mut self, section: &mut Table) -> Result<String, String> {
        let url = URLS.iter().find(|key| self.settings.contains_key(**key));
        let summary = match (self.settings.contains_key("command"), url) {
            (true, _) => self.stdio(section)?,
            (false, Some(key)) => self.remote(section, key)?,
            (false, None) => return Err("it has neither a command nor a url".to_owned()),
        };
        self.tools(section)?;
        let is = |key: &str, set: bool| self.settings.get(key).and_then(Value::as_bool) == Some(set);
        if is("disabled", true) || is("enabled", false) {
            section.insert("enabled", value(false));
        }
        Ok(summary)
    }

    fn stdio(&mut self, section: &mut Table) -> Result<String, String> {
        let mut words = self.words("command")?;
        words.extend(self.words("args")?);
        if words.first().is_none_or(String::is_empty) {
            return Err("its command is empty".to_owned());
        }
        let program = self.without_secret("command", &Setting::Named("command"), &words.remove(0));
        let program = self.template(&program);
        let args = self.without_secrets(words);
        section.insert("kind", value("stdio"));
        section.insert("command", value(&program));
        if !args.is_empty() {
            section.insert("args", value(args.iter().map(String::as_str).collect::<Array>()));
        }
        self.pairs("env", section)?;
        if let [cwd] = &self.words("cwd")?[..] {
            let cwd = self.without_secret("cwd", &Setting::Named("cwd"), cwd);
            section.insert("cwd", value(self.template(&cwd)));
        }
        // A path may come from a variable with a secret in it; the last part says enough.
        let shown = program.rsplit(['/', '\\']).next().unwrap_or_default().to_owned();
        Ok(format!("stdio, {shown}"))
    }

    fn remote(&mut self, section: &mut Table, key: &'static str) -> Result<String, String> {
        let [url] = &self.words(key)?[..] else { return Err(format!("its {key} is no text")) };
        if WEB_SOCKETS.iter().any(|scheme| has_scheme(url, scheme)) {
            return Err(
                "MCP over WebSocket (ws://, wss://) is not supported: name the server's https:// URL for \
                        Streamable HTTP or HTTP+SSE, or the command that starts it"
                    .to_owned(),
            );
        }
        let url = self.without_secret("url", &Setting::Named("url"), url);
        section.insert("kind", value("remote"));
        section.insert("url", value(self.template(&url)));
        self.pairs("headers", section)?;
        if self.text("type").or(self.text("transport")) == Some("sse") {
            section.insert("transport", value("sse"));
        }
        let host = url.split_once("://").and_then(|(_, rest)| rest.split(['/', '?', '#']).next());
        let host = host.and_then(|authority| authority.rsplit('@').next()).unwrap_or_default();
        Ok(format!("remote, {host}"))
    }

    /// The tools that the client shows and hides.
    fn tools(&mut self, section: &mut Table) -> Result<(), String> {
        let mut filter = InlineTable::new();
        for (theirs, ours) in TOOL_LISTS {
            let tools = self.words(theirs)?;
            // An empty `allow` serves no tool; an empty `deny` says nothing.
            let is_absent = self.settings.get(theirs).is_none_or(Value::is_null);
            if is_absent || (tools.is_empty() && ours == "deny") {
                continue;
            }
            let list = filter.entry(ours).or_insert_with(|| Array::new().into());
            if let Some(list) = list.as_array_mut() {
                list.extend(tools.iter().map(String::as_str));
            }
        }
        if !filter.is_empty() {
            section.insert("tools", value(filter));
        }
        Ok(())
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.settings.get(key).and_then(Value::as_str)
    }

    /// A text or a list of texts; nothing if there is no such key.
    fn words(&mut self, key: &'static str) -> Result<Vec<String>, String> {
        self.used.push(key);
        match self.settings.get(key) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Array(list)) => list.iter().map(|item| scalar(key, item)).collect(),
            Some(one) => Ok(vec![scalar(key, one)?]),
        }
    }

    /// Copies names and values, without secrets.
    fn pairs(&mut self, key: &'static str, section: &mut Table) -> Result<(), String> {
        self.used.push(key);
        let Some(pairs) = self.settings.get(key).filter(|pairs| !pairs.is_null()) else { return Ok(()) };
        let pairs = pairs.as_object().ok_or_else(|| format!("its {key} is no object"))?;
        let mut table = InlineTable::new();
        for (name, text) in pairs {
            let setting = if key == "env" { Setting::Variable(name) } else { Setting::Named(name) };
            let text = self.secret(key, &setting, &scalar(key, text)?);
            table.insert(name, self.template(&text).into());
        }
        if !table.is_empty() {
            section.insert(key, value(table));
        }
        Ok(())
    }

    /// Returns a value, or the variable that takes its place, with a note.
    fn secret(&mut self, place: &str, setting: &Setting<'_>, text: &str) -> String {
        let (text, variable) = self.variables.take(self.server, setting, text);
        if let Some(variable) = variable {
            self.note_variable(place, &variable);
        }
        text
    }

    /// Returns the variable that takes the place of a secret, with a note.
    fn replaced(&mut self, place: &str, name: &str, secret: &str) -> String {
        let (text, variable) = self.variables.replace(self.server, &Setting::Named(name), secret);
        self.note_variable(place, &variable);
        text
    }

    fn note_variable(&mut self, place: &str, variable: &str) {
        self.notes.push(format!("set {variable} before you start: its value, under {place}, was not copied"));
    }

    /// Returns arguments, with variables for secrets: `--api-key=X`, `--api-key X`, `-e API_KEY=X`,
    /// `Authorization: Bearer X`, `https://h/?key=X`, and `sk-…` alone.
    fn without_secrets(&mut self, args: Vec<String>) -> Vec<String> {
        let mut option: Option<String> = None;
        let mut safe = Vec::new();
        for arg in args {
            let before = option.take();
            let text = match arg.starts_with('-') && !arg.contains(['=', ' ']) {
                true => {
                    option = Some(arg.clone());
                    self.without_secret("args", &Setting::Argument, &arg)
                }
                false => {
                    let setting = before.as_deref().map_or(Setting::Argument, Setting::Named);
                    self.without_secret("args", &setting, &arg)
                }
            };
            safe.push(self.template(&text));
        }
        safe
    }

    /// Returns a text with variables for the secrets in it. Of a URL, a header or `NAME=value` only the secret parts are
    /// replaced; any other text is replaced as a whole.
    fn without_secret(&mut self, place: &str, setting: &Setting<'_>, text: &str) -> String {
        if is_secret_name(setting.name()) {
            return self.secret(place, setting, text);
        }
        if let Some(url) = UrlText::split(text) {
            return self.url_without_secrets(place, &url);
        }
        if let Some((name, value)) = assignment(text) {
            return format!("{name}={}", self.without_secret(place, &Setting::Named(name), value));
        }
        if let Some((name, space, value)) = header(text) {
            return format!("{name}:{space}{}", self.without_secret(place, &Setting::Named(name), value));
        }
        self.secret(place, setting, text)
    }

    /// Returns a URL with variables for secrets in its user information, path, query and fragment.
    fn url_without_secrets(&mut self, place: &str, url: &UrlText<'_>) -> String {
        let mut safe = url.scheme.to_owned();
        match url.user {
            Some(user) if url.has_secret_user() => {
                safe.push_str(&format!("{}@", self.replaced(place, "url-user", user)));
            }
            Some(user) => safe.push_str(&format!("{user}@")),
            None => {}
        }
        safe.push_str(url.host);
        let mut segments = Vec::new();
        for segment in url.path.split('/') {
            segments.push(match url.is_secret_segment(segment) {
                true => self.replaced(place, "url-path", segment),
                false => segment.to_owned(),
            });
        }
        safe.push_str(&segments.join("/"));
        for (mark, part) in [('?', url.query), ('#', url.fragment)] {
            if let Some(part) = part {
                safe.push(mark);
                safe.push_str(&self.parameters_without_secrets(place, url, part));
            }
        }
        safe
    }

    fn parameters_without_secrets(&mut self, place: &str, url: &UrlText<'_>, part: &str) -> String {
        let mut safe = Vec::new();
        for pair in part.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or(("", pair));
            safe.push(match (url.is_secret_parameter(name, value), name) {
                (false, _) => pair.to_owned(),
                (true, "") => self.replaced(place, "url-query", value),
                (true, name) => format!("{name}={}", self.replaced(place, name, value)),
            });
        }
        safe.join("&")
    }

    /// A text with a client's variables, as a template of ours: `${env:A}` and `${input:a}` are `${A}`.
    fn template(&mut self, text: &str) -> String {
        let mut result = String::new();
        let mut rest = text;
        while let Some((before, (inside, after))) =
            rest.split_once("${").and_then(|(before, after)| Some((before, after.split_once('}')?)))
        {
            result.push_str(before);
            result.push_str(&self.variable(inside));
            rest = after;
        }
        result.push_str(&escaped(rest));
        result
    }

    /// Returns the reference of ours for what a client writes between braces. Text that is no reference stands for itself.
    fn variable(&mut self, inside: &str) -> String {
        let reference = match inside.split_once(':') {
            Some(("env", name)) => format!("${{{name}}}"),
            Some(("input", name)) => {
                let name = variable(name);
                self.notes.push(format!("set {name} before you start: the client asks for it"));
                format!("${{{name}}}")
            }
            _ if inside == "userHome" => "${HOME}".to_owned(),
            _ if inside.starts_with("workspace") => ".".to_owned(),
            _ => format!("${{{inside}}}"),
        };
        let location = Location { file: "".into(), line: 1, column: 1 };
        match Template::parse(&*reference, location) {
            Ok(_) => reference,
            Err(_) => escaped(&format!("${{{inside}}}")),
        }
    }

    /// The notes, with those of the keys that were not looked at.
    fn finish(mut self) -> Vec<String> {
        for key in self.settings.keys().filter(|key| !self.used.contains(&key.as_str())) {
            self.notes.push(match key.as_str() {
                "timeout" => format!(
                    "\"timeout\" was left out: clients count it in seconds or in milliseconds; if you need it, write \
                     it with its unit under [connectors.{}], for example timeout = \"60s\"",
                    self.server
                ),
                key => format!("{key:?} was left out: there is no key for it"),
            });
        }
        self.notes
    }
}

/// Returns whether a URL has this scheme, whatever the case of its letters.
fn has_scheme(url: &str, scheme: &str) -> bool {
    url.split_once("://").is_some_and(|(found, _)| found.trim().eq_ignore_ascii_case(scheme))
}

/// Returns a template for the text itself, without references.
fn escaped(text: &str) -> String {
    text.replace("${", "$${")
}

/// A text, a number or a switch as a text.
fn scalar(key: &str, item: &Value) -> Result<String, String> {
    match item {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(switch) => Ok(switch.to_string()),
        _ => Err(format!("its {key} holds something that is no text")),
    }
}

/// Checks a section alone; the error is about the server and not about a place in a file.
fn check(name: &str, section: &Table) -> Result<(), String> {
    let mut document = DocumentMut::new();
    document["connectors"][name] = Item::Table(section.clone());
    let parsed = ConfigFile::parse(&document.to_string(), Path::new(""));
    let reason = |error: ConfigFileError| error.problems.into_iter().next().map(|problem| problem.message);
    parsed.map(drop).map_err(|error| reason(error).unwrap_or_default())
}
