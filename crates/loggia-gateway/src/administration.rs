//! The gateway as the console and the admin API see it: translates between the gateway's own objects and the documents of
//! the API. Invariant: it decides nothing that a command decides differently, because both use the same objects.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use loggia::model::Tool;
use loggia::transport::Shutdown;
use loggia_auth::loopback::LoopbackUserAgent;
use loggia_connect::manifest::{
    AuthStep, ConfigField, ConfigFieldType, ConnectorManifest, ManifestDirectory, ManifestEntry,
    ManifestOrigin,
};
use loggia_console::{
    AccountInfo, AddRequest, AddedConnectorInfo, AdminError, AdminResult, Administration, AnswerField,
    BackendInfo, ConnectorDetail, ConnectorInfo, CredentialPrompt, DirectoryEntry, GatewayInfo, PlanInfo,
    PlanRequest, SetupStep, SignInInfo, ToolClass, ToolCounts, ToolInfo,
};
use loggia_hub::{ConnectorReport, Hub};
use loggia_openapi::OperationClass;
use serde_json::Value;

use crate::add::{
    AddAnswers, AddError, AddPlace, AddPlan, AddSource, MissingAnswer, PlannedBackend, list_tokens,
};
use crate::connection::ConnectorContext;
use crate::connector_list::{ConnectorList, ConnectorSummary};
use crate::error::GatewayError;

/// The state of a connector that is switched off.
const OFF: &str = "off";

/// The gateway as its administrator sees it.
pub(crate) struct GatewayAdministration {
    hub: Arc<Hub>,
    shutdown: Shutdown,
    context: ConnectorContext,
    url: Option<String>,
    config: Option<PathBuf>,
    begun: Instant,
    /// One addition at a time: a second would open a second sign-in.
    adding: tokio::sync::Mutex<()>,
    sign_in_page: SignInPlace,
    /// The entries of the embedded manifests.
    embedded: OnceLock<Vec<DirectoryEntry>>,
}

/// The address of the page at which the user has to sign in now.
type SignInPlace = Arc<Mutex<Option<String>>>;

impl GatewayAdministration {
    pub(crate) fn new(
        hub: Arc<Hub>,
        shutdown: Shutdown,
        context: ConnectorContext,
        url: Option<String>,
        config: Option<PathBuf>,
    ) -> GatewayAdministration {
        let (begun, adding, sign_in_page) =
            (Instant::now(), tokio::sync::Mutex::default(), SignInPlace::default());
        let embedded = OnceLock::new();
        GatewayAdministration { hub, shutdown, context, url, config, begun, adding, sign_in_page, embedded }
    }

    fn list(&self) -> AdminResult<ConnectorList> {
        ConnectorList::of(self.config.as_deref(), self.context.credentials()).map_err(internal)
    }

    async fn summaries(&self) -> AdminResult<Vec<ConnectorSummary>> {
        self.list()?.all_without_states().await.map_err(internal)
    }

    fn reports(&self) -> BTreeMap<String, ConnectorReport> {
        self.hub.report().into_iter().map(|report| (report.status.name.to_string(), report)).collect()
    }

    fn info(
        &self,
        summary: ConnectorSummary,
        report: Option<&ConnectorReport>,
        directory: &[DirectoryEntry],
    ) -> ConnectorInfo {
        let tools = self.hub.tools(&summary.name);
        let entry = entry_of(&summary);
        let state = match (report, summary.is_enabled) {
            (Some(report), _) => report.status.state_name().to_owned(),
            (None, false) => OFF.to_owned(),
            (None, true) => "waiting".to_owned(),
        };
        ConnectorInfo {
            title: entry
                .as_deref()
                .and_then(|entry| title_of(directory, entry))
                .unwrap_or_else(|| summary.name.clone()),
            entry,
            kind: summary.kind,
            detail: summary.detail,
            is_enabled: summary.is_enabled,
            file: summary.file.map(|file| file.display().to_string()),
            accounts: summary.accounts,
            state,
            reason: report.and_then(|report| report.status.last_error.as_deref().map(str::to_owned)),
            since_seconds: report.map_or(0, |report| report.status.since.elapsed().as_secs()),
            tools: tools.iter().map(class_of).collect(),
            calls: report.map_or(0, |report| report.calls),
            errors: report.map_or(0, |report| report.errors),
            name: summary.name,
        }
    }

    /// Returns the directory without what was added. The embedded part is parsed once.
    fn entries(&self) -> AdminResult<Vec<DirectoryEntry>> {
        let directory = self.list()?.manifests().map_err(internal)?.directory();
        let embedded = self.embedded.get_or_init(|| {
            let directory = ManifestDirectory::embedded();
            directory.entries().iter().filter_map(directory_entry).collect()
        });
        let entry = |entry: &ManifestEntry| match entry.origin {
            ManifestOrigin::Embedded => embedded.iter().find(|known| known.name == entry.name).cloned(),
            ManifestOrigin::File(_) => directory_entry(entry),
        };
        Ok(directory.entries().iter().filter_map(entry).collect())
    }

    async fn plan_of(&self, source: &str, name: Option<&str>, backend: Option<&str>) -> AdminResult<AddPlan> {
        let directory = self.list()?.manifests().map_err(internal)?.directory();
        let source =
            AddSource::parse(source, &directory, self.context.credentials()).await.map_err(of_add)?;
        AddPlan::new(source, name, backend).map_err(of_add)
    }
}

impl Administration for GatewayAdministration {
    fn gateway(&self) -> GatewayInfo {
        GatewayInfo {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            url: self.url.clone(),
            config: self.config.as_ref().map(|path| path.display().to_string()),
            since_seconds: self.begun.elapsed().as_secs(),
        }
    }

    async fn connectors(&self) -> AdminResult<Vec<ConnectorInfo>> {
        let (reports, directory) = (self.reports(), self.entries()?);
        let mut summaries = self.summaries().await?;
        // The folder that is served where nothing was added is in no file and in no database.
        for (name, report) in &reports {
            if summaries.iter().all(|summary| summary.name != *name) {
                summaries.push(ConnectorSummary::of_folder(name, &report.status.kind));
            }
        }
        Ok(summaries
            .into_iter()
            .map(|summary| {
                let report = reports.get(&summary.name);
                self.info(summary, report, &directory)
            })
            .collect())
    }

    async fn connector(&self, name: &str) -> AdminResult<ConnectorDetail> {
        let connector = self.connectors().await?.into_iter().find(|connector| connector.name == name);
        let connector = connector.ok_or_else(|| not_found(name))?;
        let tool_list: Vec<ToolInfo> = self.hub.tools(name).iter().map(tool_info).collect();
        let reports = self.reports();
        let report = reports.get(name);
        Ok(ConnectorDetail {
            connector,
            list_tokens: tool_list.iter().map(|tool| tool.tokens).sum(),
            tool_list,
            protocol_version: report.and_then(|report| Some(report.status.version?.as_str().to_owned())),
            error_output: report.map(|report| report.error_output.clone()).unwrap_or_default(),
        })
    }

    async fn directory(&self) -> AdminResult<Vec<DirectoryEntry>> {
        let summaries = self.summaries().await?;
        let mut entries = self.entries()?;
        for entry in &mut entries {
            let added = summaries.iter().filter(|summary| entry_of(summary).as_deref() == Some(&entry.name));
            entry.connectors = added.map(|summary| summary.name.clone()).collect();
        }
        Ok(entries)
    }

    async fn plan(&self, request: PlanRequest) -> AdminResult<PlanInfo> {
        let PlanRequest { source, backend, name } = request;
        let plan = self.plan_of(&source, name.as_deref(), backend.as_deref()).await?;
        Ok(plan_info(plan, &source, backend.as_deref()))
    }

    async fn add(&self, request: AddRequest) -> AdminResult<AddedConnectorInfo> {
        let AddRequest { source, backend, name, credential, account, values } = request;
        let plan = self.plan_of(&source, name.as_deref(), backend.as_deref()).await?;
        let mut answers = AddAnswers { account, ..AddAnswers::default() };
        let refused = |reason: String| AdminError::Refused { reason, next_step: None };
        answers.credential = credential
            .filter(|text| !text.trim().is_empty())
            .map(|text| text.parse())
            .transpose()
            .map_err(|why: &str| refused(why.to_owned()))?;
        for (field, text) in values {
            let value = plan.read_value(&field, &text).map_err(|problem| refused(problem.to_string()))?;
            answers.config.insert(field, value);
        }
        let credentials = self.context.credentials();
        let place = AddPlace::of(self.config.as_deref(), credentials).map_err(internal)?;
        let Ok(_one) = self.adding.try_lock() else {
            let next_step = Some("finish or close that sign-in, then add again".to_owned());
            let reason = "another connector is being added".to_owned();
            return Err(AdminError::Conflict { reason, next_step });
        };
        // A request that its page gave up may have left the page of its sign-in.
        lock(&self.sign_in_page).take();
        let browser = Some(browser(self.sign_in_page.clone()));
        let added = Box::pin(plan.finish(answers, &place, &self.context, browser)).await;
        lock(&self.sign_in_page).take();
        let added = added.map_err(of_add)?;
        Ok(AddedConnectorInfo {
            name: added.name,
            account: added.account,
            tools: added.tools,
            list_tokens: added.list_tokens,
            first_call: added.first_call,
        })
    }

    fn sign_in_page(&self) -> SignInInfo {
        SignInInfo { page: lock(&self.sign_in_page).clone() }
    }

    async fn set_enabled(&self, name: &str, is_enabled: bool) -> AdminResult<()> {
        self.list()?.set_enabled(name, is_enabled).await.map(drop).map_err(conflict)
    }

    async fn remove(&self, name: &str) -> AdminResult<()> {
        self.list()?.remove(name).await.map(drop).map_err(conflict)
    }

    async fn accounts(&self) -> AdminResult<Vec<AccountInfo>> {
        let accounts =
            self.context.credentials().accounts(None).await.map_err(|error| internal(error.into()))?;
        Ok(accounts
            .into_iter()
            .map(|account| AccountInfo {
                connector: account.connector,
                name: account.name,
                is_default: account.is_default,
            })
            .collect())
    }

    async fn revision(&self) -> Option<u64> {
        if self.shutdown.is_begun() {
            return None;
        }
        let mut hasher = DefaultHasher::new();
        for report in self.hub.report() {
            let status = &report.status;
            (&*status.name, status.state_name(), status.last_error.as_deref(), status.counts.tools)
                .hash(&mut hasher);
            (report.calls, report.errors).hash(&mut hasher);
        }
        Some(hasher.finish())
    }
}

/// Makes a user agent that leaves the sign-in page in `place`, from which the console takes it.
fn browser(place: SignInPlace) -> LoopbackUserAgent {
    LoopbackUserAgent::new(move |page| match page.scheme() {
        "https" | "http" => {
            *lock(&place) = Some(page.to_string());
            Ok(())
        }
        _ => Err("the sign-in page has no http or https address".to_owned()),
    })
}

fn lock(place: &SignInPlace) -> MutexGuard<'_, Option<String>> {
    place.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the name of the directory's entry from which a connector was added.
fn entry_of(summary: &ConnectorSummary) -> Option<String> {
    let name = summary.detail.split(',').next().unwrap_or_default();
    (summary.kind == "manifest" && !name.contains(['/', '\\'])).then(|| name.to_owned())
}

/// Returns an entry of the directory; `None` for a manifest that cannot be read.
fn directory_entry(entry: &ManifestEntry) -> Option<DirectoryEntry> {
    let manifest = entry.manifest().ok()?;
    Some(DirectoryEntry {
        name: entry.name.clone(),
        title: entry.title.clone(),
        description: entry.description.clone(),
        website: manifest.website.clone(),
        categories: entry.categories.clone(),
        tools: entry.tools.clone(),
        sign_in: sign_in_of(&manifest),
        counts: counts_of(&manifest),
        connectors: Vec::new(),
    })
}

fn title_of(directory: &[DirectoryEntry], entry: &str) -> Option<String> {
    directory.iter().find(|known| known.name == entry).map(|known| known.title.clone())
}

fn class_of(tool: &Tool) -> Option<ToolClass> {
    let hints = tool.annotations.as_ref()?;
    match (hints.read_only_hint, hints.destructive_hint) {
        (Some(true), _) => Some(ToolClass::Read),
        (Some(false), Some(false)) => Some(ToolClass::Write),
        (_, Some(true)) => Some(ToolClass::Destructive),
        _ => None,
    }
}

fn of_class(class: OperationClass) -> ToolClass {
    match class {
        OperationClass::Read => ToolClass::Read,
        OperationClass::Write => ToolClass::Write,
        OperationClass::Destructive => ToolClass::Destructive,
    }
}

fn tool_info(tool: &Tool) -> ToolInfo {
    ToolInfo {
        name: tool.name.clone(),
        title: tool.title.clone(),
        description: tool.description.clone(),
        class: class_of(tool),
        tokens: list_tokens(std::iter::once(tool)),
    }
}

/// Counts the tools of the backend that lists them, by class.
fn counts_of(manifest: &ConnectorManifest) -> ToolCounts {
    let listed = manifest.backends.iter().find(|backend| !backend.tools.is_empty());
    let tools = listed.into_iter().flat_map(|backend| backend.tools.iter().filter(|tool| tool.is_enabled));
    tools.map(|tool| tool.class.map(of_class)).collect()
}

fn sign_in_of(manifest: &ConnectorManifest) -> String {
    manifest.backends.first().map_or("none", |backend| backend.auth.class.as_str()).to_owned()
}

fn backend_info(backend: PlannedBackend) -> BackendInfo {
    BackendInfo {
        name: backend.name,
        kind: backend.kind.to_owned(),
        title: backend.title,
        notes: backend.notes,
        unusable_when: backend.unusable_when,
    }
}

fn steps(steps: Vec<AuthStep>) -> Vec<SetupStep> {
    steps.into_iter().map(|AuthStep { text, link }| SetupStep { text, link }).collect()
}

fn field_info(field: ConfigField) -> AnswerField {
    AnswerField {
        is_required: field.is_required && field.default.is_none(),
        is_secret: field.field_type == ConfigFieldType::Secret,
        default: field.default.as_ref().map(text_of),
        choices: field.choices.iter().map(|choice| choice.value.clone()).collect(),
        name: field.name,
        title: field.title,
        description: field.description,
    }
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn missing_info(missing: MissingAnswer) -> AnswerField {
    AnswerField {
        name: missing.field,
        title: missing.title,
        description: missing.description,
        is_required: true,
        is_secret: missing.is_secret,
        default: None,
        choices: missing.choices,
    }
}

fn plan_info(plan: AddPlan, source: &str, backend: Option<&str>) -> PlanInfo {
    let quoted =
        |text: &str| match text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./:@".contains(&byte))
        {
            true => text.to_owned(),
            false => format!("'{}'", text.replace('\'', r"'\''")),
        };
    let backend = backend.map(|backend| format!(" --backend {}", quoted(backend))).unwrap_or_default();
    PlanInfo {
        command: format!("loggia add {}{backend}", quoted(source)),
        tools: plan
            .tools
            .into_iter()
            .filter(|tool| tool.is_enabled)
            .map(|tool| ToolInfo {
                name: tool.name,
                title: tool.title,
                description: None,
                class: tool.class.map(of_class),
                tokens: 0,
            })
            .collect(),
        name: plan.name,
        title: plan.title,
        description: plan.description,
        backend: backend_info(plan.backend),
        reason: plan.reason,
        others: plan.others.into_iter().map(backend_info).collect(),
        hosts: plan.hosts,
        read_scopes: plan.read_scopes,
        write_scopes: plan.write_scopes,
        list_tokens: plan.list_tokens,
        credential: plan.credential.map(|credential| CredentialPrompt {
            title: credential.title,
            description: credential.description,
            steps: steps(credential.steps),
            is_sign_in: credential.is_sign_in,
            is_required: credential.is_required,
        }),
        fields: plan.config.into_iter().map(field_info).collect(),
    }
}

fn not_found(name: &str) -> AdminError {
    AdminError::NotFound { reason: format!("there is no connector {name:?}"), next_step: None }
}

fn internal(error: GatewayError) -> AdminError {
    AdminError::Internal(error.to_string())
}

fn conflict(error: GatewayError) -> AdminError {
    AdminError::Conflict { reason: error.to_string(), next_step: None }
}

fn of_add(error: AddError) -> AdminError {
    let (reason, next_step) = (error.to_string(), error.next_step());
    match error {
        AddError::Unknown { .. } => AdminError::NotFound { reason, next_step },
        AddError::Existing { .. } => AdminError::Conflict { reason, next_step },
        AddError::Missing(missing) => AdminError::Missing(missing.into_iter().map(missing_info).collect()),
        AddError::SignInNeeded(_)
        | AddError::BrowserNeeded(_)
        | AddError::SignIn { .. }
        | AddError::Unproven { .. } => AdminError::Upstream { reason, next_step },
        AddError::Gateway(_) | AddError::File(_) => AdminError::Internal(reason),
        AddError::Unusable { .. } | AddError::Invalid(_) => AdminError::Refused { reason, next_step },
    }
}
