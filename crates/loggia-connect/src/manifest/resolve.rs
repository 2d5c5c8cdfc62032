//! From a backend of a manifest and the values of its user to a backend that can be opened.
//!
//! Invariant: an error names the key or the value that is wrong, and quotes neither.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};

use super::config_field::matches;
use super::{
    AuthClass, BackendAuth, BuiltinServer, ConnectorValues, DirectApi, ManifestBackend, ManifestText,
    ManifestTransport, MissingValue, PackageSource, RemoteServer, RequestPlace, ServerProgram,
};
use crate::config_file::{
    Backend, Builtin, BuiltinKind, BuiltinOptionError, OpenApi, ProgramSandbox, Remote, Stdio, is_url,
};
use crate::secret::Secret;

/// A backend with the values of its user.
#[derive(Debug, Clone)]
pub enum ResolvedBackend {
    /// A backend as `loggia.toml` describes one.
    Configured(Backend<Secret>),
    /// The tools of the manifest over an API: [`ManifestApi::new`](crate::direct::ManifestApi::new) opens it.
    Direct,
    /// A program in an MCPB bundle, which must be fetched, checked and unpacked first.
    Bundle(BundleProgram),
}

/// A program in an MCPB bundle.
#[derive(Debug, Clone)]
pub struct BundleProgram {
    /// The URL of the bundle.
    pub url: String,
    /// Its digest.
    pub digest: String,
    /// Arguments that are added to its own.
    pub args: Vec<Secret>,
    /// Environment variables.
    pub env: BTreeMap<String, Secret>,
    /// The folder it runs in.
    pub cwd: Option<Secret>,
    /// The values of the user.
    pub values: ConnectorValues,
}

/// The reason why a backend cannot be opened with the values of its user.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BackendValueError {
    /// A value is missing.
    Missing(MissingValue),
    /// The credential does not have the form that the vendor gives it.
    Credential(String),
    /// With the values filled in, a key is not what it must be.
    Key {
        /// The key.
        key: String,
        /// The requirement.
        reason: &'static str,
    },
}

impl From<MissingValue> for BackendValueError {
    fn from(missing: MissingValue) -> BackendValueError {
        BackendValueError::Missing(missing)
    }
}

const NO_URL: &str = "it is no whole URL";
const NO_HEADER: &str = "it has characters that no header can hold";

impl ManifestBackend {
    /// Fills the values of the user in. OAuth tokens of a remote server are the caller's: they are renewed.
    pub fn resolve(&self, values: &ConnectorValues) -> Result<ResolvedBackend, BackendValueError> {
        self.check_credential(values)?;
        Ok(match &self.transport {
            ManifestTransport::Remote(server) => self.remote(server, values).map(Backend::Remote)?.into(),
            ManifestTransport::Stdio(program) => stdio(program, self.program_sandbox(values)?, values)?,
            ManifestTransport::OpenApi(api) if self.tools.is_empty() => {
                self.openapi(api, values).map(Backend::OpenApi)?.into()
            }
            ManifestTransport::OpenApi(_) | ManifestTransport::GraphQl(_) => ResolvedBackend::Direct,
            ManifestTransport::Builtin(server) => builtin(server, values).map(Backend::Builtin)?.into(),
        })
    }

    /// Checks a credential that the user entered.
    pub(crate) fn check_credential(&self, values: &ConnectorValues) -> Result<(), BackendValueError> {
        let prompt = self.auth.credential.as_ref().filter(|_| self.auth.class.is_entered());
        let pattern = prompt.and_then(|prompt| prompt.pattern.as_deref());
        let (Some(pattern), Some(credential)) = (pattern, values.credential()) else { return Ok(()) };
        if matches(pattern, credential.expose()) {
            return Ok(());
        }
        let title = prompt.map_or("the credential", |prompt| prompt.title.as_str());
        let help = prompt.and_then(|prompt| prompt.description.as_deref());
        let help = help.map(|help| format!(": {help}")).unwrap_or_default();
        Err(BackendValueError::Credential(format!("this does not look like {title}{help}")))
    }

    fn remote(
        &self,
        server: &RemoteServer,
        values: &ConnectorValues,
    ) -> Result<Remote<Secret>, BackendValueError> {
        let mut url = resolved_url(&server.url, "url", values)?;
        self.check_host(url.expose(), "url", values)?;
        let mut headers = headers(&server.headers, values)?;
        if let Some((name, value)) = self.sent_credential(values)? {
            match self.auth.place {
                RequestPlace::Header => {
                    headers.insert(name, value);
                }
                RequestPlace::Cookie => {
                    headers.insert("Cookie".to_owned(), Secret::new(format!("{name}={}", value.expose())));
                }
                RequestPlace::Query => url = with_query(&url, &name, &value),
            }
        }
        check_headers(&headers)?;
        let (transport, issuer) = (server.transport, self.auth.issuer.clone());
        Ok(Remote { url, headers, transport, personal: None, issuer })
    }

    /// Returns the name and the value of the credential that each request sends; `None` where there is none, or where an
    /// MCP client signs in.
    pub(crate) fn sent_credential(
        &self,
        values: &ConnectorValues,
    ) -> Result<Option<(String, Secret)>, BackendValueError> {
        let is_needed = match self.kind().is_direct() {
            true => self.auth.class != AuthClass::None,
            false => self.auth.class.is_entered(),
        };
        if !is_needed && (values.credential().is_none() || !self.has_credential()) {
            return Ok(None);
        }
        Ok(Some((self.auth.place_name().to_owned(), self.auth.sent_value(values)?)))
    }

    fn openapi(
        &self,
        api: &DirectApi,
        values: &ConnectorValues,
    ) -> Result<OpenApi<Secret>, BackendValueError> {
        let base_url =
            api.base_url.as_ref().map(|text| resolved_url(text, "base_url", values)).transpose()?;
        match &base_url {
            Some(url) => self.check_host(url.expose(), "base_url", values)?,
            // The description would name the host, and nothing here would check it.
            None if !self.allowed_hosts.is_empty() => {
                let reason = "it is needed beside network.allow";
                return Err(BackendValueError::Key { key: "base_url".to_owned(), reason });
            }
            None => {}
        }
        let headers = headers(&api.headers, values)?;
        check_headers(&headers)?;
        let credential = match self.auth.class {
            AuthClass::None => values.credential().cloned(),
            _ => Some(values.needed_credential()?.clone()),
        };
        let description = Secret::new(api.description.clone().unwrap_or_default());
        Ok(OpenApi { description, base_url, credential, headers })
    }
}

impl BackendAuth {
    /// Returns the value that requests send for the credential of `values`.
    pub(crate) fn sent_value(&self, values: &ConnectorValues) -> Result<Secret, MissingValue> {
        let credential = values.needed_credential()?;
        let is_authorization =
            self.place == RequestPlace::Header && self.place_name().eq_ignore_ascii_case("Authorization");
        Ok(match &self.value {
            Some(text) => values.text(text)?,
            None if self.class == AuthClass::Basic => {
                Secret::new(format!("Basic {}", STANDARD.encode(credential.expose())))
            }
            None if is_authorization => Secret::new(format!("Bearer {}", credential.expose())),
            None => credential.clone(),
        })
    }
}

impl From<Backend<Secret>> for ResolvedBackend {
    fn from(backend: Backend<Secret>) -> ResolvedBackend {
        ResolvedBackend::Configured(backend)
    }
}

fn stdio(
    program: &ServerProgram,
    sandbox: ProgramSandbox<Secret>,
    values: &ConnectorValues,
) -> Result<ResolvedBackend, BackendValueError> {
    let args = values.args(&program.args)?;
    let env = filled(&program.env, values)?;
    let cwd = program.cwd.as_ref().map(|cwd| values.text(cwd)).transpose()?;
    let (command, before) = match &program.source {
        PackageSource::Bundle { url, digest } => {
            let (url, digest) = (url.clone(), digest.clone());
            return Ok(ResolvedBackend::Bundle(BundleProgram {
                url,
                digest,
                args,
                env,
                cwd,
                values: values.clone(),
            }));
        }
        PackageSource::Command(command) => (values.text(command)?, Vec::new()),
        source => {
            let (command, before) = launcher(source, env.keys());
            (Secret::new(command), before.into_iter().map(Secret::new).collect())
        }
    };
    let args = before.into_iter().chain(args).collect();
    Ok(Backend::Stdio(Stdio { command, args, env, cwd, start_timeout: None, sandbox }).into())
}

/// Returns the program that runs a package, and its arguments before the server's own.
fn launcher<'e>(
    source: &PackageSource,
    env: impl Iterator<Item = &'e String>,
) -> (&'static str, Vec<String>) {
    match source {
        PackageSource::Npm { name, version, .. } => {
            ("npx", vec!["-y".to_owned(), format!("{name}@{version}")])
        }
        PackageSource::PyPi { name, version, .. } => {
            // A package with extras, `name[extra]`, has a program `name`.
            let program = name.split('[').next().unwrap_or_default().to_owned();
            ("uvx", vec!["--from".to_owned(), format!("{name}=={version}"), program])
        }
        PackageSource::Oci { image, digest } => {
            let mut args: Vec<String> = ["run", "-i", "--rm"].map(str::to_owned).to_vec();
            for name in env {
                args.extend(["-e".to_owned(), name.clone()]);
            }
            args.push(match digest {
                Some(digest) => format!("{image}@{digest}"),
                None => image.clone(),
            });
            ("docker", args)
        }
        PackageSource::Bundle { .. } | PackageSource::Command(_) => ("", Vec::new()),
    }
}

fn builtin(server: &BuiltinServer, values: &ConnectorValues) -> Result<Builtin<Secret>, BackendValueError> {
    let wrong = |key: String, reason| BackendValueError::Key { key, reason };
    let Some(kind) = BuiltinKind::from_name(&server.name) else {
        return Err(wrong("builtin".to_owned(), "there is no such built-in connector"));
    };
    // A text that is one optional value is left out without it.
    let is_absent = |value: &Value| {
        let text = value.as_str().and_then(|text| ManifestText::parse(text).ok());
        text.is_some_and(|text| values.is_absent(&text))
    };
    let given = server.options.iter().filter(|(_, value)| !is_absent(value));
    let given: Map<String, Value> = given.map(|(name, value)| (name.clone(), value.clone())).collect();
    let options = values.object(&given)?;
    let checked = kind.check(&options).map_err(|error| match error {
        BuiltinOptionError::Unknown(name) => wrong(format!("options.{name}"), "there is no such option"),
        BuiltinOptionError::Format(name, needed, _) => wrong(format!("options.{name}"), needed),
        BuiltinOptionError::Missing(name) => wrong(format!("options.{name}"), "a value is needed"),
        BuiltinOptionError::NoEffect(name, _) => {
            wrong(format!("options.{name}"), "it has no effect without the option that allows changes")
        }
    })?;
    let secret = |text: &String| Ok::<_, BackendValueError>(Secret::new(text.as_str()));
    Builtin { kind, options: checked }.try_map(secret)
}

/// Fills a URL.
pub(crate) fn resolved_url(
    text: &ManifestText,
    key: &str,
    values: &ConnectorValues,
) -> Result<Secret, BackendValueError> {
    let url = values.text(text)?;
    match is_url(url.expose()) {
        true => Ok(url),
        false => Err(BackendValueError::Key { key: key.to_owned(), reason: NO_URL }),
    }
}

fn with_query(url: &Secret, name: &str, value: &Secret) -> Secret {
    let separator = if url.expose().contains('?') { '&' } else { '?' };
    let encoded = [name, value.expose()].map(|text| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string());
    Secret::new(format!("{}{separator}{}={}", url.expose(), encoded[0], encoded[1]))
}

fn headers(
    headers: &BTreeMap<String, ManifestText>,
    values: &ConnectorValues,
) -> Result<BTreeMap<String, Secret>, BackendValueError> {
    filled(headers, values)
}

fn filled(
    texts: &BTreeMap<String, ManifestText>,
    values: &ConnectorValues,
) -> Result<BTreeMap<String, Secret>, BackendValueError> {
    // A required value is there. A text that is one optional value is left out without it.
    let given = texts.iter().filter(|(_, text)| !values.is_absent(text));
    given.map(|(name, text)| Ok((name.clone(), values.text(text)?))).collect()
}

fn check_headers(headers: &BTreeMap<String, Secret>) -> Result<(), BackendValueError> {
    match headers.iter().find(|(_, value)| HeaderValue::from_str(value.expose()).is_err()) {
        Some((name, _)) => Err(BackendValueError::Key { key: format!("headers.{name}"), reason: NO_HEADER }),
        None => Ok(()),
    }
}

impl fmt::Display for BackendValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BackendValueError::Missing(missing) => missing.fmt(f),
            BackendValueError::Credential(reason) => f.write_str(reason),
            BackendValueError::Key { key, reason } => write!(f, "{key}: with the values filled in, {reason}"),
        }
    }
}

impl std::error::Error for BackendValueError {}
