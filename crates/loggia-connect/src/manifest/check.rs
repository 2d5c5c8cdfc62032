//! Checks between the parts of a manifest: names that must be unique, and names that must exist.

use std::collections::HashSet;
use std::ops::Range;

use serde_json::Value;

use super::network::is_allowed;
use super::source::{ManifestProblems, TableReader};
use super::tool::path_variables;
use super::{
    AuthClass, ConnectorManifest, HealthCall, InputPlace, ManifestBackend, ManifestBackendKind, ManifestText,
    ManifestTool,
};
use crate::problem::nearest;

/// The argument of paged tools.
const CURSOR: &str = "cursor";

pub(super) fn manifest(
    manifest: &ConnectorManifest,
    root: &TableReader<'_>,
    problems: &mut ManifestProblems<'_>,
) {
    let tables = root.tables("backends");
    // A backend that could not be read has no partner; its own problems are reported.
    let is_whole = tables.len() == manifest.backends.len();
    let mut names = HashSet::new();
    for (backend, table) in manifest.backends.iter().zip(&tables).filter(|_| is_whole) {
        if !names.insert(backend.name.as_str()) {
            let message = format!("two backends have the name '{}'; give one of them another", backend.name);
            problems.add::<()>(&table.span_of("name"), message);
        }
        let check = BackendCheck { manifest, backend };
        check.texts(table, problems);
        check.auth(table, problems);
        check.tools(table, problems);
        check.health(table, problems);
    }
    for (test, table) in manifest.tests.iter().zip(root.tables("tests")).filter(|_| is_whole) {
        let has_lists = manifest.backends.iter().all(|backend| backend.kind().is_direct());
        let tools: Vec<&str> = manifest
            .backends
            .iter()
            .flat_map(|backend| &backend.tools)
            .map(|tool| tool.name.as_str())
            .collect();
        if has_lists && !tools.is_empty() && !tools.contains(&test.tool.as_str()) {
            let hint = nearest(&test.tool, &tools);
            problems.add::<()>(
                &table.span_of("tool"),
                format!("no backend has the tool '{}'; {hint}", test.tool),
            );
        }
    }
}

struct BackendCheck<'m> {
    manifest: &'m ConnectorManifest,
    backend: &'m ManifestBackend,
}

impl BackendCheck<'_> {
    /// Checks the placeholders of all texts.
    fn texts(&self, table: &TableReader<'_>, problems: &mut ManifestProblems<'_>) {
        for key in ["url", "command", "cwd", "base_url"] {
            if let Some((text, span)) = table.placed(key) {
                self.text(text, &span, problems);
            }
        }
        for item in table.items("args") {
            if let Some(text) = item.get_ref().as_str() {
                self.text(text, &item.span(), problems);
            }
        }
        for key in ["headers", "env"] {
            for (_, value) in table.entries(key) {
                if let Some(text) = value.get_ref().as_str() {
                    self.text(text, &value.span(), problems);
                }
            }
        }
        if let Some((text, span)) = table.table("auth").and_then(|auth| auth.placed("value")) {
            self.text(text, &span, problems);
        }
        for item in table.table("network").iter().flat_map(|network| network.items("allow")) {
            if let Some(text) = item.get_ref().as_str() {
                self.text(text, &item.span(), problems);
            }
        }
        self.host(table, problems);
        if let Some(options) = table.json("options") {
            self.json(&options, &table.span_of("options"), problems);
        }
    }

    /// Checks the host of a URL without placeholders. Others are checked when their values are known.
    fn host(&self, table: &TableReader<'_>, problems: &mut ManifestProblems<'_>) {
        let allowed = &self.backend.allowed_hosts;
        let is_open = allowed.is_empty() || allowed.iter().any(|pattern| pattern.contains("${"));
        for (url, span) in ["url", "base_url"].into_iter().filter_map(|key| table.placed(key)) {
            let is_plain = ManifestText::parse(url).is_ok_and(|url| url.as_plain().is_some());
            if is_plain && !is_open && !allowed.iter().any(|pattern| is_allowed(url, pattern)) {
                problems.add::<()>(&span, "the host of this URL is not in network.allow: add it there");
            }
        }
    }

    fn text(&self, text: &str, span: &Range<usize>, problems: &mut ManifestProblems<'_>) {
        let text = match ManifestText::parse(text) {
            Ok(text) => text,
            Err(message) => {
                problems.add::<()>(span, message);
                return;
            }
        };
        let known: Vec<&str> = self.manifest.config.iter().map(|field| field.name.as_str()).collect();
        for name in text.config_names().filter(|name| !known.contains(name)) {
            let hint = match known.is_empty() {
                true => format!("add [config.{name}]"),
                false => nearest(name, &known),
            };
            problems.add::<()>(span, format!("there is no value '{name}' in [config]; {hint}"));
        }
        if text.has_credential() && !self.backend.has_credential() {
            let message = "this backend has no ${credential}: auth.class must be \"api_key\" or \"basic\"";
            problems.add::<()>(span, message);
        }
    }

    fn json(&self, value: &Value, span: &Range<usize>, problems: &mut ManifestProblems<'_>) {
        match value {
            Value::String(text) => self.text(text, span, problems),
            Value::Array(items) => items.iter().for_each(|item| self.json(item, span, problems)),
            Value::Object(members) => members.values().for_each(|value| self.json(value, span, problems)),
            _ => {}
        }
    }

    fn auth(&self, table: &TableReader<'_>, problems: &mut ManifestProblems<'_>) {
        let Some(auth) = table.table("auth") else { return };
        let kind = self.backend.kind();
        for key in ["credential", "in", "value"].into_iter().filter(|key| auth.has(key)) {
            if !self.backend.has_credential() {
                let message =
                    format!("'{key}' is for a backend with ${{credential}}: class \"api_key\" or \"basic\"");
                problems.add::<()>(&auth.span_of(key), message);
            }
        }
        if kind == ManifestBackendKind::Builtin && self.backend.auth.class != AuthClass::None {
            problems.add::<()>(
                &auth.span_of("class"),
                "a built-in connector needs no credential: write \"none\"",
            );
        }
        let is_used = || {
            let mut used = false;
            if let super::ManifestTransport::Stdio(program) = &self.backend.transport {
                used = program.args.iter().chain(program.env.values()).any(ManifestText::has_credential);
            }
            used
        };
        if kind == ManifestBackendKind::Stdio && self.backend.auth.class.is_entered() && !is_used() {
            let message = "the credential goes nowhere: write ${credential} in env or args";
            problems.add::<()>(&auth.span_of("class"), message);
        }
    }

    fn tools(&self, table: &TableReader<'_>, problems: &mut ManifestProblems<'_>) {
        let tables = table.tables("tools");
        if tables.len() != self.backend.tools.len() {
            return;
        }
        let (mut names, mut own_names) = (HashSet::new(), HashSet::new());
        for (tool, table) in self.backend.tools.iter().zip(&tables) {
            let is_of_server = !self.backend.kind().is_direct();
            if !names.insert(tool.name.as_str()) {
                let message = format!("two tools have the name '{}'; give one of them another", tool.name);
                problems.add::<()>(&table.span_of("name"), message);
            } else if is_of_server && !own_names.insert(tool.from.as_str()) {
                let key = if table.has("from") { "from" } else { "name" };
                let message = format!("the server's tool '{}' has an entry already", tool.from);
                problems.add::<()>(&table.span_of(key), message);
            }
            for key in ["fixed", "defaults"] {
                for (_, value) in table.entries(key) {
                    self.json(&super::source::json_of(value.get_ref()), &value.span(), problems);
                }
            }
            if self.backend.kind().is_direct() {
                inputs(tool, table, problems);
            }
        }
    }

    fn health(&self, table: &TableReader<'_>, problems: &mut ManifestProblems<'_>) {
        let Some(HealthCall::Tool { name, .. }) = self.backend.health.as_ref().map(|health| &health.call)
        else {
            return;
        };
        let tools: Vec<&str> = self.backend.tools.iter().map(|tool| tool.name.as_str()).collect();
        let is_listed = self.backend.kind().is_direct() && !tools.is_empty();
        if is_listed && !tools.contains(&name.as_str()) {
            let span = table.table("health").map_or(table.span.clone(), |health| health.span_of("tool"));
            problems
                .add::<()>(&span, format!("this backend has no tool '{name}'; {}", nearest(name, &tools)));
        }
    }
}

/// Checks the arguments of a tool of a direct backend.
fn inputs(tool: &ManifestTool, table: &TableReader<'_>, problems: &mut ManifestProblems<'_>) {
    let given = |name: &str| {
        let input =
            tool.inputs.iter().any(|input| input.place == InputPlace::Path && input.wire_name == name);
        input || tool.fixed.contains_key(name)
    };
    for variable in tool.request.iter().flat_map(|request| path_variables(&request.path)) {
        if !given(variable) {
            let message = format!(
                "the path has {{{variable}}}, which no argument fills: add [backends.tools.input.{variable}]"
            );
            problems.add::<()>(&table.span_of("request"), message);
        }
    }
    let mut places = HashSet::new();
    for (input, ((_, span), _)) in tool.inputs.iter().zip(table.named_tables("input")) {
        if !places.insert((input.place, input.wire_name.as_str())) {
            let message =
                format!("two arguments go to '{}'; write as = \"…\" in one of them", input.wire_name);
            problems.add::<()>(&span, message);
        }
        if tool.paging.is_some() && input.name == CURSOR {
            problems.add::<()>(&span, "a paged tool has the argument cursor already; take it out");
        }
    }
    let names: Vec<&str> = tool.inputs.iter().map(|input| input.name.as_str()).collect();
    for ((name, span), _) in table.entries("defaults") {
        if !names.contains(&name) {
            problems.add::<()>(&span, format!("the tool has no argument '{name}'; write it under fixed"));
        }
    }
    let has_body = tool.request.as_ref().is_some_and(|request| request.body.is_some());
    let is_read = tool.request.as_ref().is_some_and(|request| request.method == http::Method::GET);
    if has_body && is_read {
        problems.add::<()>(&table.span_of("body"), "a GET request has no body");
    }
}
