//! Resources that a client reads.

use std::sync::Arc;

use loggia_wire::{Method, RawJson, RpcError};

use super::{read_params, result};
use crate::exchange::Exchange;
use crate::model::{CacheHints, CacheScope, ReadResourceParams, ReadResourceResult};
use crate::server::args::StringArgs;
use crate::server::core::ServerCore;
use crate::server::cx::CallSubject;
use crate::server::replay::{self, Suspension};
use crate::server::resource::ResourceOutput;
use crate::service::{Outcome, Request};

pub(super) async fn read(core: Arc<ServerCore>, request: Request, exchange: Exchange) -> Outcome {
    let params: ReadResourceParams = read_params(&request)?;
    let uri = params.uri;
    let Some(found) = core.resources.as_ref().and_then(|resources| resources.find(&uri)) else {
        return Err(RpcError::resource_not_found(&uri));
    };
    let arguments = RawJson::empty_object();
    let subject = CallSubject { method: Method::ReadResource, name: uri.clone(), arguments };
    let version = request.meta.version;
    let cx = core.cx(request, exchange, subject, params.input_responses, params.request_state);
    let handler = (found.handler)(core.no_state.clone(), cx.clone(), StringArgs::new(found.variables));
    match replay::run(&cx, handler).await {
        Err(Suspension) => replay::input_required(cx.call()).map(result),
        Ok(Ok(ResourceOutput::Result(output))) => {
            Ok(result(finish_contents(output, &uri, found.mime_type.as_deref(), found.cache)))
        }
        Ok(Ok(ResourceOutput::NotFound)) => Err(RpcError::resource_not_found(&uri)),
        Ok(Ok(ResourceOutput::InputRequired(input))) => Ok(result(input)),
        Ok(Err(error)) => Err(error.into_rpc(&uri, version)),
    }
}

/// Contents without a URI or a type get those that are known of the resource.
fn finish_contents(
    mut output: ReadResourceResult,
    uri: &str,
    mime_type: Option<&str>,
    cache: Option<CacheHints>,
) -> ReadResourceResult {
    for contents in &mut output.contents {
        if contents.uri.is_empty() {
            contents.uri = uri.to_owned();
        }
        if contents.mime_type.is_none() {
            contents.mime_type = mime_type.map(str::to_owned);
        }
    }
    let hints = cache.unwrap_or(CacheHints::new(0, CacheScope::Private));
    output.cache.ttl_ms = output.cache.ttl_ms.or(hints.ttl_ms);
    output.cache.cache_scope = output.cache.cache_scope.or(hints.cache_scope);
    output
}
