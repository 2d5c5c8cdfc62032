//! Requests about one resource: which connector owns its URI, and the URI that the connector knows it by.

use std::sync::Arc;

use loggia::exchange::Exchange;
use loggia::model::ServerResult;
use loggia::service::{Outcome, Reply, Request};
use loggia::wire::{ErrorCode, JsonText, RawJson, RawObject, RpcError};

use crate::connector_handle::ConnectorHandle;
use crate::hub::{Shared, invalid, required};
use crate::routing_table::{RoutingTable, UriRoute};
use crate::uris::qualify;

impl Shared {
    /// Answers `resources/read`.
    pub(crate) async fn read_resource(&self, request: Request, exchange: Exchange) -> Outcome {
        let uri = required(request.params.uri(), "uri")?.into_owned();
        let UriRoute { connector, uri: own, .. } = self.find_resource(&uri).await?;
        if own == uri {
            return self.relay(connector, request, exchange).await.map_err(RpcError::from);
        }
        let params = request.params.with_uri(&own).map_err(invalid)?;
        let request = Request { params, ..request };
        let reply = self.relay(connector, request, exchange).await?;
        qualified_contents(reply, &own, &uri)
    }

    /// Finds the owner of a URI. A connector that is being started for the first time, and stands before the one
    /// that was found, may own it: it is waited for, and then the URI is refused rather than given to another.
    async fn find_resource(&self, uri: &str) -> Result<UriRoute<'static>, RpcError> {
        let find = |directory: &RoutingTable| directory.resource(uri).map(UriRoute::into_owned);
        let route = self.find(find).await;
        let is_open = |route: &UriRoute<'_>| self.starting_before(route.depends_on).is_some();
        let route = match route {
            Some(route) if is_open(&route) => {
                self.settle().await;
                find(&self.directory.load())
            }
            route => route,
        };
        let route = route.ok_or_else(|| RpcError::resource_not_found(uri))?;
        self.check_owner(&route, uri)?;
        Ok(route)
    }

    /// Fails where another connector may own the URI.
    fn check_owner(&self, route: &UriRoute<'_>, uri: &str) -> Result<(), RpcError> {
        let Some(starting) = self.starting_before(route.depends_on) else { return Ok(()) };
        Err(RpcError::new(
            ErrorCode::INTERNAL_ERROR,
            format!(
                "The connector {:?} is being started for the first time and may own {uri}. Try again shortly, or \
                 read {}.",
                starting.connector.name,
                qualify(&self.handles[route.connector].connector.prefix, &route.uri),
            ),
        ))
    }

    /// The connector of a completion, and its reference in the upstream's own names.
    pub(crate) fn completion_route(
        &self,
        directory: &RoutingTable,
        reference: &RawJson,
    ) -> Result<(usize, RawJson), RpcError> {
        let members = RawObject::of(reference).map_err(invalid)?;
        let text = |name: &str| {
            members
                .string(name)
                .ok_or_else(|| RpcError::invalid_params(format!("params.ref.{name} must be a string")))
        };
        match &*text("type")? {
            "ref/prompt" => {
                let name = text("name")?;
                let route = directory
                    .prompt(&name)
                    .ok_or_else(|| RpcError::invalid_params(format!("Unknown prompt: {name}")))?;
                Ok((route.connector, members.rewrite(&[("name", &route.name)], &[])))
            }
            "ref/resource" => {
                let uri = text("uri")?;
                let route = directory.template(&uri).ok_or_else(|| RpcError::resource_not_found(&uri))?;
                self.check_owner(&route, &uri)?;
                Ok((route.connector, members.rewrite(&[("uri", &route.uri)], &[])))
            }
            other => Err(RpcError::invalid_params(format!("Unknown type of reference: {other}"))),
        }
    }

    /// The first of the connectors before `end` of which nothing is known yet.
    pub(crate) fn starting_before(&self, end: usize) -> Option<&Arc<ConnectorHandle>> {
        self.handles[..end].iter().find(|handle| !handle.has_settled())
    }
}

/// Gives contents the URI that the client asked for. Of a relayed result only that member is rewritten.
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

/// `None` where the result has no contents of this URI: an error, or a request for input.
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
