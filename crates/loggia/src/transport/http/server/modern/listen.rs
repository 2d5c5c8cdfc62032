//! The answer to `subscriptions/listen`: an event stream of changes that stays open.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use loggia_wire::jsonrpc::Id;
use loggia_wire::{RpcError, Version};

use super::status_of;
use crate::changes::ChangeSubscription;
use crate::edge::{self, listen};
use crate::service::Description;
use crate::transport::http::body::Body;
use crate::transport::http::server::call::CallRequest;
use crate::transport::http::server::respond::{self, keep_alive};
use crate::transport::http::server::state::EndpointState;
use crate::transport::http::server::unfold::unfold;
use crate::transport::sse;

/// Opens the stream that answers a request, and holds a place for it among the streams of the endpoint.
pub(super) async fn subscribe(
    endpoint: Arc<EndpointState>,
    request: CallRequest,
    server: Arc<Description>,
) -> Response<Body> {
    // The admission of the request stays in `request` until the stream is open.
    let CallRequest { id, params, meta, principal, .. } = request;
    let version = meta.version;
    let refuse = |error: RpcError| {
        let status = status_of(&Err(error.clone()));
        respond::error(status, Some(&id), &error.for_version(version))
    };
    let filter = match listen::filter(params.as_deref(), &endpoint.limits) {
        Ok(filter) => filter,
        Err(error) => return refuse(error),
    };
    let permit = match endpoint.streams.admit(principal.as_deref()) {
        Ok(permit) => permit,
        Err(why) => return respond::busy(Some(&id), &why),
    };
    match edge::open_stream(&*endpoint.service, filter, principal).await {
        Ok(listening) => {
            let stream =
                ListenStream { endpoint, id, version, server, listening, state: ListenState::Opening };
            respond::detached_event_stream(stream.events()).map(|body| body.holding(permit))
        }
        Err(error) => refuse(error),
    }
}

/// A `subscriptions/listen` request and its stream.
struct ListenStream {
    endpoint: Arc<EndpointState>,
    id: Id,
    version: Version,
    server: Arc<Description>,
    listening: ChangeSubscription,
    state: ListenState,
}

enum ListenState {
    Opening,
    Open,
    Closed,
}

impl ListenStream {
    fn events(self) -> impl futures_core::Stream<Item = Bytes> + Send {
        unfold(self, |mut subscription| async move {
            let event = subscription.next().await?;
            Some((event, subscription))
        })
    }

    async fn next(&mut self) -> Option<Bytes> {
        let version = self.version;
        let message = match self.state {
            ListenState::Closed => return None,
            ListenState::Opening => {
                self.state = ListenState::Open;
                listen::acknowledged(&self.id, self.listening.accepted(), version)
            }
            ListenState::Open => tokio::select! {
                biased;
                () = self.endpoint.shutdown.begun() => self.close(),
                change = self.listening.next() => match change {
                    Some(change) => listen::changed(change, Some(&self.id), version),
                    None => self.close(),
                },
                comment = keep_alive(self.endpoint.limits.keep_alive) => return Some(comment),
            },
        };
        let mut event = Vec::with_capacity(message.len() + 8);
        sse::write_event(&mut event, None, None, &message);
        Some(event.into())
    }

    fn close(&mut self) -> Bytes {
        self.state = ListenState::Closed;
        listen::closed(&self.id, &self.server, self.version)
    }
}
