//! The streams of changes of a connection: one for the legacy session, one for each
//! `subscriptions/listen` request of the modern era.

use std::collections::VecDeque;

use loggia_wire::model::{EmptyResult, ServerResult, SubscribeParams, SubscriptionFilter};
use loggia_wire::{ErrorCode, Method, RpcError, Version};

use super::calls::CallPhase;
use super::{Action, CallKey, DuplexConnection, IncomingRequest, shutting_down};
use crate::changes::Change;
use crate::edge::client_requests::cancelled;
use crate::edge::listen;
use crate::edge::session::Session;
use crate::service::Description;

/// The session's stream of changes. Each change of its filter is a new stream; a request that caused one is
/// answered when that stream is open, so that no change after the answer is missed.
#[derive(Default)]
pub(super) struct SubscriptionWatch {
    key: Option<CallKey>,
    filter: SubscriptionFilter,
    opening: VecDeque<Option<IncomingRequest>>,
}

impl SubscriptionWatch {
    /// Refuses a further change while `most` wait for their streams: each holds its whole filter.
    pub(super) fn admit(&self, most: usize) -> Result<(), RpcError> {
        if self.opening.iter().flatten().count() < most {
            return Ok(());
        }
        Err(RpcError::new(
            ErrorCode::INTERNAL_ERROR,
            format!(
                "{most} changes of subscriptions wait on this connection already; send this one again later"
            ),
        ))
    }

    /// Returns whether no request waits for a stream to open.
    pub(super) fn is_settled(&self) -> bool {
        self.opening.iter().all(Option::is_none)
    }
}

impl DuplexConnection {
    /// Call it when a stream is open, with what the service agreed to, or when it could not be opened.
    pub fn handle_listening(
        &mut self,
        key: CallKey,
        opened: Result<SubscriptionFilter, RpcError>,
        server: &Description,
    ) {
        if self.watch.key == Some(key) {
            return self.handle_watching(&opened, server);
        }
        let Some(slot) = self.slots.get_mut(&key) else { return };
        match opened {
            Ok(accepted) => {
                slot.kind = CallPhase::Subscription { acknowledged: true };
                let message = listen::acknowledged(&slot.id, &accepted, slot.version);
                self.send(message);
            }
            Err(error) => {
                self.actions.push_back(Action::Unlisten(key));
                self.handle_finished(key, Err(error), server);
            }
        }
    }

    /// Call it for every change on an open stream.
    pub fn handle_change(&mut self, key: CallKey, change: Change) {
        let message = match (&self.session, self.slots.get(&key)) {
            (Some(session), _) if self.watch.key == Some(key) => {
                listen::changed(change, None, session.version())
            }
            (_, Some(slot)) if matches!(slot.kind, CallPhase::Subscription { acknowledged: true }) => {
                listen::changed(change, Some(&slot.id), slot.version)
            }
            _ => return,
        };
        self.send(message);
    }

    /// Call it when the service ended a stream.
    pub fn handle_listen_end(&mut self, key: CallKey, server: &Description) {
        if self.watch.key == Some(key) {
            self.watch.key = None;
            // Requests still wait for that stream: they get another.
            for cause in std::mem::take(&mut self.watch.opening).into_iter().filter(Option::is_some) {
                self.watch(self.watch.filter.clone(), cause);
            }
        } else {
            self.end_listen(key, server);
            self.close_when_idle();
        }
    }

    fn end_listen(&mut self, key: CallKey, server: &Description) {
        if let Some(slot) = self.take(key) {
            self.send(listen::closed(&slot.id, server, slot.version));
            // "A server MUST send notifications/cancelled … when it tears down that subscription stream."
            self.send(cancelled(&slot.id, "The server ended the subscription"));
        }
    }

    pub(super) fn open_listen(
        &mut self,
        incoming: IncomingRequest,
        version: Version,
    ) -> Result<(), RpcError> {
        let filter = listen::filter(incoming.params.as_deref(), &self.limits)?;
        let open =
            self.slots.values().filter(|slot| matches!(slot.kind, CallPhase::Subscription { .. })).count();
        let most = self.limits.requests_per_connection;
        if open >= most {
            return Err(RpcError::new(
                ErrorCode::INTERNAL_ERROR,
                format!("{most} subscriptions are open on this connection already"),
            ));
        }
        let key = self.occupy(incoming, version);
        self.actions.push_back(Action::Listen { key, filter });
        Ok(())
    }

    /// Opens the session's first stream: the lists the server announces.
    pub(super) fn watch_lists(&mut self, server: &Description) {
        if let Some(filter) = self.session.as_ref().map(|session| session.filter(&server.capabilities))
            && filter != SubscriptionFilter::default()
        {
            self.watch(filter, None);
        }
    }

    /// The session's subscriptions changed: opens the stream that `incoming` asked for, then answers it.
    pub(super) fn rewatch(
        &mut self,
        incoming: IncomingRequest,
        server: &Description,
    ) -> Result<(), RpcError> {
        let Some(session) = &self.session else { return Ok(()) };
        let (filter, version) = (session.filter(&server.capabilities), session.version());
        if filter == self.watch.filter && self.watch.key.is_some() && self.watch.is_settled() {
            self.respond(incoming, ServerResult::Empty(EmptyResult::default()), version, server);
        } else {
            self.watch(filter, Some(incoming));
        }
        Ok(())
    }

    fn watch(&mut self, filter: SubscriptionFilter, cause: Option<IncomingRequest>) {
        let key = self.watch.key.unwrap_or_else(|| self.key());
        self.watch.key = Some(key);
        self.watch.filter = filter.clone();
        self.watch.opening.push_back(cause);
        self.actions.push_back(Action::Listen { key, filter });
    }

    fn handle_watching(&mut self, opened: &Result<SubscriptionFilter, RpcError>, server: &Description) {
        let Some(Some(incoming)) = self.watch.opening.pop_front() else { return };
        let Some(session) = &mut self.session else { return };
        let version = session.version();
        let uri = incoming.params.as_ref().and_then(|params| params.read::<SubscribeParams>().ok());
        let refused = match (opened, &uri) {
            (Err(error), _) => Some(error.clone()),
            (Ok(accepted), Some(SubscribeParams { uri, .. })) if incoming.method == Method::Subscribe => {
                let heard = accepted.resource_subscriptions.iter().flatten().any(|accepted| accepted == uri);
                (!heard).then(|| RpcError::resource_not_found(uri))
            }
            _ => None,
        };
        match refused {
            Some(error) => {
                uri.iter().for_each(|SubscribeParams { uri, .. }| session.forget(uri));
                self.respond_error(&incoming.id, error, version, incoming.batch);
            }
            None => self.respond(incoming, ServerResult::Empty(EmptyResult::default()), version, server),
        }
        self.close_when_idle();
    }

    /// Ends every subscription, gracefully.
    pub(super) fn end_subscriptions(&mut self, server: &Description) {
        let listening =
            self.slots.iter().filter(|(_, slot)| matches!(slot.kind, CallPhase::Subscription { .. }));
        let keys: Vec<CallKey> = listening.map(|(key, _)| *key).collect();
        for key in keys {
            self.actions.push_back(Action::Unlisten(key));
            self.end_listen(key, server);
        }
        if let Some(key) = self.watch.key.take() {
            self.actions.push_back(Action::Unlisten(key));
        }
        let version = self.session.as_ref().map_or(Version::LATEST, Session::version);
        for incoming in std::mem::take(&mut self.watch.opening).into_iter().flatten() {
            self.respond_error(&incoming.id, shutting_down(), version, incoming.batch);
        }
    }
}
