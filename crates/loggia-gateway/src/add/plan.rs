//! The plan of an addition: what the connector will be able to do and to reach, and what it needs.
//!
//! Invariant: a plan comes from the source alone. Nothing of it was connected to or stored.

use std::collections::BTreeMap;

use loggia::model::Tool;
use loggia_connect::config_file::{
    Backend, OpenApi, ProgramSandbox, Remote, Stdio, Transport, connector_name,
};
use loggia_connect::manifest::{
    AuthClass, AuthStep, ConfigField, ConfigFieldType, ConfigProblem, ConnectorManifest, ManifestBackend,
    ManifestTransport,
};
use loggia_connect::pins::SourcePin;
use loggia_connect::secret::Secret;
use loggia_openapi::{Api, Operation, OperationClass};
use serde_json::Value;
use url::Url;

use super::answers::{AddAnswers, MissingAnswer, variable_of};
use super::error::AddError;
use super::name;
use super::source::{AddSource, PackageKind, SignedInServers, SourceKind};
use super::written_manifest::{PROGRAM_NOTE, WrittenManifest};
use crate::account_oauth::ApiAuthorization;
use crate::token_source::PreregisteredClient;

/// Bytes of a text for one token of a model, about.
const BYTES_PER_TOKEN: usize = 4;

/// The plan of an addition. `Display` writes it for people.
#[derive(Debug)]
pub struct AddPlan {
    /// The name that the connector will have.
    pub name: String,
    /// The name for people.
    pub title: String,
    /// One sentence for people.
    pub description: Option<String>,
    /// The backend.
    pub backend: PlannedBackend,
    /// The reason why it was chosen.
    pub reason: String,
    /// The other backends that the source has.
    pub others: Vec<PlannedBackend>,
    /// The tools that are known before a connection.
    pub tools: Vec<PlannedTool>,
    /// The hosts that it may reach; empty if that is not known.
    pub hosts: Vec<String>,
    /// The scopes that it asks for to read.
    pub read_scopes: Vec<String>,
    /// The scopes that it asks for to write.
    pub write_scopes: Vec<String>,
    /// The values that the user gives.
    pub config: Vec<ConfigField>,
    /// The credential.
    pub credential: Option<PlannedCredential>,
    /// The tokens that the list of its tools costs a model, about; `None` where the server writes the list.
    pub list_tokens: Option<usize>,
    /// The clients with which its accounts were signed in; the default account is the first.
    pub(super) known_clients: Vec<(String, PreregisteredClient)>,
    pub(super) target: PlanTarget,
    /// The version of the manifest or package.
    pub(super) source: Option<SourcePin>,
    /// The manifest that Loggia wrote, which is kept when the connector is stored.
    pub(super) written: Option<Box<WrittenManifest>>,
}

/// A backend of a source, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedBackend {
    /// The name, for the option `--backend`.
    pub name: String,
    /// The kind: `remote`, `stdio`, `openapi`, `graphql` or `builtin`.
    pub kind: &'static str,
    /// The name for people.
    pub title: Option<String>,
    /// Facts that a person should know before.
    pub notes: Vec<String>,
    /// The reason why a person may be unable to use it.
    pub unusable_when: Option<String>,
}

/// A tool that the connector will have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedTool {
    /// The name.
    pub name: String,
    /// The name for people.
    pub title: Option<String>,
    /// The effect of a call; `None` where only the server knows it.
    pub class: Option<OperationClass>,
    /// True if it is served.
    pub is_enabled: bool,
    /// True if it is left out of the list of a gateway.
    pub is_deferred: bool,
}

/// The credential that a connector needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedCredential {
    /// The name for people.
    pub title: String,
    /// The help.
    pub description: Option<String>,
    /// The steps at the vendor, in order.
    pub steps: Vec<AuthStep>,
    /// True if the user signs in with a browser; a credential that is entered takes its place.
    pub is_sign_in: bool,
    /// True if it must be entered.
    pub is_required: bool,
    /// True if the user signs in with a client that they registered at the vendor.
    pub needs_client: bool,
}

/// The thing that is added.
#[derive(Debug)]
pub(super) enum PlanTarget {
    /// A backend of a manifest, and the text that names the manifest.
    Manifest { reference: String, manifest: Box<ConnectorManifest>, backend: String },
    /// A server without a manifest.
    Backend(Backend<Secret>),
}

impl AddPlan {
    /// Makes the plan for a source. `name` is another name for the connector than its source gives, and `backend` another
    /// backend of a manifest than its first that can be used.
    ///
    /// # Errors
    ///
    /// [`AddError::Unusable`] if the name or the backend cannot be.
    pub fn new(source: AddSource, name: Option<&str>, backend: Option<&str>) -> Result<AddPlan, AddError> {
        let mut plan = match source.kind {
            SourceKind::Manifest { reference, manifest } => {
                of_manifest(reference, manifest, backend, &source.signed_in)?
            }
            SourceKind::Written(written) => of_written(*written, backend, &source.signed_in)?,
            other => {
                let plan = match other {
                    SourceKind::Api { description, api, base_url } => {
                        of_api(description, &api, base_url.as_ref())
                    }
                    SourceKind::Package { registry, package, version } => {
                        of_package(registry, &package, version)
                    }
                    SourceKind::Server(url) => of_server(&url),
                    SourceKind::Manifest { .. } | SourceKind::Written(_) => {
                        unreachable!("they are matched above")
                    }
                };
                if let Some(backend) = backend.filter(|backend| *backend != plan.backend.name) {
                    let reason = format!(
                        "there is no backend {backend:?}: this source has only {}",
                        plan.backend.name
                    );
                    return Err(AddError::unusable(plan.title, reason));
                }
                plan
            }
        };
        if let Some(name) = name {
            plan.name = connector_name(name).map_err(|reason| AddError::unusable(name, reason))?;
        }
        Ok(plan)
    }

    /// Returns the field of a value without a name: the first that the user must give.
    pub fn main_field(&self) -> Option<&ConfigField> {
        self.config.iter().find(|field| field.is_required)
    }

    /// Reads a value of the user for a field. A path begins at the current folder. `env:NAME` stands for an environment variable; a secret is always one.
    ///
    /// # Errors
    ///
    /// [`ConfigProblem`] if there is no such field, or the value does not fit.
    pub fn read_value(&self, field: &str, text: &str) -> Result<Value, ConfigProblem> {
        let problem = |message: String| ConfigProblem { field: field.to_owned(), message };
        let variable = variable_of(text).map(|name| Value::String(format!("${{{name}}}")));
        let Some(known) = self.config.iter().find(|known| known.name == field) else {
            return match &self.target {
                PlanTarget::Backend(Backend::Stdio(_)) => {
                    Ok(variable.unwrap_or_else(|| Value::String(text.to_owned())))
                }
                _ => {
                    let known: Vec<&str> = self.config.iter().map(|known| known.name.as_str()).collect();
                    Err(problem(match known.is_empty() {
                        true => format!("there is no such value: {} takes none", self.name),
                        false => format!("there is no such value; there are: {}", known.join(", ")),
                    }))
                }
            };
        };
        let is_text = !matches!(known.field_type, ConfigFieldType::Number | ConfigFieldType::Boolean);
        if let Some(variable) = variable.filter(|_| is_text) {
            // The value of the variable is checked when the connector is tried.
            return Ok(variable);
        }
        let value = match known.field_type {
            ConfigFieldType::Secret => {
                return Err(problem(
                    "a secret is read from an environment variable: write env:NAME".to_owned(),
                ));
            }
            ConfigFieldType::Number => {
                text.parse().map(Value::Number).map_err(|_| problem("a number is needed".to_owned()))?
            }
            ConfigFieldType::Boolean => match text {
                "true" | "yes" | "y" => Value::Bool(true),
                "false" | "no" | "n" => Value::Bool(false),
                _ => return Err(problem("true or false is needed".to_owned())),
            },
            _ if known.is_multiple => {
                Value::Array(text.split(',').map(|part| given_text(known, part.trim())).collect())
            }
            _ => given_text(known, text),
        };
        known.check(&value).map(|()| value).map_err(problem)
    }

    /// Returns what the user still has to give.
    pub fn missing(&self, answers: &AddAnswers) -> Vec<MissingAnswer> {
        let fields = self.config.iter().filter(|field| {
            field.is_required && field.default.is_none() && !answers.config.contains_key(&field.name)
        });
        let mut missing: Vec<MissingAnswer> = fields
            .map(|field| MissingAnswer {
                field: field.name.clone(),
                title: field.title.clone(),
                description: field.description.clone(),
                is_secret: field.field_type == ConfigFieldType::Secret,
                choices: field.choices.iter().map(|choice| choice.value.clone()).collect(),
                steps: Vec::new(),
            })
            .collect();
        let credential = self.credential.as_ref().filter(|credential| credential.is_required);
        missing.extend(credential.filter(|_| answers.credential.is_none()).map(|credential| MissingAnswer {
            field: "credential".to_owned(),
            title: credential.title.clone(),
            description: credential.description.clone(),
            is_secret: true,
            choices: Vec::new(),
            steps: credential.steps.clone(),
        }));
        missing.extend(self.missing_client(answers));
        missing
    }

    /// Returns the backend of the manifest.
    pub(super) fn manifest_backend(&self) -> Option<(&ConnectorManifest, &ManifestBackend)> {
        match &self.target {
            PlanTarget::Manifest { manifest, backend, .. } => Some((manifest, manifest.backend(backend)?)),
            PlanTarget::Backend(_) => None,
        }
    }
}

/// Returns a text of the user; a path becomes absolute, because a gateway may run in another folder.
fn given_text(field: &ConfigField, text: &str) -> Value {
    let absolute = (field.field_type.is_path() && !text.is_empty()).then(|| std::path::absolute(text));
    let path = absolute.and_then(Result::ok).map(|path| path.display().to_string());
    Value::String(path.unwrap_or_else(|| text.to_owned()))
}

/// Estimates the tokens that a list of tools costs a model.
pub(crate) fn list_tokens<'t>(tools: impl Iterator<Item = &'t Tool>) -> usize {
    tools.map(|tool| serde_json::to_string(tool).map_or(0, |text| text.len())).sum::<usize>()
        / BYTES_PER_TOKEN
}

fn of_manifest(
    reference: String,
    manifest: Box<ConnectorManifest>,
    wanted: Option<&str>,
    signed_in: &SignedInServers,
) -> Result<AddPlan, AddError> {
    let (backend, reason) = choose(&manifest, wanted)?;
    let others = manifest.backends.iter().filter(|other| other.name != backend.name);
    let listed = backend.tools.iter().filter(|tool| tool.is_enabled && !tool.is_deferred);
    let definitions: Vec<Tool> = listed.map(|tool| tool.definition()).collect();
    let is_written = backend.kind().is_direct() && !backend.tools.is_empty();
    Ok(AddPlan {
        name: manifest.name.clone(),
        title: manifest.title.clone(),
        description: Some(manifest.description.clone()),
        backend: planned(backend),
        reason,
        others: others.map(planned).collect(),
        tools: backend
            .tools
            .iter()
            .map(|tool| PlannedTool {
                name: tool.name.clone(),
                title: tool.title.clone(),
                class: tool.class,
                is_enabled: tool.is_enabled,
                is_deferred: tool.is_deferred,
            })
            .collect(),
        hosts: hosts(backend),
        read_scopes: backend.auth.read_scopes.clone(),
        write_scopes: backend.auth.write_scopes.clone(),
        config: manifest.config.clone(),
        credential: credential(backend, signed_in),
        known_clients: Vec::new(),
        list_tokens: is_written.then(|| list_tokens(definitions.iter())),
        source: Some(SourcePin {
            kind: "manifest".to_owned(),
            name: reference.clone(),
            version: Some(manifest.version.clone()),
            digest: None,
        }),
        written: None,
        target: PlanTarget::Manifest { reference, backend: backend.name.clone(), manifest: manifest.clone() },
    })
}

/// Makes the plan of a manifest that Loggia wrote.
fn of_written(
    written: WrittenManifest,
    wanted: Option<&str>,
    signed_in: &SignedInServers,
) -> Result<AddPlan, AddError> {
    let reference = written.file.path.display().to_string();
    let plan = of_manifest(reference, Box::new(written.manifest.clone()), wanted, signed_in)?;
    Ok(AddPlan { source: Some(written.source.clone()), written: Some(Box::new(written)), ..plan })
}

/// Chooses the backend: the one that is wanted, or the first that is open to every user.
fn choose<'m>(
    manifest: &'m ConnectorManifest,
    wanted: Option<&str>,
) -> Result<(&'m ManifestBackend, String), AddError> {
    if let Some(wanted) = wanted {
        let names = || manifest.backends.iter().map(|one| one.name.as_str()).collect::<Vec<_>>().join(", ");
        let none = || {
            AddError::unusable(&manifest.title, format!("it has no backend {wanted:?}; it has: {}", names()))
        };
        return Ok((manifest.backend(wanted).ok_or_else(none)?, "you chose it".to_owned()));
    }
    let is_open = |backend: &&ManifestBackend| {
        !matches!(backend.auth.class, AuthClass::Allowlist | AuthClass::Enterprise)
    };
    let first = &manifest.backends[0];
    Ok(match manifest.backends.iter().find(is_open) {
        Some(open) if open.name == first.name => {
            (first, "it is the first that the connector offers".to_owned())
        }
        Some(open) => {
            let why = first
                .unusable_when
                .clone()
                .unwrap_or_else(|| "the vendor admits listed clients only.".to_owned());
            (open, format!("the first, {}, may not be open to you: {why}", first.name))
        }
        None => (first, "it is the first that the connector offers".to_owned()),
    })
}

fn planned(backend: &ManifestBackend) -> PlannedBackend {
    PlannedBackend {
        name: backend.name.clone(),
        kind: backend.kind().as_str(),
        title: backend.title.clone(),
        notes: backend.notes.clone(),
        unusable_when: backend.unusable_when.clone(),
    }
}

fn hosts(backend: &ManifestBackend) -> Vec<String> {
    if !backend.allowed_hosts.is_empty() {
        return backend.allowed_hosts.clone();
    }
    let url = match &backend.transport {
        ManifestTransport::Remote(server) => Some(&server.url),
        ManifestTransport::OpenApi(api) => api.base_url.as_ref(),
        ManifestTransport::GraphQl(api) => Some(&api.url),
        ManifestTransport::Stdio(_) | ManifestTransport::Builtin(_) => None,
    };
    let host = url.and_then(|url| Some(Url::parse(&url.to_string()).ok()?.host_str()?.to_owned()));
    host.into_iter().collect()
}

fn credential(backend: &ManifestBackend, signed_in: &SignedInServers) -> Option<PlannedCredential> {
    let auth = &backend.auth;
    let is_api_sign_in = ApiAuthorization::is_named_by(backend);
    let is_token = backend.kind().is_direct() && auth.class.is_oauth() && !is_api_sign_in;
    let is_entered = auth.class.is_entered() || is_token;
    if auth.class == AuthClass::None {
        return None;
    }
    let prompt = auth.credential.as_ref();
    let title = prompt.map_or_else(
        || if auth.class == AuthClass::Basic { "user:password" } else { "Access token" }.to_owned(),
        |prompt| prompt.title.clone(),
    );
    Some(PlannedCredential {
        title,
        description: prompt.and_then(|prompt| prompt.description.clone()),
        steps: auth.steps.clone(),
        is_sign_in: !is_entered,
        is_required: is_entered,
        needs_client: is_api_sign_in || signed_in.needs_client(backend),
    })
}

fn of_api(description: String, api: &Api, base_url: Option<&http::Uri>) -> AddPlan {
    let title = if api.title().is_empty() { "API" } else { api.title() }.to_owned();
    let definitions: Vec<Tool> = api.operations().iter().map(Operation::tool).collect();
    let needs = |operation: &Operation| {
        !operation.security().is_empty()
            && operation.security().iter().all(|alternative| !alternative.is_empty())
    };
    let credential = api.operations().iter().any(needs).then(|| PlannedCredential {
        title: "API key or token".to_owned(),
        description: Some(
            "it is saved on this machine; env:NAME names an environment variable instead".to_owned(),
        ),
        steps: Vec::new(),
        is_sign_in: false,
        is_required: api.operations().iter().all(needs),
        needs_client: false,
    });
    let mut notes: Vec<String> = Vec::new();
    if !api.problems().is_empty() {
        notes.push(format!("{} operations cannot be tools; the log says why.", api.problems().len()));
    }
    AddPlan {
        description: api.description().map(first_line),
        backend: PlannedBackend { notes, ..bare("openapi") },
        reason: "its description lists the operations".to_owned(),
        tools: api
            .operations()
            .iter()
            .zip(&definitions)
            .map(|(operation, tool)| PlannedTool {
                name: tool.name.clone(),
                title: tool.title.clone(),
                class: Some(operation.class()),
                is_enabled: true,
                is_deferred: false,
            })
            .collect(),
        hosts: base_url.and_then(|url| url.host().map(str::to_owned)).into_iter().collect(),
        credential,
        list_tokens: Some(list_tokens(definitions.iter())),
        ..empty(
            name::of_words(&title),
            title,
            Backend::OpenApi(OpenApi {
                description: Secret::new(description),
                // The host that the user sees is the one that gets the credential, also if the description changes.
                base_url: base_url.map(|url| Secret::new(url.to_string())),
                credential: None,
                headers: BTreeMap::new(),
            }),
        )
    }
}

pub(super) fn of_server(url: &Url) -> AddPlan {
    let host = url.host_str().unwrap_or_default().to_owned();
    AddPlan {
        backend: bare("remote"),
        reason: "the URL is that of an MCP server".to_owned(),
        hosts: vec![host.clone()],
        ..empty(
            name::of_url(url),
            host,
            Backend::Remote(Remote {
                url: Secret::new(url.as_str()),
                headers: BTreeMap::new(),
                transport: Transport::Auto,
                personal: None,
                issuer: None,
            }),
        )
    }
}

fn of_package(registry: PackageKind, package: &str, version: Option<String>) -> AddPlan {
    let (command, args): (&str, Vec<String>) = match (registry, &version) {
        (PackageKind::Npm, Some(version)) => ("npx", vec!["-y".to_owned(), format!("{package}@{version}")]),
        (PackageKind::Npm, None) => ("npx", vec!["-y".to_owned(), package.to_owned()]),
        (PackageKind::PyPi, version) => {
            let program = package.split('[').next().unwrap_or_default().to_owned();
            let from = version.as_ref().map_or(package.to_owned(), |version| format!("{package}=={version}"));
            ("uvx", vec!["--from".to_owned(), from, program])
        }
        (PackageKind::Oci, _) => ("docker", ["run", "-i", "--rm", package].map(str::to_owned).to_vec()),
    };
    let is_pinned = match registry {
        PackageKind::Oci => {
            package.contains('@') || package.rsplit('/').next().is_some_and(|last| last.contains(':'))
        }
        PackageKind::Npm | PackageKind::PyPi => version.is_some(),
    };
    let mut notes = vec![PROGRAM_NOTE.to_owned()];
    if !is_pinned {
        notes.push(
            "No version is named, so each start may run another one: name the version that you trust."
                .to_owned(),
        );
    }
    let args = args.into_iter().map(Secret::new).collect();
    let (command, env) = (Secret::new(command), BTreeMap::new());
    AddPlan {
        backend: PlannedBackend { notes, ..bare("stdio") },
        reason: format!("it is a package of {}", registry.as_str()),
        source: Some(SourcePin {
            kind: registry.as_str().to_lowercase(),
            name: bare_package(registry, package).to_owned(),
            version: version.or_else(|| tag_of(registry, package)),
            digest: package
                .split_once('@')
                .filter(|_| registry == PackageKind::Oci)
                .map(|(_, digest)| digest.to_owned()),
        }),
        ..empty(
            name::of_package(bare_package(registry, package)),
            package.to_owned(),
            Backend::Stdio(Stdio {
                command,
                args,
                env,
                cwd: None,
                start_timeout: None,
                sandbox: ProgramSandbox::default(),
            }),
        )
    }
}

/// Returns the tag of an image.
fn tag_of(registry: PackageKind, package: &str) -> Option<String> {
    let image = package.split('@').next().unwrap_or(package);
    let tag = image.strip_prefix(bare_package(registry, package))?.strip_prefix(':')?;
    (registry == PackageKind::Oci).then(|| tag.to_owned())
}

/// Returns the name of a package without a tag, a digest or extras.
fn bare_package(registry: PackageKind, package: &str) -> &str {
    match registry {
        PackageKind::Npm => package,
        PackageKind::PyPi => package.split('[').next().unwrap_or(package),
        PackageKind::Oci => {
            let image = package.split('@').next().unwrap_or(package);
            let name = image.rfind('/').map_or(0, |at| at + 1);
            image[name..].find(':').map_or(image, |at| &image[..name + at])
        }
    }
}

fn bare(kind: &'static str) -> PlannedBackend {
    PlannedBackend { name: kind.to_owned(), kind, title: None, notes: Vec::new(), unusable_when: None }
}

fn empty(name: String, title: String, backend: Backend<Secret>) -> AddPlan {
    AddPlan {
        name,
        title,
        description: None,
        backend: bare(""),
        reason: String::new(),
        others: Vec::new(),
        tools: Vec::new(),
        hosts: Vec::new(),
        read_scopes: Vec::new(),
        write_scopes: Vec::new(),
        config: Vec::new(),
        credential: None,
        list_tokens: None,
        known_clients: Vec::new(),
        target: PlanTarget::Backend(backend),
        source: None,
        written: None,
    }
}

/// Returns the first line of a description.
fn first_line(text: &str) -> String {
    text.trim().lines().next().unwrap_or_default().trim().to_owned()
}
