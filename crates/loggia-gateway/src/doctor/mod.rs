//! The doctor: finds the layer at which a connector fails, from its configuration to its credential.
//!
//! An error of a connection names its last symptom. The doctor tries each layer alone and in order, so that the report
//! names the cause and the next step. Invariant: after the first layer that fails no other layer is reported as failed.

mod authorization;
mod configuration;
mod credential;
mod discovery;
mod dns;
mod examination;
mod http_request;
mod machine;
mod preflight;
mod protocol;
mod report;
mod runner;
mod tcp;
mod text;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use url::Url;

use crate::config::GatewayConfig;
use crate::connection::ConnectorContext;
use configuration::{ConnectorTarget, ServerTarget};
use examination::Examination;

pub use machine::{MachineCheck, MachineCheckState, MachineReport};
pub use preflight::{PreflightReport, PreflightState};
pub use report::{ConnectorDiagnosis, DoctorLayer, LayerFailure, LayerReport, LayerState, Remedy};

/// The time limit of one layer, unless the program sets another.
const LAYER_TIMEOUT: Duration = Duration::from_secs(15);

/// Examines connectors, servers and the machine.
#[derive(Clone)]
pub struct Doctor {
    config: Arc<GatewayConfig>,
    context: ConnectorContext,
    timeout: Duration,
    roots: Vec<Vec<u8>>,
}

impl Doctor {
    /// Examines the connectors of a configuration.
    pub fn new(config: GatewayConfig, context: ConnectorContext) -> Doctor {
        Doctor { config: Arc::new(config), context, timeout: LAYER_TIMEOUT, roots: Vec::new() }
    }

    /// Sets the time limit of one layer.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Doctor {
        Doctor { timeout, ..self }
    }

    /// Trusts the authority of a PEM certificate, in addition to the usual ones.
    #[must_use]
    pub fn root_certificate(mut self, pem: impl Into<Vec<u8>>) -> Doctor {
        self.roots.push(pem.into());
        self
    }

    /// Examines a connector by its name, or a server by its URL.
    pub async fn examine(&self, target: &str) -> ConnectorDiagnosis {
        let mut examination = Examination::new(target, self.timeout, self.context.credentials().redactor());
        let work = async {
            match Url::parse(target).ok().filter(|url| matches!(url.scheme(), "http" | "https")) {
                Some(url) => Ok((ConnectorTarget::Server(ServerTarget::of_url(url)), "a URL".to_owned())),
                None => configuration::target(&self.config, target, &self.context).await,
            }
        };
        let found = Box::pin(examination.layer(DoctorLayer::Configuration, work)).await;
        match found {
            Some(ConnectorTarget::Program(program)) => {
                Box::pin(examination.layer(DoctorLayer::Runner, async { runner::find(&program) })).await;
                examination.skip(&DoctorLayer::NETWORK, "it is a program on this machine");
                self.protocol(&mut examination, target, None).await;
                examination.skip(&[DoctorLayer::Credential], "the program has its own");
            }
            Some(ConnectorTarget::Local) => {
                examination.skip(&[DoctorLayer::Runner], "it is a part of Loggia");
                examination.skip(&DoctorLayer::NETWORK, "it is a part of Loggia");
                self.protocol(&mut examination, target, None).await;
                examination.skip(&[DoctorLayer::Credential], "it needs none");
            }
            Some(ConnectorTarget::Api { url, has_account }) => {
                self.api(&mut examination, target, url, has_account).await;
            }
            Some(ConnectorTarget::Server(server)) => {
                Box::pin(self.server(&mut examination, target, &server)).await;
            }
            None => {}
        }
        examination.finish()
    }

    /// Examines all connectors of the configuration, at the same time. The reports are in the order of the configuration.
    pub async fn examine_all(&self) -> Vec<ConnectorDiagnosis> {
        let mut running = JoinSet::new();
        for (position, name) in self.names().into_iter().enumerate() {
            let doctor = self.clone();
            running.spawn(async move { (position, Box::pin(doctor.examine(&name)).await) });
        }
        in_order(running).await
    }

    /// Examines these connectors, or all of them if `names` is empty, for a program that runs without a person. A connector
    /// whose examination takes longer than `limit` is to be tried again. No browser is opened.
    pub async fn preflight(&self, names: &[String], limit: Duration) -> PreflightReport {
        let names = if names.is_empty() { &self.names()[..] } else { names };
        let mut running = JoinSet::new();
        for (position, name) in names.iter().cloned().enumerate() {
            let doctor = self.clone();
            running.spawn(async move {
                let diagnosis = tokio::time::timeout(limit, Box::pin(doctor.examine(&name))).await;
                (position, PreflightReport::entry(name, diagnosis.ok(), limit))
            });
        }
        PreflightReport { connectors: in_order(running).await }
    }

    fn names(&self) -> Vec<String> {
        self.config.names().into_iter().map(str::to_owned).collect()
    }

    /// Examines the machine: folder, vault, runners, port and clock.
    pub async fn machine(&self) -> MachineReport {
        machine::examine(&self.config, self.context.credentials()).await
    }

    async fn api(&self, examination: &mut Examination, name: &str, url: Option<Url>, has_account: bool) {
        examination.skip(&[DoctorLayer::Runner], "it is an API");
        match url {
            Some(url) => self.network(examination, &url).await,
            None => examination.skip(&DoctorLayer::CONNECTION, "its description says where it is"),
        }
        let more = [DoctorLayer::Http, DoctorLayer::Discovery, DoctorLayer::Authorization];
        examination.skip(&more, "it is an API and not an MCP server");
        let account = if has_account { None } else { Some(configuration::no_account(name)) };
        self.protocol(examination, name, account.as_ref()).await;
        match account {
            Some(failure) => {
                Box::pin(examination.layer::<()>(DoctorLayer::Credential, async { Err(failure) })).await;
            }
            None => examination.skip(&[DoctorLayer::Credential], "the API checks it with the first call"),
        }
    }

    async fn network(&self, examination: &mut Examination, url: &Url) {
        let addresses = examination.layer(DoctorLayer::Dns, dns::resolve(url)).await.unwrap_or_default();
        let stream = examination.layer(DoctorLayer::Tcp, tcp::connect(url, &addresses)).await;
        match url.scheme() {
            "https" => {
                let work = async {
                    match stream {
                        Some(stream) => tls::handshake(url, stream, &self.roots).await,
                        None => Err(LayerFailure::unknown("there is no connection")),
                    }
                };
                Box::pin(examination.layer(DoctorLayer::Tls, work)).await;
            }
            _ => examination.skip(&[DoctorLayer::Tls], "the URL is not https"),
        }
    }

    async fn server(&self, examination: &mut Examination, name: &str, server: &ServerTarget) {
        examination.skip(&[DoctorLayer::Runner], "it is a server at a URL");
        self.network(examination, &server.url).await;
        let credentials = self.context.credentials();
        let policy = http_request::policy(server, credentials, &self.roots, self.timeout);
        let work = http_request::probe(server, policy.clone());
        let answer = Box::pin(examination.layer(DoctorLayer::Http, work)).await;
        let check = match &answer {
            Some(answer) => {
                let work = Box::pin(credential::check(name, server, answer, credentials));
                tokio::time::timeout(self.timeout, work).await.unwrap_or_else(|_| {
                    let failure = LayerFailure::retry("no answer about the credential", "try again later");
                    credential::ServerCredential::Failed(failure)
                })
            }
            None => credential::ServerCredential::NotNeeded,
        };
        match (&answer, check.needs_sign_in()) {
            (Some(answer), true) => {
                let work = discovery::discover(server, answer, policy);
                let found = Box::pin(examination.layer(DoctorLayer::Discovery, work)).await;
                let work = async { authorization::check(name, server, found.as_ref()) };
                Box::pin(examination.layer(DoctorLayer::Authorization, work)).await;
            }
            (None, _) | (_, false) => {
                let layers = [DoctorLayer::Discovery, DoctorLayer::Authorization];
                examination.skip(&layers, check.reason_without_sign_in());
            }
        }
        self.protocol(examination, name, check.failure()).await;
        match check {
            credential::ServerCredential::NotNeeded => {
                examination.skip(&[DoctorLayer::Credential], "the server needs none");
            }
            credential::ServerCredential::PerUser => {
                examination
                    .skip(&[DoctorLayer::Credential], "each user signs in with an account of their own");
            }
            credential::ServerCredential::Accepted(detail) => {
                examination.layer(DoctorLayer::Credential, async { Ok(((), detail)) }).await;
            }
            credential::ServerCredential::Failed(failure) => {
                examination.layer::<()>(DoctorLayer::Credential, async { Err(failure) }).await;
            }
        }
    }

    /// Connects. Without a credential that the server accepts, nothing is tried.
    async fn protocol(&self, examination: &mut Examination, name: &str, credential: Option<&LayerFailure>) {
        if credential.is_some() {
            examination.not_tried(DoctorLayer::Protocol, "the server needs a credential first");
            return;
        }
        let work = protocol::connect(name, &self.config, &self.context, &self.roots, self.timeout);
        Box::pin(examination.layer(DoctorLayer::Protocol, work)).await;
    }
}

/// Returns the results of tasks by their positions.
async fn in_order<T: 'static>(mut running: JoinSet<(usize, T)>) -> Vec<T> {
    let mut all = Vec::new();
    while let Some(joined) = running.join_next().await {
        all.extend(joined.ok());
    }
    all.sort_by_key(|(position, _)| *position);
    all.into_iter().map(|(_, result)| result).collect()
}
