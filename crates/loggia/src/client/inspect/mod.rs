//! The examination of a server: what it says of itself, how fast it answers, and what is wrong with its lists. Authors of
//! servers use it in tests, and clients show it. Invariant: a list that cannot be read is a part of the report, and does not
//! end the examination.

mod facts;
mod problems;

use std::time::{Duration, Instant};

use loggia_wire::json::ToJson;
use loggia_wire::model::{Implementation, Prompt, Resource, ResourceTemplate, ServerCapabilities, Tool};
use loggia_wire::{JsonObject, Method, RawJson, Version};
use serde_json::{Value, json};

use crate::client::{Client, Listing, RequestOptions, ServerFacts};
use crate::error::{Error, Result};

/// A report on a server.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ServerReport {
    /// The server's name and version, where it sends them.
    pub identity: Option<Implementation>,
    /// The revision in use.
    pub version: Version,
    /// The revisions that the server says it supports. A legacy server says only which one was agreed on.
    pub supported_versions: Vec<String>,
    /// The server's capabilities.
    pub capabilities: ServerCapabilities,
    /// The instructions for a model.
    pub instructions: Option<String>,
    /// The duration of a ping, or the reason why it failed.
    pub ping: Result<Duration, String>,
    /// The tools; `None` where the server does not offer any.
    pub tools: Option<ListReport<Tool>>,
    /// The prompts.
    pub prompts: Option<ListReport<Prompt>>,
    /// The resources.
    pub resources: Option<ListReport<Resource>>,
    /// The resource templates.
    pub templates: Option<ListReport<ResourceTemplate>>,
}

/// A report on one list of a server.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ListReport<T> {
    /// The list, or the reason why it cannot be read.
    pub listing: Result<Listing<T>, String>,
    /// The time that it took.
    pub took: Duration,
}

impl Client {
    /// Examines the server. `describe` makes the texts of errors in the report, which may quote the server.
    ///
    /// ```
    /// # use loggia::client::Client;
    /// # async fn example(client: &Client) -> loggia::Result<()> {
    /// let report = client.inspect(|error| error.to_string()).await?;
    /// assert_eq!(report.problems(), [""; 0]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error`] where the connection has ended.
    pub async fn inspect(&self, describe: impl Fn(&Error) -> String) -> Result<ServerReport> {
        let facts = self.server().await?;
        let capabilities = facts.capabilities.clone();
        let has_resources = capabilities.resources.is_some();
        let (ping, took) = timed(self.ping()).await;
        Ok(ServerReport {
            identity: facts.identity.clone(),
            version: facts.version,
            supported_versions: self.supported_versions(&facts).await,
            instructions: facts.instructions.clone(),
            ping: ping.map(|()| took).map_err(|error| describe(&error)),
            tools: ListReport::read(capabilities.tools.is_some(), self.read_tool_list(), &describe).await,
            prompts: ListReport::read(capabilities.prompts.is_some(), self.read_prompt_list(), &describe)
                .await,
            resources: ListReport::read(has_resources, self.read_resource_list(), &describe).await,
            templates: ListReport::read(has_resources, self.read_resource_template_list(), &describe).await,
            capabilities,
        })
    }

    async fn supported_versions(&self, facts: &ServerFacts) -> Vec<String> {
        let agreed = vec![facts.version.to_string()];
        if !facts.version.is_modern() {
            return agreed;
        }
        let reply = self.request(Method::Discover, RawJson::empty_object(), RequestOptions::default()).await;
        let result: Option<Value> = reply.ok().and_then(|reply| reply.result.decode().ok());
        let supported =
            result.and_then(|result| serde_json::from_value(result["supportedVersions"].clone()).ok());
        supported.unwrap_or(agreed)
    }
}

async fn timed<T>(work: impl Future<Output = T>) -> (T, Duration) {
    let started = Instant::now();
    let result = work.await;
    (result, started.elapsed())
}

impl<T> ListReport<T> {
    async fn read(
        is_declared: bool,
        list: impl Future<Output = Result<Listing<T>>>,
        describe: impl Fn(&Error) -> String,
    ) -> Option<ListReport<T>> {
        if !is_declared {
            return None;
        }
        let (listing, took) = timed(list).await;
        Some(ListReport { listing: listing.map_err(|error| describe(&error)), took })
    }

    fn entries(list: Option<&ListReport<T>>) -> &[T] {
        list.and_then(|list| list.listing.as_ref().ok()).map(|listing| &*listing.entries).unwrap_or_default()
    }

    /// Returns the parts that are missing in the list of `what`.
    fn problems(&self, what: &str) -> Vec<String> {
        match &self.listing {
            Ok(listing) => listing.warnings.iter().map(|warning| format!("{what}: {warning}")).collect(),
            Err(why) => vec![format!("the {what} cannot be listed: {why}")],
        }
    }

    fn to_json(list: Option<&ListReport<T>>) -> Value {
        match list {
            None => Value::Null,
            Some(ListReport { listing: Ok(listing), took }) => {
                json!({ "count": listing.entries.len(), "ms": milliseconds(*took) })
            }
            Some(ListReport { listing: Err(why), took }) => {
                json!({ "error": why, "ms": milliseconds(*took) })
            }
        }
    }
}

impl ServerReport {
    /// Returns the era of the revision in use.
    pub fn era(&self) -> &'static str {
        if self.version.is_modern() { "modern" } else { "legacy" }
    }

    /// Returns the problems, one sentence each: names and schemas that some clients refuse, or that the specification does
    /// not allow, and lists that are not complete. They quote the server.
    pub fn problems(&self) -> Vec<String> {
        let mut found = problems::of_tools(ListReport::entries(self.tools.as_ref()));
        found.extend(problems::of_prompts(ListReport::entries(self.prompts.as_ref())));
        found.extend(problems::of_resources(
            ListReport::entries(self.resources.as_ref()),
            ListReport::entries(self.templates.as_ref()),
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

    /// Returns the report as JSON, without the problems: the members are the same for every server. The caller, who saw the
    /// connection begin, gives the time that it took.
    pub fn to_json(&self, connected_in: Duration) -> JsonObject {
        let ping = self.ping.as_ref().ok().copied().map(milliseconds);
        let mut timing = JsonObject::new();
        timing.insert("connectMs", milliseconds(connected_in));
        timing.insert("pingMs", json!(ping));
        let lists = JsonObject::from_iter([
            ("tools", ListReport::to_json(self.tools.as_ref())),
            ("prompts", ListReport::to_json(self.prompts.as_ref())),
            ("resources", ListReport::to_json(self.resources.as_ref())),
            ("resourceTemplates", ListReport::to_json(self.templates.as_ref())),
        ]);
        let mut all = JsonObject::new();
        all.insert("server", or_null(self.identity.as_ref()));
        all.insert("era", self.era());
        all.insert("version", self.version.as_str());
        all.insert("supportedVersions", &self.supported_versions);
        all.insert("capabilities", &self.capabilities);
        all.insert("instructions", or_null(self.instructions.as_ref()));
        all.insert("timing", timing);
        all.insert("lists", lists);
        all
    }
}

fn or_null<T: ToJson>(value: Option<&T>) -> RawJson {
    value.map_or(RawJson::null(), |value| RawJson::of(value))
}

/// Returns a time in milliseconds, with one digit after the point.
fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 10_000.0).round() / 10.0
}
