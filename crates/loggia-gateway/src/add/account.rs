//! Further accounts of a connector that was added, and new credentials for accounts that it has.
//!
//! Invariant: a credential is saved after the system took it, unless the user wants no proof.

use std::path::Path;
use std::sync::Mutex;

use loggia_auth::client::Credential;
use loggia_auth::loopback::LoopbackUserAgent;
use loggia_connect::config_file::Backend;
use loggia_connect::manifest::ManifestDirectory;
use serde_json::{Map, Value};
use toml_edit::{DocumentMut, Item};

use super::answers::AddAnswers;
use super::check::{ConnectorCheck, NO_FILE};
use super::error::AddError;
use super::finish::account_name;
use super::plan::{AddPlan, PlanTarget, of_server};
use super::sign_in::{self, ApiSignIn};
use super::source::AddSource;
use crate::account_record::oauth_credential;
use crate::config::GatewayConfig;
use crate::connection::ConnectorContext;
use crate::connector_credentials::check_account_name;
use crate::server_url::server_url;
use crate::token_source::PreregisteredClient;

impl AddPlan {
    /// Makes the plan of a connector that was added, with the answers that its definition has.
    ///
    /// # Errors
    ///
    /// [`AddError::Unusable`] if the connector takes no credential that a user enters.
    pub async fn of_definition(
        name: &str,
        definition: &str,
        directory: &ManifestDirectory,
        context: &ConnectorContext,
    ) -> Result<(AddPlan, AddAnswers), AddError> {
        let refused = |reason: &str| AddError::unusable(format!("an account of {name}"), reason);
        let document: DocumentMut =
            definition.parse().map_err(|_| refused("its definition cannot be read"))?;
        let section = document.get("connectors").and_then(|connectors| connectors.get(name));
        let section = section.ok_or_else(|| refused("its definition cannot be read"))?;
        let text = |key: &str| section.get(key).and_then(Item::as_str);
        let source = match text("kind") {
            Some("manifest") => text("manifest"),
            // A credential of the configuration is used in place of that of an account.
            Some("openapi") if section.get("credential").is_none() => text("description"),
            _ => None,
        };
        let Some(source) = source else {
            return of_server_definition(name, definition, context);
        };
        let source = AddSource::parse(source, directory, context.credentials()).await?;
        let mut plan = AddPlan::new(source, Some(name), text("backend"))?;
        let config = section.get("config").and_then(Item::as_table_like);
        let config: Map<String, Value> = config
            .into_iter()
            .flat_map(|config| config.iter())
            .filter_map(|(key, item)| Some((key.to_owned(), json_of(item.as_value()?))))
            .collect();
        plan.known_clients = known_clients(name, context).await?;
        if plan.credential.is_none() {
            return Err(refused("it needs no credential"));
        }
        Ok((plan, AddAnswers { config, ..AddAnswers::default() }))
    }

    /// Proves the credential of the answers, and saves it for their account. Returns the name of the account: without one in
    /// the answers it is the one that the system tells, or `default`.
    ///
    /// # Errors
    ///
    /// [`AddError`]; nothing was saved.
    pub async fn save_account(
        &self,
        answers: &AddAnswers,
        context: &ConnectorContext,
        browser: Option<LoopbackUserAgent>,
    ) -> Result<String, AddError> {
        let is_server_sign_in = self.is_server_sign_in();
        let is_sign_in = self.credential.as_ref().is_some_and(|credential| credential.is_sign_in);
        if is_sign_in && !is_server_sign_in && !self.is_api_sign_in() && answers.credential.is_none() {
            let step =
                format!("`loggia auth login {}` signs in; --credential gives a key instead", self.name);
            return Err(AddError::unusable(
                format!("an account of {}", self.name),
                "its server signs you in",
            )
            .next(step));
        }
        let missing = self.missing(answers);
        if !missing.is_empty() {
            return Err(AddError::Missing(missing));
        }
        let refused = |reason: &str| AddError::unusable(format!("an account of {}", self.name), reason);
        if let Some(account) = &answers.account {
            check_account_name(account)?;
        }
        let check = ConnectorCheck { name: &self.name, context, browser: Mutex::new(browser) };
        if is_server_sign_in && answers.credential.is_none() {
            return Box::pin(self.save_server_account(&check, answers)).await;
        }
        if matches!(&self.target, PlanTarget::Backend(Backend::Remote(_))) {
            return Err(refused("its server signs you in: it takes no key"));
        }
        let signed_in = Box::pin(self.sign_in_to_api(&check, answers)).await?;
        let secret = match (sign_in::saved(answers, signed_in.as_ref()), &answers.credential) {
            (Some(secret), _) => secret,
            (None, Some(_)) => {
                return Err(refused("its credential is saved, and a variable has none to save")
                    .next("--credential - reads it from stdin"));
            }
            (None, None) => {
                let step =
                    format!("`loggia auth login {}` signs in; --credential gives a key instead", self.name);
                return Err(refused("its server signs you in").next(step));
            }
        };
        let token = signed_in.as_ref().map(ApiSignIn::token);
        let result = match answers.is_checked {
            true => Some(Box::pin(self.check(&check, answers, token)).await?),
            false => None,
        };
        let account = account_name(answers, result.as_ref());
        context.credentials().save_account(&self.name, &account, secret).await?;
        Ok(account)
    }
}

/// Makes the plan of a connector that is the URL of an MCP server.
fn of_server_definition(
    name: &str,
    definition: &str,
    context: &ConnectorContext,
) -> Result<(AddPlan, AddAnswers), AddError> {
    let refused = |reason: &str| AddError::unusable(format!("an account of {name}"), reason);
    let redactor = context.credentials().redactor();
    let config = GatewayConfig::parse(definition, Path::new(NO_FILE), redactor)
        .map_err(|_| refused("its definition cannot be read"))?;
    let Some(Ok(Backend::Remote(remote))) = config.backend(name) else {
        return Err(refused("only connectors with a manifest and servers at URLs have accounts"));
    };
    let url = server_url(remote.url.expose())?;
    let target = PlanTarget::Backend(Backend::Remote(remote));
    let plan = AddPlan { name: name.to_owned(), title: name.to_owned(), target, ..of_server(&url) };
    Ok((plan, AddAnswers::default()))
}

/// Returns the clients with which the accounts of a connector were signed in, that of the default account first.
async fn known_clients(
    connector: &str,
    context: &ConnectorContext,
) -> Result<Vec<(String, PreregisteredClient)>, AddError> {
    let credentials = context.credentials();
    let mut accounts = credentials.accounts(Some(connector)).await?;
    accounts.sort_by_key(|account| !account.is_default);
    let mut clients = Vec::new();
    for account in accounts {
        let record = credentials.account_record(connector, Some(&account.name)).await?;
        let credential = record.as_ref().and_then(oauth_credential);
        clients.extend(credential.map(|Credential { client, .. }| {
            (account.name, PreregisteredClient { id: client.client_id, secret: client.secret })
        }));
    }
    Ok(clients)
}

/// Returns a TOML value of a definition as JSON.
fn json_of(value: &toml_edit::Value) -> Value {
    match value {
        toml_edit::Value::String(text) => Value::String(super::section::unescaped(text.value())),
        toml_edit::Value::Integer(number) => (*number.value()).into(),
        toml_edit::Value::Float(number) => (*number.value()).into(),
        toml_edit::Value::Boolean(value) => (*value.value()).into(),
        toml_edit::Value::Datetime(time) => Value::String(time.value().to_string()),
        toml_edit::Value::Array(items) => items.iter().map(json_of).collect(),
        toml_edit::Value::InlineTable(table) => {
            Value::Object(table.iter().map(|(key, value)| (key.to_owned(), json_of(value))).collect())
        }
    }
}
