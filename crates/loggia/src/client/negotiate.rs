//! The opening of a connection, as a state machine without I/O: it returns a step, gets the outcome, and returns the
//! next step.
//!
//! The rules are in the specification ("stdio" and "Streamable HTTP", sections "Backward Compatibility"): send
//! `server/discover` first. An error that only a modern server sends means a modern server. Any other answer, or
//! none, means a legacy server, which needs `initialize`.

use std::time::Duration;

use loggia_wire::model::{Implementation, ServerCapabilities};
use loggia_wire::{Era, ErrorCode, Method, RawJson, RpcError, Version, meta};
use serde::Deserialize;
use serde_json::Value;

use crate::client::era::Negotiation;
use crate::error::Error;

/// The server's own description, from the opening of the connection.
#[derive(Debug, Clone)]
pub struct ServerFacts {
    /// The revision in use.
    pub version: Version,
    /// Its name and version, not verified. For display only.
    pub identity: Option<Implementation>,
    /// Its capabilities.
    pub capabilities: ServerCapabilities,
    /// Its instructions for a model.
    pub instructions: Option<String>,
}

/// The next step of the opening.
#[derive(Debug)]
pub(crate) enum OpeningStep {
    /// Send this request, written in `version`, and wait at most `limit` for the answer. If a probe gets no answer,
    /// the server is a legacy one.
    Ask { method: Method, version: Version, limit: Duration, is_probe: bool },
    /// Open the HTTP+SSE transport of 2024-11-05 (HTTP only) and report with [`Opening::sse_opened`].
    OpenSse,
    /// The two sides agree on a revision.
    Done(Box<ServerFacts>),
    /// The two sides have no common revision, or the server cannot be used.
    Failed(Error),
}

/// The outcome of a question.
#[derive(Debug)]
pub(crate) enum OpeningAnswer {
    /// A result.
    Result(RawJson),
    /// A JSON-RPC error.
    Error(RpcError),
    /// An HTTP status without a JSON-RPC body.
    Status { status: u16, message: String },
    /// No answer within the limit.
    Silence,
    /// The connection ended.
    Closed(String),
    /// The request could not be sent, or was refused for a reason that does not depend on the era.
    Failed(Error),
}

/// Time limits of an opening.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OpeningTimeouts {
    /// The time limit of a probe.
    pub probe: Duration,
    /// The time limit of other requests.
    pub legacy: Duration,
}

/// One running negotiation.
#[derive(Debug)]
pub(crate) struct Opening {
    policy: Negotiation,
    patience: OpeningTimeouts,
    sse_allowed: bool,
    known: Option<Version>,
    asked: OpeningStage,
    /// The number of `server/discover` requests so far. It bounds the loop with a server that refuses the revisions
    /// that it offers.
    discovers: u32,
    /// The reason why the HTTP+SSE transport was tried.
    sse_reason: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OpeningStage {
    Nothing,
    Discover(Version),
    Initialize(Version),
    Sse,
}

/// The maximum number of `server/discover` requests in one opening.
const MAX_DISCOVERS: u32 = 3;

impl Opening {
    /// Creates an opening. `known` is the last revision of the server. `sse_allowed` is true if the HTTP+SSE
    /// transport may be tried.
    pub(crate) fn new(
        policy: Negotiation,
        patience: OpeningTimeouts,
        known: Option<Version>,
        sse_allowed: bool,
    ) -> Opening {
        let known = known.filter(|version| policy.allows(*version));
        Opening {
            policy,
            patience,
            sse_allowed,
            known,
            asked: OpeningStage::Nothing,
            discovers: 0,
            sse_reason: None,
        }
    }

    /// Returns the first step.
    pub(crate) fn start(&mut self) -> OpeningStep {
        match (self.policy, self.known) {
            (Negotiation::Fixed(version), _) if version.is_modern() => self.discover(version),
            (Negotiation::Fixed(version), _) => self.initialize(version),
            (Negotiation::Legacy, _) => self.initialize(Version::LATEST_LEGACY),
            (Negotiation::Auto, Some(known)) if known.era() == Era::Legacy => {
                self.initialize(Version::LATEST_LEGACY)
            }
            (Negotiation::Auto, _) => self.discover(Version::LATEST),
        }
    }

    /// Returns whether the connection should be opened again, and the opening continue, if it ends now: some legacy
    /// servers end after a request before `initialize`.
    pub(crate) fn survives_close(&self) -> bool {
        matches!((self.policy, self.asked), (Negotiation::Auto, OpeningStage::Discover(_)))
    }

    /// Handles the answer to the last question.
    pub(crate) fn answer(&mut self, answer: OpeningAnswer) -> OpeningStep {
        match self.asked {
            OpeningStage::Discover(version) => self.discover_answered(version, answer),
            OpeningStage::Initialize(version) => self.initialize_answered(version, answer),
            OpeningStage::Nothing | OpeningStage::Sse => {
                OpeningStep::Failed(Error::Protocol("an answer to no question".to_owned()))
            }
        }
    }

    /// Handles an answer to the probe that comes after its limit, but before the answer to `initialize`. Servers
    /// answer in order, so a `DiscoverResult` still shows that the server is modern: a slow machine must not change
    /// the revision. Any other answer is ignored.
    pub(crate) fn late_answer(&mut self, answer: OpeningAnswer) -> Option<OpeningStep> {
        let OpeningAnswer::Result(result) = answer else { return None };
        let found = read_discover(&result).ok()?;
        let version = self.choose(&found.supported_versions).filter(|version| version.is_modern())?;
        Some(OpeningStep::Done(Box::new(found.facts(version))))
    }

    /// Handles the outcome of opening the HTTP+SSE transport.
    pub(crate) fn sse_opened(&mut self, outcome: Result<(), Error>) -> OpeningStep {
        match outcome {
            Ok(()) => self.initialize(match self.policy {
                Negotiation::Fixed(version) => version,
                _ => Version::LATEST_LEGACY,
            }),
            Err(error) => {
                let reason = self.sse_reason.take().unwrap_or_default();
                OpeningStep::Failed(Error::Connection(format!(
                    "{reason}; it has no HTTP+SSE either: {error}"
                )))
            }
        }
    }

    fn discover(&mut self, version: Version) -> OpeningStep {
        self.asked = OpeningStage::Discover(version);
        self.discovers += 1;
        // The limit is shorter if silence means a legacy server, and longer if it means that the server does not
        // work.
        let is_probe = matches!((self.policy, self.known), (Negotiation::Auto, None));
        let limit = if is_probe { self.patience.probe } else { self.patience.legacy };
        OpeningStep::Ask { method: Method::Discover, version, limit, is_probe }
    }

    fn initialize(&mut self, version: Version) -> OpeningStep {
        self.asked = OpeningStage::Initialize(version);
        let limit = self.patience.legacy;
        OpeningStep::Ask { method: Method::Initialize, version, limit, is_probe: false }
    }

    fn discover_answered(&mut self, asked: Version, answer: OpeningAnswer) -> OpeningStep {
        match answer {
            OpeningAnswer::Result(result) => match read_discover(&result) {
                Ok(found) => self.discovered(asked, found),
                Err(what) => self.fall_back(Error::Protocol(format!("server/discover answered {what}"))),
            },
            OpeningAnswer::Error(error) if error.code == ErrorCode::UNSUPPORTED_PROTOCOL_VERSION => {
                self.offered(supported_in(&error))
            }
            OpeningAnswer::Error(error) if error.code.is_modern() => OpeningStep::Failed(Error::Rpc(error)),
            OpeningAnswer::Error(error) => self.fall_back(Error::Rpc(error)),
            OpeningAnswer::Status { message, .. } => self.fall_back(Error::Connection(message)),
            OpeningAnswer::Silence => self.fall_back(Error::timeout(self.patience.probe)),
            OpeningAnswer::Closed(reason) => self.fall_back(Error::Connection(reason)),
            OpeningAnswer::Failed(error) => OpeningStep::Failed(error),
        }
    }

    fn discovered(&mut self, asked: Version, found: DiscoverReply) -> OpeningStep {
        let asked_is_offered = found.supported_versions.iter().any(|name| name == asked.as_str());
        match if asked_is_offered { Some(asked) } else { self.choose(&found.supported_versions) } {
            Some(version) if version.is_modern() => OpeningStep::Done(Box::new(found.facts(version))),
            Some(version) => self.initialize(version),
            None => self.no_common_version(found.supported_versions),
        }
    }

    /// Handles a modern server that refused the version of the request and offers others.
    fn offered(&mut self, supported: Vec<String>) -> OpeningStep {
        match self.choose(&supported) {
            Some(version) if version.is_modern() && self.discovers < MAX_DISCOVERS => self.discover(version),
            Some(version) if !version.is_modern() => self.initialize(version),
            _ => self.no_common_version(supported),
        }
    }

    /// Returns the newest of `supported` that this SDK supports and the policy allows.
    fn choose(&self, supported: &[String]) -> Option<Version> {
        supported
            .iter()
            .filter_map(|name| name.parse().ok())
            .filter(|version| self.policy.allows(*version))
            .max()
    }

    /// Sends `initialize`, because the server is not modern, if the policy allows it.
    fn fall_back(&mut self, reason: Error) -> OpeningStep {
        match self.policy {
            Negotiation::Auto => {
                tracing::debug!(%reason, "no answer of a modern server: opening with initialize");
                self.initialize(Version::LATEST_LEGACY)
            }
            _ if matches!(reason, Error::Timeout(_)) => OpeningStep::Failed(reason),
            _ => {
                tracing::debug!(%reason, "no answer of a server of the modern era");
                self.no_common_version(Vec::new())
            }
        }
    }

    fn initialize_answered(&mut self, asked: Version, answer: OpeningAnswer) -> OpeningStep {
        if self.skipped_probe()
            && matches!(
                answer,
                OpeningAnswer::Error(_) | OpeningAnswer::Status { .. } | OpeningAnswer::Silence
            )
        {
            // It was a legacy server the last time, and may have changed.
            self.known = None;
            return self.discover(Version::LATEST);
        }
        let reason = match answer {
            OpeningAnswer::Result(result) => match read_initialize(&result) {
                Ok(found) => return self.initialized(asked, found),
                Err(what) => Error::Protocol(format!("initialize answered {what}")),
            },
            OpeningAnswer::Status { status, message } if self.may_open_sse(status) => {
                self.sse_reason = Some(message);
                self.asked = OpeningStage::Sse;
                return OpeningStep::OpenSse;
            }
            OpeningAnswer::Error(error) => Error::Rpc(error),
            OpeningAnswer::Status { message, .. } => Error::Connection(message),
            OpeningAnswer::Silence => Error::timeout(self.patience.legacy),
            OpeningAnswer::Closed(reason) => Error::Connection(reason),
            OpeningAnswer::Failed(error) => return OpeningStep::Failed(error),
        };
        OpeningStep::Failed(reason)
    }

    fn may_open_sse(&self, status: u16) -> bool {
        self.sse_allowed && self.sse_reason.is_none() && matches!(status, 400 | 404 | 405)
    }

    /// Returns whether `initialize` was sent first only because the memory says that the server is a legacy one.
    fn skipped_probe(&self) -> bool {
        self.policy == Negotiation::Auto && self.discovers == 0
    }

    fn initialized(&mut self, asked: Version, found: InitializeReply) -> OpeningStep {
        let version = found.protocol_version.parse::<Version>().ok().filter(|version| {
            version.era() == Era::Legacy && (*version == asked || self.policy.allows(*version))
        });
        match version {
            Some(version) => OpeningStep::Done(Box::new(ServerFacts {
                version,
                identity: found.server_info,
                capabilities: found.capabilities,
                instructions: found.instructions,
            })),
            None => self.no_common_version(vec![found.protocol_version]),
        }
    }

    fn no_common_version(&self, offered: Vec<String>) -> OpeningStep {
        let wanted = Version::ALL.into_iter().filter(|version| self.policy.allows(*version)).collect();
        OpeningStep::Failed(Error::NoCommonVersion { wanted, offered })
    }
}

/// The part of `DiscoverResult` that the negotiation needs. If a required member is missing, it is not a
/// `DiscoverResult`: a legacy server may send any answer to an unknown method.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DiscoverReply {
    supported_versions: Vec<String>,
    capabilities: ServerCapabilities,
    #[serde(default)]
    instructions: Option<String>,
    #[serde(default, rename = "_meta")]
    meta: Option<serde_json::Map<String, Value>>,
}

impl DiscoverReply {
    fn facts(mut self, version: Version) -> ServerFacts {
        let identity = self.meta.as_mut().and_then(|meta| meta.remove(meta::SERVER_INFO));
        ServerFacts {
            version,
            // The identity is only for display, so an unreadable one is ignored.
            identity: identity.and_then(|value| serde_json::from_value(value).ok()),
            capabilities: self.capabilities,
            instructions: self.instructions,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InitializeReply {
    protocol_version: String,
    #[serde(default)]
    capabilities: ServerCapabilities,
    #[serde(default)]
    server_info: Option<Implementation>,
    #[serde(default)]
    instructions: Option<String>,
}

fn read_discover(result: &RawJson) -> Result<DiscoverReply, String> {
    result.decode().map_err(|error| format!("with something that is not a DiscoverResult: {error}"))
}

fn read_initialize(result: &RawJson) -> Result<InitializeReply, String> {
    result.decode().map_err(|error| format!("with something that is not an InitializeResult: {error}"))
}

/// Returns the list of versions in an `UnsupportedProtocolVersion` error.
fn supported_in(error: &RpcError) -> Vec<String> {
    #[derive(Deserialize)]
    struct SupportedVersions {
        supported: Vec<String>,
    }

    let data = error.data.as_ref().and_then(|data| data.decode::<SupportedVersions>().ok());
    data.map(|data| data.supported).unwrap_or_default()
}
