//! The report on one connector: plain data, one entry for each layer.
//!
//! Programs and pages show it in their own form. Invariant: every layer is in the report, also one that was not tried.

use std::time::Duration;

use serde_json::{Value, json};

/// A layer between the configuration of a connector and a call of its tools, in the order of the examination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DoctorLayer {
    /// The configuration, the manifest and the folders that they name.
    Configuration,
    /// The program that is started.
    Runner,
    /// The name of the host.
    Dns,
    /// The connection to the host.
    Tcp,
    /// The certificate of the host.
    Tls,
    /// The answer of the URL.
    Http,
    /// The metadata that lead to the authorization server.
    Discovery,
    /// The authorization server.
    Authorization,
    /// The MCP handshake, or the description of an API.
    Protocol,
    /// The credential.
    Credential,
}

/// The result of examining one layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LayerState {
    /// It works; the text says what was found.
    Ok(String),
    /// It fails.
    Failed(LayerFailure),
    /// The connector does not have this layer, for this reason.
    NotApplicable(String),
    /// It was not tried, for this reason.
    NotTried(String),
}

/// The reason why a layer fails, and the next step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerFailure {
    /// The reason.
    pub reason: String,
    /// The next step: a command, a setting or a link.
    pub next_step: Option<String>,
    /// The kind of the next step.
    pub remedy: Remedy,
    /// The URL at which a person has to act.
    pub url: Option<String>,
}

/// The kind of the next step after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// The same attempt may succeed later.
    Retry,
    /// A person must act.
    Action,
    /// It is not known.
    Unknown,
}

/// The report on one layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerReport {
    /// The layer.
    pub layer: DoctorLayer,
    /// The result.
    pub state: LayerState,
    /// The time that it took.
    pub took: Duration,
}

/// The report on one connector or server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectorDiagnosis {
    /// The name of the connector, or the URL of the server.
    pub name: String,
    /// Every layer, in order.
    pub layers: Vec<LayerReport>,
}

impl DoctorLayer {
    /// All layers, in order.
    pub const ALL: [DoctorLayer; 10] = [
        DoctorLayer::Configuration,
        DoctorLayer::Runner,
        DoctorLayer::Dns,
        DoctorLayer::Tcp,
        DoctorLayer::Tls,
        DoctorLayer::Http,
        DoctorLayer::Discovery,
        DoctorLayer::Authorization,
        DoctorLayer::Protocol,
        DoctorLayer::Credential,
    ];
    /// The layers of a connection.
    pub(super) const CONNECTION: [DoctorLayer; 3] = [DoctorLayer::Dns, DoctorLayer::Tcp, DoctorLayer::Tls];
    /// The layers that only a server on a network has.
    pub(super) const NETWORK: [DoctorLayer; 6] = [
        DoctorLayer::Dns,
        DoctorLayer::Tcp,
        DoctorLayer::Tls,
        DoctorLayer::Http,
        DoctorLayer::Discovery,
        DoctorLayer::Authorization,
    ];

    /// Returns its name.
    pub fn as_str(self) -> &'static str {
        match self {
            DoctorLayer::Configuration => "configuration",
            DoctorLayer::Runner => "runner",
            DoctorLayer::Dns => "dns",
            DoctorLayer::Tcp => "tcp",
            DoctorLayer::Tls => "tls",
            DoctorLayer::Http => "http",
            DoctorLayer::Discovery => "discovery",
            DoctorLayer::Authorization => "authorization",
            DoctorLayer::Protocol => "protocol",
            DoctorLayer::Credential => "credential",
        }
    }
}

impl LayerFailure {
    /// Creates a failure that may pass.
    pub(super) fn retry(reason: impl ToString, next_step: impl ToString) -> LayerFailure {
        LayerFailure { remedy: Remedy::Retry, ..LayerFailure::action(reason, next_step) }
    }

    /// Creates a failure that a person must correct.
    pub(super) fn action(reason: impl ToString, next_step: impl ToString) -> LayerFailure {
        let next_step = Some(next_step.to_string());
        LayerFailure { reason: reason.to_string(), next_step, remedy: Remedy::Action, url: None }
    }

    /// Creates a failure whose remedy is not known.
    pub(super) fn unknown(reason: impl ToString) -> LayerFailure {
        LayerFailure { reason: reason.to_string(), next_step: None, remedy: Remedy::Unknown, url: None }
    }

    /// Names the URL at which a person has to act.
    pub(super) fn at(self, url: impl ToString) -> LayerFailure {
        LayerFailure { url: Some(url.to_string()), ..self }
    }
}

impl Remedy {
    /// Returns its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Remedy::Retry => "retry",
            Remedy::Action => "action",
            Remedy::Unknown => "unknown",
        }
    }
}

impl LayerState {
    /// Returns its name.
    pub fn as_str(&self) -> &'static str {
        match self {
            LayerState::Ok(_) => "ok",
            LayerState::Failed(_) => "failed",
            LayerState::NotApplicable(_) => "notApplicable",
            LayerState::NotTried(_) => "notTried",
        }
    }

    /// Returns the text: what was found, or the reason.
    pub fn detail(&self) -> &str {
        match self {
            LayerState::Ok(text) | LayerState::NotApplicable(text) | LayerState::NotTried(text) => text,
            LayerState::Failed(failure) => &failure.reason,
        }
    }
}

impl LayerReport {
    fn to_json(&self) -> Value {
        let mut json = json!({
            "layer": self.layer.as_str(),
            "state": self.state.as_str(),
            "ms": (self.took.as_secs_f64() * 10_000.0).round() / 10.0,
            "detail": self.state.detail(),
        });
        if let LayerState::Failed(failure) = &self.state {
            json["nextStep"] = json!(failure.next_step);
            json["remedy"] = json!(failure.remedy.as_str());
            json["url"] = json!(failure.url);
        }
        json
    }
}

impl ConnectorDiagnosis {
    /// Returns the layer that fails, and the failure; `None` if nothing fails.
    pub fn failure(&self) -> Option<(DoctorLayer, &LayerFailure)> {
        self.layers.iter().find_map(|report| match &report.state {
            LayerState::Failed(failure) => Some((report.layer, failure)),
            _ => None,
        })
    }

    /// Returns the report for programs.
    pub fn to_json(&self) -> Value {
        let layers: Vec<Value> = self.layers.iter().map(LayerReport::to_json).collect();
        let failed = self.failure().map(|(layer, _)| layer.as_str());
        json!({ "name": self.name, "failedLayer": failed, "layers": layers })
    }
}
