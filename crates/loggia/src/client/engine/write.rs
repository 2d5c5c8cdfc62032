//! Writes the messages to the server as bytes, and the values that are mirrored into HTTP headers.

use std::borrow::Cow;
use std::sync::Mutex;

use loggia_wire::jsonrpc::{self, Id};
use loggia_wire::model::ClientCapabilities;
use loggia_wire::{Method, RawJson, RpcError, Version, codec};

use super::{Engine, EngineSettings, OutgoingCall};
use crate::client::link_event::{Outgoing, OutgoingKind};
use crate::client::params::{self, ClientMeta, MetaPatch};
use crate::error::Error;

/// Writes requests. The client's own metadata is written once for each revision of the modern era.
#[derive(Debug)]
pub(crate) struct Composer {
    info: RawJson,
    capabilities: RawJson,
    /// The last capabilities that a request declared instead, and their text: each client of a gateway declares the
    /// same with all its requests.
    declared: Mutex<Option<(Version, ClientCapabilities, RawJson)>>,
}

impl Composer {
    pub(crate) fn new(settings: &EngineSettings) -> Composer {
        Composer {
            info: codec::encode_params(settings.identity.clone(), Version::LATEST),
            capabilities: codec::encode_params(settings.capabilities.clone(), Version::LATEST),
            declared: Mutex::default(),
        }
    }

    fn declared(&self, declared: &ClientCapabilities, version: Version) -> RawJson {
        // If another request holds the lock, this one does not wait for it.
        let mut last = self.declared.try_lock().ok();
        if let Some(Some((known_version, known, written))) = last.as_deref()
            && (*known_version, known) == (version, declared)
        {
            return written.clone();
        }
        let written = codec::encode_params(declared.clone(), version);
        if let Some(last) = &mut last {
            **last = Some((version, declared.clone(), written.clone()));
        }
        written
    }

    /// Returns the request `id` as `version` writes it.
    pub(crate) fn request(&self, call: &OutgoingCall, version: Version, id: i64) -> Result<Outgoing, Error> {
        let params = self.compose(call, version, id)?;
        let mut outgoing = outgoing(id, call.method.clone(), version, params);
        outgoing.name = match call.method.name_member() {
            Some("uri") => call.params.uri().map(Cow::into_owned),
            Some(_) => call.params.name().map(Cow::into_owned),
            None => None,
        };
        outgoing.headers.clone_from(&call.headers);
        Ok(outgoing)
    }

    /// Returns the params of a request as the revision writes them.
    fn compose(&self, call: &OutgoingCall, version: Version, id: i64) -> Result<Option<RawJson>, Error> {
        let modern = version.is_modern();
        let declared = call.capabilities.as_ref().filter(|_| modern);
        let declared = declared.map(|declared| self.declared(declared, version));
        let client = modern.then_some(ClientMeta {
            version,
            info: &self.info,
            capabilities: declared.as_ref().unwrap_or(&self.capabilities),
            log_level: call.log_level,
        });
        let patch =
            MetaPatch { client, progress_token: call.progress.then_some(id), extra: Some(&call.meta) };
        params::compose(&call.params, &patch)
    }
}

/// Creates a request with these params, unchanged.
pub(super) fn outgoing(id: i64, method: Method, version: Version, params: Option<RawJson>) -> Outgoing {
    let mut body = Vec::with_capacity(128 + params.as_ref().map_or(0, |params| params.as_bytes().len()));
    jsonrpc::write_request(&mut body, &Id::Number(id), &method, params.as_ref().map(RawJson::as_bytes));
    let kind = OutgoingKind::Request { id, method };
    Outgoing { kind, body: body.into(), version, name: None, headers: Vec::new() }
}

impl Engine {
    pub(super) fn transmit_notification(
        &mut self,
        version: Version,
        method: Method,
        params: Option<&RawJson>,
    ) {
        let mut body = Vec::new();
        jsonrpc::write_notification(&mut body, &method, params.map(RawJson::as_bytes));
        let kind = OutgoingKind::Notification(method);
        self.transmits.push_back(Outgoing {
            kind,
            body: body.into(),
            version,
            name: None,
            headers: Vec::new(),
        });
    }

    pub(super) fn respond(&mut self, id: &Id, outcome: Result<RawJson, RpcError>) {
        let mut body = Vec::new();
        match outcome {
            Ok(result) => jsonrpc::write_result(&mut body, id, result.as_bytes()),
            Err(error) => jsonrpc::write_error(&mut body, Some(id), &error),
        }
        let version = self.version().unwrap_or(Version::LATEST_LEGACY);
        self.transmits.push_back(Outgoing {
            kind: OutgoingKind::Response,
            body: body.into(),
            version,
            name: None,
            headers: Vec::new(),
        });
    }
}
