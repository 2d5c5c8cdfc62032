//! The reader of one backend.

use std::collections::BTreeMap;

use http::{HeaderName, Method};

use super::read_tool::tool;
use super::read_value::{object, pattern, request_of, template, templates};
use super::source::{ManifestProblems, TableReader};
use super::{
    AuthClass, AuthStep, BackendAuth, BackendLimits, BuiltinServer, CredentialPrompt, DirectApi, GraphQlApi,
    HealthCall, HealthCheck, ManifestBackend, ManifestBackendKind, ManifestText, ManifestTransport,
    PackageSource, RemoteServer, RequestPlace, RequestRate, ServerProgram,
};
use crate::config_file::{Transport, bytes_of, duration_of, is_url};

pub(super) fn backend(
    table: &TableReader<'_>,
    problems: &mut ManifestProblems<'_>,
) -> Option<ManifestBackend> {
    let kind = ManifestBackendKind::from_name(table.text("kind")?)?;
    let tools = table.tables("tools");
    let backend = ManifestBackend {
        name: table.owned("name").unwrap_or_else(|| kind.as_str().to_owned()),
        title: table.owned("title"),
        notes: table.texts("notes"),
        unusable_when: table.owned("unusable_when"),
        transport: transport(kind, table, problems)?,
        auth: table.table("auth").map(|table| auth(&table, problems)).unwrap_or_default(),
        allowed_hosts: table.table("network").map(|table| table.texts("allow")).unwrap_or_default(),
        limits: table.table("limits").map(|table| limits(&table, problems)).unwrap_or_default(),
        health: table.table("health").and_then(|table| health(&table, problems)),
        tools: tools.iter().filter_map(|table| tool(kind, table, problems)).collect(),
        location: problems.location(&table.span),
    };
    Some(backend)
}

fn needs<T>(table: &TableReader<'_>, example: &str, problems: &mut ManifestProblems<'_>) -> Option<T> {
    let kind = table.text("kind").unwrap_or_default();
    problems.add(&table.span, format!("a backend of kind \"{kind}\" needs {example}"))
}

fn transport(
    kind: ManifestBackendKind,
    table: &TableReader<'_>,
    problems: &mut ManifestProblems<'_>,
) -> Option<ManifestTransport> {
    Some(match kind {
        ManifestBackendKind::Remote => {
            let headers = headers(table, problems);
            let transport = match table.text("transport") {
                Some("sse") => Transport::Sse,
                Some("auto") => Transport::Auto,
                _ => Transport::Streamable,
            };
            let example = "a url, for example url = \"https://mcp.example.com/mcp\"";
            let Some(url) = url(table, "url", problems) else {
                return missing(table, "url", example, problems);
            };
            ManifestTransport::Remote(RemoteServer { url, transport, headers })
        }
        ManifestBackendKind::Stdio => {
            let args = table.items("args").filter_map(|item| {
                let parsed = ManifestText::parse(item.get_ref().as_str()?);
                parsed.map_or_else(|message| problems.add(&item.span(), message), Some)
            });
            let args = args.collect();
            let (env, cwd) = (templates(table, "env", problems), template(table, "cwd", problems));
            ManifestTransport::Stdio(ServerProgram { source: source(table, problems)?, args, env, cwd })
        }
        ManifestBackendKind::OpenApi => {
            let headers = headers(table, problems);
            let base_url = url(table, "base_url", problems);
            let description = table.owned("description");
            if !table.has("base_url") && (description.is_none() || table.has("tools")) {
                return needs(
                    table,
                    "a base_url, for example base_url = \"https://api.example.com\"",
                    problems,
                );
            }
            if !table.has("tools") && description.is_none() {
                return needs(table, "a description, or its tools in [[backends.tools]]", problems);
            }
            let failure = table.filter("failure");
            ManifestTransport::OpenApi(DirectApi { base_url, description, headers, failure })
        }
        ManifestBackendKind::GraphQl => {
            let headers = headers(table, problems);
            let example = "a url, for example url = \"https://api.example.com/graphql\"";
            let Some(url) = url(table, "url", problems) else {
                return missing(table, "url", example, problems);
            };
            ManifestTransport::GraphQl(GraphQlApi { url, headers })
        }
        ManifestBackendKind::Builtin => {
            let Some(name) = table.owned("builtin") else {
                return missing(table, "builtin", "a builtin, for example builtin = \"files\"", problems);
            };
            ManifestTransport::Builtin(BuiltinServer { name, options: object(table, "options") })
        }
    })
}

/// Reports a missing key. A key with a wrong value was reported before.
fn missing<T>(
    table: &TableReader<'_>,
    key: &str,
    example: &str,
    problems: &mut ManifestProblems<'_>,
) -> Option<T> {
    if table.has(key) { None } else { needs(table, example, problems) }
}

fn url(table: &TableReader<'_>, key: &str, problems: &mut ManifestProblems<'_>) -> Option<ManifestText> {
    let url = template(table, key, problems)?;
    if url.as_plain().is_some_and(|url| !is_url(url)) {
        return problems
            .add(&table.span_of(key), "write a whole URL, for example \"https://api.example.com\"");
    }
    Some(url)
}

fn headers(table: &TableReader<'_>, problems: &mut ManifestProblems<'_>) -> BTreeMap<String, ManifestText> {
    for ((name, span), _) in table.entries("headers") {
        if name.parse::<HeaderName>().is_err() {
            problems.add::<()>(&span, "this cannot be the name of a header");
        }
    }
    templates(table, "headers", problems)
}

fn source(table: &TableReader<'_>, problems: &mut ManifestProblems<'_>) -> Option<PackageSource> {
    let digest = table.owned("digest");
    let package = match (table.text("package"), table.has("command")) {
        (Some(_), true) => {
            return problems.add(&table.span_of("command"), "a backend has a package or a command, not both");
        }
        (None, true) if digest.is_some() => {
            return problems.add(&table.span_of("digest"), "a digest is for a package; a command has none");
        }
        (None, true) => return template(table, "command", problems).map(PackageSource::Command),
        (None, false) => {
            return missing(
                table,
                "package",
                "a package, for example package = \"npm:@acme/server@1.2.3\"",
                problems,
            );
        }
        (Some(package), false) => package,
    };
    let (registry, rest) = package.split_once(':')?;
    match registry {
        "npm" => {
            let (name, version) = rest.rsplit_once('@')?;
            Some(PackageSource::Npm { name: name.to_owned(), version: version.to_owned(), digest })
        }
        "pypi" => {
            let (name, version) = rest.split_once("==")?;
            Some(PackageSource::PyPi { name: name.to_owned(), version: version.to_owned(), digest })
        }
        "oci" => Some(PackageSource::Oci { image: rest.to_owned(), digest }),
        "mcpb" => match digest {
            Some(digest) => Some(PackageSource::Bundle { url: rest.to_owned(), digest }),
            None => {
                problems.add(&table.span_of("package"), "a bundle needs its digest: digest = \"sha256:…\"")
            }
        },
        _ => None,
    }
}

fn auth(table: &TableReader<'_>, problems: &mut ManifestProblems<'_>) -> BackendAuth {
    let alternatives = table.texts("alternatives");
    let name = table.owned("name");
    let place = match table.text("in") {
        Some("query") => RequestPlace::Query,
        Some("cookie") => RequestPlace::Cookie,
        _ => RequestPlace::Header,
    };
    if place == RequestPlace::Header
        && name.as_deref().is_some_and(|name| name.parse::<HeaderName>().is_err())
    {
        problems.add::<()>(&table.span_of("name"), "this cannot be the name of a header");
    }
    if place != RequestPlace::Header && name.is_none() {
        problems.add::<()>(&table.span_of("in"), "a credential in the query or a cookie needs its name");
    }
    let value = template(table, "value", problems);
    if value.as_ref().is_some_and(|value| !value.has_credential()) {
        problems.add::<()>(&table.span_of("value"), "the value needs ${credential}");
    }
    for (key, other) in
        [("authorization_endpoint", "token_endpoint"), ("token_endpoint", "authorization_endpoint")]
    {
        if table.has(key) && !table.has(other) {
            problems.add::<()>(&table.span_of(key), format!("'{key}' needs '{other}', too"));
        }
    }
    BackendAuth {
        class: table.text("class").and_then(AuthClass::from_name).unwrap_or_default(),
        alternatives: alternatives.iter().filter_map(|name| AuthClass::from_name(name)).collect(),
        read_scopes: table.texts("read_scopes"),
        write_scopes: table.texts("write_scopes"),
        issuer: table.owned("issuer"),
        resource: table.owned("resource"),
        register_at: table.owned("register_at"),
        authorization_endpoint: table.owned("authorization_endpoint"),
        token_endpoint: table.owned("token_endpoint"),
        authorize_params: table
            .entries("authorize_params")
            .into_iter()
            .filter_map(|((name, _), value)| Some((name.to_owned(), value.get_ref().as_str()?.to_owned())))
            .collect(),
        place,
        name,
        value,
        credential: table.table("credential").map(|table| CredentialPrompt {
            title: table.owned("title").unwrap_or_default(),
            description: table.owned("description"),
            pattern: pattern(&table, "pattern", problems),
        }),
        steps: table
            .tables("steps")
            .iter()
            .map(|step| AuthStep { text: step.owned("text").unwrap_or_default(), link: step.owned("link") })
            .collect(),
    }
}

fn limits(table: &TableReader<'_>, problems: &mut ManifestProblems<'_>) -> BackendLimits {
    let idempotency_header = table.owned("idempotency_header");
    if idempotency_header.as_deref().is_some_and(|name| name.parse::<HeaderName>().is_err()) {
        problems.add::<()>(&table.span_of("idempotency_header"), "this cannot be the name of a header");
    }
    let max_result = table.json("max_result").and_then(|size| match size.as_str() {
        Some(text) => bytes_of(text).ok(),
        None => size.as_u64().and_then(|size| usize::try_from(size).ok()),
    });
    BackendLimits {
        rate: table.text("rate").and_then(RequestRate::read),
        timeout: table.text("timeout").and_then(|text| duration_of(text).ok()),
        max_result,
        idempotency_header,
    }
}

fn health(table: &TableReader<'_>, problems: &mut ManifestProblems<'_>) -> Option<HealthCheck> {
    let call = match (table.owned("tool"), table.text("request")) {
        (Some(name), None) => HealthCall::Tool { name, arguments: object(table, "arguments") },
        (None, Some(request)) => {
            let (method, path) = request_of(request)?;
            if method != Method::GET && method != Method::POST {
                return problems.add(&table.span_of("request"), "a health check reads: write GET or POST");
            }
            HealthCall::Request { method, path }
        }
        (Some(_), Some(_)) => {
            return problems
                .add(&table.span_of("request"), "a health check has a tool or a request, not both");
        }
        (None, None) => {
            return problems.add(&table.span, "a health check needs a tool, for example tool = \"whoami\"");
        }
    };
    Some(HealthCheck { call, account: table.filter("account") })
}
