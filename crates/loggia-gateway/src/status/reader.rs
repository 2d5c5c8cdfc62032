//! Reads the statuses of the gateways that a user runs, from their sockets. Invariant: a running gateway that does
//! not answer is reported as a failure.

use std::io::{self, ErrorKind, Read};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::GatewayStatuses;
use crate::state::StateFolder;

/// The longest document of one gateway, in bytes.
const MAX_DOCUMENT: u64 = 16 << 20;
/// The time for one gateway to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

impl GatewayStatuses {
    /// Asks all gateways whose sockets are in the folder, one after the other. Blocks for at most five seconds for
    /// each gateway that does not answer.
    pub fn read(state: &StateFolder) -> GatewayStatuses {
        let mut gateways = GatewayStatuses::default();
        let Some(folder) = state.sockets() else { return gateways };
        let mut paths: Vec<_> = std::fs::read_dir(folder)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "sock"))
            .collect();
        paths.sort();
        for path in paths {
            match ask(&path, ANSWER_TIMEOUT) {
                Ok(document) => gateways.documents.extend(document),
                Err(error) => gateways.failures.push(format!("no status from {}: {error}", path.display())),
            }
        }
        gateways
    }
}

/// Returns the document of one gateway; `None` if it has ended. A socket on which no process listens was left by a
/// killed gateway, and is deleted.
fn ask(path: &Path, timeout: Duration) -> io::Result<Option<Value>> {
    let stream = match UnixStream::connect(path) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            // Another command may have deleted it before.
            let _ = std::fs::remove_file(path);
            return Ok(None);
        }
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        stream => stream?,
    };
    stream.set_read_timeout(Some(timeout))?;
    let mut text = String::new();
    stream.take(MAX_DOCUMENT).read_to_string(&mut text).map_err(|error| match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => {
            let reason = format!("the gateway did not answer within {} s", timeout.as_secs_f32());
            io::Error::new(ErrorKind::TimedOut, reason)
        }
        _ => error,
    })?;
    let cut = |_| io::Error::new(ErrorKind::InvalidData, "the gateway did not send a whole JSON document");
    serde_json::from_str(&text).map(Some).map_err(cut)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn only_a_socket_without_a_gateway_is_passed_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.sock");
        assert!(matches!(ask(&path, ANSWER_TIMEOUT), Ok(None)), "vanished");
        drop(UnixListener::bind(&path).expect("bound"));
        assert!(matches!(ask(&path, ANSWER_TIMEOUT), Ok(None)) && !path.exists(), "refused");
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
                assert_eq!(
                    ask(&path, ANSWER_TIMEOUT).is_ok_and(|told| told.is_some()),
                    is_whole,
                    "{document:?}"
                );
            });
        }
        assert!(path.exists());
    }
}
