//! `loggia status`: the state of the gateways of this user, asked over their sockets.

mod filter;

#[cfg(unix)]
use std::{
    io::{self, ErrorKind, Read},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

use serde_json::{Value, json};

use crate::args::{OutputArg, StatusArgs};
use crate::exit::{Code, Failure, Outcome};
use crate::out::{self, WARN};
use crate::render::status;
use crate::render::text::one_line;
use filter::GatewayFilter;

/// Most bytes that one gateway may tell.
#[cfg(unix)]
const DOCUMENT: u64 = 16 << 20;
/// The time that one gateway has to answer.
#[cfg(unix)]
const ANSWER: Duration = Duration::from_secs(5);

/// `loggia status`.
pub(crate) fn run(args: &StatusArgs) -> Outcome {
    let filter = args.url.as_deref().map(filter).transpose()?;
    let Gateways { mut documents, failures } = gateways()?;
    failures.iter().for_each(|failure| out::note(format!("{WARN}warning{WARN:#}: {}", one_line(failure))));
    documents.retain(|told| filter.as_ref().is_none_or(|filter| filter.matches(&told["gateway"])));
    if documents.is_empty() {
        // The gateway that is meant may be one of those that failed to answer.
        return Err(if failures.is_empty() {
            none(args.url.as_deref())
        } else {
            Failure::silent(Code::Connect)
        });
    }
    match args.output {
        OutputArg::Json => {
            let mut text = json!({ "gateways": documents }).to_string();
            text.push('\n');
            Ok(out::write_bytes(text.as_bytes())?)
        }
        OutputArg::Human => Ok(out::print(status::gateways(&documents, out::width()))?),
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

/// The gateways of this user.
#[derive(Default)]
struct Gateways {
    /// The documents of those that answered.
    documents: Vec<Value>,
    /// The reasons why others did not answer, each with the path of the socket.
    failures: Vec<String>,
}

/// Asks all gateways.
#[cfg(unix)]
fn gateways() -> Outcome<Gateways> {
    let mut gateways = Gateways::default();
    let Some(folder) = crate::state::sockets() else { return Ok(gateways) };
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "sock"))
        .collect();
    paths.sort();
    for path in paths {
        match ask(&path, ANSWER) {
            Ok(document) => gateways.documents.extend(document),
            Err(error) => gateways.failures.push(format!("no status from {}: {error}", path.display())),
        }
    }
    Ok(gateways)
}

/// Returns the document of one gateway; `None` if there is no gateway any more. A socket that nothing listens on was left
/// by a gateway that was killed: it is deleted.
#[cfg(unix)]
fn ask(path: &Path, patience: Duration) -> io::Result<Option<Value>> {
    let stream = match UnixStream::connect(path) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            // Another command may have been faster.
            let _ = std::fs::remove_file(path);
            return Ok(None);
        }
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        stream => stream?,
    };
    stream.set_read_timeout(Some(patience))?;
    let mut text = String::new();
    stream.take(DOCUMENT).read_to_string(&mut text).map_err(|error| match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => {
            let reason = format!("the gateway did not answer within {} s", patience.as_secs_f32());
            io::Error::new(ErrorKind::TimedOut, reason)
        }
        _ => error,
    })?;
    let cut = |_| io::Error::new(ErrorKind::InvalidData, "the gateway did not send a whole JSON document");
    serde_json::from_str(&text).map(Some).map_err(cut)
}

#[cfg(not(unix))]
fn gateways() -> Outcome<Gateways> {
    Err(Failure::usage("status is told over Unix sockets, which this system does not have")
        .hint("/readyz of the gateway says which connectors are up"))
}

#[cfg(all(test, unix))]
mod tests {
    use std::io::Write;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn only_a_socket_without_a_gateway_is_passed_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.sock");
        assert!(matches!(ask(&path, ANSWER), Ok(None)), "vanished");
        drop(UnixListener::bind(&path).expect("bound"));
        assert!(matches!(ask(&path, ANSWER), Ok(None)) && !path.exists(), "refused");
        let listener = UnixListener::bind(&path).expect("bound");
        let silent = ask(&path, Duration::from_millis(1)).expect_err("the connection is never accepted");
        assert!(silent.to_string().contains("did not answer"), "{silent}");
        drop(listener.accept().expect("the connection before"));
        for (document, is_whole) in [("{\"gateway\":{}}", true), ("{\"gateway\":", false), ("", false)] {
            std::thread::scope(|threads| {
                threads.spawn(|| {
                    let (mut stream, _) = listener.accept().expect("a connection");
                    stream.write_all(document.as_bytes()).expect("written");
                });
                assert_eq!(ask(&path, ANSWER).is_ok_and(|told| told.is_some()), is_whole, "{document:?}");
            });
        }
        assert!(path.exists());
    }
}
