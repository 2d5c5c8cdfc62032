//! The centre of the SDK: a server is a function from one self-contained request to one outcome. The code around it
//! handles all differences between revisions and transports (see [`crate::edge`]). So built servers, the hub and
//! handwritten services are served by the same code.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, OnceLock};

use loggia_wire::codec;
use loggia_wire::header::ParamHeaders;
use loggia_wire::jsonrpc::{self, Id};
use loggia_wire::model::{
    Implementation, InputRequired, ServerCapabilities, ServerResult, SubscriptionFilter,
};
use loggia_wire::{Method, Params, RawJson, RequestMeta, RpcError, Version};

use crate::changes::ChangeSubscription;
use crate::exchange::Exchange;
pub use crate::future::BoxFuture;
use crate::reference::correlation_id;

/// The outcome of one request.
pub type Outcome = std::result::Result<Reply, RpcError>;

/// One MCP server, independent of eras and transports.
pub trait Service: Send + Sync + 'static {
    /// Returns the server's description. It is called often, so it should return a shared value.
    fn describe(&self) -> Arc<Description>;

    /// Answers one request. Dropping the future cancels the request.
    ///
    /// `initialize`, `server/discover`, `ping`, `logging/setLevel`, `resources/(un)subscribe` and
    /// `subscriptions/listen` never arrive here: the edge answers them.
    fn call(&self, request: Request, exchange: Exchange) -> BoxFuture<'_, Outcome>;

    /// Opens a stream of the changes in `filter`. Without a principal the caller is unknown.
    fn listen(
        &self,
        filter: SubscriptionFilter,
        principal: Option<Arc<Principal>>,
    ) -> BoxFuture<'_, Result<ChangeSubscription, RpcError>>;

    /// Returns the parameters of `tool` that HTTP mirrors into headers; `None` if there are none.
    fn param_headers(&self, tool: &str) -> Option<Arc<ParamHeaders>> {
        let _ = tool;
        None
    }
}

/// The description of a server.
#[derive(Debug, Clone)]
pub struct Description {
    /// Name, version, title, icons.
    pub identity: Implementation,
    /// Its capabilities.
    pub capabilities: ServerCapabilities,
    /// Its instructions for a model.
    pub instructions: Option<String>,
    /// The revisions that it supports, oldest first.
    pub versions: Vec<Version>,
}

/// One self-contained request.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The params: an object with `_meta`, as the client wrote it.
    pub params: Params,
    /// The metadata of the request; in the legacy era merged with the session's.
    pub meta: Arc<RequestMeta>,
    /// The caller, if an authorization layer established one.
    pub principal: Option<Arc<Principal>>,
}

impl Request {
    /// Creates the request from its parts, as an edge has read them. A request without params has an empty object.
    pub fn new(
        method: Method,
        params: Option<Params>,
        meta: Arc<RequestMeta>,
        principal: Option<Arc<Principal>>,
    ) -> Request {
        Request { method, params: params.unwrap_or_else(Params::empty), meta, principal }
    }
}

/// The caller of a request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Principal {
    /// The subject, unique within the issuer.
    pub subject: String,
    /// The issuer of the identity.
    pub issuer: Option<String>,
    /// The granted scopes.
    pub scopes: Vec<String>,
}

/// A successful outcome.
#[derive(Debug, Clone)]
pub enum Reply {
    /// A result in the neutral model; the edge writes it for the client's revision.
    Result(ServerResult),
    /// A result that is the same for all clients. It is written once for each revision.
    Shared(Arc<SharedResult>),
    /// A relayed result as the received bytes.
    Raw(Relayed),
}

/// A result as the received bytes. A client with the same revision gets these bytes.
#[derive(Debug, Clone)]
pub struct Relayed {
    version: Version,
    result: RawJson,
    guard: Option<ResultGuard>,
}

/// A value that is dropped when a response was sent, or will not be sent.
pub(crate) type ResultGuard = Arc<dyn Any + Send + Sync>;

impl Relayed {
    /// Creates it from the `result` member as it was written in `version`.
    pub fn new(version: Version, result: RawJson) -> Relayed {
        Relayed { version, result, guard: None }
    }

    /// Keeps `guard` until the response with this result was sent over HTTP, or was given to the writer of another
    /// transport. A gateway uses it to count results that clients have not taken yet.
    pub fn with_guard(self, guard: impl Any + Send + Sync) -> Relayed {
        Relayed { guard: Some(Arc::new(guard)), ..self }
    }

    /// Returns it with another text of the result, which must be written in the same revision.
    pub fn with_raw(self, result: RawJson) -> Relayed {
        Relayed { result, ..self }
    }

    /// Returns the revision in which it is written.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Returns the `result` member.
    pub fn raw(&self) -> &RawJson {
        &self.result
    }

    /// Returns the result in the neutral model. `method` is the method of the request.
    pub fn decode(&self, method: &Method) -> Result<ServerResult, codec::PayloadError> {
        codec::decode_result(method, self.version, &self.result)
    }

    fn encode(
        self,
        method: &Method,
        version: Version,
        identity: &Implementation,
    ) -> Result<RawJson, RpcError> {
        if self.version == version {
            return Ok(self.result);
        }
        let decoded = self.decode(method).map_err(|error| {
            let reference = correlation_id();
            tracing::warn!(
                %error, reference, %method, from = %self.version, to = %version,
                "a relayed result could not be translated"
            );
            RpcError::internal(&reference)
        })?;
        Ok(codec::keep_spelling(&self.result, codec::encode_result(decoded, version, Some(identity))))
    }
}

/// A result that many requests share. It is written at most once for each revision.
pub struct SharedResult {
    result: ServerResult,
    sources: Option<EntrySources>,
    encoded: [OnceLock<RawJson>; Version::ALL.len()],
}

/// The JSON texts that the entries of a list were read from, in its order.
#[derive(Debug, Clone)]
pub struct EntrySources {
    /// The member of the result with the entries.
    pub member: &'static str,
    /// The text of each entry; `None` for an entry that was not read from JSON.
    pub texts: Vec<Option<RawJson>>,
}

impl SharedResult {
    /// Creates a shared result.
    pub fn new(result: impl Into<ServerResult>) -> SharedResult {
        SharedResult { result: result.into(), sources: None, encoded: Default::default() }
    }

    /// Restores the order and spelling of the texts from which the entries of a list were read, wherever they mean
    /// the same. For a gateway that lists the entries of other servers.
    pub fn with_sources(mut self, sources: EntrySources) -> SharedResult {
        self.sources = Some(sources);
        self
    }

    /// Returns the result in the neutral model.
    pub fn result(&self) -> &ServerResult {
        &self.result
    }

    fn encode(&self, version: Version, identity: &Implementation) -> RawJson {
        self.encoded[version as usize]
            .get_or_init(|| {
                let result = codec::encode_result(self.result.clone(), version, Some(identity));
                match &self.sources {
                    Some(EntrySources { member, texts }) => codec::keep_entry_spelling(member, texts, result),
                    None => result,
                }
            })
            .clone()
    }
}

impl fmt::Debug for SharedResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SharedResult").field(&self.result).finish()
    }
}

impl Reply {
    /// Returns the guard of a relayed result.
    #[cfg_attr(not(feature = "http-server"), allow(dead_code, reason = "only HTTP holds responses"))]
    pub(crate) fn guard(&self) -> Option<ResultGuard> {
        match self {
            Reply::Raw(relayed) => relayed.guard.clone(),
            Reply::Result(_) | Reply::Shared(_) => None,
        }
    }

    /// Returns the input that the reply asks the client for, if any.
    pub fn input_required(&self) -> Option<&InputRequired> {
        match self {
            Reply::Result(ServerResult::InputRequired(input)) => Some(input),
            _ => None,
        }
    }

    /// Returns the response to `id` with this result, as `version` writes it. `method` is the method of the request.
    pub fn write(
        self,
        id: &Id,
        method: &Method,
        version: Version,
        identity: &Implementation,
    ) -> Result<Vec<u8>, RpcError> {
        let raw = match self {
            Reply::Result(result) => {
                let mut out = Vec::with_capacity(512);
                jsonrpc::write_result_with(&mut out, id, |out| {
                    codec::write_result(out, result, version, Some(identity));
                });
                return Ok(out);
            }
            Reply::Shared(shared) => shared.encode(version, identity),
            Reply::Raw(relayed) => relayed.encode(method, version, identity)?,
        };
        let mut out = Vec::with_capacity(raw.as_bytes().len() + 64);
        jsonrpc::write_result(&mut out, id, raw.as_bytes());
        Ok(out)
    }
}

/// Writes the response to `id` that carries `outcome`, as `version` has it. Errors of every edge are written here.
pub(crate) fn encode_outcome(
    id: &Id,
    method: &Method,
    outcome: Outcome,
    version: Version,
    identity: &Implementation,
) -> Vec<u8> {
    outcome.and_then(|reply| reply.write(id, method, version, identity)).unwrap_or_else(|error| {
        let mut out = Vec::with_capacity(256);
        jsonrpc::write_error(&mut out, Some(id), &error.for_version(version));
        out
    })
}

impl From<Relayed> for Reply {
    fn from(relayed: Relayed) -> Reply {
        Reply::Raw(relayed)
    }
}

impl From<ServerResult> for Reply {
    fn from(result: ServerResult) -> Reply {
        Reply::Result(result)
    }
}
