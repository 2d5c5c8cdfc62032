//! JSON-RPC over the standard streams of a server, one message on each line, as text.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{ChildStdin, ChildStdout};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::session::Transport;
use crate::command::{Daemon, Run};

const ANSWER_LIMIT: Duration = Duration::from_secs(60);

/// A server that this program has started. It ends when this value is dropped.
pub(super) struct StdioTransport {
    stdin: ChildStdin,
    lines: Receiver<String>,
    server: Daemon,
}

impl StdioTransport {
    pub(super) fn start(run: Run) -> Result<Self, String> {
        let (server, stdin, stdout) = run.start_with_pipes()?;
        Ok(Self { stdin, lines: lines_of(stdout), server })
    }

    fn send(&mut self, message: &Value) -> Result<(), String> {
        let line = format!("{message}\n");
        let sent = self.stdin.write_all(line.as_bytes()).and_then(|()| self.stdin.flush());
        sent.map_err(|e| format!("cannot write to the server: {e}\n{}", self.server.tail()))
    }

    /// Returns the next line that is a JSON object; the log lines of a server are skipped.
    fn next_message(&self, deadline: Instant) -> Result<(String, Value), String> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left).map_err(|_| {
                format!("no answer within {} s\n{}", ANSWER_LIMIT.as_secs(), self.server.tail())
            })?;
            if let Ok(message @ Value::Object(_)) = serde_json::from_str(&line) {
                return Ok((line, message));
            }
        }
    }
}

impl Transport for StdioTransport {
    fn request(&mut self, message: &Value, id: u64) -> Result<String, String> {
        self.send(message)?;
        let deadline = Instant::now() + ANSWER_LIMIT;
        loop {
            let (line, received) = self.next_message(deadline)?;
            if received.get("method").is_none() && received["id"] == id {
                return Ok(line);
            }
            if received.get("method").is_some() && received.get("id").is_some() {
                let error = json!({ "code": -32601, "message": "not supported" });
                self.send(&json!({ "jsonrpc": "2.0", "id": received["id"], "error": error }))?;
            }
        }
    }

    fn notify(&mut self, message: &Value) -> Result<(), String> {
        self.send(message)
    }
}

/// Reads lines in a thread, which ends with the stream.
fn lines_of(stdout: ChildStdout) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let lines = BufReader::new(stdout).lines().map_while(Result::ok);
        for line in lines {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}
