//! Routes requests about one resource: finds the connector that owns the URI, and the connector's own URI.

use std::sync::Arc;

use loggia::changes::ChangeSubscription;
use loggia::exchange::Exchange;
use loggia::model::{ServerResult, SubscriptionFilter};
use loggia::service::{Outcome, Reply, Request};
use loggia::wire::{ErrorCode, JsonText, RawJson, RawObject, RpcError};

use crate::composition::Composition;
use crate::connector_handle::ConnectorHandle;
use crate::dispatcher::Dispatcher;
use crate::refusal::{MAX_ROUTINGS, Refusal};
use crate::request_params::{invalid_params, required_text};
use crate::result_limit::is_result;
use crate::routing_table::UriRoute;
use crate::upstream_set::UpstreamSet;
use crate::uris::qualify;
use crate::wanted_resources::SubscriptionGuard;

/// Routes requests by URI.
pub(crate) struct ResourceRouter {
    set: Arc<UpstreamSet>,
    dispatcher: Arc<Dispatcher>,
}

/// The resource of a connector that a request is about, or the error that it gets.
struct ResourceTarget {
    handle: Arc<ConnectorHandle>,
    /// The URI that the connector uses.
    uri: String,
    /// The error if another connector may own the URI.
    doubt: Option<RpcError>,
}

impl ResourceRouter {
    /// Creates a router for the resources of the connectors of `set`.
    pub(crate) fn new(set: Arc<UpstreamSet>, dispatcher: Arc<Dispatcher>) -> ResourceRouter {
        ResourceRouter { set, dispatcher }
    }

    /// Answers `resources/read`.
    pub(crate) async fn read(&self, request: Request, exchange: Exchange) -> Outcome {
        let uri = required_text(request.params.uri(), "uri")?.into_owned();
        if is_result(&uri) {
            let caller = request.principal.as_deref();
            let read = Box::pin(self.dispatcher.results().read(&uri, caller)).await?;
            return Ok(Reply::from(ServerResult::from(read)));
        }
        let (mut request, mut exchange) = (request, exchange);
        let mut routings = 0;
        loop {
            routings += 1;
            match self.read_once(&uri, routings == 1, request, exchange).await {
                Err(Refusal::Unsent(unsent)) if routings < MAX_ROUTINGS => {
                    (request, exchange) = (unsent.request, unsent.exchange);
                }
                outcome => return outcome.map_err(RpcError::from),
            }
        }
    }

    async fn read_once(
        &self,
        uri: &str,
        is_first: bool,
        request: Request,
        exchange: Exchange,
    ) -> Result<Reply, Refusal> {
        let ResourceTarget { handle, uri: own, .. } = self.find(uri).await?;
        // If the request was routed before, it may contain the URI of the connector that was changed.
        let request = if own == uri && is_first {
            request
        } else {
            let params = request.params.with_uri(&own).map_err(invalid_params)?;
            Request { params, ..request }
        };
        let reply = self.dispatcher.send(&handle, request, exchange).await?;
        if own == uri { Ok(reply) } else { Ok(qualified_contents(reply, &own, uri)?) }
    }

    /// Finds the owner of a URI. An earlier connector that starts for the first time may own it. So this waits for
    /// that connector, and then refuses the URI instead of giving it to a later connector.
    async fn find(&self, uri: &str) -> Result<ResourceTarget, RpcError> {
        let find = |composition: &Composition| {
            let route = composition.table.resource(uri)?;
            Some(ResourceTarget {
                doubt: doubt(composition, &route, uri),
                handle: composition.handle(route.connector).clone(),
                uri: route.uri.into_owned(),
            })
        };
        let target = match self.set.find(find).await {
            Some(ResourceTarget { doubt: Some(_), .. }) => {
                self.set.settle().await;
                find(&self.set.composition())
            }
            target => target,
        };
        match target {
            None => Err(RpcError::resource_not_found(uri)),
            Some(ResourceTarget { doubt: Some(error), .. }) => Err(error),
            Some(target) => Ok(target),
        }
    }

    /// Returns the connector of a completion, and the reference with the connector's own names.
    pub(crate) fn completion_target(
        &self,
        reference: &RawJson,
    ) -> Result<(Arc<ConnectorHandle>, RawJson), RpcError> {
        let composition = self.set.composition();
        let members = RawObject::of(reference).map_err(invalid_params)?;
        let text = |name: &str| {
            members
                .string(name)
                .ok_or_else(|| RpcError::invalid_params(format!("params.ref.{name} must be a string")))
        };
        match &*text("type")? {
            "ref/prompt" => {
                let name = text("name")?;
                let route = composition
                    .table
                    .prompt(&name)
                    .ok_or_else(|| RpcError::invalid_params(format!("Unknown prompt: {name}")))?;
                let reference = members.rewrite(&[("name", &route.name)], &[]);
                Ok((composition.handle(route.connector).clone(), reference))
            }
            "ref/resource" => {
                let uri = text("uri")?;
                let route =
                    composition.table.template(&uri).ok_or_else(|| RpcError::resource_not_found(&uri))?;
                if let Some(error) = doubt(&composition, &route, &uri) {
                    return Err(error);
                }
                let reference = members.rewrite(&[("uri", &route.uri)], &[]);
                Ok((composition.handle(route.connector).clone(), reference))
            }
            other => Err(RpcError::invalid_params(format!("Unknown type of reference: {other}"))),
        }
    }

    /// Opens a subscription to the changes in `filter`, without the resources that cannot be subscribed to.
    pub(crate) fn listen(&self, filter: SubscriptionFilter) -> ChangeSubscription {
        let composition = self.set.composition_full();
        let mut by_connector: Vec<Vec<String>> = vec![Vec::new(); composition.providers.len()];
        let accepted: Vec<String> = filter
            .resource_subscriptions
            .into_iter()
            .flatten()
            .filter(|uri| match composition.table.resource(uri) {
                Some(route)
                    if is_subscribable(composition.handle(route.connector))
                        && composition.providers.starting_before(route.depends_on).is_none() =>
                {
                    by_connector[route.connector].push(route.uri.into_owned());
                    true
                }
                _ => false,
            })
            .collect();
        let guards: Vec<SubscriptionGuard> = composition
            .providers
            .iter()
            .zip(by_connector)
            .filter(|(_, uris)| !uris.is_empty())
            .map(|(provider, uris)| provider.handle.wanted.subscribe(uris))
            .collect();
        let accepted = SubscriptionFilter {
            tools_list_changed: filter.tools_list_changed,
            prompts_list_changed: filter.prompts_list_changed,
            resources_list_changed: filter.resources_list_changed,
            resource_subscriptions: (!accepted.is_empty()).then_some(accepted),
            ..SubscriptionFilter::default()
        };
        self.set.listen(accepted, guards)
    }
}

fn is_subscribable(handle: &ConnectorHandle) -> bool {
    let capabilities = handle.capabilities().and_then(|capabilities| capabilities.resources);
    capabilities.is_some_and(|resources| resources.subscribe == Some(true))
}

/// Returns the error if another connector may own the URI.
fn doubt(composition: &Composition, route: &UriRoute<'_>, uri: &str) -> Option<RpcError> {
    let starting = composition.providers.starting_before(route.depends_on)?;
    Some(RpcError::new(
        ErrorCode::INTERNAL_ERROR,
        format!(
            "The connector {:?} is being started for the first time and may own {uri}. Try again shortly, or read {}.",
            starting.handle.settings.name,
            qualify(&composition.providers.at(route.connector).prefix, &route.uri),
        ),
    ))
}

/// Replaces the URI in contents by the URI that the client asked for. Nothing else of a relayed result is rewritten.
fn qualified_contents(reply: Reply, own: &str, asked: &str) -> Outcome {
    match reply {
        Reply::Raw(relayed) => {
            let renamed = renamed_contents(relayed.raw(), own, asked);
            Ok(match renamed {
                Some(renamed) => relayed.with_raw(renamed),
                None => relayed,
            }
            .into())
        }
        Reply::Result(ServerResult::ReadResource(mut read)) => {
            for contents in read.contents.iter_mut().filter(|contents| contents.uri == own) {
                contents.uri = asked.to_owned();
            }
            Ok(ServerResult::ReadResource(read).into())
        }
        other => Ok(other),
    }
}

/// Returns the result with the other URI; `None` if it has no contents with the own URI (an error, a request for
/// input).
fn renamed_contents(result: &RawJson, own: &str, asked: &str) -> Option<RawJson> {
    let object = result.as_text().to_object()?;
    let contents = object.get("contents").and_then(JsonText::items)?;
    let mut is_changed = false;
    let renamed: Vec<RawJson> = contents
        .map(|item| match item.to_object() {
            Some(mut object) if object.get("uri").is_some_and(|uri| uri.is_str(own)) => {
                is_changed = true;
                object.insert("uri", asked);
                object.to_raw()
            }
            _ => item.to_raw(),
        })
        .collect();
    let renamed = is_changed.then(|| RawJson::of(&renamed))?;
    Some(RawObject::of(result).ok()?.replaced("contents", renamed.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_uri_of_the_contents_that_were_asked_for_changes() {
        let table = [
            (
                r#"{"contents":[{"text":"\u0041","uri":"a:\/b","n":1.0},{"uri":"c:d","text":""}],"x":1e3}"#,
                Some(
                    r#"{"contents":[{"text":"\u0041","uri":"p+a:/b","n":1.0},{"uri":"c:d","text":""}],"x":1e3}"#,
                ),
            ),
            (r#"{"contents":[{"uri":"c:d"}]}"#, None),
            (r#"{"contents":[7,null]}"#, None),
            (r#"{"resultType":"input_required","requestState":"s"}"#, None),
        ];
        for (result, expected) in table {
            let result = RawJson::parse(result).expect("JSON");
            let renamed = renamed_contents(&result, "a:/b", "p+a:/b");
            assert_eq!(renamed.map(|renamed| renamed.to_string()).as_deref(), expected, "{result}");
        }
    }
}
