//! Handles messages of the server: answers, notifications, and questions.

use std::time::Instant;

use loggia_wire::jsonrpc::Id;
use loggia_wire::model::CancelledParams;
use loggia_wire::{ErrorCode, Message, Method, Params, RawJson, RpcError, Version};

use super::pending::PendingCall;
use super::{Engine, EngineOutput, EnginePhase, RawReply};
use crate::client::era::Negotiation;
use crate::client::negotiate::OpeningAnswer;
use crate::client::noise::UnreadableMessage;
use crate::client::params;
use crate::error::Error;

impl Engine {
    /// Handles a message. The error describes a message that is not expected here: it counts as noise.
    pub(super) fn message(
        &mut self,
        now: Instant,
        stream: Option<i64>,
        message: Message,
    ) -> Result<(), UnreadableMessage> {
        match message {
            Message::Response { id, outcome } => {
                let id = self.answered(stream, id)?;
                self.response(now, stream, id, outcome);
            }
            Message::Notification { method, params } => self.notification(now, stream, method, params),
            Message::Request { id, method, params } => {
                let version = self.asking_version(&method)?;
                self.request(now, stream, version, id, method, params.map(Params::into_raw));
            }
        }
        Ok(())
    }

    /// Returns the id of the request that a response answers.
    fn answered(&self, stream: Option<i64>, id: Option<Id>) -> Result<Id, UnreadableMessage> {
        // The server could not read the id. If only one request is possible, it is that one.
        let meant = id.or_else(|| stream.or_else(|| self.only_request()).map(Id::Number));
        meant.ok_or_else(|| {
            let what = "an error that answers no request in particular".to_owned();
            UnreadableMessage::of_message(what)
        })
    }

    /// Returns the revision in which the server may ask.
    fn asking_version(&self, method: &Method) -> Result<Version, UnreadableMessage> {
        let version = match &self.phase {
            EnginePhase::Ready(facts) => facts.version,
            // Before the opening is complete, only a legacy server may ask, and only `ping`.
            _ => Version::LATEST_LEGACY,
        };
        if version.is_modern() {
            // There is no answer: in the modern era clients send no responses.
            let what = format!("a request ({method}) from a server of the modern era");
            return Err(UnreadableMessage::of_message(what));
        }
        Ok(version)
    }

    pub(super) fn response(
        &mut self,
        now: Instant,
        stream: Option<i64>,
        id: Id,
        outcome: Result<RawJson, RpcError>,
    ) {
        let Id::Number(id) = id else { return tracing::debug!(%id, "an answer to a request we never made") };
        let answer = match outcome {
            Ok(result) => OpeningAnswer::Result(result),
            Err(error) => OpeningAnswer::Error(error),
        };
        let Some(answer) = self.opening_answered(now, id, answer) else { return };
        let Some(version) = self.pending.get(&id).and_then(|pending| pending.sent) else {
            return tracing::debug!(id, "an answer to no pending request");
        };
        match answer {
            OpeningAnswer::Result(result) => self.finish(id, Ok(RawReply { version, result })),
            OpeningAnswer::Error(error) if self.must_renegotiate(id, &error) => self.start_over(now, id),
            OpeningAnswer::Error(error) => self.finish(id, Err(Error::Rpc(error))),
            _ => {}
        }
        if self.settings.own_streams && stream != Some(id) {
            self.outputs.push_back(EngineOutput::Abandon(id));
        }
    }

    /// Returns the one pending request, if there is exactly one.
    pub(super) fn only_request(&self) -> Option<i64> {
        if let EnginePhase::Opening { asked: Some(asked), .. } = &self.phase {
            return Some(asked.id);
        }
        let mut sent = self.pending.iter().filter(|(_, pending)| pending.sent.is_some());
        let (id, _) = sent.next()?;
        sent.next().is_none().then_some(*id)
    }

    /// Returns whether the server has changed its revisions since the opening.
    pub(super) fn must_renegotiate(&self, id: i64, error: &RpcError) -> bool {
        error.code == ErrorCode::UNSUPPORTED_PROTOCOL_VERSION
            && self.settings.negotiation == Negotiation::Auto
            && self.pending.get(&id).is_some_and(|pending| !pending.retried)
    }

    /// Sends the request again after a new opening.
    pub(super) fn start_over(&mut self, now: Instant, id: i64) {
        self.wait_again(id);
        if matches!(self.phase, EnginePhase::Ready(_)) {
            self.begin_opening(now, None);
        }
    }

    pub(super) fn notification(
        &mut self,
        now: Instant,
        stream: Option<i64>,
        method: Method,
        params: Option<RawJson>,
    ) {
        let call = match &method {
            Method::Cancelled => return self.server_cancelled(now, params.as_ref()),
            Method::Progress => match self.progress(now, params.as_ref()) {
                Some(call) => Some(call),
                None => return tracing::debug!("progress of a request that is not pending"),
            },
            Method::Log => stream.or_else(|| self.oldest(|pending| pending.call.log_level.is_some())),
            _ => self.subscription(params.as_ref()).or(stream),
        };
        self.outputs.push_back(EngineOutput::Notification { call, method, params });
    }

    /// Returns the revision of the connection, when it is known.
    pub(super) fn version(&self) -> Option<Version> {
        match &self.phase {
            EnginePhase::Ready(facts) => Some(facts.version),
            _ => None,
        }
    }

    /// Returns the request of a progress notification, and starts its time of silence again.
    pub(super) fn progress(&mut self, now: Instant, params: Option<&RawJson>) -> Option<i64> {
        let token = member_id(params?, "progressToken")?;
        self.pending.get(&token)?;
        self.reschedule(token, |pending| pending.idle_at = pending.call.timing.idle.map(|idle| now + idle));
        Some(token)
    }

    /// Returns the `subscriptions/listen` request that a notification belongs to.
    pub(super) fn subscription(&self, params: Option<&RawJson>) -> Option<i64> {
        let meta = params::member(params?, "_meta")?;
        let id = member_id(&meta, loggia_wire::meta::SUBSCRIPTION_ID)?;
        self.pending.contains_key(&id).then_some(id)
    }

    pub(super) fn server_cancelled(&mut self, now: Instant, params: Option<&RawJson>) {
        let cancelled: Option<CancelledParams> = params.and_then(|params| params.decode().ok());
        let Some(id) = cancelled.and_then(|cancelled| cancelled.request_id) else { return };
        if let Some(call) = self.asks.remove(&id) {
            self.outputs.push_back(EngineOutput::DropAsk(id));
            if let Some(call) = call {
                self.ask_ended(now, call);
            }
        } else if let Id::Number(id) = id
            && self.pending.get(&id).is_some_and(|pending| pending.call.method == Method::Listen)
        {
            self.finish(id, Err(Error::Connection("the server ended the subscription".to_owned())));
            self.outputs.push_back(EngineOutput::Abandon(id));
        }
    }

    pub(super) fn request(
        &mut self,
        now: Instant,
        stream: Option<i64>,
        version: Version,
        id: Id,
        method: Method,
        params: Option<RawJson>,
    ) {
        match method {
            Method::Ping => self.respond(&id, Ok(RawJson::empty_object())),
            Method::Elicit | Method::CreateMessage | Method::ListRoots if method.exists_in(version) => {
                self.question(now, stream, id, method, params);
            }
            other => self.respond(&id, Err(RpcError::method_not_found(other.as_str()))),
        }
    }

    pub(super) fn question(
        &mut self,
        now: Instant,
        stream: Option<i64>,
        id: Id,
        method: Method,
        params: Option<RawJson>,
    ) {
        if self.asks.contains_key(&id) {
            return self.respond(&id, Err(RpcError::invalid_request("This id is in use already")));
        }
        if self.asks.len() >= self.settings.most_asks {
            let error =
                RpcError::new(ErrorCode::INTERNAL_ERROR, "Too many questions at once: ask again later");
            return self.respond(&id, Err(error));
        }
        let call = self.asked_by(stream);
        self.asks.insert(id.clone(), call);
        if let Some(call) = call {
            self.reschedule(call, |pending| pending.pause(now));
        }
        self.outputs.push_back(EngineOutput::Ask { id, call, method, params });
    }

    /// Returns the request during which the server asks: the one on whose stream the question came. On a shared
    /// channel the protocol does not say which, so it is the oldest that can answer.
    pub(super) fn asked_by(&self, stream: Option<i64>) -> Option<i64> {
        stream
            .filter(|id| self.pending.contains_key(id))
            .or_else(|| self.oldest(|pending| pending.call.own_input))
            .or_else(|| self.oldest(|pending| pending.call.method.may_require_input()))
    }

    pub(super) fn oldest(&self, wanted: impl Fn(&PendingCall) -> bool) -> Option<i64> {
        self.pending.iter().find(|(_, pending)| pending.sent.is_some() && wanted(pending)).map(|(id, _)| *id)
    }

    pub(super) fn ask_ended(&mut self, now: Instant, call: i64) {
        self.reschedule(call, |pending| pending.resume(now));
    }

    /// Drops the questions of `call`, which has ended: their answers are no longer needed. On a shared channel the
    /// request of a question is a guess. So if another request may have asked, the questions are assigned to it, and
    /// the server decides whether it needs the answers.
    pub(super) fn drop_asks_of(&mut self, call: i64) {
        let heir = if self.settings.own_streams { None } else { self.asked_by(None) };
        let asks: Vec<Id> =
            self.asks.iter().filter(|(_, owner)| **owner == Some(call)).map(|(id, _)| id.clone()).collect();
        for id in asks {
            if heir.is_some() {
                self.asks.insert(id, heir);
                continue;
            }
            self.asks.remove(&id);
            self.respond(&id, Err(RpcError::invalid_request("The request you asked for was cancelled")));
            self.outputs.push_back(EngineOutput::DropAsk(id));
        }
    }
}

/// Returns a member that contains an id of this client.
fn member_id(params: &RawJson, name: &str) -> Option<i64> {
    params::member(params, name)?.decode::<i64>().ok()
}
