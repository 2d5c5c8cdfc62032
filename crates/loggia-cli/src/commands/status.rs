//! `loggia status`: the state of the gateways of this user, asked over their sockets.

mod filter;

use serde_json::{Value, json};

use crate::args::{OutputArg, StatusArgs};
use crate::exit::{Code, Failure, Outcome};
use crate::out;
use crate::render::status;
use filter::GatewayFilter;

/// Most bytes that one gateway may tell.
#[cfg(unix)]
const DOCUMENT: u64 = 16 << 20;
/// The time that one gateway has to answer.
#[cfg(unix)]
const ANSWER: std::time::Duration = std::time::Duration::from_secs(5);

/// `loggia status`.
pub(crate) fn run(args: &StatusArgs) -> Outcome {
    let filter = args.url.as_deref().map(filter).transpose()?;
    let mut gateways = gateways()?;
    gateways.retain(|told| filter.as_ref().is_none_or(|filter| filter.matches(&told["gateway"])));
    if gateways.is_empty() {
        return Err(none(args.url.as_deref()));
    }
    match args.output {
        OutputArg::Json => {
            let mut text = json!({ "gateways": gateways }).to_string();
            text.push('\n');
            Ok(out::write_bytes(text.as_bytes())?)
        }
        OutputArg::Human => Ok(out::print(status::gateways(&gateways, out::width()))?),
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

/// Returns the documents of all gateways.
#[cfg(unix)]
fn gateways() -> Outcome<Vec<Value>> {
    let Some(folder) = crate::state::sockets() else { return Ok(Vec::new()) };
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "sock"))
        .collect();
    paths.sort();
    Ok(paths.iter().filter_map(|path| ask(path)).collect())
}

/// Returns the document of one gateway. A socket that nothing listens on was left by a gateway that was killed: it is
/// deleted.
#[cfg(unix)]
fn ask(path: &std::path::Path) -> Option<Value> {
    use std::io::{ErrorKind, Read};
    let stream = match std::os::unix::net::UnixStream::connect(path) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            // Another command may have been faster.
            let _ = std::fs::remove_file(path);
            return None;
        }
        stream => stream.ok()?,
    };
    stream.set_read_timeout(Some(ANSWER)).ok()?;
    let mut text = String::new();
    stream.take(DOCUMENT).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

#[cfg(not(unix))]
fn gateways() -> Outcome<Vec<Value>> {
    Err(Failure::usage("status is told over Unix sockets, which this system does not have")
        .hint("/readyz of the gateway says which connectors are up"))
}
