//! `loggia status`: the status of the gateways of this user.

#[cfg(unix)]
use loggia_gateway::StateFolder;
use loggia_gateway::{GatewayFilter, GatewayStatusText, GatewayStatuses};
use serde_json::json;

use crate::args::StatusArgs;
use crate::exit::{Code, Failure, Outcome};
use crate::out::{self, WARN};
use crate::render::status;
use crate::text::one_line;

/// `loggia status`.
pub(crate) fn run(args: &StatusArgs) -> Outcome {
    let filter = args.url.as_deref().map(filter).transpose()?;
    let GatewayStatuses { mut documents, failures } = gateways()?;
    failures.iter().for_each(|failure| out::note(format!("{WARN}warning{WARN:#}: {}", one_line(failure))));
    documents.retain(|told| filter.as_ref().is_none_or(|filter| filter.matches(told)));
    if documents.is_empty() {
        // The gateway that is meant may be one of those that failed to answer.
        return Err(if failures.is_empty() {
            none(args.url.as_deref())
        } else {
            Failure::silent(Code::Connect)
        });
    }
    let shown =
        documents.iter().map(|document| status::gateway(&GatewayStatusText::of(document), out::width()));
    match args.format.is_human() {
        true => Ok(out::print(shown.collect::<Vec<_>>().join("\n"))?),
        false => Ok(out::write_bytes(format!("{}\n", json!({ "gateways": documents })).as_bytes())?),
    }
}

fn filter(text: &str) -> Outcome<GatewayFilter> {
    GatewayFilter::parse(text).ok_or_else(|| {
        Failure::usage(format!("{text:?} is neither the URL nor the port of a gateway")).hint(
            "for example http://127.0.0.1:4000/mcp, or 4000; without it all gateways of yours are shown",
        )
    })
}

fn none(which: Option<&str>) -> Failure {
    let which = which.map(|which| format!(" at {which}")).unwrap_or_default();
    Failure::new(Code::Connect, format!("no gateway of this user runs on this machine{which}"))
        .hint("`loggia up` starts one; status is told only to the user who started it, on the same machine")
}

/// Asks all gateways of this user.
#[cfg(unix)]
fn gateways() -> Outcome<GatewayStatuses> {
    Ok(GatewayStatuses::read(&StateFolder::of_user()))
}

#[cfg(not(unix))]
fn gateways() -> Outcome<GatewayStatuses> {
    Err(Failure::usage("status is told over Unix sockets, which this system does not have")
        .hint("/readyz of the gateway says which connectors are up"))
}
