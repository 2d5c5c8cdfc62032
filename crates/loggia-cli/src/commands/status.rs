//! `loggia status`: how the gateways of this user are, asked over their sockets.

use serde_json::{Value, json};

use crate::args::{OutputArg, StatusArgs};
use crate::exit::{Code, Failure, Outcome};
use crate::out;
use crate::render::status;

/// Most bytes that one gateway may tell.
#[cfg(unix)]
const DOCUMENT: u64 = 16 << 20;
/// How long one gateway may take.
#[cfg(unix)]
const ANSWER: std::time::Duration = std::time::Duration::from_secs(5);

/// `loggia status`.
pub(crate) fn run(args: &StatusArgs) -> Outcome {
    let port = args.url.as_deref().map(port).transpose()?;
    let gateways = gateways(port)?;
    if gateways.is_empty() {
        return Err(none(port));
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

/// The port in a URL, or in an address as `loggia up --listen` takes it.
fn port(text: &str) -> Outcome<u16> {
    let wrong = || {
        Failure::usage(format!("{text:?} is neither the URL nor the port of a gateway")).hint(
            "for example http://127.0.0.1:4000/mcp, or 4000; without it all gateways of yours are shown",
        )
    };
    if text.contains("://") {
        let url = url::Url::parse(text).map_err(|_| wrong())?;
        return url.port_or_known_default().ok_or_else(wrong);
    }
    text.rsplit(':').next().and_then(|port| port.parse().ok()).ok_or_else(wrong)
}

fn none(port: Option<u16>) -> Failure {
    let which = port.map(|port| format!(" at port {port}")).unwrap_or_default();
    Failure::new(Code::Connect, format!("no gateway of this user runs on this machine{which}"))
        .hint("`loggia up` starts one; status is told only to the user who started it, on the same machine")
}

/// What the gateways tell of themselves; of those that listen on `port`, where one is given.
#[cfg(unix)]
fn gateways(port: Option<u16>) -> Outcome<Vec<Value>> {
    let Some(folder) = crate::state::sockets() else { return Ok(Vec::new()) };
    let wanted = port.map(|port| format!("{port}.sock"));
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "sock"))
        .filter(|path| wanted.as_deref().is_none_or(|name| path.file_name().is_some_and(|own| own == name)))
        .collect();
    paths.sort();
    Ok(paths.iter().filter_map(|path| ask(path)).collect())
}

/// What one gateway tells; nothing where it is gone.
#[cfg(unix)]
fn ask(path: &std::path::Path) -> Option<Value> {
    use std::io::Read;
    let stream = std::os::unix::net::UnixStream::connect(path).ok()?;
    stream.set_read_timeout(Some(ANSWER)).ok()?;
    let mut text = String::new();
    stream.take(DOCUMENT).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

#[cfg(not(unix))]
fn gateways(_: Option<u16>) -> Outcome<Vec<Value>> {
    Err(Failure::usage("status is told over Unix sockets, which this system does not have")
        .hint("/readyz of the gateway says which connectors are up"))
}
