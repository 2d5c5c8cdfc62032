//! `loggia inspect`: what a server is, how fast it answers, and what is wrong with what it lists.

mod problems;

use std::fmt::Write;
use std::time::{Duration, Instant};

use loggia::client::{Client, Listing, RequestOptions, ServerFacts};
use loggia::model::{Implementation, Prompt, Resource, ResourceTemplate, ServerCapabilities, Tool};
use loggia::wire::json::ToJson;
use loggia::wire::{JsonObject, Method, RawJson};
use serde_json::{Value, json};

use super::session::Session;
use crate::exit::Outcome;
use crate::out::{self, BOLD, DIM, GOOD, NAME, WARN};
use crate::text::{count, one_line, paragraph, wrap};

/// Columns for the names of the rows.
const NAMES: usize = 13;

/// Everything that is found out.
struct Findings {
    identity: Option<Implementation>,
    version: String,
    modern: bool,
    versions: Vec<String>,
    capabilities: ServerCapabilities,
    instructions: Option<String>,
    connected_in: Duration,
    ping: Result<Duration, String>,
    tools: Option<Listed<Tool>>,
    prompts: Option<Listed<Prompt>>,
    resources: Option<Listed<Resource>>,
    templates: Option<Listed<ResourceTemplate>>,
}

/// A list and how long it took; or why there is none.
struct Listed<T> {
    listing: Result<Listing<T>, String>,
    took: Duration,
}

/// `loggia inspect`.
pub(crate) async fn run(session: &Session<'_>, _: &[String]) -> Outcome {
    let findings = look(session).await?;
    let problems: Vec<String> = findings.problems().iter().map(|problem| session.told(problem)).collect();
    if session.json() {
        return session.print_json(&findings.as_json(&problems).to_raw());
    }
    Ok(out::print(findings.as_text(&problems, out::width()))?)
}

async fn look(session: &Session<'_>) -> Outcome<Findings> {
    let client = session.client();
    let facts = client.server().await?;
    let capabilities = facts.capabilities.clone();
    let has_resources = capabilities.resources.is_some();
    let (ping, took) = timed(client.ping()).await;
    Ok(Findings {
        identity: facts.identity.clone(),
        version: facts.version.to_string(),
        modern: facts.version.is_modern(),
        versions: versions(client, &facts).await,
        instructions: facts.instructions.clone(),
        connected_in: session.connected_in(),
        ping: ping.map(|()| took).map_err(|error| session.told(&error)),
        tools: listed(session, capabilities.tools.is_some(), client.read_tool_list()).await,
        prompts: listed(session, capabilities.prompts.is_some(), client.read_prompt_list()).await,
        resources: listed(session, has_resources, client.read_resource_list()).await,
        templates: listed(session, has_resources, super::list::templates(client)).await,
        capabilities,
    })
}

/// The revisions a server says it speaks. A legacy server says only which one was agreed on.
async fn versions(client: &Client, facts: &ServerFacts) -> Vec<String> {
    let agreed = vec![facts.version.to_string()];
    if !facts.version.is_modern() {
        return agreed;
    }
    let reply = client.request(Method::Discover, RawJson::empty_object(), RequestOptions::default()).await;
    let result: Option<Value> = reply.ok().and_then(|reply| reply.result.decode().ok());
    let supported =
        result.and_then(|result| serde_json::from_value(result["supportedVersions"].clone()).ok());
    supported.unwrap_or(agreed)
}

async fn timed<T>(work: impl Future<Output = T>) -> (T, Duration) {
    let started = Instant::now();
    let result = work.await;
    (result, started.elapsed())
}

async fn listed<T>(
    session: &Session<'_>,
    declared: bool,
    list: impl Future<Output = loggia::Result<Listing<T>>>,
) -> Option<Listed<T>> {
    if !declared {
        return None;
    }
    let (listing, took) = timed(list).await;
    Some(Listed { listing: listing.map_err(|error| session.told(&error)), took })
}

impl<T> Listed<T> {
    fn entries(&self) -> &[T] {
        self.listing.as_ref().map(|listing| &*listing.entries).unwrap_or_default()
    }

    /// Returns the parts that are missing in the list of `what`.
    fn problems(&self, what: &str) -> Vec<String> {
        match &self.listing {
            Ok(listing) => listing.warnings.iter().map(|warning| format!("{what}: {warning}")).collect(),
            Err(why) => vec![format!("the {what} cannot be listed: {why}")],
        }
    }
}

impl Findings {
    fn problems(&self) -> Vec<String> {
        let mut found = problems::of_tools(self.tools.as_ref().map(Listed::entries).unwrap_or_default());
        found.extend(problems::of_prompts(self.prompts.as_ref().map(Listed::entries).unwrap_or_default()));
        found.extend(problems::of_resources(
            self.resources.as_ref().map(Listed::entries).unwrap_or_default(),
            self.templates.as_ref().map(Listed::entries).unwrap_or_default(),
        ));
        found.extend(self.tools.iter().flat_map(|list| list.problems("tools")));
        found.extend(self.prompts.iter().flat_map(|list| list.problems("prompts")));
        found.extend(self.resources.iter().flat_map(|list| list.problems("resources")));
        found.extend(self.templates.iter().flat_map(|list| list.problems("resource templates")));
        found.extend(self.ping.as_ref().err().map(|why| format!("ping failed: {why}")));
        if self.identity.is_none() {
            found.push("the server does not send its name and version".to_owned());
        }
        found
    }

    fn as_json(&self, problems: &[String]) -> JsonObject {
        let mut timing = JsonObject::new();
        timing.insert("connectMs", millis(self.connected_in));
        timing.insert("pingMs", json!(self.ping.as_ref().ok().copied().map(millis)));
        let lists = JsonObject::from_iter([
            ("tools", list_json(self.tools.as_ref())),
            ("prompts", list_json(self.prompts.as_ref())),
            ("resources", list_json(self.resources.as_ref())),
            ("resourceTemplates", list_json(self.templates.as_ref())),
        ]);
        let mut all = JsonObject::new();
        all.insert("server", or_null(self.identity.as_ref()));
        all.insert("era", self.era());
        all.insert("version", &self.version);
        all.insert("supportedVersions", &self.versions);
        all.insert("capabilities", &self.capabilities);
        all.insert("instructions", or_null(self.instructions.as_ref()));
        all.insert("timing", timing);
        all.insert("lists", lists);
        all.insert("problems", json!(problems));
        all
    }

    fn as_text(&self, problems: &[String], width: usize) -> String {
        let mut out = String::new();
        row(&mut out, "Server", &self.who());
        row(&mut out, "Era", &format!("{}, revision {}", self.era(), self.version));
        if self.versions.len() > 1 {
            row(&mut out, "Speaks", &self.versions.join(", "));
        }
        let ping = self
            .ping
            .as_ref()
            .map_or_else(|why| format!("ping failed: {why}"), |took| format!("ping {}", ms(*took)));
        row(&mut out, "Timing", &format!("connected in {}, {ping}", ms(self.connected_in)));
        long_row(&mut out, "Offers", &offers(&self.capabilities), width);
        long_row(&mut out, "Lists", &self.lists().join(", "), width);
        if let Some(instructions) = &self.instructions {
            // Writing into a String cannot fail.
            let _ = writeln!(out, "{BOLD}Instructions{BOLD:#}");
            paragraph(&mut out, instructions, 2, width);
        }
        if problems.is_empty() {
            let _ = writeln!(out, "{GOOD}No problems found.{GOOD:#}");
        } else {
            let _ = writeln!(out, "{WARN}{}{WARN:#}", count(problems.len(), "problem"));
            problems.iter().for_each(|problem| paragraph(&mut out, problem, 2, width));
        }
        out
    }

    fn lists(&self) -> Vec<String> {
        let all = [
            list_text("tool", self.tools.as_ref()),
            list_text("prompt", self.prompts.as_ref()),
            list_text("resource", self.resources.as_ref()),
            list_text("template", self.templates.as_ref()),
        ];
        all.into_iter().flatten().collect()
    }

    fn era(&self) -> &'static str {
        if self.modern { "modern" } else { "legacy" }
    }

    fn who(&self) -> String {
        let Some(identity) = &self.identity else { return "(not sent by the server)".to_owned() };
        let title = identity.title.as_deref().filter(|title| *title != identity.name);
        let title = title.map(|title| format!(" ({})", one_line(title))).unwrap_or_default();
        let site = identity.website_url.as_deref().map(|url| format!("  {DIM}{}{DIM:#}", one_line(url)));
        let (name, version) = (one_line(&identity.name), one_line(&identity.version));
        format!("{NAME}{name}{NAME:#} {version}{title}{}", site.unwrap_or_default())
    }
}

fn row(out: &mut String, name: &str, value: &str) {
    // Writing into a String cannot fail.
    let _ = writeln!(out, "{BOLD}{name:<NAMES$}{BOLD:#}{value}");
}

/// A row whose value may take several lines. It must be plain text.
fn long_row(out: &mut String, name: &str, value: &str, width: usize) {
    for (n, line) in wrap(value, width.saturating_sub(NAMES)).iter().enumerate() {
        row(out, if n == 0 { name } else { "" }, line);
    }
}

fn list_text<T>(noun: &str, list: Option<&Listed<T>>) -> Option<String> {
    let Listed { listing, took } = list?;
    Some(match listing {
        Ok(listing) => format!("{} in {}", count(listing.entries.len(), noun), ms(*took)),
        Err(why) => format!("{noun}s cannot be listed: {}", one_line(why)),
    })
}

/// Returns `null` for a member that is not known: the members of the report are the same for every server.
fn or_null<T: ToJson>(value: Option<&T>) -> RawJson {
    value.map_or(RawJson::null(), |value| RawJson::of(value))
}

fn list_json<T>(list: Option<&Listed<T>>) -> Value {
    match list {
        None => Value::Null,
        Some(Listed { listing: Ok(listing), took }) => {
            json!({ "count": listing.entries.len(), "ms": millis(*took) })
        }
        Some(Listed { listing: Err(why), took }) => json!({ "error": why, "ms": millis(*took) }),
    }
}

fn offers(capabilities: &ServerCapabilities) -> String {
    let with = |name: &str, details: &[(Option<bool>, &str)]| {
        let details: Vec<&str> =
            details.iter().filter(|(on, _)| *on == Some(true)).map(|(_, what)| *what).collect();
        if details.is_empty() { name.to_owned() } else { format!("{name} ({})", details.join(", ")) }
    };
    const CHANGES: &str = "announces changes";
    let mut offers = Vec::new();
    if let Some(tools) = &capabilities.tools {
        offers.push(with("tools", &[(tools.list_changed, CHANGES)]));
    }
    if let Some(prompts) = &capabilities.prompts {
        offers.push(with("prompts", &[(prompts.list_changed, CHANGES)]));
    }
    if let Some(resources) = &capabilities.resources {
        let details = [(resources.list_changed, CHANGES), (resources.subscribe, "subscriptions")];
        offers.push(with("resources", &details));
    }
    offers.extend(capabilities.completions.iter().map(|_| "completions".to_owned()));
    offers.extend(capabilities.logging.iter().map(|_| "logging".to_owned()));
    offers.extend(capabilities.extensions.iter().flat_map(|all| all.keys().map(|name| one_line(name))));
    if offers.is_empty() { "nothing".to_owned() } else { offers.join(", ") }
}

fn ms(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

fn millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 10_000.0).round() / 10.0
}
