//! The end of an addition: checks the answers, proves the connector, saves the credential and stores the definition, all or
//! nothing.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use loggia_auth::loopback::LoopbackUserAgent;
use loggia_connect::config_file::{Backend, PinRule};
use loggia_connect::pins::ConnectorPins;
use loggia_connect::secret::Secret;
use serde_json::Value;
use toml_edit::{Table, value};

use super::answers::{AddAnswers, AddCredential};
use super::check::{CheckResult, ConnectorCheck, SignInRule};
use super::error::AddError;
use super::place::AddPlace;
use super::plan::{AddPlan, PlanTarget, list_tokens};
use super::section;
use super::sign_in::{self, ApiSignIn};
use super::values::{current, expanded, values};
use crate::connection::ConnectorContext;
use crate::connector_credentials::check_account_name;

/// The name of an account that neither the user nor the system names.
pub(super) const ACCOUNT: &str = "default";

/// A connector that was added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddedReport {
    /// The name.
    pub name: String,
    /// The configuration file that has it; `None` if it is among the added connectors.
    pub file: Option<PathBuf>,
    /// The account whose credential was saved.
    pub account: Option<String>,
    /// True if it was proved.
    pub is_checked: bool,
    /// The names of its tools, if it was proved.
    pub tools: Vec<String>,
    /// The tokens that the list of its tools costs a model, about.
    pub list_tokens: Option<usize>,
    /// The scopes that the vendor granted at the sign-in.
    pub scopes: Vec<String>,
    /// The name of a tool that reads and needs no argument.
    pub first_call: Option<String>,
}

/// The texts of a connector in the database.
#[derive(Clone, Copy)]
struct StoredConnector<'a> {
    definition: &'a str,
    pins: Option<&'a str>,
}

impl AddPlan {
    /// Proves the connector, and stores it. `browser` is the user agent for a sign-in.
    ///
    /// # Errors
    ///
    /// [`AddError`]; nothing was stored.
    pub async fn finish(
        self,
        answers: AddAnswers,
        place: &AddPlace,
        context: &ConnectorContext,
        browser: Option<LoopbackUserAgent>,
    ) -> Result<AddedReport, AddError> {
        place.check_free(&self.name).await?;
        let missing = self.missing(&answers);
        if !missing.is_empty() {
            return Err(AddError::Missing(missing));
        }
        if let Some(account) = &answers.account {
            check_account_name(account)?;
        }
        let definition = section::definition(&self.name, self.section(&answers)?);
        let check = ConnectorCheck { name: &self.name, context, browser: Mutex::new(browser) };
        let signed_in = Box::pin(self.sign_in_to_api(&check, &answers)).await?;
        let token = signed_in.as_ref().map(ApiSignIn::token);
        let result = match answers.is_checked {
            true => Some(Box::pin(self.check(&check, &answers, token)).await?),
            false => None,
        };
        let saved = sign_in::saved(&answers, signed_in.as_ref());
        let saved = saved.map(|saved| (account_name(&answers, result.as_ref()), saved));
        let pins = self.pins(result.as_ref()).map(|pins| pins.to_text());
        let stored = StoredConnector { definition: &definition, pins: pins.as_deref() };
        self.store(saved.as_ref(), stored, place, context).await?;
        let tools = result.as_ref().map(|result| result.tools.as_slice()).unwrap_or_default();
        Ok(AddedReport {
            name: self.name.clone(),
            file: place.written_file().map(Path::to_owned),
            account: saved.map(|(account, _)| account),
            is_checked: result.is_some(),
            tools: tools.iter().map(|tool| tool.name.clone()).collect(),
            list_tokens: result.is_some().then(|| list_tokens(tools.iter())).or(self.list_tokens),
            scopes: match &signed_in {
                Some(signed_in) => signed_in.scopes(),
                None => result.as_ref().map(|result| result.scopes.clone()).unwrap_or_default(),
            },
            first_call: tools.iter().find(|tool| is_first_call(tool)).map(|tool| tool.name.clone()),
        })
    }

    /// Returns the pins of the connector: the version of its source, and the tools that the proof saw. The tools of our own
    /// manifests over an API are pinned by the version of the manifest.
    pub(super) fn pins(&self, result: Option<&CheckResult>) -> Option<ConnectorPins> {
        let pins = ConnectorPins::of_source(self.source.clone());
        let is_direct = self.manifest_backend().is_some_and(|(_, backend)| backend.kind().is_direct());
        match result {
            Some(result) if !is_direct => Some(pins.with_tools(&result.tools)),
            _ => self.source.is_some().then_some(pins),
        }
    }

    /// Connects to the connector that the answers make, and asks its health. `token` is that of a sign-in.
    pub(super) async fn check(
        &self,
        check: &ConnectorCheck<'_>,
        answers: &AddAnswers,
        token: Option<Secret>,
    ) -> Result<CheckResult, AddError> {
        let credential = token.or(answers.credential.as_ref().map(current).transpose()?);
        match (&self.target, self.manifest_backend()) {
            (_, Some((manifest, backend))) => {
                let values = values(manifest, &answers.config, credential)?;
                let options = self.sign_in_options(answers, backend)?;
                Box::pin(check.manifest(backend, &values, options)).await
            }
            (PlanTarget::Backend(backend), _) => {
                let mut backend = backend.clone();
                match &mut backend {
                    Backend::OpenApi(api) => api.credential = credential,
                    Backend::Stdio(stdio) => {
                        section::pass_to_container(stdio, answers.config.keys());
                        for (name, text) in &answers.config {
                            let text = text.as_str().unwrap_or_default();
                            stdio.env.insert(name.clone(), Secret::new(expanded(name, text)?));
                        }
                    }
                    Backend::Remote(_) | Backend::Manifest(_) | Backend::Builtin(_) => {}
                }
                Box::pin(check.backend(&backend, None, SignInRule::IfNeeded { options: Box::default() }))
                    .await
            }
            (PlanTarget::Manifest { .. }, None) => {
                Err(AddError::unusable(&self.title, "its backend is gone"))
            }
        }
    }

    /// Writes the section of the configuration. It holds no secret.
    fn section(&self, answers: &AddAnswers) -> Result<Table, AddError> {
        let variable = match &answers.credential {
            Some(AddCredential::Variable(name)) => Some(format!("${{{name}}}")),
            _ => None,
        };
        let mut section = match &self.target {
            PlanTarget::Manifest { reference, manifest, backend } => {
                let credential = answers.credential.as_ref().and_then(AddCredential::value);
                values(manifest, &answers.config, credential)?;
                let mut section = Table::new();
                section.insert("kind", value("manifest"));
                section.insert("manifest", value(reference));
                section.insert("backend", value(backend));
                section
            }
            PlanTarget::Backend(Backend::Stdio(stdio)) => {
                section::check_variables(&self.title, &answers.config)?;
                let mut stdio = stdio.clone();
                section::pass_to_container(&mut stdio, answers.config.keys());
                section::of_backend(&Backend::Stdio(stdio))
            }
            PlanTarget::Backend(backend) => section::of_backend(backend),
        };
        match (&self.target, &answers.credential) {
            (PlanTarget::Manifest { .. }, _) | (PlanTarget::Backend(Backend::OpenApi(_)), None) => {}
            (PlanTarget::Backend(Backend::OpenApi(_)), Some(AddCredential::Variable(_))) => {}
            (PlanTarget::Backend(Backend::OpenApi(_)), Some(AddCredential::Saved(_))) => {
                if self.credential.is_none() {
                    let reason = "no operation of its description needs a credential";
                    return Err(AddError::unusable(&self.title, reason).next("leave --credential out"));
                }
            }
            (PlanTarget::Backend(_), Some(_)) => {
                let reason =
                    "it takes no credential: a remote server is signed in to, and a program gets variables";
                return Err(AddError::unusable(&self.title, reason)
                    .next("--set NAME=env:NAME gives a program a variable"));
            }
            (PlanTarget::Backend(_), None) => {}
        }
        if let Some(variable) = variable {
            section.insert("credential", value(variable));
        }
        if answers.pin != PinRule::Hold {
            section.insert("pin", value(answers.pin.as_str()));
        }
        let key = if matches!(self.target, PlanTarget::Manifest { .. }) { "config" } else { "env" };
        if let Some(config) = section::toml_of(&Value::Object(answers.config.clone()))
            && !answers.config.is_empty()
        {
            section.insert(key, value(config));
        }
        Ok(section)
    }

    /// Saves the credential, then the definition. If the second fails, the first is undone.
    async fn store(
        &self,
        saved: Option<&(String, Secret)>,
        stored: StoredConnector<'_>,
        place: &AddPlace,
        context: &ConnectorContext,
    ) -> Result<(), AddError> {
        if let Some(written) = &self.written {
            written.file.store()?;
        }
        let StoredConnector { definition, pins } = stored;
        let credentials = context.credentials();
        let Some((account, secret)) = saved else {
            return place.store(&self.name, definition, pins).await;
        };
        let before = credentials.account_record(&self.name, Some(account)).await?;
        credentials.save_account(&self.name, account, secret.clone()).await?;
        let stored = place.store(&self.name, definition, pins).await;
        if stored.is_err() {
            match before {
                Some(before) => credentials.save_account(&self.name, account, before).await?,
                None => drop(credentials.remove_account(&self.name, account).await?),
            }
        }
        stored
    }
}

/// Returns the name of the account to save the credential for: that of the user, or the one that the system tells.
pub(super) fn account_name(answers: &AddAnswers, result: Option<&CheckResult>) -> String {
    let told = result.and_then(|result| result.account.clone());
    let told = told.filter(|name| check_account_name(name).is_ok());
    answers.account.clone().or(told).unwrap_or_else(|| ACCOUNT.to_owned())
}

/// Returns whether a tool is a good first call: it reads, and needs no argument.
fn is_first_call(tool: &loggia::model::Tool) -> bool {
    let reads = tool.annotations.as_ref().is_some_and(|hints| hints.read_only_hint == Some(true));
    let schema: Value = serde_json::from_str(tool.input_schema.as_str()).unwrap_or_default();
    let needs = schema["required"].as_array().is_some_and(|required| !required.is_empty());
    reads && !needs
}
