//! Connections to backends whose values are filled in. The module is below the connectors of the configuration and of
//! manifests, which both open connections with it. Invariant: no error contains a secret.

use std::path::Path;

use http::{HeaderName, HeaderValue};
use loggia::Error;
use loggia::client::{ChildGuard, ClientBuilder};
use loggia_connect::config_file::{Backend, Remote, Transport};
use loggia_connect::filter::FilterRunner;
use loggia_connect::secret::Secret;
use loggia_hub::Opened;
use loggia_openapi::ResponseLimits;
use loggia_sandbox::SandboxMode;

use crate::api;
use crate::builtin;
use crate::credentials::Credentials;
use crate::program_runner::with_advice;
use crate::program_sandbox::{ChildSandbox, child};
use crate::request_header::header;

/// The context in which connections open: credentials for remote servers, the guard of child processes, and the threads for
/// filters, which all connectors share.
#[derive(Clone)]
pub struct ConnectorContext {
    credentials: Credentials,
    child_guard: Option<ChildGuard>,
    child_sandbox: Option<ChildSandbox>,
    sandbox_mode: Option<SandboxMode>,
    filters: FilterRunner,
    /// Headers for remote servers, beside those of the configuration.
    headers: Vec<(HeaderName, HeaderValue)>,
    /// True if the results of APIs are not cut, because the hub bounds them.
    has_whole_results: bool,
}

impl ConnectorContext {
    /// Opens connections with these credentials, and starts child processes without a guard.
    pub fn new(credentials: Credentials) -> ConnectorContext {
        ConnectorContext {
            credentials,
            child_guard: None,
            filters: FilterRunner::default(),
            headers: Vec::new(),
            has_whole_results: false,
            child_sandbox: None,
            sandbox_mode: None,
        }
    }

    /// Starts child processes under this guard, which ends them when the program ends for any reason.
    pub fn child_guard(mut self, guard: ChildGuard) -> ConnectorContext {
        self.child_guard = Some(guard);
        self
    }

    /// Confines child processes with this sandbox. Default: they are not confined, and a connector whose sandbox is
    /// required cannot be used.
    pub fn child_sandbox(mut self, sandbox: ChildSandbox) -> ConnectorContext {
        self.child_sandbox = Some(sandbox);
        self
    }

    /// Sets the strictness of sandboxes of connectors that do not say it.
    pub(crate) fn sandbox_mode(mut self, mode: Option<SandboxMode>) -> ConnectorContext {
        self.sandbox_mode = mode;
        self
    }

    /// Sends these headers to remote servers, beside those of the configuration.
    pub fn headers(
        mut self,
        headers: impl IntoIterator<Item = (HeaderName, HeaderValue)>,
    ) -> ConnectorContext {
        self.headers.extend(headers);
        self
    }

    /// Adds the headers for remote servers to a client.
    pub(crate) fn add_headers(&self, client: ClientBuilder) -> ClientBuilder {
        let headers = self.headers.iter().cloned();
        headers.fold(client, |client, (name, value)| client.header(name, value))
    }

    /// Returns the credentials.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Returns the runner of the filters of manifests.
    pub(crate) fn filters(&self) -> &FilterRunner {
        &self.filters
    }

    /// Does not cut the results of APIs: the hub bounds them.
    pub(crate) fn with_whole_results(self) -> ConnectorContext {
        ConnectorContext { has_whole_results: true, ..self }
    }

    /// Returns whether the results of APIs are not cut.
    pub(crate) fn has_whole_results(&self) -> bool {
        self.has_whole_results
    }

    /// Returns whether child processes have a guard.
    pub(crate) fn guards_children(&self) -> bool {
        self.child_guard.is_some()
    }
}

/// Opens a connection to the backend of the connector `name`, which is not at a URL; relative paths start in `base`.
pub(crate) async fn open_backend(
    base: &Path,
    name: &str,
    backend: Backend<Secret>,
    client: ClientBuilder,
    context: &ConnectorContext,
) -> loggia::Result<Opened> {
    match backend {
        Backend::Stdio(stdio) => {
            let client = stdio.start_timeout.into_iter().fold(client, ClientBuilder::start_timeout);
            let ConnectorContext { child_guard, child_sandbox, sandbox_mode, .. } = context;
            let child = child(base, name, &stdio, child_sandbox.as_ref(), *sandbox_mode).await?;
            let child = child_guard.iter().cloned().fold(child, loggia::client::Child::guard);
            let connected = client.connect(child).await;
            connected.map(Opened::Client).map_err(|error| with_advice(error, stdio.command.expose()))
        }
        Backend::Remote(_) => {
            Err(Error::Configuration("a remote server is opened with its accounts".to_owned()))
        }
        Backend::OpenApi(api) => {
            let limits = match context.has_whole_results {
                true => ResponseLimits { text: usize::MAX, binary: usize::MAX },
                false => ResponseLimits::default(),
            };
            api::open(base, &api, limits, context.credentials.policy(false)).await.map(Opened::Service)
        }
        Backend::Builtin(builtin) => builtin::open(base, &builtin).map(Opened::Service),
        Backend::Manifest(_) => {
            Err(Error::Configuration("a manifest cannot name another manifest".to_owned()))
        }
    }
}

/// Adds the transport and the headers of a remote connector to a client.
pub(crate) fn prepared(remote: &Remote<Secret>, client: ClientBuilder) -> loggia::Result<ClientBuilder> {
    let mut client = client.legacy_sse(remote.transport != Transport::Streamable);
    for (name, value) in &remote.headers {
        let (name, value) = header(name, value.expose())?;
        client = client.header(name, value);
    }
    Ok(client)
}
