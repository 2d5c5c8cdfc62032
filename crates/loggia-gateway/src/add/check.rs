//! The proof that a connector works: its server is connected to and lists its tools, or its API answers the health call.
//!
//! Invariant: nothing is stored by a proof but the credential of a sign-in, which belongs to the URL of the server.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use loggia::Error;
use loggia::client::Client;
use loggia::model::{CallToolResult, ContentBlock, Tool};
use loggia_auth::loopback::LoopbackUserAgent;
use loggia_connect::config_file::{Backend, Remote};
use loggia_connect::direct::ManifestApi;
use loggia_connect::manifest::{ConnectorValues, HealthCall, HealthCheck, ManifestBackend, ResolvedBackend};
use loggia_connect::secret::Secret;

use super::error::AddError;
use super::section;
use crate::api::RestrictedSender;
use crate::bundle_store;
use crate::config::GatewayConfig;
use crate::connection::ConnectorContext;
use crate::sign_in::SignInOptions;

/// The file that the texts of a connector which is not stored seem to be in.
pub(super) const NO_FILE: &str = "connector.toml";

/// A working connector.
pub(super) struct CheckResult {
    /// The tools, as the server lists them.
    pub(super) tools: Vec<Tool>,
    /// The name of the account, if the system tells it.
    pub(super) account: Option<String>,
    /// The scopes of a sign-in.
    pub(super) scopes: Vec<String>,
}

/// The rule for a server that refuses a connection without a sign-in.
pub(super) enum SignInRule {
    /// The credential was entered. The URL may hold it, so no error names the URL.
    Never,
    /// The user signs in.
    IfNeeded {
        /// The client, the scopes and the facts of the manifest.
        options: Box<SignInOptions>,
    },
}

/// Proves connectors: connects to them, and signs in where a user agent allows it.
pub(super) struct ConnectorCheck<'a> {
    pub(super) name: &'a str,
    pub(super) context: &'a ConnectorContext,
    pub(super) browser: Mutex<Option<LoopbackUserAgent>>,
}

impl ConnectorCheck<'_> {
    /// Proves a backend of a manifest.
    pub(super) async fn manifest(
        &self,
        backend: &ManifestBackend,
        values: &ConnectorValues,
        options: SignInOptions,
    ) -> Result<CheckResult, AddError> {
        let resolved = backend.resolve(values).map_err(|error| unproven(error.to_string()))?;
        match resolved {
            ResolvedBackend::Configured(configured) => {
                let health = upstream_health(backend);
                let sign_in = match backend.auth.class.is_entered() {
                    true => SignInRule::Never,
                    false => SignInRule::IfNeeded { options: Box::new(options) },
                };
                Box::pin(self.backend(&configured, health.as_ref(), sign_in)).await
            }
            ResolvedBackend::Direct => self.api(backend, values).await,
            ResolvedBackend::Bundle(bundle) => {
                let program = bundle_store::program(&bundle, self.context.credentials()).await;
                let program = program.map_err(|error| unproven(error.to_string()))?;
                Box::pin(self.backend(&Backend::Stdio(program), None, SignInRule::Never)).await
            }
        }
    }

    /// Calls the health check of an API.
    async fn api(
        &self,
        backend: &ManifestBackend,
        values: &ConnectorValues,
    ) -> Result<CheckResult, AddError> {
        let policy = self.context.credentials().policy(false);
        let sender = RestrictedSender::of_backend(backend, values, policy).map_err(unproven)?;
        let api = ManifestApi::new(backend, values, Arc::new(sender))
            .map_err(|error| unproven(error.to_string()))?;
        let account = api.check_health().await.map_err(|error| {
            unproven(error).next("check the credential, or add it without the proof: --no-check")
        })?;
        Ok(CheckResult { tools: api.tools().collect(), account, scopes: Vec::new() })
    }

    /// Connects to a backend as a configuration has it, and lists its tools.
    pub(super) async fn backend(
        &self,
        backend: &Backend<Secret>,
        health: Option<&HealthCheck>,
        sign_in: SignInRule,
    ) -> Result<CheckResult, AddError> {
        let mut scopes = Vec::new();
        let connected = match (self.connect(backend).await, backend, sign_in) {
            (Err(Error::Unauthorized(_)), Backend::Remote(remote), SignInRule::IfNeeded { options }) => {
                scopes = Box::pin(self.sign_in(remote, *options)).await?;
                self.connect(backend).await
            }
            (connected, ..) => connected,
        };
        let client = connected.map_err(|error| failed(&error))?;
        let proof = self.list(&client, health).await;
        // The connection was for the proof alone; a server that does not answer the goodbye changes nothing.
        let _ = client.close().await;
        proof.map(|proof| CheckResult { scopes, ..proof })
    }

    /// Lists the tools of a server, and calls its health check.
    pub(super) async fn list(
        &self,
        client: &Client,
        health: Option<&HealthCheck>,
    ) -> Result<CheckResult, AddError> {
        let has_tools = client.capabilities().is_none_or(|capabilities| capabilities.tools.is_some());
        let tools = match has_tools {
            true => client.list_all_tools().await.map_err(|error| failed(&error))?,
            false => Vec::new(),
        };
        let Some(HealthCheck { call: HealthCall::Tool { name, arguments }, .. }) = health else {
            return Ok(CheckResult { tools, account: None, scopes: Vec::new() });
        };
        let result = client.call_tool(name, arguments).await.map_err(|error| failed(&error))?;
        if result.is_error == Some(true) {
            let said = text_of(&result);
            return Err(unproven(format!("the tool {name} answers: {said}")));
        }
        let text = match &result.structured_content {
            Some(content) => content.as_bytes().to_vec(),
            None => text_of(&result).into_bytes(),
        };
        let account = match health {
            Some(health) => health.account_of(text.into(), self.context.filters()).await,
            None => None,
        };
        Ok(CheckResult { tools, account, scopes: Vec::new() })
    }

    async fn connect(&self, backend: &Backend<Secret>) -> Result<Client, Error> {
        let redactor = self.context.credentials().redactor();
        let text = section::definition(self.name, section::of_backend(backend));
        let config = GatewayConfig::parse(&text, Path::new(NO_FILE), redactor)
            .map_err(|error| Error::Configuration(error.to_string()))?;
        match config.connect(self.name, Client::builder(), self.context).await {
            Some(connected) => connected,
            None => Err(Error::Configuration("the connector is not in its own definition".to_owned())),
        }
    }

    /// Returns the user agent for a sign-in; it is used once.
    pub(super) fn take_browser(&self) -> Option<LoopbackUserAgent> {
        self.browser.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Signs in to a server. Returns the scopes that were granted.
    async fn sign_in(
        &self,
        remote: &Remote<Secret>,
        options: SignInOptions,
    ) -> Result<Vec<String>, AddError> {
        let url = remote.url.expose();
        let Some(browser) = self.take_browser() else { return Err(AddError::SignInNeeded(url.to_owned())) };
        let signed_in = Box::pin(self.context.credentials().sign_in(url, options, browser)).await;
        signed_in
            .map(|report| report.scopes.unwrap_or_default())
            .map_err(|error| AddError::SignIn { url: url.to_owned(), error })
    }
}

/// Returns the texts of a result.
fn text_of(result: &CallToolResult) -> String {
    result.content.iter().filter_map(ContentBlock::as_text).collect::<Vec<_>>().join("\n")
}

/// Returns the health check with the server's own name of its tool.
pub(super) fn upstream_health(backend: &ManifestBackend) -> Option<HealthCheck> {
    let mut health = backend.health.clone()?;
    if let HealthCall::Tool { name, .. } = &mut health.call
        && let Some(tool) = backend.tool(name)
    {
        name.clone_from(&tool.from);
    }
    Some(health)
}

fn unproven(reason: String) -> AddError {
    AddError::Unproven { reason, next_step: None }
}

pub(super) fn failed(error: &Error) -> AddError {
    unproven(error.to_string()).next("correct it, or add it without the proof: --no-check")
}
