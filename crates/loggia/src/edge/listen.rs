//! The messages of a subscription, for every transport: the acknowledgement that comes first, one notification for
//! each change, and the result that ends it. Each carries the id of its `subscriptions/listen` request
//! ("Receiving Notifications"); in the legacy era there is no such request and no id.

use bytes::Bytes;
use loggia_wire::jsonrpc::{self, Id};
use loggia_wire::model::{
    EmptyParams, EmptyResult, ListenParams, Meta, ResourceUpdatedParams, ServerNotification, ServerResult,
    SubscriptionFilter, SubscriptionsAcknowledgedParams,
};
use loggia_wire::{RawJson, RpcError, Version, codec, meta};
use serde_json::Value;

use crate::changes::Change;
use crate::limits::Limits;
use crate::service::Description;

/// Reads the filter of a `subscriptions/listen` request.
pub(crate) fn filter(params: Option<&RawJson>, limits: &Limits) -> Result<SubscriptionFilter, RpcError> {
    let empty = RawJson::empty_object();
    let params: ListenParams = params
        .unwrap_or(&empty)
        .read()
        .map_err(|error| RpcError::invalid_params(format!("Invalid params: {error}")))?;
    let uris = params.notifications.resource_subscriptions.as_deref().unwrap_or_default();
    if uris.len() > limits.subscriptions {
        let most = limits.subscriptions;
        return Err(RpcError::invalid_params(format!(
            "At most {most} resources can be subscribed to at once"
        )));
    }
    if uris.iter().any(|uri| uri.len() > limits.uri_bytes) {
        return Err(RpcError::invalid_params(format!("A uri is longer than {} bytes", limits.uri_bytes)));
    }
    if uris.iter().map(String::len).sum::<usize>() > limits.subscription_bytes {
        return Err(too_many_bytes(limits));
    }
    Ok(params.notifications)
}

/// Creates the error for the URIs of one session or listen request that are too long together.
pub(crate) fn too_many_bytes(limits: &Limits) -> RpcError {
    let most = limits.subscription_bytes;
    RpcError::invalid_params(format!(
        "The URIs of all resources that are subscribed to at once are longer than {most} bytes"
    ))
}

/// Writes the first message of the subscription `id`: the filter that the server accepted.
pub(crate) fn acknowledged(id: &Id, accepted: &SubscriptionFilter, version: Version) -> Bytes {
    let notifications = accepted.clone();
    let params = SubscriptionsAcknowledgedParams { notifications, ..Default::default() };
    written(ServerNotification::SubscriptionsAcknowledged(params), version, Some(id))
        .expect("a version with subscriptions/listen has its acknowledgement")
}

/// Writes the notification of one change. `id` is that of the `subscriptions/listen` request, and `None` in a legacy
/// session.
pub(crate) fn changed(change: Change, id: Option<&Id>, version: Version) -> Bytes {
    let message = match change {
        Change::Tools => ServerNotification::ToolsListChanged(EmptyParams::default()),
        Change::Prompts => ServerNotification::PromptsListChanged(EmptyParams::default()),
        Change::Resources => ServerNotification::ResourcesListChanged(EmptyParams::default()),
        Change::Resource(uri) => {
            ServerNotification::ResourceUpdated(ResourceUpdatedParams { uri, ..Default::default() })
        }
    };
    written(message, version, id).expect("every revision has these notifications")
}

/// Writes the response that ends the subscription `id` gracefully. Nothing may follow it.
pub(crate) fn closed(id: &Id, server: &Description, version: Version) -> Bytes {
    let result = EmptyResult { meta: Some(subscription(id)), ..EmptyResult::default() };
    let result = codec::encode_result(ServerResult::Empty(result), version, Some(&server.identity));
    let mut out = Vec::with_capacity(256);
    jsonrpc::write_result(&mut out, id, result.as_bytes());
    out.into()
}

/// Writes a notification of a running request for `version`; `None` if the revision does not have it.
pub(crate) fn notification(notification: ServerNotification, version: Version) -> Option<Bytes> {
    written(notification, version, None)
}

fn written(notification: ServerNotification, version: Version, subscription: Option<&Id>) -> Option<Bytes> {
    let (method, params) = codec::encode_server_notification(notification, version, subscription)?;
    let mut out = Vec::with_capacity(256);
    jsonrpc::write_notification(&mut out, &method, params.as_ref().map(RawJson::as_bytes));
    Some(out.into())
}

fn subscription(id: &Id) -> Meta {
    let id = match id {
        Id::Number(number) => Value::from(*number),
        Id::String(text) => Value::from(&**text),
    };
    Meta::from_iter([(meta::SUBSCRIPTION_ID.to_owned(), id)])
}
