//! Connectors that a manifest describes: the manifest is found, its values are filled in, and its backend is opened.
//!
//! Invariant: the manifest is read when the connector is made, so that its kind, its tools and its revision are of one text.
//! An error names the value that is missing and never quotes one.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use loggia::Error;
use loggia::client::ClientBuilder;
use loggia_auth::error::AuthError;
use loggia_auth::jose::sha256;
use loggia_auth::scope::Scopes;
use loggia_connect::config_file::{Backend, ConfigValue, ManifestUse, Remote, ToolFilter};
use loggia_connect::direct::{AccessTokenSource, AccountApis, ManifestApi};
use loggia_connect::filter::FilterRunner;
use loggia_connect::manifest::{
    BackendAuth, ConnectorManifest, ConnectorValues, ManifestBackend, ManifestBackendKind, ManifestFolders,
    ManifestTransport, ResolvedBackend, read_manifest as manifest_text,
};
use loggia_connect::secret::Secret;
use loggia_hub::{Connector, Opened, ResultLimit};
use loggia_openapi::ResponseLimits;
use serde_json::{Map, Value};

use crate::account_oauth::ApiAuthorization;
use crate::account_record::{is_server_credential, oauth_credential};
use crate::api::RestrictedSender;
use crate::builtin;
use crate::bundle_store;
use crate::connection::{ConnectorContext, open_backend};
use crate::credentials::Credentials;
use crate::manifest_tools::ManifestTools;
use crate::server_accounts::{ServerAccount, open_accounts};

/// The places of a configuration: the folder in which relative paths begin, and the folders with manifests.
#[derive(Debug, Clone)]
pub(crate) struct ManifestPlaces {
    pub(crate) base: PathBuf,
    pub(crate) folders: ManifestFolders,
}

/// A connector that a manifest describes.
pub(crate) struct ManifestConnector {
    name: String,
    manifest: ConnectorManifest,
    /// A digest of the manifest's text.
    digest: String,
    used: ManifestUse<Secret>,
}

/// An account of a connector, with the values of its backend.
struct ConnectorAccount {
    /// Empty if the credential is in the configuration, or there is none.
    name: String,
    values: ConnectorValues,
    /// The tokens of its sign-in.
    tokens: Option<Arc<dyn AccessTokenSource>>,
}

/// The facts of a manifest for a sign-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestSignIn {
    /// The authorization server, if the manifest names it.
    pub issuer: Option<String>,
    /// The resource indicator, if the manifest names it.
    pub resource: Option<String>,
    /// The registration endpoint, if the manifest names it.
    pub register_at: Option<String>,
    /// The scopes to read and to write.
    pub scopes: Scopes,
    /// The reason why a person may be unable to sign in, and the next backend, one sentence each.
    pub alternative: Vec<String>,
}

/// A manifest as it was read, or the reason why it cannot be used.
pub(crate) type ReadManifest = Result<Arc<ManifestConnector>, String>;

impl ManifestConnector {
    /// Finds and reads the manifest: a file, where a relative path starts in `base`, or the manifest of this name.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if there is no such manifest, or it is wrong.
    pub(crate) fn read(
        base: &Path,
        folders: &ManifestFolders,
        name: &str,
        used: ManifestUse<Secret>,
    ) -> loggia::Result<ManifestConnector> {
        let (manifest, digest) =
            read_manifest(base, folders, &used.manifest).map_err(Error::Configuration)?;
        Ok(ManifestConnector { name: name.to_owned(), manifest, digest, used })
    }

    /// Returns a digest of the manifest's text.
    pub(crate) fn digest(&self) -> &str {
        &self.digest
    }

    /// Sets the settings that only the manifest has: the kind, and the tools. A connector with wrong values is not changed: it
    /// cannot be opened.
    /// `timeout` and `filter` are those of the configuration.
    pub(crate) fn describe(
        &self,
        connector: Connector,
        timeout: Option<Duration>,
        filter: ToolFilter,
        filters: &FilterRunner,
    ) -> Connector {
        let Ok((backend, tools)) = self.tools() else { return connector };
        let kind = backend.kind();
        let is_program = kind == ManifestBackendKind::Stdio;
        let connector = connector.kind(kind.as_str()).shared_channel(is_program).starts_process(is_program);
        // A direct backend bounds its own requests.
        let limit = backend.limits.timeout.filter(|_| !kind.is_direct());
        let connector = connector.timeout(timeout.or(limit)).result_limit(result_limit(backend));
        tools.expose(connector, filter, filters)
    }

    /// Returns the URL of its MCP server; `None` if its backend is not at a URL.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if there is no such backend, or a value is missing.
    pub(crate) fn remote_url(&self) -> loggia::Result<Option<String>> {
        let ManifestTransport::Remote(server) = &self.backend()?.transport else { return Ok(None) };
        let url = self.values(self.used.credential.clone())?.text(&server.url);
        url.map(|url| Some(url.expose().to_owned())).map_err(|missing| self.wrong(&missing))
    }

    /// Returns whether its user enters a credential that is saved on this machine.
    pub(crate) fn needs_account(&self) -> bool {
        self.used.credential.is_none() && self.backend().is_ok_and(|backend| backend.auth.class.is_entered())
    }

    /// Returns the facts for a sign-in to its backend.
    pub(crate) fn sign_in(&self) -> Option<ManifestSignIn> {
        let backend = self.backend().ok()?;
        let BackendAuth { issuer, resource, register_at, read_scopes, write_scopes, .. } = &backend.auth;
        let position = self.manifest.backends.iter().position(|other| other.name == backend.name)?;
        let next = self.manifest.backends.get(position + 1);
        let next = next.map(|next| {
            format!("use another backend: backend = {:?} in [connectors.{}]", next.name, self.name)
        });
        let unusable = backend.unusable_when.as_ref();
        Some(ManifestSignIn {
            issuer: issuer.clone(),
            resource: resource.clone(),
            register_at: register_at.clone(),
            scopes: read_scopes.iter().chain(write_scopes).collect(),
            alternative: unusable.into_iter().cloned().chain(next).collect::<Vec<_>>(),
        })
    }

    /// Returns the folder that its backend serves, if it is the built-in connector `files`.
    pub(crate) fn folder(&self) -> Option<String> {
        let values = self.values(self.used.credential.clone()).ok()?;
        match self.backend().ok()?.resolve(&values).ok()? {
            ResolvedBackend::Configured(Backend::Builtin(builtin)) => {
                builtin::folder(&builtin).map(str::to_owned)
            }
            _ => None,
        }
    }

    /// Returns whether the manifest changes the tools of its server, or asks its user before a call.
    pub(crate) fn has_tool_settings(&self) -> bool {
        self.tools().is_ok_and(|(_, tools)| !tools.is_empty())
    }

    /// Returns its backend with the values of the default account.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if a value is missing or wrong, and the errors of the credentials.
    pub(crate) async fn resolved(&self, context: &ConnectorContext) -> loggia::Result<ResolvedBackend> {
        let accounts = self.accounts(context).await?;
        self.backend()?.resolve(&accounts[0].values).map_err(|error| self.wrong(&error))
    }

    /// Returns the URL of its API; `None` if its backend is no API, or its URL needs a value that is missing.
    pub(crate) fn api_url(&self) -> Option<String> {
        let url = match &self.backend().ok()?.transport {
            ManifestTransport::OpenApi(api) => api.base_url.as_ref()?,
            ManifestTransport::GraphQl(api) => &api.url,
            _ => return None,
        };
        let values = self.values(self.used.credential.clone()).ok()?;
        values.text(url).ok().map(|url| url.expose().to_owned())
    }

    fn tools(&self) -> loggia::Result<(&ManifestBackend, ManifestTools)> {
        let backend = self.backend()?;
        let values = self.values(self.used.credential.clone())?;
        let tools = ManifestTools::of(backend, &values).map_err(|missing| {
            self.wrong(&format_args!("{missing}: settings of tools need it in the configuration"))
        })?;
        Ok((backend, tools))
    }

    /// Opens a connection. `accounts` are the accounts of a remote server to serve if there are several; the default is the
    /// first.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if a value is missing or wrong, and the errors of connections.
    pub(crate) async fn open(
        &self,
        base: &Path,
        accounts: &[String],
        client: ClientBuilder,
        context: &ConnectorContext,
    ) -> loggia::Result<Opened> {
        let backend = self.backend()?;
        if matches!(backend.transport, ManifestTransport::Remote(_)) {
            self.tools()?;
            let accounts = self.server_accounts(backend, accounts, context.credentials()).await?;
            return open_accounts(&self.name, accounts, client, context.credentials()).await;
        }
        let accounts = self.accounts(context).await?;
        let values = &accounts[0].values;
        // Without its settings, a tool would take other arguments, or be called although it is off.
        self.tools()?;
        let resolved = backend.resolve(values).map_err(|error| self.wrong(&error))?;
        match resolved {
            ResolvedBackend::Configured(mut configured) => {
                if let Backend::Stdio(stdio) = &mut configured {
                    stdio.sandbox.mode = self.used.sandbox;
                }
                open_backend(base, &self.name, configured, client, context).await
            }
            ResolvedBackend::Direct => {
                let sender = self.sender(backend, values, context)?;
                let api = |account: ConnectorAccount| {
                    let (values, sender) = (&account.values, sender.clone());
                    let api = match account.tokens {
                        Some(tokens) => ManifestApi::with_tokens(backend, values, sender, tokens),
                        None => ManifestApi::new(backend, values, sender),
                    };
                    let api = api.map(|api| api.filter_runner(context.filters().clone()));
                    let api =
                        api.map(|api| if context.has_whole_results() { api.whole_results() } else { api });
                    api.map(|api| (account.name, api)).map_err(|error| self.wrong(&error))
                };
                let apis = accounts.into_iter().map(api).collect::<loggia::Result<Vec<_>>>()?;
                let apis = AccountApis::new(apis).ok_or_else(|| self.wrong(&"it has no account"))?;
                Ok(Opened::Service(apis.into_server(&self.manifest)?.into_service()))
            }
            ResolvedBackend::Bundle(bundle) => {
                let program = bundle_store::program(&bundle, context.credentials()).await;
                let program = program.map_err(|error| self.wrong(&error))?;
                open_backend(base, &self.name, Backend::Stdio(program), client, context).await
            }
        }
    }

    fn backend(&self) -> loggia::Result<&ManifestBackend> {
        let Some(name) = &self.used.backend else {
            return self.manifest.backends.first().ok_or_else(|| self.wrong(&"its manifest has no backend"));
        };
        self.manifest.backend(name).ok_or_else(|| {
            let names: Vec<&str> = self.manifest.backends.iter().map(|one| one.name.as_str()).collect();
            self.wrong(&format_args!("its manifest has no backend {name:?}, but {}", names.join(", ")))
        })
    }

    /// Returns whether accounts of a remote server are saved for it.
    pub(crate) fn takes_server_accounts(&self) -> bool {
        let is_remote = |backend: &ManifestBackend| matches!(backend.transport, ManifestTransport::Remote(_));
        self.used.credential.is_none() && self.backend().is_ok_and(is_remote)
    }

    /// Returns the accounts of a remote server with these names, or without names the default account.
    async fn server_accounts(
        &self,
        backend: &ManifestBackend,
        names: &[String],
        credentials: &Credentials,
    ) -> loggia::Result<Vec<ServerAccount>> {
        if self.used.credential.is_some() {
            let remote = self.remote(backend, self.used.credential.clone())?;
            return Ok(vec![ServerAccount { name: None, remote }]);
        }
        let names = match names {
            [] => vec![credentials.default_account_name(&self.name).await.map_err(Error::from)?],
            names => names.iter().cloned().map(Some).collect(),
        };
        let mut accounts = Vec::new();
        for name in names {
            let record = match &name {
                Some(account) => credentials.account_record(&self.name, Some(account)).await,
                None => Ok(None),
            };
            // The token of a sign-in is the client's: it is renewed.
            let is_key =
                |record: &Secret| !is_server_credential(record) && oauth_credential(record).is_none();
            let key = match record.map_err(Error::from)?.filter(is_key) {
                Some(_) => credentials.account_credential(&self.name, name.as_deref()).await,
                None => Ok(None),
            };
            let remote = self.remote(backend, key.map_err(Error::from)?)?;
            accounts.push(ServerAccount { name, remote });
        }
        Ok(accounts)
    }

    /// Returns how a remote server is reached with a credential that the user entered.
    fn remote(&self, backend: &ManifestBackend, key: Option<Secret>) -> loggia::Result<Remote<Secret>> {
        match backend.resolve(&self.values(key)?).map_err(|error| self.wrong(&error))? {
            ResolvedBackend::Configured(Backend::Remote(remote)) => Ok(remote),
            _ => Err(self.wrong(&"its backend is not at a URL")),
        }
    }

    /// Returns the values of each account, the default account first; at least one. A credential in the configuration is the
    /// only account.
    async fn accounts(&self, context: &ConnectorContext) -> loggia::Result<Vec<ConnectorAccount>> {
        let credentials = context.credentials();
        let unnamed = |values| ConnectorAccount { name: String::new(), values, tokens: None };
        if self.used.credential.is_some() {
            return Ok(vec![unnamed(self.values(self.used.credential.clone())?)]);
        }
        let mut saved = credentials.accounts(Some(&self.name)).await.map_err(Error::from)?;
        saved.sort_by_key(|account| !account.is_default);
        let mut accounts = Vec::new();
        for account in saved {
            let credential = credentials.account_credential(&self.name, Some(&account.name)).await;
            let values = self.values(credential.map_err(Error::from)?)?;
            let tokens = self.tokens(credentials, &account.name, &values).await.map_err(Error::from)?;
            accounts.push(ConnectorAccount { name: account.name, values, tokens });
        }
        if accounts.is_empty() {
            accounts.push(unnamed(self.values(None)?));
        }
        Ok(accounts)
    }

    /// Returns the tokens of an account, if its user signed in to the API.
    async fn tokens(
        &self,
        credentials: &Credentials,
        account: &str,
        values: &ConnectorValues,
    ) -> Result<Option<Arc<dyn AccessTokenSource>>, AuthError> {
        let record = credentials.account_record(&self.name, Some(account)).await?;
        if record.as_ref().and_then(oauth_credential).is_none() {
            return Ok(None);
        }
        let Ok(backend) = self.backend() else { return Ok(None) };
        match ApiAuthorization::of(&self.name, backend, values)? {
            Some(authorization) => Ok(Some(Arc::new(authorization.tokens(credentials, account)?))),
            None => Ok(None),
        }
    }

    /// Checks the values of the user.
    fn values(&self, credential: Option<Secret>) -> loggia::Result<ConnectorValues> {
        let given = self.used.values.iter().map(|(name, value)| {
            let value = match value {
                ConfigValue::Text(text) => Value::String(text.expose().to_owned()),
                ConfigValue::Json(json) => json.clone(),
            };
            (name.clone(), value)
        });
        let given: Map<String, Value> = given.collect();
        self.manifest.values(&given, credential).map_err(|problems| {
            let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
            self.wrong(&problems.join("; "))
        })
    }

    /// Returns a sender for the API of a direct backend.
    fn sender(
        &self,
        backend: &ManifestBackend,
        values: &ConnectorValues,
        context: &ConnectorContext,
    ) -> loggia::Result<Arc<RestrictedSender>> {
        let policy = context.credentials().policy(false);
        let sender = RestrictedSender::of_backend(backend, values, policy);
        sender.map(Arc::new).map_err(|reason| self.wrong(&reason))
    }

    fn wrong(&self, what: &dyn std::fmt::Display) -> Error {
        Error::Configuration(format!("the connector {:?}: {what}", self.name))
    }
}

/// Returns the bound of results: that of the manifest, and for an API without one the usual bound.
fn result_limit(backend: &ManifestBackend) -> Option<ResultLimit> {
    let most = backend.limits.max_result;
    match backend.kind().is_direct() {
        true => Some(api_result_limit(most)),
        false => most.map(|most| ResultLimit { text: most, binary: most }),
    }
}

/// Returns the bound of an API's results, whose texts have at most `most` bytes, if it is given.
pub(crate) fn api_result_limit(most: Option<usize>) -> ResultLimit {
    let usual = ResponseLimits::default();
    let text = most.unwrap_or(usual.text);
    ResultLimit { text, binary: usual.binary.max(text) }
}

/// Returns the files that a manifest may be in: `name` is a path, or the name of a manifest in a folder.
pub(crate) fn manifest_files(base: &Path, folders: &ManifestFolders, name: &str) -> Vec<PathBuf> {
    if name.ends_with(".toml") { vec![base.join(name)] } else { folders.candidates(name) }
}

/// Reads a manifest and a digest of its text: a file if `name` is a path, otherwise one of the folders or of the directory.
pub(crate) fn read_manifest(
    base: &Path,
    folders: &ManifestFolders,
    name: &str,
) -> Result<(ConnectorManifest, String), String> {
    let (text, file) = if name.ends_with(".toml") {
        let path = base.join(name);
        (manifest_text(&path)?, path.display().to_string())
    } else {
        folders.text(name)?
    };
    let manifest = ConnectorManifest::parse(&text, &file).map_err(|error| error.to_string())?;
    Ok((manifest, sha256(text.as_bytes())))
}
