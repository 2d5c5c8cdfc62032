//! From what serde read to what is meant. Problems are collected, so that one look at the list mends the file.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::{HeaderName, HeaderValue, Uri};
use loggia::limits::Limits;
use loggia::wire::Version;
use serde_json::Value;
use toml::Spanned;

use super::error::{ConfigFileError, Problems, ResolveError, nearest};
use super::name::{check_prefix, connector_name};
use super::raw::{Amount, RawConfigFile, RawConnector, RawServer, RawTools, Text};
use super::url::{URL, is_url};
use super::{
    BUILTIN_NAMES, Backend, Builtin, BuiltinKind, BuiltinOptionError, ConfigFile, Connector, GatewayLimits,
    Listen, PinRule, Remote, ServerSection, Stdio, ToolFilter, Transport, api, auth, limits, manifest_use,
    personal, sandbox,
};
use crate::secret::{Secret, Template};
use loggia_builtin::glob::{BoundedGlob, GlobOptions};

const KINDS: [&str; 5] = ["stdio", "remote", "openapi", "manifest", "builtin"];
/// Names of kinds in other programs, and ours.
const OTHER_KINDS: [(&str, &str); 13] = [
    ("http", "remote"),
    ("https", "remote"),
    ("sse", "remote"),
    ("streamable-http", "remote"),
    ("streamable_http", "remote"),
    ("streamableHttp", "remote"),
    ("url", "remote"),
    ("command", "stdio"),
    ("local", "stdio"),
    ("process", "stdio"),
    ("rest", "openapi"),
    ("swagger", "openapi"),
    ("api", "openapi"),
];
const TRANSPORTS: [(&str, Transport); 3] =
    [("auto", Transport::Auto), ("streamable", Transport::Streamable), ("sse", Transport::Sse)];

const FOLDER: &str = "write the path of a folder with manifests, for example \"./connectors\"";
const HOST: &str = "write a host name, with a port or without, for example \"mcp.example.com\"";
const ORIGIN: &str = "write scheme and host, without a path, for example \"https://app.example.com\"";
const HEADER_VALUE: &str =
    "a header cannot carry this value: it has a line break or a control character in it";

pub(super) fn config_file(text: &str, path: &Path) -> Result<ConfigFile, ConfigFileError> {
    let mut problems = Problems::new(text, &path.display().to_string());
    let base = path.parent().unwrap_or(Path::new("")).to_owned();
    let (server, connectors, templates) = (ServerSection::default(), Vec::new(), Vec::new());
    let mut config = ConfigFile { server, connectors, manifests: Vec::new(), base, templates };
    if looks_like_json(text, path) {
        problems.add::<()>(0..0, json_hint(path));
        return problems.unless_any(config);
    }
    match toml::from_str::<RawConfigFile>(text) {
        Err(error) => problems.add_toml(&error, None),
        Ok(raw) => {
            config.server = self::server(raw.server, &mut problems);
            config.manifests = each(raw.manifests, |folder| !folder.is_empty(), FOLDER, &mut problems)
                .into_iter()
                .map(PathBuf::from)
                .collect();
            check_prefixes(&raw.connectors, &mut problems);
            // The order of the file decides which connector owns a URI that several have.
            let mut connectors: Vec<_> = raw.connectors.into_iter().collect();
            connectors.sort_by_key(|(name, _)| name.span().start);
            let connectors = connectors.into_iter();
            config.connectors =
                connectors.filter_map(|(name, raw)| connector(name, raw, &mut problems)).collect();
        }
    }
    config.templates = std::mem::take(&mut problems.templates);
    problems.unless_any(config)
}

/// Returns whether this is the configuration of another program. No TOML document begins with a brace.
fn looks_like_json(text: &str, path: &Path) -> bool {
    let is_named_so = path.extension().is_some_and(|extension| extension == "json" || extension == "jsonc");
    is_named_so || text.trim_start_matches('\u{feff}').trim_start().starts_with('{')
}

fn json_hint(path: &Path) -> String {
    format!(
        "this is JSON, and the configuration of Loggia is TOML; if it lists servers for an MCP client (mcpServers, or \
         servers), `loggia import {}` adds them to loggia.toml",
        path.display()
    )
}

fn server(raw: RawServer, problems: &mut Problems<'_>) -> ServerSection {
    let default = ServerSection::default();
    let listen = raw.listen.and_then(|text| match text.as_ref().parse::<Listen>() {
        Ok(listen) => Some(listen),
        Err(message) => problems.add(text.span(), message),
    });
    let path = raw.path.and_then(|text| {
        match text.as_ref().starts_with('/') && text.as_ref().parse::<Uri>().is_ok() {
            true => Some(text.into_inner()),
            false => {
                problems.add(text.span(), "the path of the endpoint begins with '/', for example \"/mcp\"")
            }
        }
    });
    let public_url = raw.public_url.and_then(|text| match text.as_ref().parse() {
        Ok(url) => Some(url),
        Err(message) => problems.add(text.span(), message),
    });
    let (limits, gateway) = bounds(raw.limits, problems);
    ServerSection {
        listen,
        public_url,
        auth: raw.auth.map(|raw| auth::section(raw, problems)),
        vault_key: auth::vault_key(raw.vault, problems),
        path: path.unwrap_or(default.path),
        allowed_hosts: each(raw.allowed_hosts, is_host, HOST, problems),
        allowed_origins: each(raw.allowed_origins, is_origin, ORIGIN, problems),
        limits,
        gateway,
        sandbox: raw.sandbox.and_then(|text| sandbox::mode(&text, problems)),
    }
}

fn time(amount: &Spanned<Amount>, problems: &mut Problems<'_>) -> Option<Duration> {
    match limits::time(amount.as_ref()) {
        Ok(time) => Some(time),
        Err(message) => problems.add(amount.span(), message),
    }
}

fn bounds(
    raw: BTreeMap<Spanned<String>, Spanned<Amount>>,
    problems: &mut Problems<'_>,
) -> (Limits, GatewayLimits) {
    let (mut bounds, mut gateway) = (Limits::default(), GatewayLimits::default());
    for (name, amount) in raw {
        let (span, name) = (name.span(), name.as_ref());
        if !limits::names().contains(&name.as_str()) {
            problems
                .add::<()>(span, format!("there is no limit '{name}'; {}", nearest(name, &limits::names())));
        } else if let Err(message) = limits::set(&mut bounds, &mut gateway, name, amount.as_ref()) {
            problems.add::<()>(amount.span(), message);
        }
    }
    (bounds, gateway)
}

/// Those that are `good`; for the others a problem is noted.
fn each(list: Vec<Text>, good: fn(&str) -> bool, message: &str, problems: &mut Problems<'_>) -> Vec<String> {
    let check = |text: Text| match good(text.as_ref()) {
        true => Some(text.into_inner()),
        false => problems.add(text.span(), message),
    };
    list.into_iter().filter_map(check).collect()
}

fn is_host(text: &str) -> bool {
    text.parse::<http::uri::Authority>().is_ok_and(|authority| !authority.as_str().contains('@'))
}

fn is_origin(text: &str) -> bool {
    let host = text.split_once("://").filter(|(scheme, _)| !scheme.is_empty()).map(|(_, host)| host);
    host.is_some_and(is_host)
}

/// A prefix tells which connector a tool belongs to, so that no two may have the same. A connector without a prefix has
/// its name as one where the name of a tool alone would be another's.
fn check_prefixes(connectors: &BTreeMap<Spanned<String>, RawConnector>, problems: &mut Problems<'_>) {
    let mut names: BTreeMap<String, &str> = BTreeMap::new();
    let mut prefixes: BTreeMap<String, &str> = BTreeMap::new();
    let mut unprefixed = None;
    for (written, raw) in connectors {
        let Ok(name) = connector_name(written.as_ref()) else { continue };
        if let Some(other) = names.insert(name.clone(), written.as_ref()) {
            let message = format!("connector '{other}' has the name '{name}' too; rename one of them");
            problems.add::<()>(written.span(), message);
            continue;
        }
        let set = raw.prefix.as_ref().map(|prefix| (prefix.as_ref().as_str(), prefix.span()));
        let (prefix, span) = match set {
            Some(("", span)) => {
                if let Some(other) = unprefixed.replace(written.as_ref()) {
                    let message =
                        format!("connector '{other}' has an empty prefix too; give one of them another");
                    problems.add::<()>(span.clone(), message);
                }
                (name, span)
            }
            Some((prefix, span)) => (prefix.to_owned(), span),
            None => (name, written.span()),
        };
        if let Some(other) = prefixes.insert(prefix.clone(), written.as_ref()) {
            let message =
                format!("connector '{other}' has the prefix '{prefix}' too; give one of them another");
            problems.add::<()>(span, message);
        }
    }
}

fn connector(name: Spanned<String>, raw: RawConnector, problems: &mut Problems<'_>) -> Option<Connector> {
    let span = name.span();
    let name = connector_name(name.as_ref()).unwrap_or_else(|message| {
        problems.add::<()>(span.clone(), message);
        String::new()
    });
    let kind = kind(&raw, span.clone(), problems)?;
    check_keys(&raw, kind, problems);
    let prefix = raw.prefix.as_ref().and_then(|prefix| match check_prefix(prefix.as_ref()) {
        Ok(()) => Some(prefix.as_ref().clone()),
        Err(message) => problems.add(prefix.span(), message),
    });
    let timeout = raw.timeout.as_ref().and_then(|timeout| time(timeout, problems));
    let protocol = raw.protocol.as_ref().and_then(|text| protocol(text, problems));
    let pin = raw.pin.as_ref().and_then(|text| pin_rule(text, problems));
    Some(Connector {
        pin: pin.unwrap_or_default(),
        enabled: raw.enabled.unwrap_or(true),
        prefix,
        timeout,
        tools: filter(&raw.tools, problems),
        protocol,
        backend: backend(raw, kind, span, problems)?,
        name,
    })
}

/// The kind, by which the other keys are read.
fn kind(raw: &RawConnector, name: Range<usize>, problems: &mut Problems<'_>) -> Option<&'static str> {
    let Some(kind) = &raw.kind else {
        let meant = if raw.command.is_some() {
            "it has a command, so write kind = \"stdio\""
        } else if raw.url.is_some() {
            "it has a url, so write kind = \"remote\""
        } else if raw.manifest.is_some() {
            "it has a manifest, so write kind = \"manifest\""
        } else if raw.description.is_some() {
            "it has a description, so write kind = \"openapi\""
        } else {
            "write kind = \"stdio\" (a program), \"remote\" (a URL), \"openapi\" (a REST API), \"manifest\" (a connector of \
             the directory) or \"builtin\""
        };
        return problems.add(name, format!("this connector has no kind; {meant}"));
    };
    match KINDS.into_iter().find(|known| known == kind.as_ref()) {
        Some(known) => Some(known),
        None => {
            let other = OTHER_KINDS.iter().find(|(other, _)| other == kind.as_ref());
            let meant = match other {
                Some((_, known)) => format!("did you mean '{known}'?"),
                None => nearest(kind.as_ref(), &KINDS),
            };
            problems.add(kind.span(), format!("there is no such kind of connector; {meant}"))
        }
    }
}

/// Notes every key that belongs to another kind.
fn check_keys(raw: &RawConnector, kind: &str, problems: &mut Problems<'_>) {
    let text = |text: &Option<Text>| text.as_ref().map(Spanned::span);
    let keys = [
        ("command", &["stdio"][..], text(&raw.command)),
        ("args", &["stdio"][..], raw.args.as_ref().map(Spanned::span)),
        ("env", &["stdio"][..], raw.env.as_ref().map(Spanned::span)),
        ("cwd", &["stdio"][..], text(&raw.cwd)),
        ("start_timeout", &["stdio"][..], raw.start_timeout.as_ref().map(Spanned::span)),
        ("sandbox", &["stdio", "manifest"][..], raw.sandbox.as_ref().map(Spanned::span)),
        ("url", &["remote"][..], text(&raw.url)),
        ("headers", &["remote", "openapi"][..], raw.headers.as_ref().map(Spanned::span)),
        ("transport", &["remote"][..], text(&raw.transport)),
        ("credentials", &["remote"][..], text(&raw.credentials)),
        ("api_key", &["remote"][..], text(&raw.api_key)),
        ("client_id", &["remote"][..], text(&raw.client_id)),
        ("client_secret", &["remote"][..], text(&raw.client_secret)),
        ("issuer", &["remote"][..], text(&raw.issuer)),
        ("description", &["openapi"][..], text(&raw.description)),
        ("base_url", &["openapi"][..], text(&raw.base_url)),
        ("credential", &["openapi", "manifest"][..], text(&raw.credential)),
        ("manifest", &["manifest"][..], text(&raw.manifest)),
        ("backend", &["manifest"][..], text(&raw.backend)),
        ("config", &["manifest"][..], raw.config.as_ref().map(Spanned::span)),
        ("name", &["builtin"][..], text(&raw.name)),
        ("options", &["builtin"][..], raw.options.as_ref().map(Spanned::span)),
    ];
    for (key, belongs_to, span) in keys {
        if let Some(span) = span.filter(|_| !belongs_to.contains(&kind)) {
            let kinds = belongs_to.join("\" or \"");
            let message = format!(
                "'{key}' is for connectors of kind \"{kinds}\", and this one is \"{kind}\"; take it out, or \
                 change the kind"
            );
            problems.add::<()>(span, message);
        }
    }
}

fn protocol(text: &Text, problems: &mut Problems<'_>) -> Option<Version> {
    match text.as_ref().parse() {
        Ok(version) => Some(version),
        Err(_) => {
            let known = Version::ALL.map(Version::as_str).join(", ");
            let message = format!(
                "there is no such revision of the protocol; leave it out to negotiate, or write one of {known}"
            );
            problems.add(text.span(), message)
        }
    }
}

fn filter(raw: &RawTools, problems: &mut Problems<'_>) -> ToolFilter {
    let mut glob = |text: &Text| match BoundedGlob::compile(text.as_ref(), GlobOptions::default()) {
        Ok(glob) => Some(glob),
        Err(reason) => problems.add(text.span(), format!("this pattern does not parse: {reason}")),
    };
    ToolFilter {
        allow: raw.allow.as_ref().map(|allow| allow.iter().filter_map(&mut glob).collect()),
        deny: raw.deny.iter().filter_map(&mut glob).collect(),
    }
}

fn backend(
    raw: RawConnector,
    kind: &str,
    name: Range<usize>,
    problems: &mut Problems<'_>,
) -> Option<Backend<Template>> {
    match kind {
        "stdio" => stdio(raw, name, problems).map(Backend::Stdio),
        "remote" => remote(raw, name, problems).map(Backend::Remote),
        "openapi" => api::openapi(raw, name, problems).map(Backend::OpenApi),
        "manifest" => manifest_use::manifest_use(raw, name, problems).map(Backend::Manifest),
        _ => builtin(raw, name, problems).map(Backend::Builtin),
    }
}

fn stdio(raw: RawConnector, name: Range<usize>, problems: &mut Problems<'_>) -> Option<Stdio<Template>> {
    let Some(command) = raw.command else {
        return problems
            .add(name, "a connector of kind \"stdio\" needs a command, for example command = \"npx\"");
    };
    let env = raw.env.map(Spanned::into_inner).unwrap_or_default();
    for (variable, _) in
        env.iter().filter(|(name, _)| name.as_ref().is_empty() || name.as_ref().contains(['=', '\0']))
    {
        problems.add::<()>(variable.span(), "this cannot be the name of an environment variable");
    }
    Some(Stdio {
        command: problems.template(command)?,
        args: raw
            .args
            .map(Spanned::into_inner)
            .unwrap_or_default()
            .into_iter()
            .filter_map(|arg| problems.template(arg))
            .collect(),
        env: problems.templates(env),
        cwd: raw.cwd.and_then(|cwd| problems.template(cwd)),
        start_timeout: raw.start_timeout.and_then(|timeout| time(&timeout, problems)),
        sandbox: sandbox::program(raw.sandbox, problems)?,
    })
}

fn remote(raw: RawConnector, name: Range<usize>, problems: &mut Problems<'_>) -> Option<Remote<Template>> {
    let Some(url) = raw.url else {
        return problems.add(
            name,
            "a connector of kind \"remote\" needs a url, for example url = \"https://example.com/mcp\"",
        );
    };
    let headers = raw.headers.map(Spanned::into_inner).unwrap_or_default();
    for (header, _) in headers.iter().filter(|(name, _)| name.as_ref().parse::<HeaderName>().is_err()) {
        problems.add::<()>(header.span(), "this cannot be the name of a header");
    }
    let client = personal::RawOwnClient { id: raw.client_id, secret: raw.client_secret };
    let personal = personal::personal(raw.credentials, raw.api_key, client, &headers, problems);
    let issuer = raw.issuer.and_then(|text| issuer(text, problems));
    let transport = raw.transport.map_or(Some(Transport::Auto), |text| transport(&text, problems));
    let span = url.span();
    let url = problems.template(url)?;
    if url.is_plain() && !is_url(url.written()) {
        return problems.add(span, URL);
    }
    Some(Remote { url, headers: problems.templates(headers), transport: transport?, personal, issuer })
}

fn issuer(text: Text, problems: &mut Problems<'_>) -> Option<String> {
    if is_url(text.as_ref()) {
        return Some(text.into_inner());
    }
    problems.add(text.span(), "an issuer is a URL, as the metadata of the authorization server names it")
}

fn transport(text: &Text, problems: &mut Problems<'_>) -> Option<Transport> {
    match TRANSPORTS.iter().find(|(known, _)| known == text.as_ref()) {
        Some((_, transport)) => Some(*transport),
        None => {
            let nearest = nearest(text.as_ref(), &TRANSPORTS.map(|(name, _)| name));
            problems.add(text.span(), format!("there is no such transport; {nearest}"))
        }
    }
}

fn pin_rule(text: &Text, problems: &mut Problems<'_>) -> Option<PinRule> {
    match PinRule::ALL.iter().find(|(known, _)| known == text.as_ref()) {
        Some((_, rule)) => Some(*rule),
        None => {
            let nearest = nearest(text.as_ref(), &PinRule::ALL.map(|(name, _)| name));
            problems.add(text.span(), format!("there is no such rule for pins; {nearest}"))
        }
    }
}

fn builtin(raw: RawConnector, name: Range<usize>, problems: &mut Problems<'_>) -> Option<Builtin<Template>> {
    let Some(builtin) = raw.name else {
        return problems
            .add(name, "a connector of kind \"builtin\" needs a name, for example name = \"files\"");
    };
    let Some(kind) = BuiltinKind::from_name(builtin.as_ref()) else {
        let nearest = nearest(builtin.as_ref(), BUILTIN_NAMES);
        return problems
            .add(builtin.span(), format!("there is no built-in connector of this name; {nearest}"));
    };
    let options = raw.options.unwrap_or_else(|| Spanned::new(builtin.span(), toml::Table::new()));
    let span = options.span();
    let options = serde_json::to_value(options.into_inner()).unwrap_or_default();
    let checked = match kind.check(options.as_object().unwrap_or(&serde_json::Map::new())) {
        Ok(checked) => checked,
        Err(error) => return problems.add(span, option_message(kind, error)),
    };
    let checked = Builtin { kind, options: checked };
    let template = |text: &String| problems.template(Spanned::new(span.clone(), text.clone())).ok_or(());
    checked.try_map(template).ok()
}

fn option_message(kind: BuiltinKind, error: BuiltinOptionError<'_>) -> String {
    match error {
        BuiltinOptionError::Unknown(name) => {
            format!("there is no key '{name}' here; {}", nearest(name, &kind.option_names()))
        }
        BuiltinOptionError::Format(_, needed, found) => {
            let found = match found {
                Value::String(_) => "a string",
                Value::Number(_) => "a number",
                Value::Bool(_) => "true or false",
                Value::Array(_) => "a list",
                Value::Object(_) | Value::Null => "a table",
            };
            format!("this is {found}, and {needed}")
        }
        BuiltinOptionError::Missing(option) => {
            format!("the built-in connector \"{}\" needs the option {option}", kind.as_str())
        }
        BuiltinOptionError::NoEffect(option, flag) => {
            format!("{option} has no effect without {flag} = true; add it, or leave both out")
        }
    }
}

/// Checks what only the values of the variables can show.
pub(super) fn resolved(written: &Backend<Template>, values: &Backend<Secret>) -> Result<(), ResolveError> {
    let bad =
        |template: &Template, reason| ResolveError::Bad { location: template.location().clone(), reason };
    let check_url = |written: &Template, value: &Secret| match is_url(value.expose()) {
        true => Ok(()),
        false => Err(bad(written, URL)),
    };
    let (written_headers, headers) = match (written, values) {
        (Backend::Remote(written), Backend::Remote(values)) => {
            check_url(&written.url, &values.url)?;
            (&written.headers, &values.headers)
        }
        (Backend::OpenApi(written), Backend::OpenApi(values)) => {
            written
                .base_url
                .iter()
                .zip(&values.base_url)
                .try_for_each(|(url, value)| check_url(url, value))?;
            (&written.headers, &values.headers)
        }
        _ => return Ok(()),
    };
    for (template, value) in written_headers.values().zip(headers.values()) {
        HeaderValue::from_str(value.expose()).map_err(|_| bad(template, HEADER_VALUE))?;
    }
    Ok(())
}
